from pathlib import Path

import pytest

from app import jobs
from app.domain.actor import person
from app.flows import demo, estimate, ingest, review, runs
from app.flows.options import Advice
from app.flows.review import Selection
from app.flows.snapshot import CantTrain
from app.settings import Settings
from app.store import datasets
from app.store.db import Database
from app.store.decisions import Wish
from app.store.tables import Snapshot
from tests.sets import every_sample

ADA = person("ada")


@pytest.mark.one_database
def test_a_pace_is_known_before_any_run(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"width": 4, "depth": 2, "threads": 1, "precision": "fp32", "layout": "contiguous", "augment": ()}
    monkeypatch.setattr("app.flows.options.advise", lambda *_: Advice(keys, ()))
    demo.run(db, tmp_path, "demo", ADA, count=60)
    job = estimate.request(db, "demo")
    jobs.see_done(db, Settings(home=tmp_path), job.id, lambda *_: None)
    with db.read() as session:
        row = datasets.find(session, "demo")
        [pace] = runs.paces(session, tmp_path, row.id)
        assert session.query(Snapshot).count() == 0
        assert {one.split for one in every_sample(session, row.id)} == {None}
    assert {name: pace[name] for name in ("run", "model", "width", "depth", "versions")} == {
        "run": None,
        "model": "unet",
        "width": 4,
        "depth": 2,
        "versions": 0,
    }
    assert 0 < pace["seconds"] < 60
    assert not (tmp_path / "estimates" / str(row.id)).exists()


def test_a_set_without_labels_has_none(db: Database, npz: Path, tmp_path: Path) -> None:
    ingest.run(db, npz, "few", ADA)
    review.decide(db, "few", Selection(keys=[f"training_set/{i:05}" for i in range(12)]), Wish("exclude"), ADA)
    with pytest.raises(CantTrain, match="too few labelled samples"):
        estimate.run(db, tmp_path, "few")
