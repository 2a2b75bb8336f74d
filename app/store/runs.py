"""Snapshots and runs."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.errors import NotFound
from app.store.tables import Job, Run, Snapshot, now


def find(session: Session, id: int) -> Run:
    """Raises NotFound."""
    run = session.get(Run, id)
    if run is None:
        raise NotFound(f"There is no run {id}.")
    return run


def of_dataset(session: Session, dataset_id: int) -> list[Run]:
    """The newest first."""
    return list(session.scalars(select(Run).where(Run.dataset_id == dataset_id).order_by(Run.id.desc())))


def with_jobs(session: Session, dataset_id: int) -> list[tuple[Run, Job]]:
    """Runs, the newest first, each with the job that trains it."""
    query = select(Run, Job).join(Job, Job.id == Run.job_id).where(Run.dataset_id == dataset_id)
    return [(run, job) for run, job in session.execute(query.order_by(Run.id.desc()))]


def begin(session: Session, id: int) -> None:
    """Note that the run is under way, or goes on after a kill."""
    find(session, id).started_at = now()


def add_snapshot(
    session: Session, dataset_id: int, hash: str, arm: str, class_version: int, counts: Mapping[str, Any]
) -> Snapshot:
    """The row of a snapshot's file; the same members under the same arm share one."""
    same = select(Snapshot).where(Snapshot.dataset_id == dataset_id, Snapshot.hash == hash, Snapshot.arm == arm)
    snapshot = session.scalar(same)
    if snapshot is None:
        snapshot = Snapshot(dataset_id=dataset_id, hash=hash, arm=arm, class_version=class_version, counts=dict(counts))
        session.add(snapshot)
        session.flush()
    return snapshot


def find_snapshot(session: Session, id: int) -> Snapshot:
    return session.get_one(Snapshot, id)
