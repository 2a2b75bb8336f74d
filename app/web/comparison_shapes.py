"""Comparisons as the JSON that pages and API both give out."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.domain.verdict import subject
from app.store import comparisons, datasets, jobs
from app.store.datasets import iso
from app.store.tables import Comparison, Dataset, Job
from app.web import run_shapes

Json = dict[str, Any]


def short(owner: Dataset, row: Comparison, job: Job) -> Json:
    """A comparison in a list."""
    result: Mapping[str, Any] = row.result or {}
    return {
        "id": row.id,
        "dataset": owner.name,
        "before": row.before,
        "after": row.after,
        "subject": subject(row.before, row.after),
        "seeds": len(row.seeds),
        "preset": "no_background" if row.config["ignore_background"] else "baseline",
        "state": job.state,
        "at": iso(row.at),
        "actor": row.actor_name,
        "job": job.id,
        "done": job.done,
        "total": job.total,
        "message": job.message,
        "error": job.error,
        "sentence": result.get("sentence"),
        "clear": result.get("clear"),
    }


def of_dataset(session: Session, owner: Dataset) -> list[Json]:
    return [short(owner, row, job) for row, job in comparisons.with_jobs(session, owner.id)]


def full(session: Session, row: Comparison) -> Json:
    """A comparison with its runs, and its result once it has one."""
    owner = datasets.by_id(session, row.dataset_id)
    result: Mapping[str, Any] = row.result or {}
    runs = [
        {**run_shapes.of_one(session, one), "side": one.side, "seed": one.config["seed"]}
        for one in comparisons.runs_of(session, row.id)
    ]
    return short(owner, row, jobs.find(session, row.job_id or 0)) | {
        "config": row.config,
        "runs": runs,
        "notes": result.get("notes", []),
        "test": result.get("test"),
        "arms": result.get("arms"),
        "readings": result.get("readings", []),
    }
