"""Predicts samples by the models that never saw them: ``python -m ml.suggest SNAPSHOT PLAN``.

PLAN is a JSON file: ``models``, paths of trained ones; ``passes``, each a ``method``, the file ``out`` to write (see
``ml.predictions``) and ``models_of``, which of the models predict each key. Every prediction is a mean over the flips
that the training drew.

=========  ======================================================================
method     a pixel's probabilities
=========  ======================================================================
softmax    of the first of the sample's models
ensemble   mean over all of the sample's models
pseudoseg  as ensemble, each fused with its attention maps (see ``ml.pseudoseg``)
=========  ======================================================================
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ml.config import Config, resolve
from ml.data import Item, Pictures
from ml.errors import Refused
from ml.evaluate import alike
from ml.infer import of_pictures, softmax, within
from ml.machine import enter, in_config
from ml.models import Trained, load
from ml.predict import predictions_of
from ml.predictions import Prediction, write
from ml.pseudoseg import fused
from ml.report import exit_status, to_stdout
from ml.snapshot import Row, Snapshot, read

METHODS = ("softmax", "ensemble", "pseudoseg")


@dataclass(frozen=True)
class Pass:
    """``models_of``: key -> numbers of the models that predict it."""

    method: str
    out: Path
    models_of: Mapping[str, Sequence[int]]


class Suggester:
    """Loaded models of one class list. Raises Refused where models and snapshot don't fit."""

    def __init__(self, models: Sequence[Path], snapshot: Snapshot, *, device: str = "auto", threads: int = 0) -> None:
        self.snapshot = snapshot
        self.models: list[Trained] = []
        for path in models:
            trained = load(path, torch.device("cpu"))
            if [one.id for one in trained.classes] != [one.id for one in snapshot.targets]:
                raise Refused(f"The classes of {path} are not those of the snapshot; train a model on this class list.")
            self.models.append(trained)
        if not self.models:
            raise Refused("The plan names no model.")
        config = resolve(self.models[0].config, device=device, threads=threads)
        self.device = enter(config).device
        precision = config.precision if self.device.type == self.models[0].config.device else "fp32"
        self.config = resolve(config, precision=precision)
        for one in self.models:
            in_config(one.network.to(self.device), self.config)

    def run(self, wanted: Pass) -> Iterator[Prediction]:
        """Predictions of the pass, those by the same models together."""
        if wanted.method not in METHODS:
            raise Refused(f"There is no method {wanted.method!r}; take one of {', '.join(METHODS)}.")
        sharing: dict[tuple[int, ...], list[Row]] = {}
        for row in self.snapshot.rows:
            if row.key in wanted.models_of:
                models = tuple(wanted.models_of[row.key])
                sharing.setdefault(models[:1] if wanted.method == "softmax" else models, []).append(row)
        for models, rows in sharing.items():
            config = self.models[models[0]].config
            pictures = Pictures(self.snapshot, size=config.crop, multiple=config.multiple)
            for some in alike(rows, config):
                yield from self._predict(wanted.method, models, some, pictures)

    def _predict(self, method: str, models: Sequence[int], rows: list[Row], pictures: Pictures) -> Iterator[Prediction]:
        stored = pictures.gather([Item(row) for row in rows], whole=True).image.to(self.device)
        height, width = rows[0].shape[:2]
        parts = []
        for number in models:
            one = self.models[number]
            if pictures.channels != one.channels:
                raise Refused(f"The model takes {one.channels} channels, and the pictures have {pictures.channels}.")
            config = self._as_here(one.config)
            reading = fused if method == "pseudoseg" else softmax
            bands = of_pictures(one.network, stored, one.scaling, config, flips=True, reading=reading)
            parts.append(within(bands, height, width))
        yield from predictions_of(rows, (_mean(bands) for bands in zip(*parts, strict=True)))

    def _as_here(self, config: Config) -> Config:
        return resolve(
            config,
            device=self.config.device,
            precision=self.config.precision,
            layout=self.config.layout,
            threads=self.config.threads,
        )


def _mean(parts: Sequence[Tensor]) -> Tensor:
    total = parts[0].clone()
    for one in parts[1:]:
        total += one
    return total.div_(len(parts))


def run(snapshot: Snapshot, models: Sequence[Path], passes: Sequence[Pass], *, device: str, threads: int) -> None:
    """Writes the file of every pass, and says how far it is. Raises Refused."""
    suggester = Suggester(models, snapshot, device=device, threads=threads)
    classes = [one.id for one in snapshot.targets]
    total, done = sum(len(one.models_of) for one in passes), 0

    def told(predictions: Iterator[Prediction]) -> Iterator[Prediction]:
        nonlocal done
        for one in predictions:
            yield one
            done += 1
            to_stdout("predicted", done=done, total=total)

    for one in passes:
        meta = {"snapshot": snapshot.hash, "method": one.method}
        write(one.out, told(suggester.run(one)), classes, run=one.method, meta=meta, dtype="float16")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ml.suggest", description="Predicts by models that saw nothing.")
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args(arguments)

    def work() -> int:
        plan: dict[str, Any] = json.loads(given.plan.read_text(encoding="utf-8"))
        passes = [Pass(one["method"], Path(one["out"]), one["models_of"]) for one in plan["passes"]]
        models = [Path(one) for one in plan["models"]]
        run(read(given.snapshot), models, passes, device=given.device, threads=given.threads)
        to_stdout("end")
        return 0

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main())
