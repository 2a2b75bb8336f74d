"""Where things are in CVAT: links into it, and where a sample is or was."""

from typing import Any

from sqlalchemy.orm import Session

from app.store import cvat, receipts
from app.store.tables import CvatBatch, Revision

Json = dict[str, Any]
AGO = 3  # batches back that a sample's page shows


def task_link(batch: CvatBatch) -> str | None:
    return f"{batch.url}/tasks/{batch.task_id}" if batch.url and batch.task_id is not None else None


def job_link(batch: CvatBatch, job: int | None, frame: int | None = None) -> str | None:
    """A job opened in CVAT, at a frame where that is known; the task where its job isn't known."""
    if job is None or task_link(batch) is None:
        return task_link(batch)
    return f"{task_link(batch)}/jobs/{job}" + (f"?frame={frame}" if frame is not None else "")


def of_sample(session: Session, sample_id: int) -> list[Json]:
    """The batches that a sample is or was in, the newest first, with the job as it was last seen and the receipt that
    tells of it last."""
    out = []
    told = {pull.batch_id: pull.id for _, pull in reversed(receipts.of_sample(session, sample_id))}
    for frame, batch in cvat.of_sample(session, sample_id)[:AGO]:
        job: Json = next((one for one in batch.jobs if batch.url and one["id"] == frame.job), {})
        out.append(
            {
                "batch": batch.id,
                "state": frame.state,
                "reason": frame.reason,
                "job_state": job.get("state"),
                "assignee": job.get("assignee"),
                "link": job_link(batch, frame.job, frame.number),
                "receipt": told.get(batch.id),
            }
        )
    return out


def receipt_of(session: Session, revision: Revision) -> int | None:
    """The receipt that tells how a mask came from CVAT."""
    return receipts.pull_of(session, [revision.id]).get(revision.id) if revision.source == "cvat" else None
