"""Jobs: what runs, how far it is, stopping it, and the stream of changes."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from app.domain.errors import Conflict
from app.store import datasets, jobs
from app.store.tables import Dataset, Job
from app.web import events, shapes
from app.web.deps import Db, Id, Read

router = APIRouter(tags=["jobs"])


class JobOut(BaseModel):
    """Work in the background."""

    id: int
    kind: str = Field(examples=["import"])
    dataset: str | None
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    done: int
    total: int = Field(description="0: not known yet.")
    message: str
    error: str | None
    created_at: str
    finished_at: str | None
    part_of: int | None = Field(description="The job that it is a part of, where several workers share one.")
    result: dict[str, Any] | None = Field(
        description='Once done: {"import": id, ...} of an import, counts of checks; of a part what it looked at.'
    )


class JobList(BaseModel):
    jobs: list[JobOut]


class Ended(Conflict):
    """A job that has ended can't be stopped."""


def job_out(session: Session, row: Job) -> JobOut:
    """A job as the API says it; an import that makes its dataset is named after it."""
    owner = session.get(Dataset, row.dataset_id) if row.dataset_id is not None else None
    name = owner.name if owner is not None else row.args.get("dataset")
    return JobOut(**shapes.job(row, name), part_of=row.parent_id, result=_told(row))


def _told(row: Job) -> dict[str, Any] | None:
    """A job's result for people: no path on the server, and of what a part noted of each sample only how many."""
    if row.result is None:
        return None
    told = {name: value for name, value in row.result.items() if name not in ("path", "notes")}
    return told | {"looked": len(told["looked"])} if row.kind == "look" else told


@router.get("/jobs")
def recent_jobs(session: Read, dataset: Annotated[str | None, Query(max_length=64)] = None) -> JobList:
    """Jobs under way, then the newest of those that ended."""
    dataset_id = datasets.find(session, dataset).id if dataset is not None else None
    return JobList(jobs=[job_out(session, row) for row in jobs.recent(session, dataset_id)])


@router.get("/jobs/events", response_class=EventSourceResponse)
async def job_events(
    db: Db, last_event_id: Annotated[str | None, Header(max_length=100)] = None
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events named `job`, each a job as at /jobs/{id}: those under way at once, then every change.

    An event's id resumes the stream (Last-Event-ID)."""

    def show(session: Session, row: Job) -> dict[str, Any]:
        return job_out(session, row).model_dump()

    async for event in events.follow(db, show, last_event_id):
        yield event


@router.get("/jobs/{job}")
def one_job(session: Read, job: Id) -> JobOut:
    """How far a job is, and how it ended."""
    return job_out(session, jobs.find(session, job))


@router.post("/jobs/{job}/cancel")
def cancel(db: Db, job: Id) -> JobOut:
    """Ask a job to stop. One that waits is cancelled at once; a running one stops soon, what it committed stays."""
    with db.write() as session:
        row = jobs.find(session, job)
        if row.state in jobs.ENDED:
            raise Ended(f"Job {job} has ended already ({row.state}).")
        row = jobs.cancel(session, job)
        if row.state == "cancelled" and row.args.get("delete"):
            uploaded = Path(row.args["path"])
            shutil.rmtree(uploaded if uploaded.is_dir() else uploaded.parent, ignore_errors=True)
        return job_out(session, row)
