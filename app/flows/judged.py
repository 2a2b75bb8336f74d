"""What the models of a comparison were found to be worth, read from its folder, and the verdict that follows."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.bootstrap import paired
from app.domain.verdict import Judging, Reading, notes, sentence
from app.flows.snapshot import CantTrain, path_of
from app.store import runs, samples
from app.store.db import Database
from app.store.members import group_of
from app.store.tables import Comparison, Run, Snapshot
from ml import snapshot as frozen


def verdict(
    db: Database, home: Path, folder: Path, comparison: Comparison, mine: Sequence[Run], references: Sequence[Snapshot]
) -> dict[str, Any]:
    """The comparison's result: ``sentence``, ``notes``, ``test`` (what judged), ``arms`` (what was learned from) and
    ``readings``, the headline's first. Raises CantTrain where no test sample is left to judge by."""
    opened = [frozen.read(path_of(home, one)) for one in references]
    current = opened[0]
    arms, barred = _arms(db, home, comparison)
    kept = [row for row in current.rows if row.group not in barred]
    if not kept:
        raise CantTrain("Every test sample has a relative that one side was trained on; compare other snapshots.")
    verified = set(current.meta["verified"]) & {row.key for row in kept}
    groups = {row.key: row.group for row in kept}
    judging = Judging(
        samples=len(kept),
        groups=len(set(groups.values())),
        verified=len(verified),
        verified_groups=len({groups[key] for key in verified}),
        changed=len(set(current.meta["changed"]) & groups.keys()),
        left_out=len(current.rows) - len(kept),
    )
    readings = []
    for one, reference in zip(opened, references, strict=True):
        classes = tuple(found.name for found in one.targets)
        foreground = [at for at, found in enumerate(one.targets) if found.role == "foreground"]
        judged = {side: _confusions(folder / reference.arm, mine, side, groups) for side in ("before", "after")}
        keys, before = judged["before"]
        after = judged["after"][1]
        name = reference.arm.removeprefix("test_")
        subsets = [(False, range(len(keys)))]
        if one is current and judging.enough_verified:
            subsets.insert(0, (True, [at for at, key in enumerate(keys) if key in verified]))  # type: ignore[arg-type]
        for only, at in subsets:
            names = [groups[keys[one]] for one in at]
            found = paired(before[:, list(at)], after[:, list(at)], names, foreground)
            readings.append(Reading(name, only, classes, found))
    seeds = len(comparison.seeds)
    return {
        "sentence": sentence(comparison.before, comparison.after, readings[0]),
        "notes": notes(readings[0], judging, seeds),
        "clear": readings[0].paired.overall.clear,
        "test": asdict(judging),
        "arms": arms,
        "readings": [_as_json(one, current.targets) for one in readings],
    }


def _confusions(
    folder: Path, mine: Sequence[Run], side: str, groups: dict[str, str]
) -> tuple[list[str], NDArray[np.int64]]:
    """Keys of the samples that judge, and (seeds, samples, classes, classes) of a side."""
    found = []
    keys: list[str] = []
    for one in mine:
        if one.side == side:
            judged = json.loads((folder / f"{one.id}.json").read_text(encoding="utf-8"))
            judged = [sample for sample in judged if sample["key"] in groups]
            keys = [sample["key"] for sample in judged]
            found.append([sample["confusion"] for sample in judged])
    return keys, np.asarray(found, dtype=np.int64)


def _arms(db: Database, home: Path, comparison: Comparison) -> tuple[dict[str, Any], set[str]]:
    """What each side learned from, and the content groups of that as they are now: no fair test of it."""
    counts: dict[str, Any] = {}
    trained: set[str] = set()
    with db.read() as session:
        for side, id in (("before", comparison.before_snapshot_id), ("after", comparison.after_snapshot_id)):
            snapshot = runs.find_snapshot(session, id or 0)
            rows = [one for one in frozen.read(path_of(home, snapshot)).rows if one.split in ("train", "val")]
            kinds = Counter("pseudo" if one.kind == "pseudo" else one.split for one in rows)
            learned = {kind: kinds[kind] for kind in ("train", "val", "pseudo")}
            counts[side] = {"arm": snapshot.arm, "snapshot": snapshot.id, **learned}
            trained |= {one.key for one in rows}
        known = samples.by_keys(session, comparison.dataset_id, sorted(trained))
        return counts, {group_of(one) for one in known}


def _as_json(reading: Reading, classes: Sequence[frozen.Class]) -> dict[str, Any]:
    by_class = [
        {"name": one.name, "role": one.role, "colour": one.colour, **asdict(found)}
        for one, found in zip(classes, reading.paired.classes, strict=True)
    ]
    return {
        "reference": reading.reference,
        "verified": reading.verified,
        "samples": reading.paired.samples,
        "groups": reading.paired.groups,
        "overall": asdict(reading.paired.overall),
        "classes": by_class,
    }
