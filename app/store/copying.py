"""A whole database copied into an empty one, row by row, and both read through again to see that they are the same."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    LargeBinary,
    RowMapping,
    Table,
    bindparam,
    func,
    insert,
    inspect,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from app.store.db import HALF_MOVED, Database
from app.store.tables import Base

ROWS = 500
BATCH_BYTES = 8 << 20
TABLES: Sequence[Table] = Base.metadata.sorted_tables


@dataclass(frozen=True)
class Held:
    """What a table holds: its number of rows, and a sha256 over their values in the order of the key."""

    rows: int
    hash: str


def rows(session: Session, table: Table) -> Iterator[RowMapping]:
    """Every row by key, a few in memory at a time, fewer where they hold bytes."""
    heavy = any(isinstance(column.type, LargeBinary) for column in table.columns)
    query = select(table).order_by(*table.primary_key).execution_options(yield_per=8 if heavy else ROWS)
    for row in session.execute(query):
        yield row._mapping


def held(session: Session, table: Table, each: Callable[[], None]) -> Held:
    """Read a table through; ``each`` is called after every row."""
    digest, count = hashlib.sha256(), 0
    for row in rows(session, table):
        for column in table.columns:
            kind, data = _canonical(row[column.name])
            digest.update(b"%c%d:" % (kind, len(data)))
            digest.update(data)
        count += 1
        each()
    return Held(count, digest.hexdigest())


def counted(session: Session) -> dict[str, int]:
    """Table -> its number of rows."""
    return {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in TABLES}


def fill(source: Session, target: Session, table: Table, each: Callable[[], None]) -> None:
    """Copy a table's rows, in batches; ``each`` is called after every row. What its rows say of later rows of the same
    table is left out until all of them are there, as foreign keys want it."""
    later = _of_itself(table)
    statement = insert(table).values({column.name: bindparam(column.name, type_=_type(column)) for column in table.c})
    batch: list[dict[str, Any]] = []
    size = 0
    for row in rows(source, table):
        batch.append(dict(row) | dict.fromkeys(later))
        size += sum(len(value) for value in row.values() if isinstance(value, bytes))
        if len(batch) == ROWS or size > BATCH_BYTES:
            target.connection().execute(statement, batch)
            batch, size = [], 0
        each()
    if batch:
        target.connection().execute(statement, batch)
    if later:
        _refer(source, target, table, later)


def _refer(source: Session, target: Session, table: Table, columns: Sequence[str]) -> None:
    keys = [column.name for column in table.primary_key]
    some: ColumnElement[bool] = or_(*(table.c[name].is_not(None) for name in columns))
    query = select(*(table.c[name] for name in (*keys, *columns))).where(some).order_by(*table.primary_key)
    statement = update(table).values({name: bindparam(f"new_{name}") for name in columns})
    for name in keys:
        statement = statement.where(table.c[name] == bindparam(f"key_{name}"))
    for part in source.execute(query.execution_options(yield_per=ROWS)).mappings().partitions(ROWS):
        values = [{f"key_{n}": row[n] for n in keys} | {f"new_{n}": row[n] for n in columns} for row in part]
        target.connection().execute(statement, values)


def begin(session: Session) -> None:
    """Mark an empty database as half of a move, until ``end``."""
    session.execute(text(f"CREATE TABLE {HALF_MOVED} (at TEXT)"))


def end(session: Session) -> None:
    """Nothing is missing any more."""
    _reset_sequences(session)
    session.execute(text(f"DROP TABLE {HALF_MOVED}"))


def is_begun(db: Database) -> bool:
    return inspect(db.engine).has_table(HALF_MOVED)


def is_used(db: Database) -> bool:
    """Whether it holds a table of ours, rows or not."""
    return bool({"alembic_version", *(table.name for table in TABLES)} & set(inspect(db.engine).get_table_names()))


def say_something(session: Session) -> None:
    """For a transaction that has nothing to do, lest the server end it for its silence."""
    session.execute(select(1))


def _reset_sequences(session: Session) -> None:
    """Let new rows come after the copied ones; SQLite does so by itself."""
    if session.get_bind().dialect.name != "postgresql":
        return
    for table in TABLES:
        counter = table.autoincrement_column
        if counter is not None and (last := session.scalar(select(func.max(counter)))) is not None:
            where = {"table": f'"{table.name}"', "column": counter.name, "last": last}
            session.execute(text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)"), where)


def _type(column: Column[Any]) -> TypeEngine[Any]:
    """Nothing is NULL, for JSON too, which could also say it in its own words."""
    return JSON(none_as_null=True) if isinstance(column.type, JSON) else column.type


def _of_itself(table: Table) -> list[str]:
    """The columns of a table that point at its own rows."""
    return sorted({key.parent.name for key in table.foreign_keys if key.column.table is table})


def _canonical(value: Any) -> tuple[int, bytes]:
    """A value as a letter for its kind and bytes, the same from either database."""
    match value:
        case None:
            return ord("n"), b""
        case bool():
            return ord("b"), b"%d" % value
        case bytes():
            return ord("x"), value
        case datetime():
            return ord("t"), value.replace(tzinfo=UTC).isoformat().encode()
        case str():
            return ord("s"), value.encode("utf-8", "surrogatepass")
        case int() | float():
            return ord("d"), repr(value).encode()
        case _:
            return ord("j"), json.dumps(value, sort_keys=True).encode()
