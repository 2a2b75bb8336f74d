"""How long a training takes on this machine, before any was run: a trial on made pictures of the data set's sizes.

Nothing is frozen for it and no split is dealt. The pace is the result of the job, and stands beside those of runs.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree
from typing import Any, cast

import numpy as np

from app.flows import child, options
from app.flows.progress import Progress, quiet
from app.flows.snapshot import CantTrain
from app.store import datasets, jobs, summary
from app.store.db import Database
from app.store.tables import Job
from ml import config as configs
from ml import snapshot as frozen

_PIXELS = 48_000_000  # of all made pictures together
_SHARES = {"train": 0.7, "val": 0.15}


def request(db: Database, dataset: str) -> Job:
    """Ask for a trial. Raises NotFound."""
    with db.write() as session:
        return jobs.request(session, "estimate", datasets.find(session, dataset).id, {})


def run(db: Database, home: Path, dataset: str, progress: Progress = quiet) -> dict[str, Any]:
    """Seconds of an epoch with the settings that suit the set, and those settings' model, width, depth and versions.

    Raises CantTrain where there is nothing to train on, TrainingFailed with the trainer's sentence.
    """
    progress(0, 0, "trying this machine")
    with db.read() as session:
        row = datasets.find(session, dataset)
        sizes = summary.by_size(session, row.id)
        standing = summary.by_status(session, row.id)
        listed = [
            frozen.Class(one.id, one.name, one.role.value, one.colour) for one in datasets.classes(session, row).classes
        ]
        values = options.advise(session, row).values
    samples = sum(standing.values()) - standing["unlabeled"] - standing["excluded"]
    if not sizes or samples < 2 or len([one for one in listed if one.role != "void"]) < 2:
        raise CantTrain("There are too few labelled samples or classes to train on; label some more first.")
    size = sizes[0]  # the commonest
    config = configs.make(values)
    count = int(max(2, min(2 * config.batch, _PIXELS // (size.width * size.height * size.channels))))
    config = configs.make(values, {"batch": min(config.batch, count)})
    folder = home / "estimates" / str(row.id)
    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        shape = (size.height, size.width, size.channels)
        path = frozen.write(folder / "made.snapshot", _made(count, shape, listed), listed)[1]
        (folder / "wanted.json").write_text(json.dumps(config.as_json()))
        told: dict[str, Any] = {}

        def hear(event: Mapping[str, Any]) -> None:
            progress(0, 0, "trying this machine")
            told.update(event)

        child.see_done(["ml.estimate", str(path), "--config", str(folder / "wanted.json")], folder, hear)
    finally:
        rmtree(folder, ignore_errors=True)
    seconds = told["seconds_per_epoch"] * _SHARES["train"] * samples / count
    shown = {name: getattr(config, name) for name in ("model", "width", "depth", "versions")}
    return {"run": None, "seconds": seconds, **shown}


def _made(count: int, shape: tuple[int, int, int], classes: list[frozen.Class]) -> list[frozen.Sample]:
    """Pictures of noise: ``count`` to train on, and as many to validate on as a split would have."""
    rng = np.random.default_rng(0)
    ids = np.array([one.id for one in classes if one.role != "void"], np.uint16)
    mask = np.resize(np.repeat(ids, max(1, shape[0] * shape[1] // len(ids))), shape[:2])
    wanted = {"train": count, "val": max(1, round(count * _SHARES["val"] / _SHARES["train"]))}
    return [
        frozen.Sample(
            key=f"{split}/{at}",
            group=f"{split}/{at}",
            split=cast(frozen.Split, split),
            kind="label",
            image=rng.integers(0, 256, shape, np.uint8),
            mask=mask,
        )
        for split, some in wanted.items()
        for at in range(some)
    ]
