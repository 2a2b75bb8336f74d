"""Jobs through the real engine and real processes, killed without warning."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from app import jobs
from app.domain.actor import person
from app.flows import ingest
from app.flows.progress import quiet
from app.jobs import JobFailed
from app.settings import Settings
from app.store import datasets, summary
from app.store import jobs as rows
from app.store.db import Database, open_database
from tests.sets import every_sample, write_npz

# A worker that is given up after 3 seconds rather than 20.
IMPATIENT = """
from datetime import timedelta
from app.jobs import running
from app.store import postgresql
from app.store import jobs
running.BEAT_SECONDS, jobs.LOST_AFTER, postgresql._SILENCE = 0.5, timedelta(seconds=3), "3s"
"""
WORK = "from app.__main__ import main; main()"


@pytest.fixture
def settings(tmp_path: Path, backend: str, where: Path | str) -> Settings:
    return Settings(home=tmp_path, database_url=None if isinstance(where, Path) else where)


@pytest.fixture
def db(settings: Settings) -> Iterator[Database]:
    database = open_database(settings.database)
    yield database
    database.close()


@contextmanager
def worker(
    settings: Settings, name: str = "one", first: str = "", inside: Sequence[str] = ()
) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker's process; ``first``: lines that it runs before it begins; ``inside``: a command that runs it."""
    env = os.environ | {"REMASK_HOME": str(settings.home), "REMASK_WORKER": name}
    if settings.database_url is not None:
        env["REMASK_DATABASE_URL"] = settings.database_url
    command = [*inside, sys.executable, "-c", IMPATIENT + first + WORK, "worker"]
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(holds: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    tick = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        tick.wait(0.02)


def request_import(db: Database, folder: Path, count: int) -> int:
    path = write_npz(folder / "many.npz", np.random.default_rng(0), labelled=count, unlabelled=1)
    args = {"path": str(path), "dataset": "many", "format": "auto", "label": "many", "actor": "ada"}
    with db.write() as session:
        return rows.request(session, "import", None, args).id


def state(db: Database, job_id: int) -> str:
    with db.read() as session:
        return rows.find(session, job_id).state


def imported(db: Database) -> int:
    with db.read() as session:
        return sum(count for _, count, _ in summary.all_datasets(session))


def test_a_job_goes_on_after_its_worker_was_killed(db: Database, settings: Settings, tmp_path: Path) -> None:
    job = request_import(db, tmp_path, 2000)
    with worker(settings) as process:
        until(lambda: imported(db) >= 100)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert state(db, job) == "running"
    assert 100 <= imported(db) < 2001
    with worker(settings):
        until(lambda: state(db, job) == "done")
    assert imported(db) == 2001
    with db.read() as session:
        keys = [one.key for one in every_sample(session, datasets.find(session, "many").id)]
    assert len(set(keys)) == 2001


def test_a_running_job_stops_when_it_is_cancelled(db: Database, settings: Settings, tmp_path: Path) -> None:
    job = request_import(db, tmp_path, 6000)
    with worker(settings):
        until(lambda: imported(db) >= 100)
        with db.write() as session:
            rows.cancel(session, job)
        until(lambda: state(db, job) == "cancelled")
    assert imported(db) < 6001


def test_a_second_worker_is_refused_in_a_sentence(db: Database, settings: Settings) -> None:
    with worker(settings):
        until(lambda: bool(list((settings.home / "workers").glob("*"))))
        with worker(settings) as second:
            assert second.wait(timeout=120) == 1
            assert second.stderr is not None
            assert b"Another worker" in second.stderr.read()


def test_the_command_line_runs_a_job_itself(db: Database, settings: Settings, npz: Path) -> None:
    ingest.run(db, npz, "mars", person("ada"))
    result = jobs.run_here(db, settings, "check", "mars", {"only": ["shared_mask"]}, quiet)
    assert [one["check"] for one in result["checks"]] == ["shared_mask"]


def test_ctrl_c_cancels_the_job_that_runs_here_and_no_other(db: Database, settings: Settings, npz: Path) -> None:
    ingest.run(db, npz, "mars", person("anna"))

    def interrupt(*_told: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(JobFailed, match=r"^Stopped; job 1 is cancelled\.$"):
        jobs.run_here(db, settings, "check", "mars", {}, interrupt)
    with db.write() as session:
        asked = rows.request(session, "check", datasets.find(session, "mars").id, {})
        assert rows.claim(session, asked.id, "elsewhere")
    with pytest.raises(JobFailed, match="left to a worker"):
        jobs.see_done(db, settings, asked.id, interrupt)
    with db.read() as session:
        assert [rows.find(session, id).state for id in (1, asked.id)] == ["cancelled", "running"]


def test_a_failed_job_says_why(db: Database, settings: Settings, npz: Path) -> None:
    ingest.run(db, npz, "mars", person("ada"))
    with pytest.raises(JobFailed, match="no check"):
        jobs.run_here(db, settings, "check", "mars", {"only": ["nonsense"]}, quiet)
