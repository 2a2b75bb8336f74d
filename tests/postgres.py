"""A PostgreSQL server of the tests' own: started where its programs are; elsewhere tests skip with the reason.

It listens on a socket in its own folder, where nothing else is said on that alone, and doesn't wait for the disk.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from app.store.db import open_database

QUICK = ("fsync = off", "full_page_writes = off", "max_connections = 80")
TEMPLATE = "migrated"
_numbers = count()


class Cluster:
    """A running server; ``create`` gives the URL of a fresh database that is migrated already."""

    def __init__(self, folder: Path, programs: Path, inside: Sequence[str] = (), address: str = "") -> None:
        self.folder = folder
        self._programs = programs
        self._inside = list(inside)
        if os.getuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, "postgres", "postgres")
            self._inside += ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self._run("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        with (folder / "data" / "postgresql.conf").open("a") as config:
            listen = f"listen_addresses = '{address}'"
            config.write("\n".join([*QUICK, listen, f"unix_socket_directories = '{folder}'", ""]))
        if address:
            with (folder / "data" / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {address}/24 trust\n")
        self.start()
        open_database(self.create(TEMPLATE, None)).close()

    def start(self) -> None:
        self._run("pg_ctl", "start", "-w", "-s", "-l", str(self.folder / "log"))

    def stop(self, how: str = "fast") -> None:
        self._run("pg_ctl", "stop", "-w", "-s", "-m", how)

    def create(self, name: str | None = None, template: str | None = TEMPLATE) -> str:
        """The URL of a new database, a copy of ``template``, or empty."""
        name = name or f"test_{next(_numbers)}"
        like = f' TEMPLATE "{template}"' if template else ""
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"{like}'.encode())
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def drop(self, url: str) -> None:
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)'.encode())

    def _dsn(self, database: str) -> str:
        return f"host={self.folder} user=postgres dbname={database}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._inside, str(self._programs / program), "-D", str(self.folder / "data"), *arguments]
        with tempfile.TemporaryFile() as said:  # not a pipe: the server would hold it open
            done = subprocess.run(command, stdout=said, stderr=said, cwd=self.folder)
            said.seek(0)
            assert done.returncode == 0, said.read().decode()


def why_not() -> str | None:
    """Why no server can be started here; None where one can."""
    if _programs() is None:
        return "needs PostgreSQL's programs (Debian: apt-get install postgresql)"
    if os.getuid() == 0 and not _is_user("postgres"):
        return "needs a user `postgres`, since PostgreSQL refuses to run as root"
    return None


@contextmanager
def running(inside: Sequence[str] = (), address: str = "") -> Iterator[Cluster]:
    """A server that ends with the block. ``inside``: a command that runs others, in another network say; ``address``:
    where it listens besides its socket."""
    reason = why_not()
    if reason is not None:
        if os.environ.get("REMASK_REQUIRE_POSTGRES"):
            pytest.fail(reason)
        pytest.skip(reason)
    programs = _programs()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="remask-pg-"))  # pytest's own folders are closed to other users
    try:
        cluster = Cluster(folder, programs, inside, address)
        try:
            yield cluster
        finally:
            cluster.stop("immediate")
    finally:
        shutil.rmtree(folder)


def _programs() -> Path | None:
    """The folder of initdb and pg_ctl: Debian keeps them out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: float(one.parts[-3]))
    if found:
        return found[-1].parent
    here = shutil.which("initdb")
    return Path(here).parent if here else None


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
