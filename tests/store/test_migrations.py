"""Databases of every earlier version, with rows in them, brought up to this one."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)

from app.paths import MIGRATIONS
from app.store import engines
from app.store.db import Database, open_database

VERSIONS = sorted(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VALUES: list[tuple[type[Any], Any]] = [
    (Boolean, False),
    (Integer, 1),
    (Float, 0.5),
    (String, "x"),
    (LargeBinary, b"\0\xff"),
    (JSON, {"a": [1, None]}),
    (DateTime, AT),
]


def make(where: Path | str, version: str) -> tuple[list[Table], dict[str, dict[str, Any]]]:
    """A database of that version with one row in every table: its tables, and table -> the row."""
    database = Database(where if isinstance(where, str) else f"sqlite:///{where}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engines.doing(database.engine, "one").begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        tables = tables_of(connection)
        for table in tables:
            connection.execute(table.insert().values({column.name: value(column) for column in table.columns}))
    rows = read(database, tables)
    database.close()
    return tables, rows


def tables_of(connection: Connection) -> list[Table]:
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def value(column: Column[Any]) -> Any:
    """Something of the column's type; what may be left out is."""
    if column.nullable and not column.primary_key:
        return None
    points = [key.column for key in column.foreign_keys]
    return value(points[0]) if points else next(one for kind, one in VALUES if isinstance(column.type, kind))


def read(database: Database, tables: list[Table]) -> dict[str, dict[str, Any]]:
    with database.engine.connect() as connection:
        return {table.name: dict(connection.execute(table.select()).mappings().one()) for table in tables}


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_every_versions_rows_come_along(where: Path | str, version: str) -> None:
    tables, before = make(where, version)
    database = open_database(where)
    with database.engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == VERSIONS[-1]
    assert read(database, tables) == before
    database.close()


@pytest.mark.one_database
def test_an_older_file_is_copied_beside_itself_first(where: Path) -> None:
    tables, before = make(where, VERSIONS[0])
    open_database(where).close()
    kept = where.with_name(f"remask.{VERSIONS[0]}.sqlite")
    copy = Database(f"sqlite:///{kept}")
    assert read(copy, tables) == before
    copy.close()
    open_database(where).close()
    assert sorted(path.name for path in where.parent.glob("*.sqlite")) == [kept.name, where.name]
