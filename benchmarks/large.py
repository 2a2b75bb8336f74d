"""A large picture in memory: ``python -m benchmarks.large [--side 10000]``.

A gray TIFF of so many pixels a side with a PNG mask is imported and gone through, each step in a process of its own:
how far its memory grows beyond what the program takes by itself, in MB and in copies of the picture, and seconds of
processor time.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy import select

from app.domain.actor import person
from app.domain.checks.registry import CHECKS
from app.flows import export, ingest, inspect, snapshot
from app.settings import Settings
from app.store import rasters
from app.store.db import Database, open_database
from app.store.tables import Raster
from ml import models
from ml import predict as prediction
from ml import snapshot as frozen_set
from ml.config import make
from ml.data import Pictures

NAME = "large"


def draw(folder: Path, side: int) -> None:
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    shade = np.linspace(0, 180, side).astype(np.uint8)[:, None]
    Image.fromarray(shade + rng.integers(0, 60, (side, side), np.uint8)).save(folder / "images" / "one.tif")
    blocks = rng.integers(0, 5, (50, 50), np.uint8).repeat(side // 50, axis=0).repeat(side // 50, axis=1)
    mask = np.zeros((side, side), np.uint8)
    mask[: blocks.shape[0], : blocks.shape[1]] = blocks
    Image.fromarray(mask).save(folder / "masks" / "one.png")


def read(db: Database, channel: str) -> None:
    with db.read() as session:
        found = session.scalars(select(Raster).order_by(Raster.id)).all()
        rasters.pixels(session, found[channel == "mask"])


def _check(name: str, db: Database) -> None:
    inspect.run(db, NAME, [name])


def predict(home: Path) -> None:
    """By a small network that learned nothing, from the snapshot of the step before."""
    [frozen] = (home / "snapshots").glob("*.snapshot")
    opened = frozen_set.read(frozen)
    config = make({"width": 4, "depth": 1, "crop": 1024, "precision": "fp32", "device": "cpu", "threads": 1})
    network = models.build(config, 1, len(opened.targets))
    scaling = Pictures(opened, size=1024, multiple=2).scaling(opened.rows)
    facts = {"snapshot": opened.hash}
    models.Trained(network, config, opened.targets, 1, scaling, facts).save(home / "model.pt")
    prediction.predict(home / "model.pt", opened, opened.rows, home / "predictions", device="cpu", threads=1)


def scale(home: Path) -> None:
    """What a training does before its first batch: the mean and deviation of the pictures."""
    [frozen] = (home / "snapshots").glob("*.snapshot")
    opened = frozen_set.read(frozen)
    Pictures(opened, size=512, multiple=2).scaling(opened.rows)


def steps(home: Path) -> dict[str, Callable[[Database], object]]:
    return {
        "import": lambda db: ingest.run(db, home / "set", NAME, person("benchmark")),
        "the picture, read whole": lambda db: read(db, "picture"),
        "the mask, read whole": lambda db: read(db, "mask"),
        **{f"check {one.name}": partial(_check, one.name) for one in CHECKS},
        "snapshot": lambda db: snapshot.freeze(db, home, NAME, "curated"),
        "training, before a batch": lambda _: scale(home),
        "prediction": lambda _: predict(home),
        "export as a folder": lambda db: export.run(db, home / "folder", NAME, "folder"),
        "export as COCO": lambda db: export.run(db, home / "coco", NAME, "coco"),
    }


def measure(home: Path, name: str) -> None:
    """One step, in this process."""
    db = open_database(Settings(home=home).database)
    before, started = _memory(), time.process_time()
    steps(home)[name](db)
    seconds, peak = time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    db.close()
    pixels = (home / "set" / "images" / "one.tif").stat().st_size / 1e6
    print(f"{name:28} {peak - before:6.0f} MB {(peak - before) / pixels:5.1f} copies {seconds:6.1f} s", flush=True)


def _memory() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=10_000)
    parser.add_argument("--only", nargs="+", help="steps, by their first word")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        measure(Path(asked.measure[0]), asked.measure[1])
        return
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder) / "set", asked.side)
        for name in steps(Path(folder)):
            if asked.only and name not in ("import", "snapshot") and not name.startswith(tuple(asked.only)):
                continue
            command = [sys.executable, "-m", "benchmarks.large", "--measure", folder, name]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
