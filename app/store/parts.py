"""A job's parts: jobs of their own, which any worker may take while the job itself waits for them and does some too."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from app.store import jobs
from app.store.tables import Job


@dataclass(frozen=True)
class Wanted:
    """A part to be done: a job's kind and what that is told; ``steps``: how many it will tell of itself."""

    kind: str
    args: dict[str, Any]
    steps: int


@dataclass(frozen=True)
class Part:
    """How far a part is; see ``Job``."""

    id: int
    kind: str
    state: str
    done: int
    total: int
    error: str | None


def ask(session: Session, job_id: int, wanted: Sequence[Wanted]) -> None:
    """Divide a job into parts. One that was divided already, by a worker that is gone, stays as it is."""
    if session.scalar(select(func.count()).select_from(Job).where(Job.parent_id == job_id)):
        return
    owner = jobs.find(session, job_id).dataset_id
    session.add_all(
        Job(kind=one.kind, dataset_id=owner, args=one.args, total=one.steps, parent_id=job_id) for one in wanted
    )


def reclaim(session: Session, job_id: int, worker: str) -> None:
    """Let go of what an earlier process of this worker has left of a job's parts."""
    left = (Job.parent_id == job_id, Job.state == "running", jobs.of_worker(worker))
    session.execute(update(Job).where(*left).values(state="queued", owner=None))


def is_free(session: Session, job_id: int) -> bool:
    """Whether a part waits, or has lost its worker."""
    return bool(session.scalar(select(exists().where(Job.parent_id == job_id, jobs.free(session)))))


def take(session: Session, job_id: int, owner: str) -> int | None:
    """Claim the first part that waits, or has lost its worker; None where there is none."""
    query = select(Job.id).where(Job.parent_id == job_id, jobs.free(session)).order_by(Job.id).limit(1)
    part = session.scalar(query)
    return part if part is not None and jobs.claim(session, part, owner) else None


def of_job(session: Session, job_id: int) -> list[Part]:
    """Every part of a job, in the order in which they were asked for."""
    columns = (Job.id, Job.kind, Job.state, Job.done, Job.total, Job.error)
    return [Part(*row) for row in session.execute(select(*columns).where(Job.parent_id == job_id).order_by(Job.id))]


def results(session: Session, job_id: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, result) of the parts that are done, one in memory at a time, in the order in which they were asked for."""
    for part in of_job(session, job_id):
        if part.state == "done":
            yield part.kind, session.scalar(select(Job.result).where(Job.id == part.id)) or {}
