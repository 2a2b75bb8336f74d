"""A move of the whole database into an empty one, SQLite or PostgreSQL: copied, read again on both sides, compared."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from app.domain.errors import Conflict, RemaskError
from app.flows.progress import Progress, quiet
from app.store import copying, engines, jobs
from app.store.db import Database

TOUCH_SECONDS = 5.0


class NotEmpty(Conflict):
    """The database to move into holds something."""


class NotAlone(Conflict):
    """Somebody works on the database that is to be moved."""


class Differs(RemaskError):
    """What was written reads back otherwise."""

    status = 500
    title = "The copy differs"


@dataclass(frozen=True)
class Moved:
    """``tables``: name -> rows and hash, the same in both databases; ``backup``: a copy of the SQLite file made before
    (None for a source on a server, which isn't written to either)."""

    tables: dict[str, copying.Held]
    backup: Path | None
    seconds: float

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.tables.values())


def run(source: Database, target: Database, progress: Progress = quiet) -> Moved:
    """Move all rows from ``source``, which stays as it is, to ``target``; nobody can write meanwhile.

    Broken off, it leaves a target that is refused until it is emptied. Raises NotEmpty, NotAlone, Differs.
    """
    started = time.monotonic()
    _insist_on_empty(target)
    backup = None
    with _still(source) as (session, touch):
        if source.path is not None:
            backup = source.path.with_name(f"{source.path.stem}.before-move{source.path.suffix}")
            progress(0, 0, "backing up")
            engines.backup(source.path, backup)
        with target.write() as begun:
            copying.begin(begun)
        target.upgrade()
        total = sum(copying.counted(session).values())
        done = 0

        def each(message: str) -> Callable[[], None]:
            def one() -> None:
                nonlocal done
                done += 1
                if done % copying.ROWS == 0:
                    touch()
                    progress(done, 3 * total, message)

            return one

        tables = {}
        for table in copying.TABLES:
            with target.write() as writing:
                copying.fill(session, writing, table, each("copying"))
        for table in copying.TABLES:
            tables[table.name] = copying.held(session, table, each("comparing"))
            with target.read() as reading:
                if copying.held(reading, table, each("comparing")) != tables[table.name]:
                    raise Differs(f"The table {table.name} reads back otherwise than it was written; check the disks.")
        with target.write() as ending:
            copying.end(ending)
    return Moved(tables, backup, round(time.monotonic() - started, 3))


@contextmanager
def _still(source: Database) -> Iterator[tuple[Session, Callable[[], None]]]:
    """A session that reads one moment, while another holds the writers off; ``touch`` says that the latter still lives,
    for a server ends a writer that says nothing."""
    with source.write() as holder:
        if under_way := jobs.under_way(holder):
            raise NotAlone(f"Job {under_way[0].id} is under way; wait for it or stop its worker, then try again.")
        last = time.monotonic()

        def touch() -> None:
            nonlocal last
            if time.monotonic() - last > TOUCH_SECONDS:
                last = time.monotonic()
                copying.say_something(holder)

        with source.read() as session:
            yield session, touch


def _insist_on_empty(target: Database) -> None:
    if copying.is_begun(target):
        raise NotEmpty(
            "The target is half of a move that was broken off; empty it (drop and create it), then try again."
        )
    if copying.is_used(target):
        raise NotEmpty("The target holds tables already; name an empty database.")
