"""The loop proves itself: a set with spoilt masks, models that judge them, an oracle that reviews in several orders."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.domain.detector.overview import softmin_of
from app.domain.errors import Conflict, Invalid
from app.domain.simulation import drawing, early, left_after, removed
from app.flows import compare, crossval, edit, remaining, review, simulation_data
from app.flows.imprecise import Predictions
from app.flows.progress import Progress, quiet
from app.flows.review import Selection
from app.flows.simulation_data import NAME, ORACLE, Wanted
from app.flows.snapshot import CantTrain, path_of
from app.store import audit, browse, comparisons, datasets, rasters, runs, samples
from app.store.browse import Filter
from app.store.db import Database, open_database
from app.store.decisions import Wish
from app.store.tables import Raster, Revision, Run, Sample

ORDERS = ("ours", "queue", "softmin", "random")
# Small enough for a core or two; precision and layout are told so that nothing is measured first.
KEYS: Mapping[str, Any] = {"width": 8, "batch": 4, "learning_rate": 0.003, "threads": 1, "compile": "off", "samples": 0}


class BadSimulation(Invalid):
    """A simulation that can't be run as asked."""


class OtherSimulation(Conflict):
    """The folder holds a simulation that was asked for otherwise."""


@dataclass(frozen=True)
class Plan:
    """``budget``: reviews in each of ``orders``: ours by the detector; the queue as reviewers get it, which is ours
    with random checks; softmin as Lad and Mueller have it; random. ``folds`` models judge the masks; ``retrain``: seeds
    that the networks before and after the reviews are trained with, 0: they aren't; ``keys`` of the trainer's config go
    over KEYS."""

    wanted: Wanted
    budget: int
    orders: tuple[str, ...] = ORDERS
    folds: int = 3
    retrain: int = 0
    keys: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        return {**KEYS, **self.keys}


def run(out: Path, plan: Plan, progress: Progress = quiet) -> dict[str, Any]:
    """Simulate into the folder ``out``; what came out, also written to ``results.json`` there, beside ``plot.svg``.

    Started again with the same plan it goes on where it was. Raises BadSimulation, OtherSimulation, TrainingFailed, and
    what an import or a training raises.
    """
    if unknown := set(plan.orders) - set(ORDERS):
        raise BadSimulation(f"There is no order {min(unknown)!r}; choose of {', '.join(ORDERS)}.")
    if plan.budget < 1 or not 0 <= plan.wanted.share <= 1:
        raise BadSimulation("Give a budget of at least one review and a share between 0 and 1.")
    _note(out, plan)
    home = out / "loop"
    simulation_data.prepare(home, plan.wanted, plan.retrain > 0, progress)
    db = open_database(home / "remask.sqlite")
    try:
        run = _judged(db, home, plan, progress)
        with db.read() as session:
            masks = _masks(session, home, run)
            ranked = {name: _order(session, home, run, name, masks, plan.wanted.seed) for name in plan.orders}
    finally:
        db.close()
    wrong = np.array([one.wrong for one in masks], np.int64)
    ranks = {name: np.argsort(order) for name, order in ranked.items()}
    curves = {name: left_after(wrong, order) for name, order in ranked.items()}
    budget = min(plan.budget, len(masks))
    shares, gains = removed(wrong, ranks, budget)
    found, found_gains = removed((wrong > 0).astype(np.int64), ranks, budget)
    results: dict[str, Any] = {
        "masks": len(masks),
        "bad": int((wrong > 0).sum()),
        "wrong": int(wrong.sum()),
        "budget": budget,
        "miou": (run.result or {}).get("miou"),
        "orders": {},
        "each": [
            {"key": one.key, "wrong": one.wrong, "places": {name: int(rank[at]) for name, rank in ranks.items()}}
            for at, one in enumerate(masks)
        ],
    }
    for name, order in ranked.items():
        chosen = [masks[place] for place in order[:budget]]
        looked = _reviewed(out, home, name, chosen, plan, progress)
        shown = early(wrong > 0, order)
        results["orders"][name] = {
            "removed": asdict(shares[name]),
            "per_100": round(100 * (curves[name][0] - curves[name][budget]) / budget),
            "less_than_first": asdict(gains[name]) if name in gains else None,
            "bad_found": sum(one.wrong > 0 for one in chosen),
            "found": asdict(found[name]),
            "found_less_than_first": asdict(found_gains[name]) if name in found_gains else None,
            "early": asdict(shown) if shown else None,
            "left": curves[name],
            **looked,
            "iou_per_100": _per_100(looked["iou"], budget),
        }
    _write(out / "results.json", json.dumps(results, indent=1) + "\n")
    _write(out / "plot.svg", drawing("Wrong pixels left by number of reviews", curves, budget))
    return results


@dataclass(frozen=True)
class Judged:
    """A judged mask and its wrong pixels."""

    sample: int
    key: str
    wrong: int


def _note(out: Path, plan: Plan) -> None:
    """Keep what was asked for. Raises OtherSimulation where the folder was made for something else."""
    what = asdict(plan) | {"keys": plan.config}
    del what["orders"]  # another one may be added later
    asked = json.dumps(what, default=str, indent=1) + "\n"
    note = out / "asked.json"
    if note.exists() and note.read_text(encoding="utf-8") != asked:
        raise OtherSimulation(f"{out} holds a simulation with other settings; give those again, or another --out.")
    out.mkdir(parents=True, exist_ok=True)
    _write(note, asked)


def _judged(db: Database, home: Path, plan: Plan, progress: Progress) -> Run:
    """The cross-validation of the set, begun or gone on with where it hasn't ended."""
    with db.read() as session:
        found = [one for one in runs.of_dataset(session, datasets.find(session, NAME).id) if one.kind == "crossval"]
    one = found[0] if found else crossval.request(db, NAME, ORACLE, folds=plan.folds, keys=plan.config)
    if one.result is None:
        crossval.run(db, home, one.id, progress)
    with db.read() as session:
        return runs.find(session, one.id)


def _masks(session: Session, home: Path, run: Run) -> list[Judged]:
    """What the run judged, but for the test samples, which are right by themselves."""
    classes = datasets.classes(session, datasets.by_id(session, run.dataset_id))
    found = []
    for one in audit.judged(session, run):
        sample = samples.find(session, one.sample)
        if sample.split == "test":
            continue
        revision = session.get_one(Revision, sample.current_id)
        given = rasters.mask(session, session.get_one(Raster, revision.mask_id))
        wrong = simulation_data.wrong_pixels(home, sample, given, classes)
        found.append(Judged(sample.id, sample.key, wrong))
    return found


def _order(session: Session, home: Path, run: Run, name: str, masks: Sequence[Judged], seed: int) -> list[int]:
    """Places of the masks in the order that they are reviewed in."""
    place = {one.sample: at for at, one in enumerate(masks)}
    if name in ("ours", "queue"):
        by_score, everything = Filter(sort="imprecise_mask"), 10 * len(masks) + 1000
        queue = browse.order(session, run.dataset_id, by_score, everything)
        if name == "queue":
            queue = remaining.queue(session, run.dataset_id, by_score, everything)[0]
        return [place[id] for id in queue if id in place]
    if name == "random":
        return [int(at) for at in np.random.default_rng([seed, 2]).permutation(len(masks))]
    snapshot = runs.find_snapshot(session, run.snapshot_id or 0)
    predicted = Predictions(path_of(home, snapshot), home / "runs" / str(run.id))
    channel = {id: at for at, id in enumerate(predicted.file.classes)}
    at_key = {one.key: at for at, one in enumerate(masks)}
    scores = np.zeros(len(masks))
    for row in predicted.rows:
        if row.key in at_key:
            one = predicted.of(row)
            own = np.ones(one.given.shape)
            for id, at in channel.items():
                own[one.given == id] = one.probabilities[:, :, at][one.given == id]
            scores[at_key[row.key]] = softmin_of(own)
    return [int(at) for at in np.argsort(-scores, kind="stable")]


def _reviewed(
    out: Path, home: Path, name: str, chosen: Sequence[Judged], plan: Plan, progress: Progress
) -> dict[str, Any]:
    """Let the oracle review ``chosen`` in a copy of the data folder, and train on what that makes of the set."""
    note = out / f"{name}.json"
    if note.exists():
        done: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        return done
    copy = out / name
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    shutil.copy(home / "remask.sqlite", copy / "remask.sqlite")
    db = open_database(copy / "remask.sqlite")
    try:
        for done_so_far, one in enumerate(chosen):
            progress(done_so_far, len(chosen), f"reviewing, {name}")
            _review(db, home, one)
        with db.read() as session:
            outlook = remaining.outlook(session, datasets.find(session, NAME).id)
        # Test samples are right and aren't reviewed, which an estimate can't know.
        told = outlook.as_json()["bad"] if outlook and not plan.retrain else None
        looked: dict[str, Any] = {"remaining": told, "iou": None}
        if plan.retrain and any(one.wrong for one in chosen):
            looked["iou"] = _trained(db, out, copy, plan, progress)
    finally:
        db.close()
    _write(note, json.dumps(looked, indent=1) + "\n")
    return looked


def _review(db: Database, home: Path, one: Judged) -> None:
    with db.read() as session:
        sample: Sample = samples.find(session, one.sample)
    if one.wrong:
        edit.finish(db, sample.id, simulation_data.right_mask(home, sample), ORACLE, sample.current_id)
    else:
        review.decide(db, NAME, Selection(ids=[sample.id]), Wish("keep"), ORACLE)


def _trained(db: Database, out: Path, home: Path, plan: Plan, progress: Progress) -> dict[str, Any] | None:
    """Mean IoU on right test masks by what was given and by what the reviews made of it, and what lies between."""
    asked = compare.request(db, NAME, ORACLE, seeds=plan.retrain, keys=plan.config)
    _take_given(out, home, asked.id)
    try:
        result = compare.run(db, home, asked.id, progress)
    except CantTrain:
        return None
    overall: dict[str, Any] = result["readings"][0]["overall"]
    return overall


def _take_given(out: Path, home: Path, comparison: int) -> None:
    """Take the networks of the masks as given from an order that has trained them. All copies begin alike, so
    comparison and runs bear the same numbers in each; the trainer takes them only for the same snapshot and config."""
    for name in ORDERS:
        if (out / f"{name}.json").exists() and (out / name / "runs").exists():
            db = open_database(out / name / "remask.sqlite")
            try:
                with db.read() as session:
                    ids = [one.id for one in comparisons.runs_of(session, comparison) if one.side == "before"]
            finally:
                db.close()
            for id in ids:
                shutil.copytree(out / name / "runs" / str(id), home / "runs" / str(id))
            return


def _per_100(iou: dict[str, Any] | None, budget: int) -> float | None:
    """Mean IoU that 100 reviews would gain at the rate of the first ``budget``."""
    return None if iou is None or iou["difference"] is None else 100 * iou["difference"] / budget


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
