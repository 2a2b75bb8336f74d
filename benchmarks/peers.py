"""The import of one folder of pictures and masks, and its first page: ours beside LightlyStudio, and beside the floor
of reading and hashing the same files.

python -m benchmarks.peers --samples 5000 --peer-python path/to/venv/bin/python   # one that has lightly-studio

Each runs in a process of its own, for its peak memory. LightlyStudio makes no embeddings here; ours has no use for any.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

TIMES = """
import json, resource, time
def spent(): return time.perf_counter(), time.process_time()
def say(began, page, kept):
    ended = spent()
    seconds, processor = (b - a for a, b in zip(began, page))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"import_s": round(seconds, 1), "processor_s": round(processor, 1),
        "page_ms": round(1000 * (ended[0] - page[0]), 1), "peak_mb": peak, "kept_mb": kept // 2**20}))
"""
FLOOR = """
import hashlib, sys
from pathlib import Path
began = spent()
for path in sorted(Path(sys.argv[1]).rglob("*.png")):
    hashlib.sha256(path.read_bytes()).digest()
say(began, spent(), 0)
"""
OURS = """
import sys
from pathlib import Path
from app.domain.actor import person
from app.flows import ingest
from app.store import browse, datasets
from app.store.browse import Filter
from app.store.db import open_database
home = Path(sys.argv[2])
db = open_database(home / "remask.sqlite")
began = spent()
ingest.run(db, Path(sys.argv[1]), "large", person("benchmark"))
page = spent()
with db.read() as session:
    assert len(browse.order(session, datasets.find(session, "large").id, Filter(), 100)) == 100
say(began, page, sum(path.stat().st_size for path in home.rglob("*") if path.is_file()))
"""
LIGHTLY = """
import sys
from pathlib import Path
import lightly_studio as ls
home = Path(sys.argv[2])
ls.db_manager.connect(db_file=str(home / "peer.duckdb"))
dataset = ls.ImageDataset.create("large")
root = Path(sys.argv[1])
began = spent()
names = dict(enumerate("abcde"))
dataset.add_samples_from_pascal_voc_segmentations(root / "images", root / "masks", names, embed=False)
page = spent()
assert len(list(dataset.slice(0, 100))) == 100
say(began, page, sum(path.stat().st_size for path in home.rglob("*") if path.is_file()))
"""


def draw(folder: Path, count: int) -> None:
    """``count`` gray pictures of 64 x 128 with masks of five classes, as PNG files."""
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    for number in range(count):
        coarse = rng.integers(0, 5, (4, 8), dtype=np.uint8)
        mask = np.kron(coarse, np.ones((16, 16), np.uint8))
        picture = (40 * mask + rng.integers(0, 40, mask.shape)).astype(np.uint8)
        Image.fromarray(picture).save(folder / "images" / f"{number:07}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number:07}.png")


def timed(python: str, program: str, folder: Path) -> dict[str, float]:
    """What ``program`` says of ``folder``, run by ``python`` with an empty folder of its own to keep things in."""
    with tempfile.TemporaryDirectory() as home:
        command = [python, "-c", TIMES + program, str(folder), home]
        # Whoever counts its users elsewhere can't reach them here; it is told not to try.
        env = os.environ | {"LIGHTLY_STUDIO_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
        done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=5_000)
    parser.add_argument("--peer-python", help="a Python that has lightly-studio")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder), told.samples)
        print(f"{told.samples:,} samples, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        print("floor:", timed(sys.executable, FLOOR, Path(folder)))
        print("ours:", timed(sys.executable, OURS, Path(folder)))
        if told.peer_python:
            print("LightlyStudio:", timed(told.peer_python, LIGHTLY, Path(folder)))


if __name__ == "__main__":
    main()
