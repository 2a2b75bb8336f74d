"""The database as one file: of SQLite a copy by its own backup, of PostgreSQL what pg_dump writes."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Literal

from sqlalchemy import URL, inspect, make_url

from app.domain.errors import Conflict
from app.store import engines, integrity
from app.store.db import Database

Kind = Literal["SQLite", "PostgreSQL"]
NAMES: dict[Kind, str] = {"SQLite": "remask.sqlite", "PostgreSQL": "remask.dump"}


class CantDump(Conflict):
    """The database can't be dumped or taken from a dump, with the reason."""


def kind(database: Database | Path | str) -> Kind:
    """Of an open database, or of where one is."""
    if isinstance(database, Database):
        return "PostgreSQL" if database.path is None else "SQLite"
    return "SQLite" if isinstance(database, Path) else "PostgreSQL"


def write(db: Database, out: Path) -> None:
    """Write the database as it is at one moment to the new file ``out``, whoever writes to it. Raises CantDump."""
    if db.path is not None:
        engines.backup(db.path, out)
    else:
        _run("pg_dump", db.engine.url, "--format=custom", "--no-owner", f"--file={out}", "--dbname")


def check(dump: Path, schema: str) -> None:
    """Whether a dump can be taken by this program. Raises CantDump."""
    newest = integrity.newest_schema()
    if schema > newest:
        raise CantDump(f"The backup is at schema {schema}, newer than this program's {newest}; use the newer program.")
    if dump.name != NAMES["SQLite"]:
        return
    db = Database(f"sqlite:///{dump}")
    try:
        with db.read() as session:
            faults = integrity.file_faults(session)
    finally:
        db.close()
    if faults:
        raise CantDump("The database in the backup is damaged; take another backup.")


def check_empty(database: Path | str) -> None:
    """Raises CantDump where the database on a server holds something; of a file, its folder tells."""
    if isinstance(database, Path):
        return
    db = Database(database)
    try:
        if inspect(db.engine).get_table_names():
            raise CantDump("The PostgreSQL database isn't empty; make a new one and name it in REMASK_DATABASE_URL.")
    finally:
        db.close()


def take(dump: Path, database: Path | str) -> None:
    """Let a dump be the database: the file is moved to its place, or read into the empty one on a server.

    Raises CantDump.
    """
    if isinstance(database, Path):
        dump.rename(database)
        return
    options = ("--no-owner", "--exit-on-error", "--single-transaction", str(dump), "--dbname")
    _run("pg_restore", make_url(database), *options)
    dump.unlink()


def _run(program: str, url: URL, *arguments: str) -> None:
    """Run one of PostgreSQL's programs on the database at ``url``, its password kept out of the list of processes."""
    path = shutil.which(program)
    if path is None:
        raise CantDump(f"{program} isn't installed here; install PostgreSQL's client programs (postgresql-client).")
    plain = make_url(url).set(drivername="postgresql", password=None).render_as_string()
    secret = {} if url.password is None else {"PGPASSWORD": str(url.password)}
    done = subprocess.run(  # noqa: S603  (PostgreSQL's own program)
        [path, *arguments, plain], env=os.environ | secret, capture_output=True, text=True
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise CantDump(f"{program} failed: {said[-1] if said else done.returncode}.")
