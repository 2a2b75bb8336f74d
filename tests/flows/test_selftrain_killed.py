"""A run of several rounds whose worker and trainer are killed in a later one goes on by itself, where it was."""

import os
import signal
from pathlib import Path

import pytest

from app.flows import child, ingest, train
from app.settings import Settings
from app.store import jobs
from app.store.db import Database
from tests.flows.test_selftrain import ADA, CLASSES, TINY, write_set
from tests.test_jobs import until, worker

pytestmark = [pytest.mark.one_database, pytest.mark.long]
EPOCHS = 6


def said(home: Path, run: int, event: str) -> list[tuple[int, int]]:
    """(round, epoch) of an event, in the order in which they were said."""
    return [(one["round"], one["epoch"]) for one in child.events(home, run) if one["event"] == event]


def test_it_goes_on_in_the_round_in_which_worker_and_trainer_were_killed(db: Database, tmp_path: Path) -> None:
    ingest.run(db, write_set(tmp_path / "set.npz"), "rocks", ADA, classes=CLASSES)
    run = train.request(db, "rocks", ADA, keys=TINY | {"epochs": EPOCHS}, rounds=1, precision=0.9)
    settings, folder = Settings(home=tmp_path), child.folder_of(tmp_path, run.id)

    def state() -> str:
        with db.read() as session:
            return jobs.find(session, run.job_id or 0).state

    with worker(settings) as process:
        until(lambda: (1, 1) in said(tmp_path, run.id, "epoch"), 300)
        process.send_signal(signal.SIGKILL)
        os.kill(int((folder / "pid").read_text().split()[0]), signal.SIGKILL)
        process.wait()
    assert state() == "running"
    with worker(settings):
        until(lambda: state() in jobs.ENDED, 300)
    assert state() == "done"
    starts = said(tmp_path, run.id, "start")
    assert [number for number, _ in starts] == [0, 1, 1]
    assert starts[2][1] >= 2
    result = train.result_of(db, run.id)
    assert [one["number"] for one in result["rounds"]] == [0, 1]
    assert result["test"]["miou"] is not None
