"""Runs as the JSON that pages and API both give out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.flows import crossval, options, rounds, runs
from app.store import browse, datasets, jobs, samples
from app.store import runs as rows
from app.store.browse import Filter
from app.store.datasets import iso
from app.store.tables import Dataset, Job, Run
from app.web import shapes

Json = dict[str, Any]
WORST = 24
FOUND = ("folds", "predicted", "flagged", "regions", "share", "miou", "weak")


def short(dataset: str, row: Run, job: Job) -> Json:
    """A run in a list; its figures once it has ended."""
    result: Mapping[str, Any] = row.result or {}
    judged = result.get("test") or result.get("val")
    return {
        "id": row.id,
        "kind": row.kind,
        "name": row.name,
        "dataset": dataset,
        "arm": row.arm,
        "preset": "no_background" if row.config["ignore_background"] else "baseline",
        "at": iso(row.at),
        "actor": row.actor_name,
        "job": job.id,
        "comparison": row.comparison_id,
        **runs.standing(row, job),
        "reason": result.get("reason"),
        "best_epoch": result.get("best_epoch"),
        "seconds": result.get("seconds"),
        "miou": judged["miou"] if judged else None,
        "judged_on": None if judged is None else "test" if result.get("test") else "val",
        "found": {name: result[name] for name in FOUND} if row.kind == "crossval" and result else None,
    }


def of_dataset(session: Session, owner: Dataset) -> list[Json]:
    return [short(owner.name, row, job) for row, job in rows.with_jobs(session, owner.id)]


def of_one(session: Session, row: Run) -> Json:
    return short(datasets.by_id(session, row.dataset_id).name, row, jobs.find(session, row.job_id or 0))


def outlook(session: Session, owner: Dataset) -> Json:
    """What finding imprecise masks would take, in a sentence, and the last search: a run in a list, or None."""
    ahead = crossval.outlook(session, owner)
    minutes = ahead.seconds / 60
    time = f"about {minutes:.0f} min" if 1 <= minutes < 90 else f"about {minutes / 60:.0f} h"
    time = "under a minute" if minutes < 1 else time
    by = f"as run {ahead.run} took" if ahead.run else "reckoned from the pixels, on this machine's cores alone"
    last = next((one for one in of_dataset(session, owner) if one["kind"] == "crossval"), None)
    about = (
        f"Trains {ahead.folds} models of up to {ahead.epochs} epochs, and judges every mask by the one that never saw "
        f"it: {time}, {by}."
    )
    return {"about": about, "last": last, "samples": ahead.samples}


def full(session: Session, home: Path, row: Run) -> Json:
    """A run with all that is known of it so far; of one that trains, figures are those of its best epoch."""
    owner = datasets.by_id(session, row.dataset_id)
    job = jobs.find(session, row.job_id or 0)
    snapshot = rows.find_snapshot(session, row.snapshot_id) if row.snapshot_id is not None else None
    listed = datasets.classes(session, owner, snapshot.class_version if snapshot else None).as_json()
    roles = {str(one["name"]): str(one["role"]) for one in listed}
    said = runs.told(home, row.id)
    result: Mapping[str, Any] = row.result or {}
    best = runs.best(said.epochs)
    val = result.get("val") or (best["val"] if best else None)
    config = runs.config_of(home, row)
    return short(owner.name, row, job) | {
        "classes": [one for one in listed if one["role"] != "void"],
        "config": config,
        "changed": options.changed(config),
        "snapshot": snapshot and {"id": snapshot.id, "hash": snapshot.hash, "counts": snapshot.counts},
        "start": said.start,
        "rate": said.rate,
        "warnings": said.warnings,
        "history": runs.curve(said.epochs),
        "val": val and _figures(val, roles),
        "test": result.get("test") and _figures(result["test"], roles),
        "worst": pictured(session, owner, runs.worst(home, row.id, WORST)),
        "strips": [{"epoch": epoch, "strips": strips} for epoch, strips in sorted(said.strips.items())],
        "files": runs.files_of(home, row.id),
        "folds": [asdict(one) for one in crossval.folds_of(home, row)] if row.kind == "crossval" else [],
        "rounds": [asdict(one) for one in rounds.rounds_of(home, row)],
        "precision": row.config.get("wished"),
        "round": said.round,
        "sentence": result.get("sentence"),
        "lines": said.lines,
    }


def rounds_like(run: Run | None) -> Json:
    """Rounds of self-training to ask for, as ``run`` was asked; how many there may be, and from which precision on."""
    told = run.config if run else {}
    bounds = {"most": rounds.MOST, "lowest": rounds.LOWEST, "highest": rounds.HIGHEST}
    return {"count": told.get("rounds", 0), "precision": told.get("wished", rounds.PRECISION), **bounds}


def _figures(figures: Mapping[str, Any], roles: Mapping[str, str]) -> Json:
    """Headline figures, each class's, and the confusion matrix: truth by prediction."""
    classes = [{"name": name, **one} for name, one in figures["classes"].items()]
    more = {name: figures.get(name) for name in ("loss", "boundary_f", "calibration_error", "confusion")}
    return runs.headline(figures, roles) | more | {"classes": classes}


def pictured(session: Session, owner: Dataset, found: Sequence[Mapping[str, Any]]) -> list[Json]:
    """What names a sample by its key, with the sample as in a list; one that is gone is left out."""
    ids = {one.key: one.id for one in samples.by_keys(session, owner.id, [one["key"] for one in found])}
    wanted = [one for one in found if one["key"] in ids]
    shown = shapes.rows(session, owner, browse.by_ids(session, owner.id, [ids[one["key"]] for one in wanted]), Filter())
    by_id = {one["id"]: one for one in shown}
    return [{**one, "sample": by_id[ids[one["key"]]]} for one in wanted if ids[one["key"]] in by_id]


def training(session: Session, home: Path, owner: Dataset, like: Run | None = None) -> Json:
    """What a training can be told, with values that suit the data set, or with those of the run ``like``."""
    advice = options.advise(session, owner)
    values = advice.values if like is None else like.config
    return {
        "presets": options.presets(),
        "arms": options.arms(),
        "keys": [asdict(one) for one in options.keys(values)],
        "reasons": list(advice.reasons) if like is None else [],
        "paces": runs.paces(session, home, owner.id),
    }
