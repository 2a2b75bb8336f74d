"""A large picture in memory: ``python -m benchmarks.large [--side 10000]``.

A gray TIFF of so many pixels a side with a PNG mask is imported and gone through, each step in a process of its own:
how far its memory grows beyond what the program takes by itself, in MB and in copies of the picture, and seconds of
processor time.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import select
from torch import nn

from app.domain.actor import person
from app.domain.checks.registry import CHECKS
from app.domain.detector.region import Reason, region_of
from app.flows import edit, export, imprecise, ingest, inspect, snapshot
from app.flows import regions as region_flow
from app.flows.child import folder_of
from app.flows.progress import quiet
from app.settings import Settings
from app.store import rasters, regions, revisions, windows
from app.store.db import Database, open_database
from app.store.tables import Raster, Run, Sample, Snapshot
from app.web.site import create_app
from ml import models
from ml import predict as prediction
from ml import snapshot as frozen_set
from ml.config import Config, make
from ml.data import Pictures, Scaling
from ml.evaluate import Judge
from ml.losses import Loss
from ml.machine import enter
from ml.predictions import join

NAME = "large"
NEEDED = ("import", "snapshot", "prediction", "detector, learn and judge")  # by what comes after them


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


def _opened(home: Path) -> frozen_set.Snapshot:
    [frozen] = (home / "snapshots").glob("*.snapshot")
    return frozen_set.read(frozen)


def predict(home: Path) -> None:
    """By a small network that learned nothing, from the snapshot of the step before."""
    opened = _opened(home)
    network, config, scaling = _network(opened)
    facts = {"snapshot": opened.hash}
    models.Trained(network, config, opened.targets, 1, scaling, facts).save(home / "model.pt")
    prediction.predict(home / "model.pt", opened, opened.rows, home / "predictions", device="cpu", threads=1)


def validate(home: Path) -> None:
    """As a training does after every epoch."""
    opened = _opened(home)
    network, config, scaling = _network(opened)
    pictures, loss = Pictures(opened, size=1024, multiple=2), Loss(config, None)
    Judge(pictures, scaling, opened.targets, loss, config, enter(config)).figures(network, opened.rows)


def _network(opened: frozen_set.Snapshot) -> tuple[nn.Module, Config, Scaling]:
    config = make({"width": 4, "depth": 1, "crop": 1024, "precision": "fp32", "device": "cpu", "threads": 1})
    scaling = Pictures(opened, size=1024, multiple=2).scaling(opened.rows)
    return models.build(config, 1, len(opened.targets)), config, scaling


def judge(db: Database, home: Path) -> None:
    """Learning and judging by the prediction; then a region is written that a quarter of the picture is full of."""
    with db.write() as session:
        snapshot = session.scalars(select(Snapshot)).one()
        run = Run(dataset_id=snapshot.dataset_id, kind="crossval", name="", arm="curated", config={}, actor_name="")
        session.add(run)
        session.flush()
        session.expunge_all()
    folder = folder_of(home, run.id)
    (folder / "fold_0").mkdir(parents=True)
    (folder / "fold_0" / "splits.json").write_text("[]")
    (home / "predictions").rename(folder / "predictions")
    imprecise.judge(db, home, run.id, snapshot, time.monotonic(), quiet)
    with db.write() as session:
        sample = session.scalars(select(Sample)).one()
        mask = session.get_one(Raster, revisions.find(session, sample.current_id or 0).mask_id)
        side = mask.width // 2
        part = windows.read(session, mask, windows.Box(0, 0, side, side))
        inside, frame = np.isin(part, (1, 2)), (mask.height, mask.width)
        one = region_of(inside, Reason.SWAPPED, 1, 3, 0.9, (0, 0), frame)
        regions.add(session, run.id, sample, sample.current_id or 0, [one])
        regions.open_of_run(session, run.id)


def ask(home: Path, path: str) -> None:
    """Of the application, in this process."""
    with TestClient(create_app(Settings(home=home)), base_url="http://127.0.0.1:8000", client=("127.0.0.1", 1)) as one:
        answer = one.get(path)
        assert answer.status_code == 200, answer.text


def accept(db: Database, home: Path) -> None:
    outcome = region_flow.accept(db, home, NAME, [1], person("benchmark"))
    assert not outcome.refused, outcome.refused


def save(db: Database) -> None:
    """A mask in which a pixel is drawn, as the page sends it."""
    with db.read() as session:
        sample = session.scalars(select(Sample)).one()
        raster = session.get_one(Raster, revisions.find(session, sample.current_id or 0).mask_id)
        mask = rasters.mask(session, raster)
    mask[0, 0] = 4 - mask[0, 0]
    edit.finish(db, sample.id, mask, person("benchmark"), sample.current_id)


def save_part(db: Database, draft: bool) -> None:
    """A part of 4096 x 4096 pixels in the middle, all drawn anew."""
    with db.read() as session:
        sample = session.scalars(select(Sample)).one()
        mask = session.get_one(Raster, revisions.find(session, sample.current_id or 0).mask_id)
        side = min(4096, mask.width)
        part = windows.Box((mask.width - side) // 2, (mask.height - side) // 2, side, side)
        ids = 4 - rasters.as_ids(windows.read(session, mask, part), mask)
    if draft:
        edit.save_draft(db, sample.id, ids, person("benchmark"), sample.current_id, 1, part)
    else:
        edit.finish(db, sample.id, ids, person("benchmark"), sample.current_id, part=part)


def scale(home: Path) -> None:
    """What a training does before its first batch: the mean and deviation of the pictures."""
    opened = _opened(home)
    Pictures(opened, size=512, multiple=2).scaling(opened.rows)


def steps(home: Path) -> dict[str, Callable[[Database], object]]:
    return {
        "import": lambda db: ingest.run(db, home / "set", NAME, person("benchmark")),
        "the picture, read whole": lambda db: read(db, "picture"),
        "the mask, read whole": lambda db: read(db, "mask"),
        **{f"check {one.name}": partial(_check, one.name) for one in CHECKS},
        "snapshot": lambda db: snapshot.freeze(db, home, NAME, "curated"),
        "training, before a batch": lambda _: scale(home),
        "training, validation": lambda _: validate(home),
        "prediction": lambda _: predict(home),
        "prediction, joined": lambda _: join(home / "joined", [home / "predictions"], {}),
        "export as a folder": lambda db: export.run(db, home / "folder", NAME, "folder"),
        "export as COCO": lambda db: export.run(db, home / "coco", NAME, "coco"),
        "detector, learn and judge": lambda db: judge(db, home),
        "what the model sees, at 625": lambda _: ask(home, "/media/samples/1/suggestion.png?size=625"),
        "heat map, at 625": lambda _: ask(home, "/media/samples/1/suspicion.png?size=625"),
        "region as a picture": lambda _: ask(home, "/media/regions/1/crop.png"),
        "region accepted": lambda db: accept(db, home),
        "a drawn mask saved": lambda db: save(db),
        "a drawn part as a draft": lambda db: save_part(db, draft=True),
        "a drawn part saved": lambda db: save_part(db, draft=False),
    }


def measure(home: Path, name: str) -> None:
    """One step, in this process."""
    db = open_database(Settings(home=home).database)
    before, started = _memory("VmRSS"), time.process_time()
    steps(home)[name](db)
    seconds, peak = time.process_time() - started, _memory("VmHWM")
    db.close()
    pixels = (home / "set" / "images" / "one.tif").stat().st_size / 1e6
    print(f"{name:28} {peak - before:6.0f} MB {(peak - before) / pixels:5.1f} copies {seconds:6.1f} s", flush=True)


def _memory(name: str) -> float:
    """Of this process in MB: now (VmRSS), or at most (VmHWM; getrusage's would count what its parent had, too)."""
    [line] = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith(f"{name}:")]
    return int(line.split()[1]) / 1024


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
            if asked.only and name not in NEEDED and not name.startswith(tuple(asked.only)):
                continue
            command = [sys.executable, "-m", "benchmarks.large", "--measure", folder, name]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
