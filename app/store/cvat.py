"""Batches at CVAT, their frames and labels."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.domain.errors import NotFound
from app.store.jobs import ENDED
from app.store.tables import CvatBatch, CvatFrame, CvatLabel, CvatPull, Job, Raster, Revision, Sample

CLASS, SUGGESTION = "class", "suggestion"


@dataclass(frozen=True)
class Card:
    """A batch as it is listed: ``frames`` counts its samples by state, ``job`` is that of its push."""

    batch: CvatBatch
    frames: dict[str, int]
    job: Job | None


def find(session: Session, id: int) -> CvatBatch:
    """Raises NotFound."""
    batch = session.get(CvatBatch, id)
    if batch is None:
        raise NotFound(f"There is no CVAT batch {id}.")
    return batch


def of_dataset(session: Session, dataset_id: int) -> list[CvatBatch]:
    """The newest first."""
    query = select(CvatBatch).where(CvatBatch.dataset_id == dataset_id).order_by(CvatBatch.id.desc())
    return list(session.scalars(query))


def card(session: Session, batch: CvatBatch) -> Card:
    """One batch as it is listed."""
    counts = select(CvatFrame.state, func.count()).where(CvatFrame.batch_id == batch.id).group_by(CvatFrame.state)
    job = session.get(Job, batch.job_id) if batch.job_id is not None else None
    return Card(batch, dict(session.execute(counts).all()), job)


def cards(session: Session, dataset_id: int) -> list[Card]:
    """The batches of a dataset, the newest first, with what a list shows of them."""
    query = (
        select(CvatBatch, Job)
        .join(Job, Job.id == CvatBatch.job_id, isouter=True)
        .where(CvatBatch.dataset_id == dataset_id)
        .order_by(CvatBatch.id.desc())
    )
    found = list(session.execute(query))
    counts: dict[int, dict[str, int]] = {}
    states = (
        select(CvatFrame.batch_id, CvatFrame.state, func.count())
        .join(CvatBatch, CvatBatch.id == CvatFrame.batch_id)
        .where(CvatBatch.dataset_id == dataset_id)
        .group_by(CvatFrame.batch_id, CvatFrame.state)
    )
    for batch_id, state, count in session.execute(states):
        counts.setdefault(batch_id, {})[state] = count
    return [Card(batch, counts.get(batch.id, {}), job) for batch, job in found]


def with_task(session: Session, task_id: int) -> list[CvatBatch]:
    """Batches that are at CVAT as a task of that number, on whichever server."""
    query = select(CvatBatch).where(CvatBatch.task_id == task_id, CvatBatch.state == "at_cvat")
    return list(session.scalars(query.order_by(CvatBatch.id)))


def due(session: Session, before: datetime) -> list[CvatBatch]:
    """Batches at CVAT that were last pulled (or pushed) before that moment, and that no pull is under way for."""
    last = func.coalesce(CvatBatch.pulled_at, CvatBatch.at)
    pulls = select(CvatPull.id).join(Job, Job.id == CvatPull.job_id).where(CvatPull.batch_id == CvatBatch.id)
    under_way = pulls.where(CvatPull.state == "asked", Job.state.not_in(ENDED)).correlate(CvatBatch).exists()
    query = select(CvatBatch).where(CvatBatch.state == "at_cvat", last < before, ~under_way)
    return list(session.scalars(query.order_by(CvatBatch.id)))


def frames(session: Session, batch_id: int) -> list[CvatFrame]:
    """A batch's frames in the order of their samples; those that were refused are among them."""
    query = select(CvatFrame).where(CvatFrame.batch_id == batch_id).order_by(CvatFrame.sample_id)
    return list(session.scalars(query))


def frames_with_samples(session: Session, batch_id: int) -> list[tuple[CvatFrame, Sample]]:
    query = select(CvatFrame, Sample).join(Sample, Sample.id == CvatFrame.sample_id)
    return list(session.execute(query.where(CvatFrame.batch_id == batch_id).order_by(CvatFrame.sample_id)))


def sizes(session: Session, batch_id: int) -> dict[int, tuple[int, int]]:
    """sample -> width and height of its picture."""
    query = (
        select(Sample.id, Raster.width, Raster.height)
        .join(Raster, Raster.id == Sample.image_id)
        .join(CvatFrame, CvatFrame.sample_id == Sample.id)
        .where(CvatFrame.batch_id == batch_id)
    )
    return {id: (width, height) for id, width, height in session.execute(query)}


@contextmanager
def warm(session: Session, frames: Sequence[CvatFrame]) -> Iterator[None]:
    """Load at once what these few frames' samples and masks will be asked for one by one, and hold it for the length of
    a block: a session forgets what nobody holds."""
    samples = session.scalars(select(Sample).where(Sample.id.in_([one.sample_id for one in frames]))).all()
    ids = {one.current_id for one in samples}
    for one in frames:
        ids |= {one.revision_id, one.suggestion_id, one.base_id, one.ours_id}
    revisions = session.scalars(select(Revision).where(Revision.id.in_(ids - {None}))).all()
    rasters = session.scalars(select(Raster).where(Raster.id.in_({one.mask_id for one in revisions}))).all()
    held = (samples, revisions, rasters)
    yield
    del held


def of_sample(session: Session, sample_id: int) -> list[tuple[CvatFrame, CvatBatch]]:
    """Where a sample is or was at CVAT, the newest first."""
    query = select(CvatFrame, CvatBatch).join(CvatBatch, CvatBatch.id == CvatFrame.batch_id)
    return list(session.execute(query.where(CvatFrame.sample_id == sample_id).order_by(CvatBatch.id.desc())))


def busy(session: Session, sample_ids: Sequence[int]) -> dict[int, str]:
    """sample -> the name of the batch that holds it, for those that are on their way to CVAT or there."""
    found: dict[int, str] = {}
    for start in range(0, len(sample_ids), 500):
        query = (
            select(CvatFrame.sample_id, CvatBatch.name)
            .join(CvatBatch, CvatBatch.id == CvatFrame.batch_id)
            .where(CvatFrame.sample_id.in_(sample_ids[start : start + 500]), CvatFrame.state.in_(("planned", "out")))
            .where(CvatBatch.state != "closed")
        )
        found.update((sample_id, name) for sample_id, name in session.execute(query))
    return found


def labels(session: Session, batch_id: int, kind: str = CLASS) -> dict[int, int]:
    """class -> label of a batch."""
    query = select(CvatLabel.class_id, CvatLabel.label_id).where(CvatLabel.batch_id == batch_id, CvatLabel.kind == kind)
    return dict(session.execute(query).all())


def set_labels(session: Session, batch_id: int, kind: str, found: Mapping[int, int]) -> None:
    for class_id, label_id in found.items():
        session.merge(CvatLabel(batch_id=batch_id, kind=kind, class_id=class_id, label_id=label_id))


def close(session: Session, batch: CvatBatch) -> list[int]:
    """Let a batch rest; its samples that were on their way or there."""
    out = [frame.sample_id for frame in frames(session, batch.id) if frame.state in ("planned", "out")]
    session.execute(
        update(CvatFrame)
        .where(CvatFrame.batch_id == batch.id, CvatFrame.state.in_(("planned", "out")))
        .values(state="closed")
    )
    batch.state = "closed"
    return out
