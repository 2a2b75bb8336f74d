"""Judges trained models on frozen masks: ``python -m ml.judge SNAPSHOT --models FILE --out DIR``.

FILE is a JSON object of name -> model file. For each name ``DIR/NAME.json`` holds key, group, mean IoU and confusion of
every labelled test sample of the snapshot, as a run writes them of its own test, and ``DIR/NAME.figures.json`` the
figures over all of them, but for the loss, which says nothing outside of a training; what is there already is kept. A
model is refused here too where it can't know these classes or channels; whether it saw a sample is for the caller to
know.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ml.config import load as load_json
from ml.config import resolve
from ml.data import Pictures
from ml.errors import Refused
from ml.evaluate import Judge
from ml.losses import Loss
from ml.machine import enter, in_config, leave
from ml.models import load
from ml.report import exit_status, to_stdout, write_json
from ml.snapshot import Snapshot, read


def judge(
    model: Path, snapshot: Snapshot, *, device: str = "auto", threads: int = 0
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Figures over the labelled test samples; and key, group, mean IoU and confusion of each, in the snapshot's order.

    Raises Refused.
    """
    rows = [row for row in snapshot.rows if row.split == "test" and row.labelled]
    if not rows:
        raise Refused("There are no labelled test samples to judge by.")
    trained = load(model, torch.device("cpu"))
    if [one.id for one in trained.classes] != [one.id for one in snapshot.targets]:
        raise Refused(f"The classes of {model} are not those of the snapshot; train a model on this class list.")
    asked = resolve(trained.config, device=device, threads=threads)
    world = enter(asked)
    same = world.device.type == trained.config.device
    config = resolve(asked, precision=asked.precision if same else "fp32", compile="off")
    network = in_config(trained.network.to(world.device), config)
    pictures = Pictures(snapshot, size=config.crop, multiple=config.multiple)
    if pictures.channels != trained.channels:
        raise Refused(f"The model takes {trained.channels} channels, and the pictures have {pictures.channels}.")
    judging = Judge(pictures, trained.scaling, snapshot.targets, Loss(config, None, []), config, world)
    figures, samples = judging.each(network, rows, flips=config.tta)
    leave()
    at = {row.key: position for position, row in enumerate(rows)}
    figures = {name: one for name, one in figures.items() if name != "loss"}
    return figures, sorted(samples, key=lambda one: at[one["key"]])


def judge_all(models: Mapping[str, Path], snapshot: Snapshot, out: Path, *, device: str, threads: int) -> None:
    """Writes what each model is worth into ``out``, one after the other. Raises Refused."""
    out.mkdir(parents=True, exist_ok=True)
    for done, (name, model) in enumerate(models.items()):
        path = out / f"{name}.json"
        if not path.exists():
            figures, samples = judge(model, snapshot, device=device, threads=threads)
            write_json(out / f"{name}.figures.json", figures)
            write_json(path, samples)
        to_stdout("judged", name=name, done=done + 1, models=len(models))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ml.judge", description="Judges models on frozen masks.")
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("--models", type=Path, required=True, help="JSON file of name -> model file")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args(arguments)

    def work() -> int:
        models = {name: Path(path) for name, path in load_json(given.models).items()}
        judge_all(models, read(given.snapshot), given.out, device=given.device, threads=given.threads)
        return 0

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main())
