"""A large set in the browser: ``python -m benchmarks.browsing [--samples 10000 100000 1000000] [--database URL]``.

Rows are written in bulk (``benchmarks.rows``), then the real application is asked in this process, by the requests that
a browser makes, REPEATS times each: 50th and 95th percentile in milliseconds of processor time and, in brackets, of the
clock, which on a busy machine holds the others' turns too. Both have the client's own share in them. ``--database``
names an empty PostgreSQL database, for one number of samples; on this machine its processor time is counted, too.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.settings import Settings
from app.store import browse
from app.store.browse import Filter
from app.store.db import Database, open_database
from app.web.site import create_app
from benchmarks import rows

REPEATS = 25
BASE = "http://127.0.0.1:8000"
PAGES = {
    "grid": "",
    "grid, status": "status=flagged",
    "grid, check": "check=shared_mask",
    "grid, class": "class=3",
    "grid, text": "q=0424",
    "grid, rare text": "q=frame_00000424",
    "grid, text in a check": "check=shared_mask&q=0424",
    "grid, by score": "check=unusual_mask&min=0.9",
    "grid, class in a check": "check=shared_mask&class=3",
    "grid, class and status": "class=3&status=flagged",
    "grid, newest": "sort=newest",
    "grid, split by key": "split=val&sort=key",
}


class Clock:
    """Processor time of this process and of the database's processes that serve it, in seconds."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.meet()

    def meet(self) -> None:
        """Find the processes that are there now."""
        self._files: list[Path] = []
        if self._db.path is None:
            with self._db.read() as session:
                pids = session.scalars(text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()"))
                self._files = [Path(f"/proc/{pid}/schedstat") for pid in pids]

    def __call__(self) -> float:
        return time.process_time() + sum(int(one.read_text().split()[0]) for one in self._files if one.exists()) / 1e9


def measured(clock: Clock, request: Callable[[int], object], repeats: int = REPEATS) -> str:
    clock.meet()
    walls, processors = [], []
    for turn in range(repeats):
        wall, processor = time.perf_counter(), clock()
        request(turn)
        walls.append(1000 * (time.perf_counter() - wall))
        processors.append(1000 * (clock() - processor))
    shown = [f"{np.percentile(times, rank):.0f}" for times in (processors, walls) for rank in (50, 95)]
    return f"{shown[0]} / {shown[1]} ({shown[2]} / {shown[3]})"


def ask(client: TestClient, path: str, _turn: int = 0) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.text)


def decide(client: TestClient, ids: list[int], turn: int) -> None:
    version = client.get(f"/api/v1/samples/{ids[turn]}").json()["version"]
    headers = {"Origin": BASE, "If-Match": f'"v{version}"'}
    answer = client.post(f"/api/v1/samples/{ids[turn]}/decisions", json={"verb": "keep"}, headers=headers)
    assert answer.status_code == 200, answer.text


def browsed(client: TestClient, db: Database, dataset: int, count: int) -> Iterator[tuple[str, str]]:
    base = "/d/scale/samples"
    ask(client, base)  # connections are made and templates read
    timed = partial(measured, Clock(db))
    for name, query in PAGES.items():
        yield name, timed(partial(ask, client, f"{base}?{query}"))
    with db.read() as session:
        late = browse.page(session, dataset, Filter(), limit=min(20_000, count * 9 // 10)).next
        flagged = browse.order(session, dataset, Filter(check="shared_mask"), REPEATS)
    spread = [1 + turn * (count - 1) // REPEATS for turn in range(REPEATS)]
    yield "next page, late", timed(lambda _: ask(client, f"{base}?part=tiles&after={late}"))
    yield "sample's page", timed(lambda turn: ask(client, f"{base}/{spread[turn]}"))
    yield "sample's page, by score", timed(lambda turn: ask(client, f"{base}/{spread[turn]}?sort=unusual_mask"))
    yield "next / previous", timed(lambda turn: ask(client, f"/api/v1/samples/{spread[turn]}"))
    yield "start of a walk", timed(lambda _: ask(client, "/d/scale/queue"), 5)
    yield "of a check's flags", timed(lambda _: ask(client, "/d/scale/queue?check=shared_mask"), 5)
    yield "of a text", timed(lambda _: ask(client, "/d/scale/queue?q=0424"), 5)
    yield "list by API, of a check", timed(lambda _: ask(client, "/api/v1/datasets/scale/samples?check=shared_mask"), 5)
    yield "histogram", timed(lambda _: ask(client, "/api/v1/datasets/scale/histogram?check=unusual_mask"), 5)
    yield "decision (and reading it)", timed(partial(decide, client, flagged))
    yield "overview", timed(lambda _: ask(client, "/d/scale"), 5)


def size(db: Database) -> int:
    """Bytes of the database on the disk."""
    if db.path is not None:
        return sum(one.stat().st_size for one in db.path.parent.iterdir())
    with db.read() as session:
        return session.scalar(text("SELECT pg_database_size(current_database())")) or 0


def analyse(db: Database) -> None:
    """Tell PostgreSQL what was written in bulk, as its autovacuum does after a minute."""
    if db.path is None:
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--database", help="an empty PostgreSQL database, in place of SQLite")
    told = parser.parse_args()
    for count in told.samples:
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(home=Path(folder), database_url=told.database)
            db = open_database(settings.database)
            started = time.perf_counter()
            dataset = rows.fill(db, "scale", count)
            analyse(db)
            seconds = time.perf_counter() - started
            print(f"{count:,} samples: rows written in {seconds:.0f} s, {size(db) / count:.0f} B each", flush=True)
            with TestClient(create_app(settings), base_url=BASE, client=("127.0.0.1", 1)) as client:
                for name, times in browsed(client, db, dataset, count):
                    print(f"  {name:26} {times}", flush=True)
            db.close()
            print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
