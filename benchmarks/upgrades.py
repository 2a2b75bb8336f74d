"""kill -9 while an old database is brought up to date: ``python -m benchmarks.upgrades [--kills 100] [--seed 0]``.

A database of the first schema with a row in every table is opened by a process that is killed at a random moment of the
migration. Opened again it has to pass its integrity check, be at the newest schema, and hold every row as it was.
"""

import argparse
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

from app.store.db import open_database
from tests.store.test_migrations import VERSIONS, make, read


@dataclass
class Tally:
    """``under_way``: kills before the migration had ended; ``broken``: what didn't hold."""

    kills: int = 0
    under_way: int = 0
    broken: list[str] = field(default_factory=list)


def run(kills: int, seed: int, folder: Path) -> Tally:
    """Kill so many migrations, in folders under ``folder``."""
    rng, tally = random.Random(seed), Tally()  # noqa: S311  (moments, no secrets)
    tables, before = make(folder / "old.sqlite", VERSIONS[0])
    longest = _seconds(folder)
    for number in range(kills):
        place = folder / f"{number}"
        path = _copy(folder, place)
        ended = _killed(path, rng.uniform(0, longest))
        tally.kills += 1
        tally.under_way += not ended
        with sqlite3.connect(path) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        connection.close()
        database = open_database(path)
        with database.engine.connect() as connected:
            if connected.scalar(text("SELECT version_num FROM alembic_version")) != VERSIONS[-1]:
                found.append("not at the newest schema")
        if read(database, tables) != before:
            found.append("rows differ")
        database.close()
        tally.broken += [f"kill {number}: {one}" for one in found]
        shutil.rmtree(place)
    return tally


def _copy(folder: Path, place: Path) -> Path:
    place.mkdir()
    return shutil.copyfile(folder / "old.sqlite", place / "remask.sqlite")


def _seconds(folder: Path) -> float:
    """How long a migration takes that nobody disturbs, and a little more."""
    path = _copy(folder, folder / "timed")
    started = time.monotonic()
    open_database(path).close()
    return 1.2 * (time.monotonic() - started)


def _killed(path: Path, after: float) -> bool:
    """Open the database in a process that is killed; whether it had ended before."""
    process = os.fork()
    if process == 0:
        try:
            open_database(path)
        finally:
            os._exit(0)
    time.sleep(after)
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    return os.WIFEXITED(status)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(asked.kills, asked.seed, Path(folder))
    print(f"{tally.kills} kills, {tally.under_way} of them under way, {len(tally.broken)} broken")
    for one in tally.broken:
        print(f"  {one}")


if __name__ == "__main__":
    main()
