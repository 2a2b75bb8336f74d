"""Suggested masks: asked of a run's models, believed as far as held-out samples say, proposed for people to decide."""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

from app.domain.actor import Actor
from app.domain.believing import judgement, promise
from app.domain.checks.duplicate_image import DuplicateImage
from app.domain.errors import Invalid
from app.domain.folds import SawIt
from app.flows import child, inspect
from app.flows.progress import Progress, quiet
from app.flows.propose import Proposing, propose
from app.flows.snapshot import freeze, path_of
from app.flows.trusted import changes, measured, tally_of
from app.flows.unseen import Models, NoModel, allowed, models_of
from app.store import datasets, jobs, runs, samples, suggestions
from app.store.db import Database
from app.store.members import group_of
from app.store.tables import Run, Sample, Suggesting
from ml import predictions as files
from ml import snapshot as frozen

METHODS = ("softmax", "ensemble", "pseudoseg")
ONLY = ("unlabeled", "flagged")
LOWEST, HIGHEST = 0.5, 0.999
# Samples that thresholds are measured on, that methods are compared on, and whose flagged masks tell what changes are
# worth: so many at most, chosen by a hash of their key.
_MEASURED, _COMPARED = 300, 100


class CantSuggest(Invalid):
    """What can't be asked of a model."""


@dataclass(frozen=True)
class Chosen:
    """Keys by what they are for. ``wanted`` may be suggested for; ``held_out`` thresholds are measured on; ``flagged``
    tell what changes are worth; ``compared``: the methods are. ``refused``: wanted, but every model saw them."""

    wanted: Sequence[str]
    held_out: Sequence[str]
    flagged: Sequence[str]
    compared: Sequence[str]
    refused: Sequence[str]


def request(
    db: Database,
    dataset: str,
    actor: Actor,
    *,
    run: int | None = None,
    method: str = "ensemble",
    precision: float = 0.97,
    only: str | None = None,
    keys: Sequence[str] = (),
) -> Suggesting:
    """Ask for suggestions: a row and its job, in one transaction. ``run``: whose models; by default those of the newest
    cross-validation. ``keys`` in place of what is unlabelled and flagged. Raises CantSuggest, NotFound, NoModel."""
    if method not in METHODS:
        raise CantSuggest(f"There is no method {method!r}; choose one of {', '.join(METHODS)}.")
    if only is not None and only not in ONLY:
        raise CantSuggest(f"Suggest for {' or '.join(ONLY)} samples, or for both; not for {only!r}.")
    if not LOWEST <= precision <= HIGHEST:
        raise CantSuggest(f"Ask for a precision of {LOWEST} to {HIGHEST}, not {precision}.")
    with db.write() as session:
        row = datasets.find(session, dataset)
        asked = suggestions.models_run(session, row.id) if run is None else runs.find(session, run)
        if asked is None or asked.dataset_id != row.id:
            raise NoModel(f"{dataset} has no model to ask yet; find imprecise masks, or train, first.")
        for key in keys:
            samples.by_key(session, row.id, key)
        one = Suggesting(
            dataset_id=row.id,
            run_id=asked.id,
            method=method,
            wished=precision,
            only=only,
            keys=list(keys),
            actor_name=actor.name,
        )
        session.add(one)
        session.flush()
        one.job_id = jobs.request(session, "suggest", row.id, {"suggesting": one.id}).id
        return one


def run(db: Database, home: Path, id: int, progress: Progress = quiet) -> dict[str, Any]:
    """Predict, measure, and propose what is believed; the result is kept with the suggesting. Started again it repeats
    the predictions and proposes only what is missing.

    Raises NoModel, SawIt where every model saw a sample that was named, TrainingFailed with the child's sentence.
    """
    begin = time.monotonic()
    with db.read() as session:
        asking = suggestions.find(session, id)
        dataset = datasets.by_id(session, asking.dataset_id)
        source = runs.find(session, asking.run_id)
        grouped = samples.all_grouped(session, dataset.id)
    if not grouped:
        inspect.run(db, dataset.name, [DuplicateImage.name], progress)
    models = models_of(db, home, source)
    snapshot = freeze(db, home, dataset.name, "curated", progress)
    opened = frozen.read(path_of(home, snapshot))
    with db.read() as session:
        classes = datasets.classes(session, dataset, snapshot.class_version)
    chosen, may = _choose(db, asking, models, opened)
    folder = home / "suggestions" / str(id)
    predicted = _predict(source, asking.method, models, chosen, may, path_of(home, snapshot), folder, progress)
    tally = tally_of(opened, predicted[asking.method], chosen.held_out)
    calibration = tally.calibrate(asking.wished)
    worth = changes(opened, predicted[asking.method], calibration, chosen.held_out, chosen.flagged)
    names = {one.id: one.name for one in classes.classes}
    proposed = {"unlabeled": 0, "flagged": 0}
    if calibration.believed:
        proposing = Proposing(
            suggesting=id,
            actor=Actor("model", f"run {source.id}"),
            class_version=snapshot.class_version,
            void=min(classes.void_ids, default=None),
            change=worth.help,
        )
        proposed = propose(db, proposing, opened, predicted[asking.method], calibration, chosen.wanted, progress)
    methods = [
        asdict(measured(opened, file, method, chosen.compared, classes, asking.wished))
        for method, file in predicted.items()
    ]
    result = {
        "sentence": promise(calibration, names),
        "judgement": judgement(worth) if chosen.flagged else None,
        "believed": calibration.believed,
        "reached": calibration.reached,
        "share": calibration.share,
        "held_out": calibration.samples,
        "groups": calibration.groups,
        "classes": [asdict(one) | {"name": names[one.class_id]} for one in calibration.thresholds],
        "proposed": proposed,
        "methods": methods,
        "compared": len(chosen.compared),
        "wanted": len(chosen.wanted),
        "refused": {"count": len(chosen.refused), "keys": list(chosen.refused[:20])},
        "seconds": round(time.monotonic() - begin, 1),
    }
    with db.write() as session:
        suggestions.find(session, id).result = result
    for path in folder.glob("predictions_*"):
        path.unlink()
    return result


def _choose(
    db: Database, asking: Suggesting, models: Models, snapshot: frozen.Snapshot
) -> tuple[Chosen, dict[str, list[int]]]:
    """Who is predicted, and by which models."""
    rows = {row.key: row for row in snapshot.rows}
    with db.read() as session:
        if asking.keys:
            asked = samples.by_keys(session, asking.dataset_id, asking.keys)
        else:
            asked = suggestions.wanted(session, asking.dataset_id, asking.only)
        labelled = [one for one in samples.by_keys(session, asking.dataset_id, list(rows)) if rows[one.key].labelled]
    may = allowed(db, asking.dataset_id, models, list(rows))
    seen = [one.key for one in asked if not may.get(one.key, [0])]
    if asking.keys and seen:
        raise SawIt(
            f"Run {asking.run_id} learned from {seen[0]}, or from a picture of the same, so it can't suggest a mask "
            "for it; ask a cross-validation."
        )
    unseen = [one for one in labelled if may[one.key]]
    flagged = [one for one in unseen if one.status == "flagged"]
    trusted = [one for one in unseen if one.status in ("unreviewed", "accepted", "corrected")]
    test = [one for one in trusted if one.split == "test"]
    # What judges trainings in the end also sets thresholds only where a training leaves nothing else unseen.
    held_out = [one for one in trusted if one.split != "test"] or test
    chosen = Chosen(
        wanted=[one.key for one in asked if may.get(one.key)],
        held_out=_some(held_out, _MEASURED),
        flagged=_some(flagged, _MEASURED),
        compared=_some(test or held_out, _COMPARED),
        refused=seen,
    )
    if len({group_of(one) for one in held_out}) < 2:
        raise CantSuggest(f"Every labelled sample was seen by run {asking.run_id}; ask a cross-validation instead.")
    return chosen, may


def _some(found: Collection[Sample], most: int) -> list[str]:
    return sorted((one.key for one in found), key=lambda key: crc32(key.encode()))[:most]


def _predict(
    run: Run,
    method: str,
    models: Models,
    chosen: Chosen,
    may: Mapping[str, Sequence[int]],
    snapshot: Path,
    folder: Path,
    progress: Progress,
) -> dict[str, files.Predictions]:
    """The file of each method: of the one asked for all that is chosen, of others what they are compared on."""
    keys = {one: set(chosen.compared) for one in METHODS}
    keys[method] |= {*chosen.wanted, *chosen.held_out, *chosen.flagged}
    outs = {one: folder / f"predictions_{one}" for one in METHODS}
    passes = [
        {"method": one, "out": str(out), "models_of": {key: may[key] for key in sorted(keys[one])}}
        for one, out in outs.items()
    ]
    folder.mkdir(parents=True, exist_ok=True)
    plan = folder / "plan.json"
    plan.write_text(json.dumps({"models": [str(one) for one in models.paths], "passes": passes}))
    arguments = ["ml.suggest", str(snapshot), str(plan), "--threads", str(run.config.get("threads", 0))]

    child.see_done(arguments, folder, child.counting(progress, "predicted", "done", "total", "predicting"))
    return {one: files.read(out) for one, out in outs.items()}
