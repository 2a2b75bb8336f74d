"""A large set in the browser: ``python -m benchmarks.browsing [--samples 10000 100000 1000000] [--database URL]``.

Rows are written in bulk (``benchmarks.rows``), then the real application is asked in this process, by the requests that
a browser makes, REPEATS times each: 50th and 95th percentile in milliseconds of processor time and, in brackets, of the
clock, which on a busy machine holds the others' turns too. Both have the client's own share in them. ``--database``
names an empty PostgreSQL database, whose own processor time only the clock shows, for one number of samples.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
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
    "grid, by score": "check=unusual_mask&min=0.9",
    "grid, split by key": "split=val&sort=key",
}


def measured(request: Callable[[int], object], repeats: int = REPEATS) -> str:
    walls, processors = [], []
    for turn in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        request(turn)
        walls.append(1000 * (time.perf_counter() - wall))
        processors.append(1000 * (time.process_time() - processor))
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


def browsed(client: TestClient, db: Database, dataset: int, count: int) -> dict[str, str]:
    base = "/d/scale/samples"
    found = {name: measured(partial(ask, client, f"{base}?{query}")) for name, query in PAGES.items()}
    with db.read() as session:
        late = browse.page(session, dataset, Filter(), limit=min(20_000, count * 9 // 10)).next
        flagged = browse.order(session, dataset, Filter(check="shared_mask"), REPEATS)
    spread = [1 + turn * (count - 1) // REPEATS for turn in range(REPEATS)]
    found["next page, late"] = measured(lambda _: ask(client, f"{base}?part=tiles&after={late}"))
    found["sample's page"] = measured(lambda turn: ask(client, f"{base}/{spread[turn]}"))
    found["next / previous"] = measured(lambda turn: ask(client, f"/api/v1/samples/{spread[turn]}"))
    found["start of a walk"] = measured(lambda _: ask(client, "/d/scale/queue"), 5)
    found["decision (and reading it)"] = measured(partial(decide, client, flagged))
    found["overview"] = measured(lambda _: ask(client, "/d/scale"), 5)
    return found


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
                for name, times in browsed(client, db, dataset, count).items():
                    print(f"  {name:26} {times}", flush=True)
            db.close()
            print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
