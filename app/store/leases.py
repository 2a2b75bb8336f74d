"""Leases: who looks at which sample, for a short time that is put off while the page is open. All to be called by a
writer, but for what only asks.

Times are the server's. Where its clock jumps back, a lease could seem to last for hours: ``settle`` lets none end later
than LENGTH from now. Where it jumps ahead, leases end early, and who still looks takes them again soon.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta

from sqlalchemy import and_, bindparam, delete, func, or_, select, text, update
from sqlalchemy.orm import Session

from app.store.tables import Batch, Decision, Lease, Sample, now

LENGTH = timedelta(minutes=2)


def settle(session: Session) -> None:
    """Let no lease end later than it could have been taken for."""
    latest = now() + LENGTH
    session.execute(update(Lease).where(Lease.until > latest).values(until=latest))


def take(session: Session, sample_id: int, reviewer: str) -> None:
    """Lease the sample to this reviewer, whoever had it, or put off the end of their lease."""
    session.execute(_TAKE, {"sample_id": sample_id, "reviewer": reviewer, "until": now() + LENGTH})


def rename(session: Session, old: str, new: str) -> None:
    """What one name looks at, another does from now on."""
    session.execute(update(Lease).where(Lease.reviewer == old).values(reviewer=new))


def give_back(session: Session, reviewer: str, sample_ids: Collection[int]) -> None:
    """End this reviewer's leases of these samples, and forget those that ran out."""
    over = or_(Lease.sample_id.in_(sample_ids), Lease.until <= now()) if sample_ids else Lease.until <= now()
    session.execute(delete(Lease).where(Lease.reviewer == reviewer, over))


def holder(session: Session, sample_id: int) -> str | None:
    """Who looks at the sample now."""
    return session.scalar(select(Lease.reviewer).where(Lease.sample_id == sample_id, Lease.until > now()))


def holders(session: Session, dataset_id: int, sample_ids: Sequence[int]) -> dict[int, str | None]:
    """sample -> who looks at it now, of those that are in the data set."""
    held = and_(Lease.sample_id == Sample.id, Lease.until > now())
    query = select(Sample.id, Lease.reviewer).join(Lease, held, isouter=True)
    return dict(session.execute(query.where(Sample.dataset_id == dataset_id, Sample.id.in_(sample_ids))).all())


def decided_by_others(session: Session, reviewer: str, sample_ids: Sequence[int], after: int) -> dict[int, str]:
    """sample -> who else decided it last, in a batch later than ``after``, and didn't undo it."""
    query = (
        select(Decision.sample_id, Batch.actor_name)
        .join(Batch, Batch.id == Decision.batch_id)
        .where(Decision.sample_id.in_(sample_ids), Decision.batch_id > after, Batch.actor_name != reviewer)
        .where(Decision.undone_by_id.is_(None), Decision.verb != "undo")
        .order_by(Decision.id)
    )
    return {row.sample_id: row.actor_name for row in session.execute(query)}


def newest_batch(session: Session) -> int:
    """The id of the newest batch of decisions, 0 where there is none."""
    return session.scalar(select(func.max(Batch.id))) or 0


_TAKE = text(
    "INSERT INTO lease (sample_id, reviewer, until) VALUES (:sample_id, :reviewer, :until) "
    "ON CONFLICT (sample_id) DO UPDATE SET reviewer = excluded.reviewer, until = excluded.until"
).bindparams(bindparam("until", type_=Lease.until.type))
