"""Counts for the overview."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.elements import ColumnElement

from app.domain.status import Status
from app.store.tables import ClassPixels, Dataset, Flag, Raster, Revision, Sample


@dataclass(frozen=True)
class Size:
    width: int
    height: int
    channels: int
    count: int


@dataclass(frozen=True)
class Share:
    """How much of a class the current masks hold, excluded samples left out."""

    class_id: int
    pixels: int
    images: int


def by_status(session: Session, dataset_id: int) -> dict[str, int]:
    """Every status with its number of samples, in the order of precedence; zeros too."""
    query = select(Sample.status, func.count()).where(Sample.dataset_id == dataset_id).group_by(Sample.status)
    counts = dict(session.execute(query).all())
    return {status.value: counts.get(status.value, 0) for status in Status}


def everywhere_by_status(session: Session) -> dict[str, int]:
    """As ``by_status``, over all datasets."""
    counts = dict(session.execute(select(Sample.status, func.count()).group_by(Sample.status)).all())
    return {status.value: counts.get(status.value, 0) for status in Status}


def by_check(session: Session, dataset_id: int) -> dict[str, int]:
    """Samples with an open flag, by check; excluded samples left out."""
    query = (
        select(Flag.check, func.count(Flag.sample_id.distinct()))
        .join(Sample, Sample.id == Flag.sample_id)
        .where(Flag.dataset_id == dataset_id, Flag.state == "open", Sample.excluded.is_(False))
        .where(Flag.revision_id.is_(None) | (Flag.revision_id == Sample.current_id))
        .group_by(Flag.check)
        .order_by(Flag.check)
    )
    return dict(session.execute(query).all())


def by_split(session: Session, dataset_id: int) -> dict[str, int]:
    """Samples by split; those without one under ``none``."""
    query = select(Sample.split, func.count()).where(Sample.dataset_id == dataset_id).group_by(Sample.split)
    return dict(sorted((split or "none", count) for split, count in session.execute(query)))


def checks(session: Session, dataset_id: int) -> list[str]:
    """The checks that ``by_check`` counts, or did before what they flagged was decided; costs next to nothing."""
    return _apart(session, Flag.check, Flag.dataset_id == dataset_id)


def splits(session: Session, dataset_id: int) -> list[str]:
    """The splits that ``by_split`` counts; costs next to nothing."""
    of_set = Sample.dataset_id == dataset_id
    without = session.scalar(select(Sample.id).where(of_set, Sample.split.is_(None)).limit(1)) is not None
    return sorted(_apart(session, Sample.split, of_set) + ["none"] * without)


def _apart(session: Session, column: InstrumentedAttribute[Any], where: ColumnElement[bool]) -> list[str]:
    """The different values of an indexed column, each found by the one before it, not by reading all rows."""
    values: list[str] = []
    smallest = select(func.min(column)).where(where)
    found = session.scalar(smallest)
    while found is not None:
        values.append(found)
        found = session.scalar(smallest.where(column > found))
    return values


def by_size(session: Session, dataset_id: int) -> list[Size]:
    """The most frequent image size first."""
    size = (Raster.width, Raster.height, Raster.channels)
    query = (
        select(*size, func.count())
        .join(Sample, Sample.image_id == Raster.id)
        .where(Sample.dataset_id == dataset_id)
        .group_by(*size)
        .order_by(func.count().desc(), *size)
    )
    return [Size(*row) for row in session.execute(query)]


def by_class(session: Session, dataset_id: int) -> list[Share]:
    query = (
        select(ClassPixels.class_id, func.sum(ClassPixels.pixels), func.count())
        .join(Revision, Revision.mask_id == ClassPixels.raster_id)
        .join(Sample, Sample.current_id == Revision.id)
        .where(Sample.dataset_id == dataset_id, Sample.excluded.is_(False))
        .group_by(ClassPixels.class_id)
        .order_by(ClassPixels.class_id)
    )
    # The sum of 64-bit numbers is a decimal to PostgreSQL.
    return [Share(id, int(pixels), images) for id, pixels, images in session.execute(query)]


def all_datasets(session: Session) -> list[tuple[Dataset, int, int]]:
    """Every dataset with its number of samples and of samples that have a mask."""
    query = (
        select(Dataset, func.count(Sample.id), func.count(Sample.current_id))
        .join(Sample, Sample.dataset_id == Dataset.id, isouter=True)
        .group_by(Dataset.id)
        .order_by(Dataset.name)
    )
    return list(session.execute(query))
