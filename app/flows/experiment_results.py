"""What a suite of experiments came to: each one's figures, and how far it is from what it is compared with."""

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.bootstrap import Estimate, paired
from app.domain.experiments import BASELINE, Experiment
from app.domain.seeds import Luck, pooled
from app.flows import experiment_data
from app.flows.child import EVENTS
from app.flows.runs import headline
from ml.snapshot import Class, Snapshot

FolderOf = Callable[[Path, str, int], Path]


@dataclass(frozen=True)
class _Side:
    """Samples of one split as judged by several seeds: ``confusion`` (seeds, samples, classes, classes)."""

    groups: list[str]
    confusion: NDArray[np.int64]

    def seen(self, foreground: Sequence[int]) -> NDArray[np.int64]:
        """The confusion of those pixels alone whose truth is foreground."""
        kept = np.zeros_like(self.confusion)
        kept[:, :, foreground] = self.confusion[:, :, foreground]
        return kept


def gather(out: Path, experiments: Sequence[Experiment], folder_of: FolderOf) -> dict[str, Any]:
    """Everything that is trained and has its comparison trained too, as plain values for JSON.

    A row's figures are means over the seeds that it shares with what it is compared with.
    """
    clean = experiment_data.opened(out / "data", "clean")
    roles = {one.name: one.role for one in clean.targets}
    seeds = {one.name: _seeds(out, one.name) for one in experiments}
    rows = []
    for one in experiments:
        common = sorted(seeds[one.name] & seeds[one.against])
        if common:
            folders = [folder_of(out, one.name, seed) for seed in common]
            others = [folder_of(out, one.against, seed) for seed in common]
            rows.append(_row(one, common, folders, others, clean.targets, roles))
    luck = _lend_luck(rows)
    first = _started(out, folder_of, seeds[BASELINE])
    return {
        "data": _data(clean, experiment_data.facts_of(out / "data")),
        "machine": _machine(first),
        "config": first.get("config", {}),
        "experiments": rows,
        "luck": None if luck is None else asdict(luck),
        "seconds": round(sum(row["seconds"] * len(row["seeds"]) for row in rows)),
    }


def _seeds(out: Path, name: str) -> set[int]:
    """The seeds of which a run is done."""
    prefix = f"{name}-s"
    found = (path.parent.name.removeprefix(prefix) for path in (out / "runs").glob(f"{prefix}*/result.json"))
    return {int(seed) for seed in found if seed.isdecimal()}


def _row(
    one: Experiment,
    seeds: Sequence[int],
    folders: Sequence[Path],
    others: Sequence[Path],
    classes: Sequence[Class],
    roles: Mapping[str, str],
) -> dict[str, Any]:
    results = [_json(folder / "result.json") for folder in folders]
    foreground = [at for at, each in enumerate(classes) if each.role == "foreground"]
    row: dict[str, Any] = {"name": one.name, "family": one.family, "title": one.title, "against": one.against}
    row["seeds"] = list(seeds)
    for split in ("val", "test"):
        after, before = _side(folders, split), _side(others, split)
        figures = _means([headline(result[split], roles) for result in results])
        row[split] = figures
        # Not where another validation side was judged, as with contaminated samples in it.
        if before.groups != after.groups or (before.confusion.sum(3) != after.confusion.sum(3)).any():
            continue
        both = paired(before.confusion, after.confusion, after.groups, foreground)
        figures |= _compared(both.overall)
        figures["samples"], figures["groups"] = both.samples, both.groups
        figures["classes"] = {each.name: _compared(both.classes[at]) for at, each in enumerate(classes)}
        if len(foreground) < len(classes):
            seen = paired(before.seen(foreground), after.seen(foreground), after.groups, foreground)
            figures["on_foreground"] = _compared(seen.overall)
    row["parameters"] = _event(folders[0], "start").get("parameters")
    row["seconds"] = _mean([sum(epoch["seconds"] for epoch in result["history"]) for result in results])
    row["epochs"] = _mean([float(len(result["history"])) for result in results])
    pseudo = folders[0] / "pseudo.json"
    if pseudo.exists():
        row["pseudo"] = _json(pseudo)
    return row


def _lend_luck(rows: Sequence[dict[str, Any]]) -> Luck | None:
    """Widen the intervals of what was trained once by what seeds did to what was repeated; that of the test mean IoU.

    Without anything repeated, nothing that was trained once is clear.
    """
    lucks = {}
    for split, inner in (("val", None), ("test", "on_foreground"), ("test", None)):
        every = [(row, row[split] if inner is None else row[split].get(inner, {})) for row in rows]
        known = [(row, figures) for row, figures in every if figures.get("difference") is not None]
        luck = lucks[split, inner] = pooled(figures["by_seed"] for _, figures in known)
        for row, figures in known:
            if len(row["seeds"]) > 1 or row["against"] == row["name"]:
                continue
            if luck is not None:
                low, high = figures["low"], figures["high"]
                figures["low"], figures["high"] = luck.widened(figures["difference"], low, high)
                figures["smallest"] *= (figures["high"] - figures["low"]) / (high - low) if high > low else 1
            figures["clear"] = luck is not None and not figures["low"] <= 0 <= figures["high"]
    return lucks["test", None]


def _side(folders: Sequence[Path], split: str) -> _Side:
    seeds = [sorted(_json(folder / f"{split}_samples.json"), key=lambda one: str(one["key"])) for folder in folders]
    confusion = np.array([[one["confusion"] for one in samples] for samples in seeds], dtype=np.int64)
    return _Side([one["group"] for one in seeds[0]], confusion)


def _compared(one: Estimate) -> dict[str, Any]:
    """``miou``: the mean over seeds of the arm itself; ``by_seed`` each; the rest of the difference."""
    known = [value for value in one.after if value is not None]
    facts = {name: value for name, value in asdict(one).items() if name not in ("before", "after")}
    return {"miou": _mean(known) if known else None, "by_seed": list(one.after), **facts, "clear": one.clear}


def _means(figures: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
    known = {name: [one[name] for one in figures] for name in figures[0]}
    return {
        name: None if None in values else _mean([value for value in values if value is not None])
        for name, values in known.items()
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _data(clean: Snapshot, facts: Any) -> dict[str, Any]:
    splits = ("train", "val", "test")
    return {
        "snapshot": clean.hash,
        "samples": {split: sum(row.split == split for row in clean.rows) for split in splits},
        "groups": {split: len({row.group for row in clean.rows if row.split == split}) for split in splits},
        "classes": {one.name: one.role for one in clean.classes},
        **asdict(facts),
    }


def _started(out: Path, folder_of: FolderOf, seeds: set[int]) -> dict[str, Any]:
    return _event(folder_of(out, BASELINE, min(seeds)), "start") if seeds else {}


def _machine(start: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "device": start.get("device"),
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "threads": start.get("config", {}).get("threads"),
    }


def _event(folder: Path, name: str) -> dict[str, Any]:
    """The last event of that name that the trainer said."""
    found: dict[str, Any] = {}
    for line in (folder / EVENTS).read_text(encoding="utf-8").splitlines():
        if line.startswith(f'{{"event": "{name}"'):
            found = json.loads(line)
    return found


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
