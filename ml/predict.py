"""Predicts samples of a snapshot: ``python -m ml.predict MODEL SNAPSHOT --out FILE [--split SPLIT] [--keys FILE]``.

Writes one file of probabilities (see ``ml.predictions``), a batch in memory at a time; pictures larger than the
model's crop go in tiles that overlap, and some rows of them at a time. It predicts what it is asked to: whether the
model saw a sample is for the caller to know.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ml import config as configs
from ml.config import resolve
from ml.data import Item, Pictures
from ml.errors import Refused
from ml.evaluate import alike
from ml.infer import of_pictures, within
from ml.machine import enter, in_config, pick_device
from ml.models import Trained, load
from ml.predictions import Prediction, write
from ml.report import exit_status, to_stdout
from ml.snapshot import Row, Snapshot, read


def predict(
    model: Path,
    snapshot: Snapshot,
    rows: Sequence[Row],
    out: Path,
    *,
    device: str = "auto",
    threads: int = 0,
    dtype: str = "uint8",
    flips: bool | None = None,
    fold: int | None = None,
) -> str:
    """Predicts ``rows`` into ``out``; returns the file's hash. Raises Refused where model and snapshot don't fit."""
    trained = load(model, torch.device(pick_device(device)))
    if [one.id for one in trained.classes] != [one.id for one in snapshot.targets]:
        raise Refused(f"The classes of {model} are not those of the snapshot; train a model on this class list.")
    run = hashlib.sha256(model.read_bytes()).hexdigest()
    classes = [one.id for one in trained.classes]
    meta = {"snapshot": snapshot.hash, "trained_on": trained.facts["snapshot"]}
    config = resolve(trained.config, device=device, threads=threads)
    stream = _stream(trained, config, snapshot, rows, flips, fold)
    return write(out, stream, classes, run=run, meta=meta, dtype=dtype)


def _stream(
    trained: Trained,
    config: configs.Config,
    snapshot: Snapshot,
    rows: Sequence[Row],
    flips: bool | None,
    fold: int | None,
) -> Iterator[Prediction]:
    world = enter(config)
    config = resolve(config, precision=config.precision if world.device.type == trained.config.device else "fp32")
    network = in_config(trained.network.to(world.device), config)
    pictures = Pictures(snapshot, size=config.crop, multiple=config.multiple)
    if pictures.channels != trained.channels:
        raise Refused(f"The model takes {trained.channels} channels, and the pictures have {pictures.channels}.")
    for some in alike(rows, config):
        stored = pictures.gather([Item(row) for row in some], whole=True).image.to(world.device)
        height, width = some[0].shape[:2]
        believed = within(of_pictures(network, stored, trained.scaling, config, flips=flips), height, width)
        yield from predictions_of(some, believed, fold)


def predictions_of(rows: Sequence[Row], believed: Iterator[Tensor], fold: int | None = None) -> Iterator[Prediction]:
    """Of each of ``rows``, whose probabilities come as bands (rows, classes, some rows of pixels, W) on any device."""
    if len(rows) == 1:
        yield Prediction(rows[0].key, (band[0].cpu().numpy() for band in believed), fold)
        return
    for row, one in zip(rows, torch.cat(list(believed), 2).cpu().numpy(), strict=True):
        yield Prediction(row.key, one, fold)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ml.predict", description="Predicts samples of a snapshot.")
    parser.add_argument("model", type=Path)
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", choices=("train", "val", "test", "none"), help="only samples of this split")
    parser.add_argument("--keys", type=Path, help="only the samples of this JSON list of keys")
    parser.add_argument("--dtype", choices=("uint8", "float16"), default="uint8")
    parser.add_argument("--tta", action="store_true", help="average over flips")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--fold", type=int, help="stored with each prediction")
    given = parser.parse_args(arguments)

    def work() -> int:
        snapshot = read(given.snapshot)
        rows = list(snapshot.rows)
        if given.split:
            rows = [row for row in rows if (row.split or "none") == given.split]
        if given.keys:
            keys = set(json.loads(given.keys.read_text(encoding="utf-8")))
            rows = [row for row in rows if row.key in keys]
        if not rows:
            raise Refused("No sample was chosen; give another --split or --keys.")
        hash = predict(
            given.model,
            snapshot,
            rows,
            given.out,
            device=given.device,
            threads=given.threads,
            dtype=given.dtype,
            flips=True if given.tta else None,
            fold=given.fold,
        )
        to_stdout("end", predictions=str(given.out), hash=hash, samples=len(rows))
        return 0

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main())
