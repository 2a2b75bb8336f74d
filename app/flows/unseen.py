"""Models of a run, and which of them may predict which sample: only those that never saw it or a relative of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import Conflict
from app.domain.folds import unseen_by
from app.flows import rounds
from app.flows.child import folder_of
from app.flows.snapshot import path_of
from app.store import runs, samples
from app.store.db import Database
from app.store.members import group_of
from app.store.tables import Run
from ml import snapshot as frozen


class NoModel(Conflict):
    """A run that has no model to ask."""


@dataclass(frozen=True)
class Models:
    """``paths`` of a run's models, and ``learned``: for each the samples that it was trained on or stopped by.

    ``groups``: sample -> content group as the run saw it.
    """

    paths: Sequence[Path]
    learned: Sequence[frozenset[str]]
    groups: Mapping[str, str]


def models_of(db: Database, home: Path, run: Run) -> Models:
    """The models of a training or a cross-validation that has ended. Raises NoModel."""
    with db.read() as session:
        row = runs.find(session, run.id)
        if row.result is None or row.snapshot_id is None:
            raise NoModel(f"Run {run.id} has not ended, so it has no model to ask; wait for it, or name another run.")
        rows = frozen.read(path_of(home, runs.find_snapshot(session, row.snapshot_id)), verify=False).rows
    folder = folder_of(home, run.id)
    places = [folder]
    if run.kind == "crossval":
        places = sorted(folder.glob("fold_*"), key=lambda place: int(place.name.removeprefix("fold_")))
    paths = [place / "model.pt" for place in places]
    if not paths or not all(one.exists() for one in paths):
        raise NoModel(f"The model of run {run.id} is gone; train again.")
    if run.kind == "crossval":
        learned = [frozenset(json.loads((place / "splits.json").read_text())) for place in places]
    elif "best_round" in row.result:
        # In a round of self-training a model learns from samples without a mask as well.
        splits = rounds.place(folder, row.result["best_round"]) / "splits.json"
        learned = [frozenset(json.loads(splits.read_text()))]
    else:
        learned = [frozenset(row.key for row in rows if row.split in ("train", "val"))]
    return Models(paths, learned, {row.key: row.group for row in rows})


def allowed(db: Database, dataset_id: int, models: Models, keys: Sequence[str]) -> dict[str, list[int]]:
    """sample -> numbers of the models that saw neither it nor another one of its content group, as the groups were
    when they were trained and as they are now."""
    with db.read() as session:
        known = samples.by_keys(session, dataset_id, sorted({*keys, *models.groups}))
        now = {one.key: group_of(one) for one in known}
    then = unseen_by(keys, models.learned, models.groups)
    return {key: [at for at in which if at in then[key]] for key, which in unseen_by(keys, models.learned, now).items()}
