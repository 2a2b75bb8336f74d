"""The report's experiments on a data set, as a suite in a folder: stopped at any moment, it goes on where it was.

``suite.json`` holds what was asked for, ``data/`` the snapshots, ``runs/NAME-sSEED/`` one trained network each,
``results.json`` and ``tables.md`` what came out. A run with a ``result.json`` is done and isn't trained again.
"""

import fcntl
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.domain.errors import Conflict, Invalid
from app.domain.experiment_tables import markdown
from app.domain.experiments import HALF, Experiment, catalogue, chosen
from app.flows import child, experiment_data, experiment_results
from app.flows.progress import Progress, quiet
from app.flows.snapshot import CantTrain
from app.store.db import Database
from ml import config as configs

# Few pictures and epochs: small batches make steps enough of them. Nobody looks at the film strips of these runs.
SCALE: Mapping[str, Any] = {"width": 8, "batch": 4, "learning_rate": 0.003, "samples": 0}
_MACHINE = ("device", "precision", "layout", "compile")  # what the first run measured holds for all others
PATIENCE = 2.0  # seconds; a child that was just started for a command that was killed holds the folder until it runs


class OtherSuite(Conflict):
    """The folder holds a suite that was asked for otherwise."""


class AtWork(Conflict):
    """Another process trains in the folder."""


class BadSuite(Invalid):
    """A suite that can't be run as asked."""


@dataclass(frozen=True)
class Wanted:
    """What a suite is asked for: at most ``samples`` samples; ``keys`` of the trainer's config over those of SCALE."""

    dataset: str
    epochs: int = 15
    samples: int = 600
    keys: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        keys = {**SCALE, "epochs": self.epochs, **self.keys}
        return {"dataset": self.dataset, "samples": self.samples, "keys": keys}


def run(
    db: Database,
    home: Path,
    out: Path,
    wanted: Wanted,
    *,
    only: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    progress: Progress = quiet,
) -> dict[str, Any]:
    """Train what isn't trained yet, and write the tables of all that is; returns what ``results.json`` holds.

    ``only``: names or families of experiments, none: all. An experiment whose training fails is named with the
    trainer's sentence, the rest goes on, and it is tried again the next time. Raises OtherSuite where ``out`` was made
    for other settings, AtWork where another process is at it, UnknownExperiment, BadSuite, CantTrain, NotFound.
    """
    asked = wanted.as_json()
    if not seeds or wanted.samples < 1:
        raise BadSuite("Give at least one seed and one sample.")
    try:
        for seed in seeds:
            configs.make(asked["keys"], {"seed": seed})
    except (ValueError, OverflowError) as error:
        raise CantTrain(str(error)) from error
    with _alone(out):
        _open(db, home, out, asked, progress)
        return _see_done(out, asked, only, seeds, progress)


def folder_of(out: Path, name: str, seed: int) -> Path:
    """Where the run of an experiment lies."""
    return out / "runs" / f"{name}-s{seed}"


def _see_done(
    out: Path, asked: dict[str, Any], only: Sequence[str], seeds: Sequence[int], progress: Progress
) -> dict[str, Any]:
    experiments, left = catalogue(experiment_data.facts_of(out / "data"))
    todo = [(one, seed) for seed in seeds for one in chosen(experiments, left, only)]
    failed: dict[str, str] = {}
    for done, (one, seed) in enumerate(todo):
        progress(done, len(todo), one.title)
        try:
            _see_trained(out, one, seed, asked["keys"], _Teller(progress, done, len(todo), one.title))
        except child.TrainingFailed as error:
            failed[f"{one.name}, seed {seed}"] = str(error)
            continue
        _see_machine(out, one, seed)
        if done + 1 < len(todo):
            _conclude(out, asked, experiments, left, failed)
    return _conclude(out, asked, experiments, left, failed)


@dataclass(frozen=True)
class _Teller:
    """Tells the suite's progress, and within it that of the run at hand."""

    progress: Progress
    done: int
    total: int
    title: str

    def __call__(self, event: Mapping[str, Any]) -> None:
        epoch = f", epoch {event['epoch'] + 1}" if event["event"] in ("rate", "epoch") else ""
        self.progress(self.done, self.total, self.title + epoch)


def _open(db: Database, home: Path, out: Path, asked: dict[str, Any], progress: Progress) -> None:
    """Freeze the suite's data, once; ``suite.json`` is written last, so data without it are made anew."""
    note = out / "suite.json"
    if note.exists():
        before = json.loads(note.read_text(encoding="utf-8"))
        if before != asked:
            raise OtherSuite(f"{out} holds a suite with other settings; give those again, or another --out.")
        return
    shutil.rmtree(out / "data", ignore_errors=True)
    experiment_data.prepare(db, home, out / "data", asked["dataset"], asked["samples"], progress)
    _write_json(note, asked)


def _see_trained(out: Path, one: Experiment, seed: int, keys: Mapping[str, Any], hear: child.Hear) -> None:
    """Train a run to its end, from its last checkpoint where there is one. Raises child.TrainingFailed."""
    folder = folder_of(out, one.name, seed)
    if (folder / "result.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    data = one.data
    if data == "pseudo":
        data = f"pseudo-{seed}"
        _see_pseudo(out, folder, seed, data, hear)
    machine = out / "machine.json"
    settled = json.loads(machine.read_text()) if machine.exists() else {}
    wanted = folder / "wanted.json"
    _write_json(wanted, {**keys, **settled, **one.keys, "epochs": keys["epochs"] * one.times, "seed": seed})
    snapshot = experiment_data.path(out / "data", data)
    child.see_done(["ml.train", str(snapshot), "--out", str(folder), "--config", str(wanted)], folder, hear)
    (folder / "checkpoint.pt").unlink(missing_ok=True)


def _see_pseudo(out: Path, folder: Path, seed: int, data: str, hear: child.Hear) -> None:
    """Let the model that saw half of the masks predict what the other half hides, and write that as a snapshot."""
    if (folder / "pseudo.json").exists():
        return
    model = folder_of(out, HALF, seed) / "model.pt"
    if not model.exists():
        raise child.TrainingFailed("The model that makes the pseudo-labels wasn't trained.")
    half = experiment_data.path(out / "data", "half")
    keys, predicted = folder / "hidden.json", folder / "hidden.predictions"
    _write_json(keys, experiment_data.to_hide(experiment_data.opened(out / "data", "clean")))
    arguments = ["ml.predict", str(model), str(half), "--out", str(predicted), "--keys", str(keys)]
    child.see_done(arguments, folder, hear)
    _write_json(folder / "pseudo.json", experiment_data.write_pseudo(out / "data", data, predicted))
    predicted.unlink()


def _see_machine(out: Path, one: Experiment, seed: int) -> None:
    """Keep what the first run of the suite found to be fastest, so that all runs compute alike."""
    note = out / "machine.json"
    if not note.exists():
        config = json.loads((folder_of(out, one.name, seed) / "config.json").read_text())
        _write_json(note, {name: config[name] for name in _MACHINE})


def _conclude(
    out: Path, asked: dict[str, Any], experiments: Sequence[Experiment], left: Sequence[Any], failed: Mapping[str, str]
) -> dict[str, Any]:
    results = {
        **experiment_results.gather(out, experiments, folder_of),
        "asked": asked,
        "left": {one.name: one.reason for one in left},
        "failed": dict(failed),
    }
    _write_json(out / "results.json", results)
    _replace(out / "tables.md", markdown(results))
    return results


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the suite's folder: of two processes each would take the other's trainer for one that was left behind."""
    out.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + PATIENCE
    with (out / "lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() >= until:
                    sentence = f"Another command is at work in {out}; wait for it, stop it, or give another --out."
                    raise AtWork(sentence) from error
                time.sleep(0.1)
        yield


def _write_json(path: Path, what: Any) -> None:
    _replace(path, json.dumps(what, indent=1, ensure_ascii=False) + "\n")


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
