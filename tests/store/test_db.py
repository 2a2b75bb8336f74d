import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from app.store.db import HALF_MOVED, Database, HalfMoved, NewerDatabase, open_database
from app.store.engines import BadDatabase
from app.store.faults import is_away, is_locked, trouble
from app.store.tables import Base, Blob, Dataset
from tests.postgres import Cluster

BLOB = Blob(hash="x", size=1, data=b"\0")


def test_the_migrations_make_what_the_tables_say(db: Database) -> None:
    with db.engine.connect() as connection:
        differs = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    # How a falling index was declared can't be told from the database; that they are there is what counts.
    falling = {"ix_sample_worst", "ix_sample_status", "ix_score_value", "ix_sample_class_worst"}
    assert [one for one in differs if getattr(one[1], "name", None) not in falling] == []
    tables = inspect(db.engine)
    assert falling <= {
        index["name"] for table in ("sample", "score", "sample_class") for index in tables.get_indexes(table)
    }


@pytest.mark.one_database
def test_what_is_acknowledged_is_on_the_disk(db: Database) -> None:
    with db.engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
    for _ in range(2):  # the same connection, one after the other
        with db.write_brief() as session:
            assert session.scalar(text("PRAGMA synchronous")) == 1
        with db.write() as session:
            assert session.scalar(text("PRAGMA synchronous")) == 2


@pytest.mark.one_database
def test_what_connections_keep_in_memory_is_bounded(db: Database) -> None:
    """However many asked at once: forty megabytes in all."""
    with ExitStack() as stack:
        caches = [stack.enter_context(db.read()).scalar(text("PRAGMA cache_size")) for _ in range(12)]
    assert set(caches) == {-8000}  # in KiB
    pool = db.engine.pool
    assert isinstance(pool, QueuePool)
    assert pool.checkedin() == 5


def test_a_newer_database_is_refused_and_left_alone(where: Path | str) -> None:
    database = open_database(where)
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(NewerDatabase, match="9999"):
        open_database(where)


def test_half_of_a_move_is_refused(where: Path | str) -> None:
    database = open_database(where)
    with database.write() as session:
        session.execute(text(f"CREATE TABLE {HALF_MOVED} (at TEXT)"))
    database.close()
    with pytest.raises(HalfMoved, match="broken off"):
        open_database(where)


def test_a_failed_write_leaves_nothing(db: Database) -> None:
    with pytest.raises(RuntimeError), db.write() as session:
        session.merge(BLOB)
        session.flush()
        raise RuntimeError
    with db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM blob")) == 0


def test_reading_does_not_wait_for_a_writer_and_sees_one_moment(db: Database) -> None:
    with db.read() as reader:
        assert reader.scalar(text("SELECT count(*) FROM blob")) == 0
        with db.write() as writer:
            writer.merge(BLOB)
            writer.flush()
            assert reader.scalar(text("SELECT count(*) FROM blob")) == 0
        assert reader.scalar(text("SELECT count(*) FROM blob")) == 0
    with db.read() as reader:
        assert reader.scalar(text("SELECT count(*) FROM blob")) == 1


def test_what_is_read_in_a_write_cannot_change_before_it_ends(db: Database) -> None:
    """Eight writers that each read a number and write one more: none is lost."""
    with db.write() as session:
        session.add(Dataset(name="count", class_version=0))

    def add_one() -> None:
        for _ in range(5):
            with db.write() as session:
                seen = session.scalar(select(Dataset.class_version))
                assert seen is not None
                session.execute(update(Dataset).values(class_version=seen + 1))

    threads = [threading.Thread(target=add_one) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    with db.read() as session:
        assert session.scalar(select(Dataset.class_version)) == 40


def test_a_guard_is_asked_in_every_write(db: Database) -> None:
    def refuse(_session: object) -> None:
        raise PermissionError

    with pytest.raises(PermissionError), db.guarded(refuse).write():
        pytest.fail("the guard should have kept it from writing")
    with db.write() as session:
        session.merge(BLOB)


def test_a_heartbeat_does_not_wait_for_the_writer_of_postgresql(cluster: Cluster) -> None:
    url = cluster.create()
    db = open_database(url)
    with db.write() as session:
        session.add(Dataset(name="a", class_version=0))
    with db.write() as writer:
        writer.merge(BLOB)
        writer.flush()
        with db.note() as session:
            session.execute(update(Dataset).values(class_version=7))
    db.close()
    cluster.drop(url)


def test_a_number_too_large_to_be_there_is_not_there(db: Database) -> None:
    with db.read() as session:
        assert session.get(Dataset, (1 << 63) - 1) is None


def test_a_server_that_is_away_is_a_sentence_and_is_found_again(cluster: Cluster) -> None:
    url = cluster.create()
    db = open_database(url)
    with db.write() as session:
        session.merge(BLOB)
    cluster.stop()
    with pytest.raises(DBAPIError) as caught, db.read() as session:
        session.scalar(text("SELECT 1"))
    assert is_away(caught.value)
    assert not is_locked(caught.value)
    assert "doesn't answer" in (trouble(caught.value) or "")
    cluster.start()
    with db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM blob")) == 1
    db.close()
    cluster.drop(url)


def test_a_connection_that_breaks_in_a_write_is_told_as_away(cluster: Cluster) -> None:
    url = cluster.create()
    db = open_database(url)
    with pytest.raises(DBAPIError) as caught, db.write() as session:
        session.merge(BLOB)
        session.flush()
        cluster.stop("immediate")
        cluster.start()
        session.scalar(text("SELECT 1"))
    assert is_away(caught.value)
    with db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM blob")) == 0
    db.close()
    cluster.drop(url)


@pytest.mark.parametrize("url", ["mysql://somewhere/x", "no url at all"])
def test_another_kind_of_database_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(BadDatabase):
        open_database(url)
