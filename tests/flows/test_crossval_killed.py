"""A cross-validation whose worker and child are killed goes on by itself, from the checkpoints of its models."""

import os
import signal
from pathlib import Path

import pytest

from app.domain.actor import person
from app.flows import child, crossval, demo
from app.settings import Settings
from app.store import jobs, runs
from app.store.db import Database
from tests.flows.test_crossval import TINY
from tests.test_jobs import until, worker

EPOCHS = 8
pytestmark = [pytest.mark.one_database, pytest.mark.long]


def said(home: Path, run: int, event: str) -> list[tuple[int, int]]:
    """(fold, epoch) of an event, in the order in which they were said."""
    return [(one["fold"], one["epoch"]) for one in child.events(home, run) if one["event"] == event and "fold" in one]


def test_it_goes_on_after_worker_and_child_were_killed(db: Database, tmp_path: Path) -> None:
    demo.run(db, tmp_path, "demo", person("ada"), count=40)
    run = crossval.request(db, "demo", person("ada"), folds=2, keys=TINY | {"epochs": EPOCHS, "compile": "off"})
    settings, folder = Settings(home=tmp_path), child.folder_of(tmp_path, run.id)

    def state() -> str:
        with db.read() as session:
            return jobs.find(session, run.job_id or 0).state

    with worker(settings) as process:
        until(lambda: bool(said(tmp_path, run.id, "epoch")), 120)
        process.send_signal(signal.SIGKILL)
        os.kill(int((folder / "pid").read_text().split()[0]), signal.SIGKILL)
        process.wait()
    learned = said(tmp_path, run.id, "epoch")
    starts = len(said(tmp_path, run.id, "start"))
    assert state() == "running"
    with worker(settings):
        until(lambda: state() in jobs.ENDED, 300)
    assert state() == "done"
    again = dict(said(tmp_path, run.id, "start")[starts:])
    # A model that had learned all it was to learn isn't started again.
    assert all(again.get(fold, EPOCHS) > epoch for fold, epoch in learned)
    with db.read() as session:
        result = runs.find(session, run.id).result
    assert result is not None
    assert result["predicted"] > 30
    assert (folder / "predictions").exists()
    assert not list(folder.glob("fold_*/predictions"))
