from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from app.store.db import Database, NewerDatabase, open_database
from app.store.tables import Base


def test_the_migrations_make_what_the_tables_say(db: Database) -> None:
    with db.engine.connect() as connection:
        differs = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    # SQLite can't tell how a falling index was declared; that they are there is what counts.
    falling = {"ix_sample_worst", "ix_sample_status", "ix_score_value"}
    assert [one for one in differs if getattr(one[1], "name", None) not in falling] == []
    with db.engine.connect() as connection:
        named = {row.name for row in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'index'"))}
    assert falling <= named


def test_what_is_acknowledged_is_on_the_disk(db: Database) -> None:
    with db.engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "remask.sqlite"
    database = open_database(path)
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(NewerDatabase, match="9999"):
        open_database(path)


def test_a_failed_write_leaves_nothing(db: Database) -> None:
    with pytest.raises(RuntimeError), db.write() as session:
        session.execute(text("INSERT INTO blob (hash, size, data) VALUES ('x', 1, x'00')"))
        raise RuntimeError
    with db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM blob")) == 0


def test_reading_does_not_wait_for_a_writer(db: Database) -> None:
    with db.write() as writer:
        writer.execute(text("INSERT INTO blob (hash, size, data) VALUES ('x', 1, x'00')"))
        with db.read() as reader:
            assert reader.scalar(text("SELECT count(*) FROM blob")) == 0
