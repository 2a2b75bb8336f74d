"""The five checks that look at pictures and masks alone, on a large set that was imported.

python -m benchmarks.stored --samples 100000                      each check alone, on SQLite
python -m benchmarks.stored --samples 10000 --database URL        all of them as a job, by one worker and by two

Samples of 64 x 128 are drawn: for every 2,500 forty new scenes, each seen many times a little differently, with groups
of equal masks as honest sets have them; and in the whole set one contamination group of 110. Told are seconds on the
clock and of processor time, what was flagged and, for a check alone, the most memory that the process had meanwhile.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from app.domain.actor import person
from app.domain.checks import registry
from app.domain.checks.imprecise_mask import ImpreciseMask
from app.flows import ingest, inspect
from app.settings import Settings
from app.store import datasets, jobs, workers
from app.store.db import Database, open_database
from app.store.tables import Job
from benchmarks.clients import processor
from benchmarks.replicas import HEIGHT, WIDTH, Plant, replica
from benchmarks.scale import timed
from benchmarks.served import memory

EACH = 2500  # samples of forty scenes
PLANTED = Plant(110, "drawn", "exact")
NAMES = [one.name for one in registry.CHECKS if one is not ImpreciseMask]


def draw(path: Path, count: int) -> None:
    """An NPZ in the course's layout, some at a time."""
    with zipfile.ZipFile(path, "w") as archive, archive.open("training_set.npy", "w", force_zip64=True) as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, 2, HEIGHT, WIDTH)}
        np.lib.format.write_array_header_1_0(stream, header)
        for first in range(0, count, EACH):
            size = min(EACH, count - first)
            plants = [] if first else [PLANTED]
            made = replica(first, size - sum(one.size for one in plants), plants)
            # Groups of equal masks may be a few samples more than were asked for; planted ones stay.
            order = sorted(range(len(made.images)), key=lambda i: made.planted[i] < 0)[:size]
            for i in sorted(order):
                stream.write(np.stack([made.images[i], made.masks[i]]).tobytes())


def alone(db: Database, count: int) -> None:
    """Each check by itself, one after the other, in this process."""
    for name in NAMES:
        Path("/proc/self/clear_refs").write_text("5")  # the most memory from here on
        found: list[inspect.Result] = []
        timed(name, count, partial(_run, db, name, found))
        print(f"  {found[0].flagged:,} flagged; memory at most {memory()[1]:.0f} MB, after it {memory()[0]:.0f} MB")


def _run(db: Database, name: str, found: list[inspect.Result]) -> None:
    found.extend(inspect.run(db, "stored", [name]))


def together(db: Database, settings: Settings) -> None:
    """The checks as one job, by one and by two workers, each twice."""
    for many in (1, 2, 1, 2):
        with _workers(settings, many) as pids:
            before = sum(map(processor, pids))
            with db.write() as session:
                id = jobs.request(session, "check", datasets.find(session, "stored").id, {"only": NAMES}).id
            started = time.perf_counter()
            while (job := _job(db, id)).state not in jobs.ENDED:
                time.sleep(0.2)
            seconds, spent = time.perf_counter() - started, sum(map(processor, pids)) - before
        flagged = {one["check"]: one["flagged"] for one in (job.result or {}).get("checks", [])}
        print(f"{many} worker(s): {job.state} in {seconds:.1f} s, {spent:.1f} s of their processor time: {flagged}")


@contextmanager
def _workers(settings: Settings, many: int) -> Iterator[list[int]]:
    """The processes of so many workers, once all of them wait for work."""
    processes = []
    try:
        for number in range(many):
            given = {
                "REMASK_HOME": str(settings.home),
                "REMASK_DATABASE_URL": str(settings.database_url),
                "REMASK_WORKER": f"worker-{number}",
            }
            processes.append(subprocess.Popen([sys.executable, "-m", "app", "worker"], env=os.environ | given))
        while len(workers.alive(settings.home)) < many:
            time.sleep(0.2)
        time.sleep(5)  # until their engines are there, too
        yield [one.pid for one in processes]
    finally:
        for one in processes:
            one.send_signal(signal.SIGINT)
        for one in processes:
            one.wait(60)


def _job(db: Database, id: int) -> Job:
    with db.read() as session:
        return jobs.find(session, id)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--database", help="an empty PostgreSQL database, for workers")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, settings = Path(folder) / "stored.npz", Settings(home=Path(folder) / "data", database_url=told.database)
        settings.home.mkdir()
        draw(path, told.samples)
        db = open_database(settings.database)
        timed("imported", told.samples, partial(ingest.run, db, path, "stored", person("benchmark")))
        with db.write() as session:
            for asked in jobs.waiting(session):
                jobs.cancel(session, asked.id)
        if told.database:
            together(db, settings)
        else:
            alone(db, told.samples)
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        db.close()


if __name__ == "__main__":
    main()
