"""kill -9 at random moments: ``python -m benchmarks.faults [--kills 1000] [--seed 0] [--database URL]``.

A process is forked that does one kind of work (imports, decisions one by one and in batches, drawing, jobs, checks,
exports, snapshots, backups) and says what was acknowledged to it; after a random time it is killed. Then the database
has to pass its integrity check and the doctor, everything acknowledged has to be there, no batch by half, and a job
that was under way has to go on to its end.
"""

import argparse
import json
import os
import random
import select
import shutil
import signal
import sqlite3
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.flows import doctor, ingest
from app.settings import Settings
from app.store.db import open_database
from benchmarks.kills import ADA, IMPORTED, WORK, Ledger, Place, Say, breaches, draw_pictures, resume

MOST_SAID = 6  # a process is killed after it has said up to so many things
LONGEST = 0.05  # and up to so many seconds later
PATIENCE = 10.0  # where it says nothing more
PER_PLACE = 20  # kills in one data folder, until the next one


@dataclass
class Tally:
    """``kills`` and ``said`` (acknowledgements) by kind of work; ``broken``: what didn't hold."""

    kills: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0


def run(kills: int, seed: int, folder: Path, database: str | None = None, tell: Callable[[str], None] = print) -> Tally:
    """Kill so many processes, in data folders under ``folder``; with ``database``, on that one PostgreSQL database."""
    rng, tally, started = random.Random(seed), Tally(), time.monotonic()  # noqa: S311  (moments, no secrets)
    pictures = draw_pictures(folder / "pictures.npz", IMPORTED)
    settings, ledger = _prepare(folder / "first", database), Ledger()
    for number in range(kills):
        if number % PER_PLACE == 0 and database is None:
            settings, ledger = Settings(home=folder / f"{number}" / "data"), Ledger()
            shutil.copytree(folder / "first", settings.home.parent)
            shutil.rmtree(folder / f"{number - PER_PLACE}", ignore_errors=True)
        work = WORK[number % len(WORK)]
        said = _killed(work, settings, pictures, rng)
        for kind, *facts in said:
            if kind == "failed":
                tally.broken.append(f"{work.__name__}: {facts[0]}")
            else:
                ledger.note(kind, *facts)
        tally.kills[work.__name__] += 1
        tally.said[work.__name__] += len(said)
        tally.broken += [f"kill {number} ({work.__name__}): {one}" for one in _examined(settings, pictures, ledger)]
        if (number + 1) % 100 == 0:
            tell(f"{number + 1} kills, {sum(tally.said.values())} acknowledged, {len(tally.broken)} broken")
    tally.seconds = time.monotonic() - started
    return tally


def _prepare(folder: Path, database: str | None) -> Settings:
    """A data folder with a set of sixty samples in it, nothing waiting."""
    settings = Settings(home=folder / "data", database_url=database)
    settings.home.mkdir(parents=True)
    db, pictures = open_database(settings.database), draw_pictures(folder.with_suffix(".npz"), 60)
    ingest.run(db, pictures, "set", ADA)
    resume(Place(settings, db, pictures))
    db.close()
    return settings


def _killed(
    work: Callable[[Place, Say, random.Random], None], settings: Settings, pictures: Path, rng: random.Random
) -> list[list[Any]]:
    """What a process doing ``work`` was acknowledged until it was killed."""
    reading, writing = os.pipe()
    seed, most, delay = rng.getrandbits(32), rng.randint(0, MOST_SAID), rng.uniform(0, LONGEST)
    process = os.fork()
    if process == 0:
        _work(work, settings, pictures, random.Random(seed), writing)  # noqa: S311
    os.close(writing)
    said = b""
    while said.count(b"\n") <= most and select.select([reading], [], [], PATIENCE)[0]:
        said += os.read(reading, 1 << 16)
    time.sleep(delay)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    with os.fdopen(reading, "rb") as pipe:
        said += pipe.read()
    return [one for one in map(json.loads, said.splitlines()) if one not in (["ready"], ["step"])]


def _work(
    work: Callable[[Place, Say, random.Random], None],
    settings: Settings,
    pictures: Path,
    rng: random.Random,
    pipe: int,
) -> None:
    def say(*facts: object) -> None:
        os.write(pipe, json.dumps(facts).encode() + b"\n")

    try:
        db = open_database(settings.database)
        say("ready")
        work(Place(settings, db, pictures), say, rng)
        while True:  # it ended before it was killed
            signal.pause()
    except BaseException:
        say("failed", traceback.format_exc()[-2000:])
    finally:
        os._exit(1)


def _examined(settings: Settings, pictures: Path, ledger: Ledger) -> list[str]:
    """What doesn't hold of a data folder whose process was killed."""
    with ExitStack() as held:
        found = []
        if isinstance(settings.database, Path):
            with sqlite3.connect(settings.database) as connection:
                checked = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            connection.close()
            found += [one for one in checked if one != "ok"]
        db = open_database(settings.database)
        held.callback(db.close)
        place = Place(settings, db, pictures)
        found += breaches(place, ledger) + resume(place)
        ailments = doctor.run(db, settings).ailments
        return found + [f"{one.name}: {one.sentence} {one.examples}" for one in ailments if one.name != "space"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--database", help="an empty PostgreSQL database, in place of SQLite")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(asked.kills, asked.seed, Path(folder), asked.database)
    for name, count in tally.kills.items():
        print(f"{name:16} {count:5} kills, {tally.said[name]:6} acknowledged")
    print(f"{sum(tally.kills.values())} kills in {tally.seconds:.0f} s, {len(tally.broken)} broken")
    for one in tally.broken:
        print(f"  {one}")


if __name__ == "__main__":
    main()
