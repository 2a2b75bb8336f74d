"""Counts of a dataset that are kept in rows: whoever changes what is counted says so in the same transaction.

There is one writer at a time, so adding to a number loses nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    Integer,
    Select,
    String,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    union_all,
)
from sqlalchemy.orm import Session

from app.domain.status import Status
from app.store.tables import ClassPixels, Raster, Revision, Sample, SampleClass, Tally

Counted = tuple[int, str, str]  # a tally's dataset, kind and name
Shown = dict[int, tuple[int, int, float]]  # class -> (dataset, pixels, worst)
_CHUNK = 500


@dataclass(frozen=True)
class Moved:
    """A sample that may count otherwise now: the status that it was counted by (None: it is new) and the one it has."""

    id: int
    dataset: int
    was: str | None
    status: str


def of_dataset(session: Session, dataset_id: int, kind: str) -> dict[str, tuple[int, int]]:
    """name -> (samples, pixels), those of no sample left out."""
    query = select(Tally.name, Tally.samples, Tally.pixels).where(Tally.dataset_id == dataset_id, Tally.kind == kind)
    return {name: (samples, pixels) for name, samples, pixels in session.execute(query.where(Tally.samples > 0))}


def totals(session: Session, kind: str) -> dict[tuple[int, str], int]:
    """(dataset, name) -> samples, over all datasets."""
    query = select(Tally.dataset_id, Tally.name, Tally.samples).where(Tally.kind == kind, Tally.samples > 0)
    return {(dataset, name): samples for dataset, name, samples in session.execute(query)}


def enter(session: Session, ids: Sequence[int]) -> None:
    """Count samples that are new."""
    changes: Counter[Counted] = Counter()
    size = (Raster.width, Raster.height, Raster.channels)
    columns = (Sample.id, Sample.dataset_id, Sample.status, Sample.split)
    for start in range(0, len(ids), _CHUNK):
        query = select(*columns, *size).join(Raster, Raster.id == Sample.image_id)
        moved = []
        for id, dataset, status, split, *sides in session.execute(
            query.where(Sample.id.in_(ids[start : start + _CHUNK]))
        ):
            changes[dataset, "split", split or ""] += 1
            changes[dataset, "size", " x ".join(map(str, sides))] += 1
            moved.append(Moved(id, dataset, None, status))
        follow(session, moved)
    _add(session, changes, Counter())


def follow(session: Session, moved: Sequence[Moved]) -> None:
    """Let the counts follow what the rows of at most _CHUNK samples say now."""
    samples: Counter[Counted] = Counter()
    pixels: Counter[Counted] = Counter()
    were, now = _shown(session, [one.id for one in moved])
    for one in moved:
        for status, shown, sign in ((one.was, were.get(one.id, {}), -1), (one.status, now.get(one.id, {}), 1)):
            if status is None:
                continue
            samples[one.dataset, "status", status] += sign
            samples[one.dataset, "labelled", ""] += sign * bool(shown)
            if status != Status.EXCLUDED:
                for class_id, (_, count, _) in shown.items():
                    samples[one.dataset, "class", str(class_id)] += sign
                    pixels[one.dataset, "class", str(class_id)] += sign * count
    _replace(session, were, now)
    _add(session, samples, pixels)


def move_splits(session: Session, splits: Mapping[int, str]) -> None:
    """sample -> the split that it is about to be put into."""
    changes: Counter[Counted] = Counter()
    ids = list(splits)
    for start in range(0, len(ids), _CHUNK):
        query = select(Sample.id, Sample.dataset_id, Sample.split).where(Sample.id.in_(ids[start : start + _CHUNK]))
        for id, dataset, split in session.execute(query):
            changes[dataset, "split", split or ""] -= 1
            changes[dataset, "split", splits[id]] += 1
    _add(session, changes, Counter())


def wrong(session: Session) -> list[str]:
    """What is kept otherwise than it is counted, in words; empty where all is as it should be. Reads every sample."""
    kept = {
        (dataset, kind, name): (samples, pixels)
        for dataset, kind, name, samples, pixels in session.execute(select(*Tally.__table__.columns))
        if samples or pixels
    }
    counted = {
        (dataset, kind, name): (samples, int(pixels))
        for query in _counts()
        for dataset, kind, name, samples, pixels in session.execute(query)
    }
    differ = sorted(one for one in kept.keys() | counted.keys() if kept.get(one) != counted.get(one))
    told = [f"{kind} {name} of dataset {dataset}" for dataset, kind, name in differ]
    are = select(*SampleClass.__table__.columns)
    should = _derived_rows()
    for rows in (are.except_(should), should.except_(are)):
        told += [f"class {row.class_id} of sample {row.sample_id}" for row in session.execute(rows.limit(20))]
    return told


def rebuild(session: Session) -> None:
    """Count everything anew."""
    session.flush()
    session.execute(delete(Tally))
    session.execute(delete(SampleClass))
    names = [column.name for column in SampleClass.__table__.columns]
    session.execute(insert(SampleClass).from_select(names, _derived_rows()))
    for query in _counts():
        session.execute(insert(Tally).from_select(["dataset_id", "kind", "name", "samples", "pixels"], query))


def _shown(session: Session, ids: Sequence[int]) -> tuple[dict[int, Shown], dict[int, Shown]]:
    """What samples show, as it is kept and as it follows from the rows."""
    kept: dict[int, Shown] = {}
    should: dict[int, Shown] = {}
    for derived, id, class_id, dataset, pixels, worst in session.execute(_SHOWN, {"ids": ids}):
        (should if derived else kept).setdefault(id, {})[class_id] = (dataset, pixels, worst)
    return kept, should


def _derived_rows(*before: Any) -> Select[Any]:
    """The rows of SampleClass as they follow from the others: ``before``, then its columns in order."""
    sample, revision, counted = Sample.__table__, Revision.__table__, ClassPixels.__table__
    return (
        select(*before, sample.c.id, counted.c.class_id, sample.c.dataset_id, counted.c.pixels, sample.c.worst)
        .join(revision, revision.c.id == sample.c.current_id)
        .join(counted, counted.c.raster_id == revision.c.mask_id)
    )


def _counts() -> Iterator[Select[int, str, str, int, int]]:
    """Every tally as it follows from the rows: dataset, kind, name, samples, pixels."""
    nothing = literal(0, Integer)

    def of_samples(kind: str, name: Any) -> Select[int, str, str, int, int]:
        return select(Sample.dataset_id, literal(kind), name, func.count(), nothing).group_by(Sample.dataset_id, name)

    yield of_samples("status", Sample.status)
    split = func.coalesce(Sample.split, literal("", literal_execute=True))
    yield of_samples("split", split)
    labelled = select(Sample.dataset_id, literal("labelled"), literal(""), func.count(), nothing)
    yield labelled.where(Sample.current_id.is_not(None)).group_by(Sample.dataset_id)
    sides = (Raster.width, Raster.height, Raster.channels)
    name = cast(sides[0], String) + " x " + cast(sides[1], String) + " x " + cast(sides[2], String)
    sized = select(Sample.dataset_id, literal("size"), name, func.count(), nothing)
    yield sized.join(Raster, Raster.id == Sample.image_id).group_by(Sample.dataset_id, *sides)
    by_class = (SampleClass.dataset_id, SampleClass.class_id)
    shares = (func.count(), func.sum(SampleClass.pixels))
    yield (
        select(by_class[0], literal("class"), cast(by_class[1], String), *shares)
        .join(Sample, Sample.id == SampleClass.sample_id)
        .where(Sample.status != Status.EXCLUDED.value)
        .group_by(*by_class)
    )


def _replace(session: Session, were: Mapping[int, Shown], now: Mapping[int, Shown]) -> None:
    """Write what differs of the samples' classes: a sample's rows at once."""
    differ = [id for id in were.keys() | now.keys() if were.get(id) != now.get(id)]
    gone = [id for id in differ if id in were]
    if gone:
        session.execute(delete(SampleClass).where(SampleClass.sample_id.in_(gone)))
    names = ("dataset_id", "pixels", "worst")
    rows = [
        {"sample_id": id, "class_id": class_id, **dict(zip(names, says, strict=True))}
        for id in sorted(differ)
        for class_id, says in now.get(id, {}).items()
    ]
    if rows:
        session.execute(insert(SampleClass), rows)


def _add(session: Session, samples: Counter[Counted], pixels: Counter[Counted]) -> None:
    names = ("dataset_id", "kind", "name")
    changes: Iterable[Counted] = sorted(one for one in samples.keys() | pixels.keys() if samples[one] or pixels[one])
    rows = [dict(zip(names, one, strict=True), samples=samples[one], pixels=pixels[one]) for one in changes]
    if rows:
        session.execute(_MORE, rows)


# Every decision asks these, so they are built once.
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_kept = SampleClass.__table__.c
_SHOWN = union_all(
    select(literal(0), _kept.sample_id, _kept.class_id, _kept.dataset_id, _kept.pixels, _kept.worst).where(
        _kept.sample_id.in_(_IDS)
    ),
    _derived_rows(literal(1)).where(Sample.__table__.c.id.in_(_IDS)),
)
_MORE = text(
    "INSERT INTO tally (dataset_id, kind, name, samples, pixels) VALUES (:dataset_id, :kind, :name, :samples, :pixels) "
    "ON CONFLICT (dataset_id, kind, name) "
    "DO UPDATE SET samples = tally.samples + excluded.samples, pixels = tally.pixels + excluded.pixels"
)
