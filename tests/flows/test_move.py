"""The whole database moved from SQLite to PostgreSQL and back, killed on the way, and refused where it has to be."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, inspect, select

from app.domain.actor import person
from app.flows import ingest, move, review
from app.flows import inspect as checks
from app.flows.progress import quiet
from app.flows.review import Selection
from app.store import copying, jobs
from app.store.db import HALF_MOVED, Database, HalfMoved, open_database
from app.store.decisions import Wish
from app.store.tables import Dataset, Job
from tests.postgres import Cluster

ADA = person("ada")
BEFORE_THE_END = """
import os, signal
from app.store import copying
copying.held = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from app.__main__ import main
main()
"""


@pytest.fixture
def targets(cluster: Cluster, backend: str, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """URLs of two empty databases: of the other kind than ``backend``, and of this one."""
    server = cluster.create(template=None)
    file = f"sqlite:///{tmp_path / 'moved.sqlite'}"
    yield (server, file) if backend == "sqlite" else (file, server)
    cluster.drop(server)


@pytest.fixture
def worked(db: Database, npz: Path) -> Database:
    """A data set with flags, decisions and an undo of a decision."""
    ingest.run(db, npz, "mars", ADA)
    checks.run(db, "mars", ["shared_mask"])
    batch = review.decide(db, "mars", Selection(keys=["training_set/00001"]), Wish("exclude"), ADA).batch
    review.decide(db, "mars", Selection(keys=["training_set/00002"]), Wish("keep"), ADA)
    assert batch is not None
    review.undo(db, batch, ADA)
    return db


def held(db: Database) -> dict[str, copying.Held]:
    with db.read() as session:
        return {table.name: copying.held(session, table, lambda: None) for table in copying.TABLES}


def test_there_and_back_it_is_the_same(worked: Database, targets: tuple[str, str]) -> None:
    before = held(worked)
    there, back = (Database(url) for url in targets)
    moved = move.run(worked, there)
    assert moved.tables == before == held(there) == held(worked)
    assert (moved.backup is not None) == (worked.path is not None)
    again = move.run(there, back)
    assert again.tables == before == held(back)
    assert moved.rows > 100
    for one in (there, back):
        one.close()


def test_work_goes_on_where_it_was_moved_to(worked: Database, targets: tuple[str, str]) -> None:
    move.run(worked, Database(targets[0]))
    there = open_database(targets[0])
    outcome = review.decide(there, "mars", Selection(keys=["training_set/00003"]), Wish("exclude"), ADA)
    assert len(outcome.decided) == 1
    assert len(review.undo_last(there, "mars", ADA).decided) == 1
    there.close()


def test_a_target_that_holds_something_is_refused(worked: Database, targets: tuple[str, str]) -> None:
    there = open_database(targets[0])
    with pytest.raises(move.NotEmpty, match="empty database"):
        move.run(worked, there)
    there.close()


def test_a_database_that_somebody_works_on_is_refused(worked: Database, targets: tuple[str, str]) -> None:
    with worked.write() as session:
        job = jobs.request(session, "check", None, {}).id
        jobs.claim(session, job, jobs.new_owner("somebody"))
    there = Database(targets[0])
    with pytest.raises(move.NotAlone, match=f"Job {job}"):
        move.run(worked, there)
    assert not inspect(there.engine).get_table_names()
    there.close()


def test_killed_on_the_way_it_leaves_the_source_alone_and_half_a_target(
    worked: Database, where: Path | str, targets: tuple[str, str], tmp_path: Path
) -> None:
    before = held(worked)
    env = os.environ | {"REMASK_HOME": str(tmp_path)}
    if isinstance(where, str):
        env["REMASK_DATABASE_URL"] = where
    command = [sys.executable, "-c", BEFORE_THE_END, "migrate", "--to", targets[0]]
    done = subprocess.run(command, env=env, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert held(worked) == before
    with pytest.raises(HalfMoved, match="as it was"):
        open_database(targets[0])
    there = Database(targets[0])
    assert inspect(there.engine).has_table(HALF_MOVED)
    with pytest.raises(move.NotEmpty, match="broken off"):
        move.run(worked, there)
    there.close()


TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20)
DOCUMENTS = st.dictionaries(
    TEXTS, st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
)
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1), timezones=st.just(UTC))
ROWS = st.tuples(DOCUMENTS, st.none() | DOCUMENTS, TEXTS, st.integers(-(1 << 62), 1 << 62), TIMES, st.booleans())


@pytest.mark.one_database
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROWS, min_size=1, max_size=5))
def test_any_values_arrive_as_they_were(
    db: Database,
    cluster: Cluster,
    rows: list[tuple[dict[str, object], dict[str, object] | None, str, int, datetime, bool]],
) -> None:
    with db.write() as session:
        session.execute(delete(Job))
        for args, result, message, done, at, cancel in rows:
            session.add(
                Job(kind="x", args=args, result=result, message=message, done=done, created_at=at, cancel=cancel)
            )
    url = cluster.create(template=None)
    there = Database(url)
    move.run(db, there, quiet)
    with there.read() as session:
        arrived = session.scalars(select(Job).order_by(Job.id)).all()
    assert [(j.args, j.result, j.message, j.done, j.created_at, j.cancel) for j in arrived] == rows
    there.close()
    cluster.drop(url)


def test_a_new_row_comes_after_the_copied_ones(db: Database, targets: tuple[str, str]) -> None:
    with db.write() as session:
        session.add(Dataset(id=40, name="a", class_version=0))
    there = Database(targets[0])
    move.run(db, there)
    with there.write() as session:
        added = Dataset(name="b", class_version=0)
        session.add(added)
        session.flush()
        assert added.id == 41
    there.close()
