"""Counts of a dataset that are kept in rows: whoever changes what is counted says so in the same transaction.

There is one writer at a time, so adding to a number loses nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Integer, Select, String, cast, delete, func, insert, literal, select, update
from sqlalchemy.orm import Session

from app.domain.status import Status
from app.store.tables import ClassPixels, Raster, Revision, Sample, SampleClass, Tally

Counted = tuple[int, str, str]  # a tally's dataset, kind and name
_CHUNK = 500


def of_dataset(session: Session, dataset_id: int, kind: str) -> dict[str, tuple[int, int]]:
    """name -> (samples, pixels), those of no sample left out."""
    query = select(Tally.name, Tally.samples, Tally.pixels).where(Tally.dataset_id == dataset_id, Tally.kind == kind)
    return {name: (samples, pixels) for name, samples, pixels in session.execute(query.where(Tally.samples > 0))}


def totals(session: Session, kind: str) -> dict[tuple[int, str], int]:
    """(dataset, name) -> samples, over all datasets."""
    query = select(Tally.dataset_id, Tally.name, Tally.samples).where(Tally.kind == kind, Tally.samples > 0)
    return {(dataset, name): samples for dataset, name, samples in session.execute(query)}


def statuses(session: Session, ids: Sequence[int]) -> dict[int, str]:
    """sample -> the status that it is counted by, of at most _CHUNK samples: to be given to ``follow``."""
    return dict(session.execute(select(Sample.id, Sample.status).where(Sample.id.in_(ids))).all())


def enter(session: Session, ids: Sequence[int]) -> None:
    """Count samples that are new."""
    changes: Counter[Counted] = Counter()
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        size = (Raster.width, Raster.height, Raster.channels)
        query = select(Sample.dataset_id, Sample.split, *size).join(Raster, Raster.id == Sample.image_id)
        for dataset, split, *sides in session.execute(query.where(Sample.id.in_(chunk))):
            changes[dataset, "split", split or ""] += 1
            changes[dataset, "size", " x ".join(map(str, sides))] += 1
        follow(session, chunk, {})
    _add(session, changes, Counter())


def follow(session: Session, ids: Sequence[int], before: Mapping[int, str]) -> None:
    """Let the counts follow what the rows of at most _CHUNK samples say now. ``before``: the status that each was
    counted by; one without is new."""
    samples: Counter[Counted] = Counter()
    pixels: Counter[Counted] = Counter()
    were = _shown(session, ids)
    now = _to_show(session, ids)
    columns = (Sample.id, Sample.dataset_id, Sample.status)
    for id, dataset, status in session.execute(select(*columns).where(Sample.id.in_(ids))):
        was = before.get(id)
        for one, shown, sign in ((was, were.get(id, {}), -1), (status, now.get(id, {}), 1)):
            if one is None:
                continue
            samples[dataset, "status", one] += sign
            samples[dataset, "labelled", ""] += sign * bool(shown)
            if one != Status.EXCLUDED:
                for class_id, (_, count, _) in shown.items():
                    samples[dataset, "class", str(class_id)] += sign
                    pixels[dataset, "class", str(class_id)] += sign * count
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


def _shown(session: Session, ids: Sequence[int]) -> dict[int, dict[int, tuple[int, int, float]]]:
    """sample -> class -> (dataset, pixels, worst) as it is kept."""
    found: dict[int, dict[int, tuple[int, int, float]]] = {}
    columns = (SampleClass.sample_id, SampleClass.class_id, SampleClass.dataset_id)
    query = select(*columns, SampleClass.pixels, SampleClass.worst).where(SampleClass.sample_id.in_(ids))
    for id, class_id, dataset, pixels, worst in session.execute(query):
        found.setdefault(id, {})[class_id] = (dataset, pixels, worst)
    return found


def _to_show(session: Session, ids: Sequence[int]) -> dict[int, dict[int, tuple[int, int, float]]]:
    """As ``_shown``, as it follows from the rows."""
    found: dict[int, dict[int, tuple[int, int, float]]] = {}
    for id, class_id, dataset, pixels, worst in session.execute(_derived_rows().where(Sample.id.in_(ids))):
        found.setdefault(id, {})[class_id] = (dataset, pixels, worst)
    return found


def _derived_rows() -> Select[int, int, int, int, float]:
    """The rows of SampleClass as they follow from the others, its columns in order."""
    return (
        select(Sample.id, ClassPixels.class_id, Sample.dataset_id, ClassPixels.pixels, Sample.worst)
        .join(Revision, Revision.id == Sample.current_id)
        .join(ClassPixels, ClassPixels.raster_id == Revision.mask_id)
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


def _replace(
    session: Session,
    were: Mapping[int, Mapping[int, tuple[int, int, float]]],
    now: Mapping[int, Mapping[int, tuple[int, int, float]]],
) -> None:
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
    changes = sorted(one for one in samples.keys() | pixels.keys() if samples[one] or pixels[one])
    keys = (Tally.dataset_id, Tally.kind, Tally.name)
    query = select(*keys).where(Tally.dataset_id.in_({dataset for dataset, _, _ in changes}))
    there = {(dataset, kind, name) for dataset, kind, name in session.execute(query)} if changes else set()
    for one in changes:
        more = {"samples": samples[one], "pixels": pixels[one]}
        dataset, kind, name = one
        if one in there:
            here = update(Tally).where(Tally.dataset_id == dataset, Tally.kind == kind, Tally.name == name)
            session.execute(here.values({column: getattr(Tally, column) + by for column, by in more.items()}))
        else:
            session.execute(insert(Tally).values(dataset_id=dataset, kind=kind, name=name, **more))
