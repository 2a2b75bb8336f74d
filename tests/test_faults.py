"""What a machine can do to the program: kill it, fill its disk, lock its database, set its clock back, take its rights.
Each time nothing acknowledged is lost, and a person is told in one sentence."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.domain.actor import person
from app.flows import doctor, ingest, review
from app.flows.review import Selection
from app.settings import Settings
from app.store import jobs, samples, workers
from app.store.db import Database, open_database
from app.store.decisions import Wish
from app.store.faults import trouble
from benchmarks import faults, kills, upgrades
from tests.sets import write_npz

ADA = person("Ada")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "data")


@pytest.fixture
def db(settings: Settings) -> Iterator[Database]:
    database = open_database(settings.database)
    yield database
    database.close()


def remask(settings: Settings, *arguments: str, prefix: str = "") -> "subprocess.CompletedProcess[str]":
    """The command line in a process of its own, after ``prefix`` of a shell's commands."""
    command = f'{prefix} exec "$0" -m app "$@"'
    env = os.environ | {"REMASK_HOME": str(settings.home)}
    return subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, *arguments], env=env, capture_output=True, text=True, timeout=120
    )


def is_sentence(said: str) -> bool:
    return len(said.splitlines()) == 1 and said.rstrip().endswith(".") and "Traceback" not in said


def graves(db: Database, settings: Settings) -> list[str]:
    return [one.sentence for one in doctor.run(db, settings).ailments if one.grave]


def test_killed_at_any_moment(tmp_path: Path) -> None:
    tally = faults.run(18, seed=3, folder=tmp_path)
    assert tally.broken == []
    assert set(tally.kills.values()) == {2}


@pytest.mark.long
def test_killed_a_thousand_times(tmp_path: Path) -> None:
    tally = faults.run(1000, seed=4, folder=tmp_path)
    assert tally.broken == []
    assert sum(tally.said.values()) > 1000


def test_killed_while_it_migrates(tmp_path: Path) -> None:
    tally = upgrades.run(6, seed=5, folder=tmp_path)
    assert tally.broken == []
    assert tally.under_way > 0


def test_what_a_kill_would_have_lost_is_noticed(settings: Settings, db: Database, tmp_path: Path) -> None:
    """The study itself: it sees a lost decision, half a batch, a lost draft, a half-written file."""
    pictures = kills.draw_pictures(tmp_path / "pictures.npz", 60)
    ingest.run(db, pictures, "set", ADA)
    place, ledger = kills.Place(settings, db, pictures), kills.Ledger()
    assert kills.breaches(place, ledger) == []
    ledger.note("batch", 1, 1)
    assert "batch 1 of 1 is None" in kills.breaches(place, ledger)
    review.decide(db, "set", Selection(ids=[1]), Wish("exclude"), ADA)
    assert kills.breaches(place, ledger) == ["half a batch: 1 of 40 are excluded"]
    ledger.note("imported", "other", 9)
    assert "0 samples of other, 9 were said" in kills.breaches(place, ledger)
    ledger.note("job", 77)
    assert "jobs {77} are lost" in kills.breaches(place, ledger)


def test_a_full_disk(settings: Settings, db: Database, tmp_path: Path) -> None:
    """The database can't grow: what was committed stays, the rest comes in once there is room."""
    path = write_npz(tmp_path / "set.npz", np.random.default_rng(0), labelled=800, unlabelled=1)
    with db.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 150}")
        connection.commit()
    with pytest.raises(OperationalError) as error:
        ingest.run(db, path, "many", ADA)
    sentence = trouble(error.value)
    assert sentence is not None
    assert "full" in sentence
    assert "Make room" in sentence
    assert graves(db, settings) == []
    with db.read() as session:
        there = session.scalar(text("SELECT count(*) FROM sample"))
    db.close()
    again = open_database(settings.database)
    assert ingest.run(again, path, "many", ADA).repeated == there
    assert graves(again, settings) == []
    again.close()


def test_a_full_disk_from_the_command_line(settings: Settings, tmp_path: Path) -> None:
    """No file may grow past 1 MB (in blocks of 512 bytes): an import ends in a sentence and can be repeated."""
    path = write_npz(tmp_path / "set.npz", np.random.default_rng(0), labelled=1200, unlabelled=1)
    done = remask(settings, "import", str(path), prefix="trap '' XFSZ; ulimit -f 2000;")
    assert done.returncode == 1
    assert is_sentence(done.stderr), done.stderr
    assert remask(settings, "doctor").returncode == 0
    assert remask(settings, "import", str(path)).returncode == 0
    assert remask(settings, "doctor").returncode == 0


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/usr/bin/setpriv").exists(), reason="root may write everywhere")
def test_a_folder_that_is_read_only(settings: Settings, npz: Path, tmp_path: Path) -> None:
    assert remask(settings, "import", str(npz), "--dataset", "mars").returncode == 0
    for path in (settings.home, *settings.home.iterdir()):
        path.chmod(path.stat().st_mode & ~0o222)
    # A superuser writes in spite of that, without the right to override it doesn't.
    dropped = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.geteuid() == 0 else []
    command = [*dropped, sys.executable, "-m", "app", "review", "mars", "--exclude", "training_set/00000"]
    env = os.environ | {"REMASK_HOME": str(settings.home)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    for path in (settings.home, *settings.home.iterdir()):
        path.chmod(path.stat().st_mode | 0o700)
    assert done.returncode == 1
    assert is_sentence(done.stderr), done.stderr
    assert "read" in done.stderr or "permission" in done.stderr.lower()
    again = open_database(settings.database)
    with again.read() as session:
        assert samples.find(session, 1).status != "excluded"
    assert graves(again, settings) == []
    again.close()


def test_a_locked_database(settings: Settings, db: Database, npz: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest.run(db, npz, "mars", ADA)
    with closing(sqlite3.connect(str(settings.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with db.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 50")  # of the one connection in the pool
            connection.commit()
        with pytest.raises(OperationalError) as error:
            review.decide(db, "mars", Selection(ids=[1]), Wish("exclude"), ADA)
        assert "locked" in (trouble(error.value) or "")
        with db.read() as session:  # reading goes on
            assert samples.find(session, 1).status == "unreviewed"
        other.execute("ROLLBACK")
    assert review.decide(db, "mars", Selection(ids=[1]), Wish("exclude"), ADA).batch == 1


def test_a_clock_that_is_set_back(settings: Settings, db: Database, npz: Path) -> None:
    """What was written in what is now the future: order goes by number, a job of then is taken up, and nothing waits
    until that time has come."""
    ingest.run(db, npz, "mars", ADA)
    review.decide(db, "mars", Selection(ids=[1]), Wish("exclude"), ADA)
    with db.write() as session:
        for table, column in (("batch", "at"), ("revision", "at"), ("job", "created_at")):
            session.execute(text(f"UPDATE {table} SET {column} = '2999-01-01 00:00:00.000000'"))  # noqa: S608
    review.decide(db, "mars", Selection(ids=[1]), Wish("include"), ADA)
    assert review.undo_last(db, "mars", ADA).decided[0].status == "excluded"
    with db.read() as session:
        assert [job.kind for job in jobs.waiting(session)] == ["check"]
    pulse = workers.Pulse(settings.home, "worker")
    pulse.beat()
    sign = settings.home / workers.FOLDER / "worker"
    os.utime(sign, (32_500_000_000, 32_500_000_000))
    assert workers.alive(settings.home) == []
    assert graves(db, settings) == []


def test_a_job_whose_heart_beat_in_the_future_is_taken_by_its_worker(settings: Settings, db: Database) -> None:
    with db.write() as session:
        job = jobs.request(session, "demo", None, {"dataset": "demo"})
        assert jobs.claim(session, job.id, "worker")
        session.execute(text("UPDATE job SET heartbeat = '2999-01-01 00:00:00.000000'"))
        id = job.id
    with db.write() as session:
        assert jobs.claim(session, id, "worker")


def test_a_second_server_is_refused_in_a_sentence(settings: Settings, db: Database) -> None:
    import fcntl

    with (settings.home / "serve.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = remask(settings, "serve")
    assert done.returncode == 1
    assert is_sentence(done.stderr), done.stderr
    assert "Another server has the data folder" in done.stderr
