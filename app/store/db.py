"""The connection: one engine, reading and writing sessions, migrations at start."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SqliteConnection

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.orm import Session

from app.domain.errors import RemaskError
from app.paths import MIGRATIONS


class NewerDatabase(RemaskError):
    """The database was written by a newer program."""

    status = 503
    title = "Database is newer than the program"


class Database:
    """Sessions on one database. ``read()`` never blocks a writer; ``write()`` holds the write lock and commits at its
    end, or rolls back where an exception leaves it."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self._writer = self.engine.execution_options(remask_writes=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self) -> None:
        """Bring the schema to this program's version. Raises NewerDatabase where it is ahead of it."""
        known = sorted(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
        with self._writer.begin() as connection:
            at = None
            if inspect(connection).has_table("alembic_version"):
                at = connection.scalar(text("SELECT version_num FROM alembic_version"))
            if at == known[-1]:
                return
            if at is not None and at not in known:
                raise NewerDatabase(
                    f"The database is at schema {at}, which this program doesn't know; "
                    "start the newer program that wrote it."
                )
            from alembic import command  # takes a third of a second to load, and mostly there is nothing to do
            from alembic.config import Config

            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        self.engine.dispose()


def open_database(path: Path) -> Database:
    """The SQLite database at ``path``, made where it isn't there, migrated."""
    path.parent.mkdir(parents=True, exist_ok=True)
    database = Database(f"sqlite:///{path}")
    database.migrate()
    return database


def is_locked(error: BaseException) -> bool:
    """Whether this is the database saying that another writer holds it for longer than we wait."""
    return isinstance(error, OperationalError) and "locked" in str(error.orig)


def trouble(error: BaseException) -> str | None:
    """A sentence for what the machine keeps the database from doing: a full disk, a folder that can't be written to, a
    file that is damaged. None for any other error."""
    if isinstance(error, OperationalError) or type(error) is DatabaseError:
        return f"The database can't be used: {error.orig}. Make room, give access or restore a backup, then try again."
    return None


def _engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": 30, "check_same_thread": False})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: SqliteConnection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _on_begin
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=30000",
        "cache_size=-32000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Connection) -> None:
    # A transaction that reads first and writes later can't wait for the lock; a writer takes it at once.
    writes = connection.get_execution_options().get("remask_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
