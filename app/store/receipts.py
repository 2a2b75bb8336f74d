"""Pulls from CVAT and their receipts, and what people said about labels there."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, delete, func, or_, select
from sqlalchemy.orm import Session

from app.domain.errors import NotFound
from app.store.tables import Batch, CvatAnswer, CvatBatch, CvatLine, CvatPull, Job, Sample

# What asks for attention first.
OUTCOMES = ("conflict", "changed", "skipped", "unchanged")


@dataclass(frozen=True)
class Total:
    """What one annotator's jobs came to."""

    annotator: str | None
    outcome: str
    samples: int
    pixels: int


def find(session: Session, id: int) -> CvatPull:
    """Raises NotFound."""
    pull = session.get(CvatPull, id)
    if pull is None:
        raise NotFound(f"There is no CVAT pull {id}.")
    return pull


def of_batch(session: Session, batch_id: int) -> list[CvatPull]:
    """The newest first."""
    return list(session.scalars(select(CvatPull).where(CvatPull.batch_id == batch_id).order_by(CvatPull.id.desc())))


def asked(session: Session, batch_id: int) -> list[CvatPull]:
    """Pulls of this batch that were asked for and have not begun."""
    query = select(CvatPull).join(Job, Job.id == CvatPull.job_id).where(CvatPull.batch_id == batch_id)
    return list(session.scalars(query.where(CvatPull.state == "asked", Job.state == "queued")))


def lines(session: Session, pull_id: int) -> list[tuple[CvatLine, Sample]]:
    """A receipt's lines: conflicts first, then what was changed (the most pixels first), skipped, unchanged."""
    found = session.execute(
        select(CvatLine, Sample).join(Sample, Sample.id == CvatLine.sample_id).where(CvatLine.pull_id == pull_id)
    )
    return sorted(found, key=lambda one: (OUTCOMES.index(one[0].outcome), -one[0].pixels, one[0].sample_id))


def page(session: Session, pull_id: int, outcome: str | None, start: int, limit: int) -> list[tuple[CvatLine, Sample]]:
    """Some lines of a receipt from the ``start``-th on, in the order of ``lines``; ``outcome``: only those."""
    query = select(CvatLine, Sample).join(Sample, Sample.id == CvatLine.sample_id).where(CvatLine.pull_id == pull_id)
    if outcome is not None:
        query = query.where(CvatLine.outcome == outcome)
    urgent = case({name: place for place, name in enumerate(OUTCOMES)}, value=CvatLine.outcome, else_=len(OUTCOMES))
    query = query.order_by(urgent, CvatLine.pixels.desc(), CvatLine.sample_id).offset(start).limit(limit)
    return list(session.execute(query))


def line(session: Session, pull_id: int, sample_id: int) -> CvatLine:
    """Raises NotFound."""
    found = session.get(CvatLine, (pull_id, sample_id))
    if found is None:
        raise NotFound(f"Receipt {pull_id} says nothing of sample {sample_id}.")
    return found


def newest(session: Session, dataset_id: int) -> dict[int, tuple[CvatPull, Job | None]]:
    """batch -> its newest pull and that one's job, of a dataset."""
    last = (
        select(func.max(CvatPull.id))
        .join(CvatBatch, CvatBatch.id == CvatPull.batch_id)
        .where(CvatBatch.dataset_id == dataset_id)
        .group_by(CvatPull.batch_id)
    )
    query = select(CvatPull, Job).join(Job, Job.id == CvatPull.job_id, isouter=True).where(CvatPull.id.in_(last))
    return {pull.batch_id: (pull, job) for pull, job in session.execute(query)}


def done_samples(session: Session, pull_id: int) -> set[int]:
    """Samples that have their line already."""
    return set(session.scalars(select(CvatLine.sample_id).where(CvatLine.pull_id == pull_id)))


def totals(session: Session, pull_id: int) -> list[Total]:
    """By annotator and outcome."""
    query = (
        select(CvatLine.annotator, CvatLine.outcome, func.count(), func.sum(CvatLine.pixels))
        .where(CvatLine.pull_id == pull_id)
        .group_by(CvatLine.annotator, CvatLine.outcome)
        .order_by(CvatLine.annotator, CvatLine.outcome)
    )
    return [
        Total(annotator, outcome, count, int(pixels)) for annotator, outcome, count, pixels in session.execute(query)
    ]


def counts(session: Session, pull_id: int) -> dict[str, int]:
    """outcome -> samples."""
    query = select(CvatLine.outcome, func.count()).where(CvatLine.pull_id == pull_id).group_by(CvatLine.outcome)
    return dict(session.execute(query).all())


def decided(session: Session, pull_id: int) -> dict[str, Batch]:
    """Who a pull's decisions are by -> the batch of those."""
    ids = select(CvatLine.decided_id).where(CvatLine.pull_id == pull_id)
    return {batch.actor_name: batch for batch in session.scalars(select(Batch).where(Batch.id.in_(ids)))}


def news(session: Session, pull_id: int) -> bool:
    """Whether a pull changed anything."""
    told = or_(CvatLine.after_id.is_not(None), CvatLine.decided_id.is_not(None))
    return session.scalar(select(CvatLine.sample_id).where(CvatLine.pull_id == pull_id, told).limit(1)) is not None


def of_sample(session: Session, sample_id: int) -> list[tuple[CvatLine, CvatPull]]:
    """What pulls said of a sample, the newest first."""
    query = select(CvatLine, CvatPull).join(CvatPull, CvatPull.id == CvatLine.pull_id)
    return list(session.execute(query.where(CvatLine.sample_id == sample_id).order_by(CvatPull.id.desc())))


def pull_of(session: Session, revision_ids: Sequence[int]) -> dict[int, int]:
    """revision -> the pull that made it."""
    query = select(CvatLine.after_id, CvatLine.pull_id).where(CvatLine.after_id.in_(revision_ids))
    return {revision: pull for revision, pull in session.execute(query.order_by(CvatLine.pull_id.desc())) if revision}


def drop(session: Session, pull: CvatPull) -> None:
    """Forget a pull that nobody asked for and that found nothing."""
    session.execute(delete(CvatLine).where(CvatLine.pull_id == pull.id))
    session.delete(pull)


def drop_failed(session: Session, pull: CvatPull) -> None:
    """Forget earlier pulls of that batch that nobody asked for, that failed and took nothing: the newest says it."""
    told = select(CvatLine.pull_id).where(CvatLine.pull_id == CvatPull.id).exists()
    earlier = (CvatPull.batch_id == pull.batch_id, CvatPull.id < pull.id, CvatPull.origin != "person")
    session.execute(delete(CvatPull).where(*earlier, CvatPull.state == "failed", ~told))


def answers(session: Session, dataset_id: int, server: str) -> dict[int, CvatAnswer]:
    """label -> what was asked about it, answered or not."""
    query = select(CvatAnswer).where(CvatAnswer.dataset_id == dataset_id, CvatAnswer.server == server)
    return {one.label_id: one for one in session.scalars(query)}


def questions(session: Session, dataset_id: int, server: str | None = None) -> list[CvatAnswer]:
    """Labels, of one server or of all, that somebody has to answer for."""
    query = select(CvatAnswer).where(CvatAnswer.dataset_id == dataset_id, CvatAnswer.answer.is_(None))
    if server is not None:
        query = query.where(CvatAnswer.server == server)
    return list(session.scalars(query.order_by(CvatAnswer.server, CvatAnswer.label_id)))


def about_label(session: Session, dataset_id: int, label_id: int) -> list[CvatAnswer]:
    """What was asked about a label of that number, a row for each server."""
    query = select(CvatAnswer).where(CvatAnswer.dataset_id == dataset_id, CvatAnswer.label_id == label_id)
    return list(session.scalars(query.order_by(CvatAnswer.server)))


def ask(session: Session, batch: CvatBatch, label_id: int, name: str, colour: str) -> None:
    """Note a question, once; the label's name and colour are those of now."""
    row = session.get(CvatAnswer, (batch.dataset_id, batch.server, label_id))
    if row is None:
        row = CvatAnswer(dataset_id=batch.dataset_id, server=batch.server, label_id=label_id)
        session.add(row)
    row.name, row.colour = name, colour[:7]
