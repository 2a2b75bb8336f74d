"""Counts for the overview."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.elements import ColumnElement

from app.domain.status import Status
from app.store import samples, tallies
from app.store.tables import Dataset, Flag, Sample


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
    counts = tallies.of_dataset(session, dataset_id, "status")
    return {status.value: counts.get(status.value, (0, 0))[0] for status in Status}


def everywhere_by_status(session: Session) -> dict[str, int]:
    """As ``by_status``, over all datasets."""
    counts: Counter[str] = Counter()
    for (_, status), number in tallies.totals(session, "status").items():
        counts[status] += number
    return {status.value: counts[status.value] for status in Status}


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
    counts = tallies.of_dataset(session, dataset_id, "split")
    return dict(sorted((split or "none", number) for split, (number, _) in counts.items()))


def checks(session: Session, dataset_id: int) -> list[str]:
    """The checks that ``by_check`` counts, or did before what they flagged was decided; costs next to nothing."""
    return _apart(session, Flag.check, Flag.dataset_id == dataset_id)


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
    counts = tallies.of_dataset(session, dataset_id, "size")
    found = []
    for name, (number, _) in counts.items():
        width, height, channels = (int(side) for side in name.split(" x "))
        found.append(Size(width, height, channels, number))
    return sorted(found, key=lambda one: (-one.count, one.width, one.height, one.channels))


def by_class(session: Session, dataset_id: int) -> list[Share]:
    counts = tallies.of_dataset(session, dataset_id, "class")
    return sorted((Share(int(id), pixels, images) for id, (images, pixels) in counts.items()), key=lambda s: s.class_id)


def labelled(session: Session, dataset_id: int) -> int:
    """Samples with a mask."""
    return tallies.of_dataset(session, dataset_id, "labelled").get("", (0, 0))[0]


def all_datasets(session: Session) -> list[tuple[Dataset, int, int]]:
    """Every dataset with its number of samples and of samples that have a mask."""
    rows = session.scalars(select(Dataset).order_by(Dataset.name))
    return [(row, samples.count(session, row.id), labelled(session, row.id)) for row in rows]
