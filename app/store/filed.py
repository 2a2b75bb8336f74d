"""Which files of the data folder the rows speak of."""

from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.store import jobs
from app.store.tables import Job, Run, Snapshot, now


def runs(session: Session) -> set[str]:
    """The names of the folders that runs have."""
    return {str(id) for id in session.scalars(select(Run.id))}


def snapshots(session: Session) -> set[str]:
    """The hashes of the snapshots that were frozen."""
    return set(session.scalars(select(Snapshot.hash)))


def exports(session: Session) -> set[str]:
    """The names of the files that exports have made."""
    done = session.scalars(select(Job.result).where(Job.kind == "export", Job.state == "done"))
    return {result["path"] for result in done if result and "path" in result}


def uploads(session: Session) -> set[Path]:
    """The files and folders that imports under way still need."""
    return {Path(job.args["path"]) for job in jobs.lively(session, now()) if job.kind == "import"}


def lost_jobs(session: Session) -> list[int]:
    """Jobs whose worker was lost and that no other has taken."""
    query = select(Job.id).where(Job.state == "running", Job.heartbeat < now() - jobs.LOST_AFTER)
    return list(session.scalars(query))


def waiting(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Job).where(Job.state == "queued")) or 0
