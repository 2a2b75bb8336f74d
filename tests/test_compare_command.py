"""`remask compare`: what it prints, and that what was cancelled is gone on with."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.__main__ import app
from app.domain.actor import person
from app.flows import compare, demo, review
from app.flows.review import Selection
from app.flows.snapshot import freeze
from app.store.db import open_database
from app.store.decisions import Wish
from tests.flows.test_compare import by_hand
from tests.sets import every_sample

__all__ = ["by_hand"]
ADA = person("ada")


@pytest.fixture
def cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A demo set with an excluded train sample in a data folder, and a comparison that was cancelled."""
    monkeypatch.setenv("REMASK_HOME", str(tmp_path))
    db = open_database(tmp_path / "remask.sqlite")
    demo.run(db, tmp_path, "demo", ADA, count=60)
    freeze(db, tmp_path, "demo", "curated")
    with db.read() as session:
        train = [one.key for one in every_sample(session, 1) if one.split == "train"]
    review.decide(db, "demo", Selection(keys=train[:1]), Wish("exclude"), ADA)
    id = compare.request(db, "demo", ADA, seeds=1, keys={"epochs": 1}).id
    compare.cancel(db, id)
    db.close()
    return id


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["compare", "demo", *arguments])
    return done.exit_code, done.output if done.exception is None else f"{done.output}{done.exception}"


@pytest.mark.usefixtures("by_hand")
def test_the_verdict_is_printed_for_people_and_machines(cancelled: int) -> None:
    status, said = run("--resume", str(cancelled))
    assert status == 0, said
    assert "points of mean IoU" in said
    assert "test masks" in said
    assert "Judged by" in said
    assert "95 % interval" in said
    status, said = run("--seeds", "1", "--set", "epochs=1", "--arms", "imported,without_excluded", "--json")
    found = json.loads(said)
    assert (status, found["comparison"], found["readings"][0]["reference"]) == (0, cancelled + 1, "current")


def test_what_it_cannot_be_told(cancelled: int) -> None:
    assert "name two arms" in run("--arms", "imported")[1]
    assert "no arm 'x'" in run("--arms", "imported,x")[1]
    assert "no comparison 99" in run("--resume", "99")[1]
