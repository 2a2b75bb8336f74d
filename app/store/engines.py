"""Engines: SQLite or PostgreSQL by URL, told to keep what they acknowledge, and who may write when."""

import sqlite3
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from app.domain.errors import Invalid
from app.store import postgresql

# What a transaction does: read at one "moment", write as the "one" writer, "note" beside it, or write as the one writer
# something "brief" that a power cut may take.
Writes = Literal["moment", "one", "note", "brief"]
_OPTION = "remask_writes"
# Each connection keeps pages in a cache of its own, in KiB here. Behind it lies the system's cache of the file: a
# larger one was no faster on a set of 100,000.
_CACHE, _CONNECTIONS = 8000, 5  # so many stay open; ten more are opened while many ask at once
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=30000",
    f"cache_size=-{_CACHE}",
)


class BadDatabase(Invalid):
    """A URL of something that can't be the database."""


def make(url: str) -> Engine:
    """An engine for ``sqlite:///PATH`` or ``postgresql+psycopg://...``. Raises BadDatabase for any other URL."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadDatabase("The database's URL can't be read; write postgresql+psycopg://USER@HOST/NAME.") from error
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed)
        case "postgresql" | "postgres":
            return postgresql.make(parsed, _OPTION)
        case other:
            raise BadDatabase(f"The database can be SQLite or PostgreSQL, not {other}.")


def spelled(url: str) -> str:
    """The URL of a PostgreSQL database with the name of the driver in it, password and all."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def doing(engine: Engine, writes: Writes) -> Engine:
    """``engine`` for transactions that do this much."""
    options: dict[str, Any] = {_OPTION: writes}
    if engine.dialect.name == "postgresql" and writes == "moment":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return engine.execution_options(**options)


def backup(source: Path, target: Path) -> None:
    """Copy an SQLite database as it is at one moment, whoever writes to it; ``target`` is whole or not there."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    reading, copied = sqlite3.connect(source), sqlite3.connect(part)
    try:
        reading.backup(copied)
    finally:
        copied.close()
        reading.close()
    part.replace(target)


def compact(path: Path) -> None:
    """Let an SQLite file give back the room of what was removed from it, while nobody else has it open; needs as much
    again for a moment."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # until then it lies in the log
    finally:
        connection.close()


def _sqlite(url: URL) -> Engine:
    connect = {"timeout": 30, "check_same_thread": False}
    engine = create_engine(url, connect_args=connect, pool_size=_CONNECTIONS, max_overflow=10)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _on_begin
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Connection) -> None:
    # A transaction that reads first and writes later can't wait for the lock; a writer takes it at once.
    writes = connection.get_execution_options().get(_OPTION)
    if writes not in ("one", "note", "brief"):
        connection.exec_driver_sql("BEGIN")
        return
    synchronous = "FULL" if writes == "one" else "NORMAL"
    if connection.info.get("synchronous", "FULL") != synchronous:
        connection.exec_driver_sql(f"PRAGMA synchronous={synchronous}")
        connection.info["synchronous"] = synchronous
    connection.exec_driver_sql("BEGIN IMMEDIATE")
