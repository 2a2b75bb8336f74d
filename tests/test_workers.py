"""Several workers on one PostgreSQL: real processes, killed, stopped and woken, the server started again under them."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from app.domain.actor import person
from app.flows import ingest, review
from app.flows.review import Selection
from app.settings import Settings
from app.store import datasets, history
from app.store import jobs as rows
from app.store.db import Database, open_database
from app.store.decisions import Wish
from app.store.faults import is_away
from tests.postgres import Cluster
from tests.sets import every_sample
from tests.test_jobs import imported, request_import, state, until, worker

ADA = person("ada")


@pytest.fixture
def settings(cluster: Cluster, tmp_path: Path) -> Iterator[Settings]:
    url = cluster.create()
    yield Settings(home=tmp_path, database_url=url)
    cluster.drop(url)


@pytest.fixture
def db(settings: Settings) -> Iterator[Database]:
    database = open_database(settings.database)
    yield database
    database.close()


def owner(db: Database, job: int) -> str:
    """The name of the worker that has the job."""
    with db.read() as session:
        return (rows.find(session, job).owner or "").partition(":")[0]


def whole(db: Database, count: int) -> bool:
    """Whether each sample came in just once."""
    with db.read() as session:
        keys = [one.key for one in every_sample(session, datasets.find(session, "many").id)]
    return len(keys) == len(set(keys)) == count


def test_a_job_of_a_killed_worker_is_finished_by_another(db: Database, settings: Settings, tmp_path: Path) -> None:
    job = request_import(db, tmp_path, 2000)
    with worker(settings, "one") as one, worker(settings, "two") as two:
        until(lambda: imported(db) >= 100)
        first = owner(db, job)
        (one if first == "one" else two).kill()
        until(lambda: state(db, job) == "done")
        assert {first, owner(db, job)} == {"one", "two"}
    assert whole(db, 2001)


def test_a_worker_that_slept_writes_nothing_over_the_new_owner(
    db: Database, settings: Settings, tmp_path: Path
) -> None:
    job = request_import(db, tmp_path, 2000)
    with worker(settings, "sleeper") as sleeper:
        until(lambda: imported(db) >= 100)
        sleeper.send_signal(signal.SIGSTOP)
        with worker(settings, "other"):
            until(lambda: owner(db, job) == "other")
            sleeper.send_signal(signal.SIGCONT)
            until(lambda: state(db, job) == "done")
        assert owner(db, job) == "other"
        sleeper.send_signal(signal.SIGTERM)
        _, said = sleeper.communicate(timeout=60)
    assert whole(db, 2001)
    assert b"gone to another worker" in said or b"database went away" in said


@pytest.mark.long
def test_two_workers_take_a_job_each(db: Database, settings: Settings, tmp_path: Path) -> None:
    """The second of two imports doesn't wait for the first where there is a second worker."""
    (tmp_path / "a").mkdir()
    first = request_import(db, tmp_path / "a", 3000)
    (tmp_path / "b").mkdir()
    second = request_import(db, tmp_path / "b", 3000)
    with worker(settings, "one"), worker(settings, "two"):
        until(lambda: state(db, first) == state(db, second) == "running" and owner(db, first) != owner(db, second))


@pytest.mark.long
def test_a_server_started_again_under_load_loses_nothing(
    db: Database, settings: Settings, cluster: Cluster, npz: Path, tmp_path: Path
) -> None:
    ingest.run(db, npz, "mars", ADA)
    job = request_import(db, tmp_path, 2000)
    acknowledged: list[int] = []
    failed: list[DBAPIError] = []
    enough = threading.Event()

    def decide() -> None:
        verbs = ("exclude", "include")
        while not enough.is_set():
            try:
                wish = Wish(verbs[len(acknowledged) % 2])  # type: ignore[arg-type]
                batch = review.decide(db, "mars", Selection(keys=["training_set/00001"]), wish, ADA).batch
            except DBAPIError as error:
                failed.append(error)
                enough.wait(0.1)
            else:
                if batch is not None:
                    acknowledged.append(batch)

    with worker(settings):
        until(lambda: imported(db) >= 100)
        reviewer = threading.Thread(target=decide)
        reviewer.start()
        try:
            until(lambda: len(acknowledged) >= 3)
            cluster.stop("immediate")
            cluster.start()
            before = len(acknowledged)
            until(lambda: len(acknowledged) >= before + 3)
        finally:
            enough.set()
            reviewer.join()
        until(lambda: state(db, job) == "done")
    assert all(is_away(error) for error in failed)
    assert whole(db, 2001)
    with db.read() as session:
        entries = history.entries(session, datasets.find(session, "mars").id, limit=10_000)
    assert set(acknowledged) <= {entry.batch.id for entry in entries}
