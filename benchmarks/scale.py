"""Import and browsing of a large set: ``python -m benchmarks.scale [--samples 100000]``.

Samples of 32 x 32 are drawn from a seed into an NPZ, which is read and hashed row by row (the floor) and imported as
any file is; then the queries behind the grid, the first page and a late one, the count, and a sample's place among all
are timed (the median of seven). At last ``remask serve`` is used and its memory told, see ``benchmarks.served``.
The checks have a set of their own, see ``benchmarks.stored``: noise has nothing for them to find.
"""

import argparse
import hashlib
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from app.domain.actor import person
from app.flows import ingest
from app.store import browse, datasets, summary
from app.store.browse import Filter
from app.store.db import open_database
from benchmarks import served
from benchmarks.served import memory

FILTERS = {
    "worst first": Filter(),
    "by key": Filter(sort="key"),
    "one class": Filter(class_id=3),
    "text in the key": Filter(q="99"),
}


def draw(path: Path, count: int) -> None:
    """An NPZ in the course's layout, written row by row."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive, archive.open("training_set.npy", "w", force_zip64=True) as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, 2, 32, 32)}
        np.lib.format.write_array_header_1_0(stream, header)
        for _ in range(count):
            row = rng.integers(0, 256, (2, 32, 32), dtype=np.uint8)
            row[1] = rng.integers(0, 5, (4, 4), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
            stream.write(row.tobytes())


def milliseconds(query: Callable[[], object]) -> float:
    times = []
    for _ in range(7):
        started = time.perf_counter()
        query()
        times.append(time.perf_counter() - started)
    return 1000 * median(times)


def floor(path: Path, count: int) -> None:
    """Read the rows of the NPZ and hash each picture and mask, as little as an import can do."""
    with zipfile.ZipFile(path) as archive, archive.open("training_set.npy") as stream:
        stream.read(128)
        for _ in range(2 * count):
            hashlib.sha256(stream.read(32 * 32)).hexdigest()


def timed(what: str, count: int, work: Callable[[], object]) -> None:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(f"{what} in {wall:.1f} s, {processor:.1f} s of processor time: {count / processor:,.0f} a second", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100_000)
    told = parser.parse_args()
    count = told.samples
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.npz"
        draw(path, count)
        db = open_database(Path(folder) / "data" / "remask.sqlite")
        timed(f"{count:,} samples read and hashed", count, partial(floor, path, count))
        seen: dict[int, str] = {}

        def progress(done: int, total: int, _message: str) -> None:
            if total and (quarter := 4 * done // total) not in seen:
                seen[quarter] = f"{memory()[0]:.0f}"

        timed("imported", count, partial(ingest.run, db, path, "large", person("benchmark"), progress=progress))
        size = sum(one.stat().st_size for one in (Path(folder) / "data").iterdir())
        print(f"memory of the importer at each quarter {', '.join(seen.values())} MB, at most {memory()[1]:.0f} MB")
        print(f"on the disk {size / 1e6:.0f} MB for {count * 2048 / 1e6:.0f} MB of pixels")
        with db.read() as session:
            id = datasets.find(session, "large").id
            for name, filter in FILTERS.items():
                total = browse.count(session, id, filter)
                late = browse.page(session, id, filter, limit=total * 9 // 10).next
                times = {
                    "first page": milliseconds(partial(browse.page, session, id, filter)),
                    "late page": milliseconds(partial(browse.page, session, id, filter, late)),
                    "count": milliseconds(partial(browse.count, session, id, filter)),
                }
                print(f"{name:16} " + ", ".join(f"{what} {time:6.1f} ms" for what, time in times.items()))
            print(f"{'overview':16} {milliseconds(partial(summary.by_class, session, id)):6.1f} ms for the classes")
        served.measure(Path(folder) / "data", "large", rounds=300, people=4)
        db.close()


if __name__ == "__main__":
    main()
