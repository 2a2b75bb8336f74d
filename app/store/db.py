"""The database: reading and writing sessions on SQLite or PostgreSQL, migrations at start.

The store's rules count on one writer at a time. SQLite has one by nature; on PostgreSQL a writer first takes an
advisory lock, so that what holds on the one holds on the other.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from pathlib import Path
from threading import Lock
from typing import get_args

from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

from app.domain.errors import RemaskError
from app.paths import MIGRATIONS
from app.store import engines
from app.store.blobs import OBJECTS
from app.store.engines import Writes
from app.store.objects import Objects

HALF_MOVED = "half_moved"  # a table that is there while a move into the database isn't complete


class NewerDatabase(RemaskError):
    """The database was written by a newer program."""

    status = 503
    title = "Database is newer than the program"


class HalfMoved(RemaskError):
    """What a move into this database, broken off, has left."""

    status = 503
    title = "Half a database"


class Database:
    """Sessions on one database. ``read()`` sees one moment and never blocks a writer; ``write()`` holds the write lock
    and commits at its end, or rolls back where an exception leaves it."""

    def __init__(self, url: str, objects: Objects | None = None) -> None:
        self.engine = engines.make(url)
        self.objects = objects  # where the bytes of pictures and masks are kept; None: in the database itself
        self._info = {OBJECTS: objects}
        self._engines = {writes: engines.doing(self.engine, writes) for writes in get_args(Writes)}
        self._guard: Callable[[Session], None] | None = None
        # SQLite asks for its lock again and again, less and less often, so that a busy thread would starve another one;
        # here each waits for the one before it. PostgreSQL queues by itself.
        self._turn: AbstractContextManager[object] = Lock() if self.path else nullcontext()

    @contextmanager
    def read(self) -> Iterator[Session]:
        with Session(self._engines["moment"], expire_on_commit=False, info=self._info) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        with self._transaction("one") as session:
            if self._guard is not None:
                self._guard(session)
            yield session

    @contextmanager
    def write_brief(self) -> Iterator[Session]:
        """As ``write()`` for what lasts minutes, such as a lease: it doesn't wait for the disk, so it may be gone after
        a power cut. What is written after it by ``write()`` never is."""
        with self._transaction("brief") as session:
            yield session

    @contextmanager
    def note(self) -> Iterator[Session]:
        """A write of single statements that each carry their own condition, as a job's heartbeat does. On PostgreSQL it
        doesn't wait for the writer's lock, so that a long write never makes a living worker look dead; on SQLite not
        for the disk."""
        with self._transaction("note") as session:
            yield session

    @contextmanager
    def _transaction(self, writes: Writes) -> Iterator[Session]:
        engine = self._engines[writes]
        with self._turn, Session(engine, expire_on_commit=False, info=self._info) as session, session.begin():
            yield session

    def guarded(self, guard: Callable[[Session], None]) -> "Database":
        """The same database for somebody who may lose the right to write: every ``write()`` calls ``guard`` first, in
        its own transaction, and what that raises comes out of it."""
        twin = copy(self)
        twin._guard = guard
        return twin

    @property
    def path(self) -> Path | None:
        """The file of an SQLite database, None of one on a server."""
        name = self.engine.url.database
        return Path(name) if self.engine.dialect.name == "sqlite" and name else None

    @property
    def shown(self) -> str:
        """Its URL for people, without the password."""
        return self.engine.url.render_as_string(hide_password=True)

    def migrate(self) -> None:
        """Bring the schema to this program's version; an older SQLite file is copied beside itself first.

        Raises NewerDatabase where it is ahead of the program, HalfMoved where it is half of one.
        """
        known = sorted(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
        at = self._version(known)
        if at == known[-1]:
            return
        if at is not None and self.path is not None:
            engines.backup(self.path, self.path.with_name(f"{self.path.stem}.{at}{self.path.suffix}"))
        self.upgrade()

    def upgrade(self) -> None:
        """Run the migrations that are due, all of them or none."""
        with self._engines["one"].begin() as connection:
            from alembic import command  # takes a third of a second to load, and mostly there is nothing to do
            from alembic.config import Config

            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _version(self, known: list[str]) -> str | None:
        with self.engine.connect() as connection:
            tables = inspect(connection)
            if tables.has_table(HALF_MOVED):
                raise HalfMoved(
                    "This database is half of a move that was broken off; empty it and run `remask migrate` again. "
                    "The one that it was moved from is as it was."
                )
            if not tables.has_table("alembic_version"):
                return None
            at: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if at is not None and at not in known:
            raise NewerDatabase(
                f"The database is at schema {at}, which this program doesn't know; "
                "start the newer program that wrote it."
            )
        return at

    def close(self) -> None:
        self.engine.dispose()


def open_database(where: Path | str, bytes_at: str | None = None) -> Database:
    """The SQLite database at a path, made where it isn't there, or the one at a URL; migrated. ``bytes_at``: the URL of
    the object store that keeps the bytes of pictures and masks (None: the database does)."""
    if isinstance(where, Path):
        where.parent.mkdir(parents=True, exist_ok=True)
        where = f"sqlite:///{where}"
    database = Database(where, Objects(bytes_at) if bytes_at else None)
    try:
        database.migrate()
    except BaseException:
        database.close()
        raise
    return database
