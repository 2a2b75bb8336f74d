"""Work needed: written by flows in their own transaction, taken by one worker, watched by everybody."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import CursorResult, Update, and_, func, null, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from app.domain.errors import NotFound
from app.store.tables import Job, now

# A running job whose heart hasn't beaten for this long has lost its worker.
LOST_AFTER = timedelta(seconds=20)
ENDED = ("done", "failed", "cancelled")
_WHOLE = Job.parent_id.is_(None)  # not a part of another, see ``parts``


def request(session: Session, kind: str, dataset_id: int | None, args: dict[str, Any]) -> Job:
    """Ask for work. An equal request that hasn't been started yet serves for this one too."""
    queued = select(Job).where(Job.state == "queued", Job.kind == kind, Job.dataset_id == dataset_id, _WHOLE)
    for job in session.scalars(queued):
        if job.args == args:
            return job
    job = Job(kind=kind, dataset_id=dataset_id, args=args)
    session.add(job)
    session.flush()
    return job


def waiting(session: Session) -> Sequence[Job]:
    """Jobs to be started, the oldest first; those whose worker was lost are among them."""
    return session.scalars(select(Job).where(free(session)).order_by(Job.id)).all()


def next_for(
    session: Session, worker: str, kinds: Collection[str], beside: Collection[str] = (), places: int = 1
) -> int | None:
    """The oldest waiting job of these kinds, parts of another after all that aren't; None where there is none or
    ``worker`` has one of them under way. Up to ``places`` jobs of the kinds in ``beside`` run side by side."""
    mine = [job.kind for job in under_way(session) if (job.owner or "").startswith(f"{worker}:") and job.kind in kinds]
    if mine and (len(mine) >= places or not set(mine) <= set(beside)):
        return None
    wanted = select(Job.id).where(free(session), Job.kind.in_(beside if mine else kinds))
    return session.scalar(wanted.order_by(Job.parent_id.is_not(None), Job.id).limit(1))


def under_way(session: Session) -> Sequence[Job]:
    """Jobs whose worker is alive."""
    living = and_(Job.state == "running", Job.heartbeat >= _clock(session) - LOST_AFTER)
    return session.scalars(select(Job).where(living).order_by(Job.id)).all()


def new_owner(worker: str) -> str:
    """A name for one claim of a worker's: what it may write ends with the next claim, a later one of its own too."""
    return f"{worker}:{uuid4().hex[:12]}"


def claim(session: Session, job_id: int, owner: str) -> bool:
    """Take a job that waits, or one that an earlier process of the same worker left; False where somebody else has it,
    or it has ended."""
    worker = owner.rpartition(":")[0]
    mine = of_worker(worker) if worker else Job.owner == owner
    statement = (
        update(Job)
        .where(Job.id == job_id, or_(free(session), and_(Job.state == "running", mine)))
        .values(state="running", owner=owner, heartbeat=_clock(session))
    )
    return _changed(session, statement)


def owns(session: Session, job_id: int, owner: str) -> bool:
    """Whether the job is under way under this claim."""
    query = select(Job.id).where(Job.id == job_id, Job.state == "running", Job.owner == owner)
    return session.scalar(query) is not None


def beat(session: Session, job_id: int, owner: str, done: int, total: int, message: str) -> bool:
    """Note progress; False where the job isn't this owner's any more or was cancelled, and has to stop.

    A cancelled job beats on until it has stopped: taken for lost, it would be started again and again."""
    statement = (
        update(Job)
        .where(Job.id == job_id, Job.state == "running", Job.owner == owner)
        .values(heartbeat=_clock(session), done=done, total=total, message=message)
        .returning(Job.cancel)
    )
    return session.scalar(statement) is False


def finish(
    session: Session,
    job_id: int,
    state: str,
    result: dict[str, Any] | None = None,
    error: str | None = None,
    owner: str | None = None,
) -> bool:
    """Write a job's end down; False where it has ended already, or isn't ``owner``'s any more (None: whoever's)."""
    values = {"state": state, "result": result, "error": error, "finished_at": now()}
    statement = update(Job).where(Job.id == job_id, Job.state.not_in(ENDED)).values(**values)
    return _changed(session, statement if owner is None else statement.where(Job.owner == owner))


def cancel(session: Session, job_id: int) -> Job:
    """Ask a job to stop; one that hasn't started is cancelled at once. Raises NotFound."""
    job = find(session, job_id)
    if job.state == "queued":
        job.state, job.finished_at = "cancelled", now()
    job.cancel = True
    end_parts(session, job_id)
    session.flush()
    return job


def end_parts(session: Session, job_id: int) -> None:
    """Stop what still goes on of a job's parts, and forget what the others found: by now it stands where it belongs."""
    of_job = update(Job).where(Job.parent_id == job_id)
    session.execute(of_job.where(Job.state == "queued").values(state="cancelled", finished_at=now()))
    session.execute(of_job.values(cancel=True, result=null()))


def find(session: Session, job_id: int) -> Job:
    """Raises NotFound."""
    job = session.get(Job, job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id}.")
    return job


def lively(session: Session, since: datetime) -> Sequence[Job]:
    """Jobs under way, and those that ended at ``since`` or later; the oldest first."""
    query = select(Job).where(_WHOLE, or_(Job.state.not_in(ENDED), Job.finished_at >= since)).order_by(Job.id)
    return session.scalars(query).all()


def by_state(session: Session) -> dict[str, int]:
    """Every state with its number of jobs; zeros too."""
    counts = dict(session.execute(select(Job.state, func.count()).where(_WHOLE).group_by(Job.state)).all())
    return {state: counts.get(state, 0) for state in ("queued", "running", *ENDED)}


def oldest_queued(session: Session) -> datetime | None:
    """When the job that waits longest was asked for; None where none waits."""
    return session.scalar(select(func.min(Job.created_at)).where(_WHOLE, Job.state == "queued"))


def last_done(session: Session, dataset_id: int, kind: str) -> Job | None:
    """The newest job of a kind that came to its end."""
    query = select(Job).where(Job.dataset_id == dataset_id, Job.kind == kind, Job.state == "done")
    return session.scalar(query.order_by(Job.id.desc()).limit(1))


def recent(session: Session, dataset_id: int | None = None, limit: int = 50) -> list[Job]:
    """Jobs under way first, then the newest."""
    query = select(Job).where(_WHOLE).order_by(Job.state.in_(ENDED), Job.id.desc()).limit(limit)
    if dataset_id is not None:
        query = query.where(Job.dataset_id == dataset_id)
    return list(session.scalars(query))


def free(session: Session) -> ColumnElement[bool]:
    """Of jobs that wait, or whose worker was lost."""
    lost = and_(Job.state == "running", Job.heartbeat < _clock(session) - LOST_AFTER)
    return or_(Job.state == "queued", lost)


def of_worker(worker: str) -> ColumnElement[bool]:
    """Of jobs that some process of this worker took last."""
    return Job.owner.startswith(f"{worker}:", autoescape=True)


def _clock(session: Session) -> datetime:
    """The database server's time, which is one for all workers; on one machine that machine's."""
    if session.get_bind().dialect.name == "postgresql":
        at: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
        return at
    return now()


def _changed(session: Session, statement: Update) -> bool:
    result = session.execute(statement)
    assert isinstance(result, CursorResult)  # noqa: S101  (what an UPDATE always gives; for the type checker)
    return result.rowcount == 1
