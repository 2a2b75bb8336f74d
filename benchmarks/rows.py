"""The rows of a large set, written in bulk: what a real import and the checks leave, but for the bytes of the pixels.

Every sample has a picture and a mask of its own of three classes, scores of two checks, and one in thirty is flagged.
Bytes are shared by all, so a million samples take minutes and not hours: such a set can be browsed and decided, its
pictures can't be opened.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from sqlalchemy import Column, Dialect, Table
from sqlalchemy.orm import Session

from app.domain.actor import person
from app.domain.classes import ClassList
from app.store import datasets, tallies
from app.store.db import Database
from app.store.tables import Base, Blob, ClassPixels, Flag, Raster, Revision, Sample, Score

CHUNK = 20_000
CLASSES = 12
CHECKS = ("shared_mask", "unusual_mask")
SPLITS = ("train", "train", "train", "val", "test")


def fill(db: Database, name: str, count: int) -> int:
    """Write data set ``name`` of ``count`` samples into an empty database; its id."""
    actor = person("benchmark")
    with db.write() as session:
        row = datasets.find_or_create(session, name, actor)
        datasets.set_classes(session, row, ClassList(()).with_ids(range(CLASSES)), actor)
        session.add(Blob(hash="0" * 64, size=1, data=b"\0"))
        id, version = row.id, row.class_version
    random = np.random.default_rng(0)
    for first in range(1, count + 1, CHUNK):
        numbers = range(first, min(first + CHUNK, count + 1))
        with db.write() as session:
            for table, rows in _rows(id, version, numbers, random):
                _write(session, table, rows)
            _write(session, Flag, list(_flags(session, id, numbers)))
    with db.write() as session:
        tallies.rebuild(session)
    return id


def _write(session: Session, table: type[Base], rows: list[dict[str, Any]]) -> None:
    """Insert rows that all have the same columns, past SQLAlchemy, which would take most of the time."""
    if not rows:
        return
    dialect = session.get_bind().dialect
    plain: Table = table.metadata.tables[table.__tablename__]
    made = {one.name: _default(one, dialect) for one in plain.columns if one.default and one.name not in rows[0]}
    values = ((*row.values(), *made.values()) for row in rows)
    names = ", ".join(f'"{name}"' for name in (*rows[0], *made))
    cursor: Any = session.connection().connection.cursor()
    if dialect.name == "sqlite":
        marks = ", ".join("?" * (len(rows[0]) + len(made)))
        cursor.executemany(f'INSERT INTO "{plain.name}" ({names}) VALUES ({marks})', values)  # noqa: S608
        return
    with cursor.copy(f'COPY "{plain.name}" ({names}) FROM STDIN') as copy:
        for row in values:
            copy.write_row(row)


def _default(column: Column[Any], dialect: Dialect) -> Any:
    """What the tables give a column by themselves, as the driver takes it."""
    default: Any = column.default
    value = default.arg(None) if default.is_callable else default.arg
    processed = column.type.bind_processor(dialect)
    return processed(value) if processed else value


def _rows(
    dataset: int, version: int, numbers: range, random: np.random.Generator
) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    """The rows of one chunk, table by table. Sample n has revision n and the rasters 2 n - 1 and 2 n."""
    values = random.random((len(numbers), len(CHECKS)))
    values[:, 0] = [
        0.9 + value / 10 if _flagged(n) else 0.9 * value for n, value in zip(numbers, values[:, 0], strict=True)
    ]
    shown = random.integers(0, CLASSES, (len(numbers), 3))
    size = {"width": 64, "height": 64, "channels": 1, "dtype": "uint8", "blob": "0" * 64}
    yield (
        Raster,
        [
            {"id": 2 * n - 1 + mask, "pixel_hash": _hash(n, mask), "codec": ("png", "ids")[mask], **size}
            for n in numbers
            for mask in (0, 1)
        ],
    )
    yield (
        ClassPixels,
        [
            {"raster_id": 2 * n, "class_id": int(one), "pixels": 4096 // len(set(ids))}
            for n, ids in zip(numbers, shown, strict=True)
            for one in set(ids)
        ],
    )
    yield Sample, [_sample(dataset, n, float(value)) for n, value in zip(numbers, values[:, 0], strict=True)]
    made = {"class_version": version, "source": "import", "actor_kind": "import", "actor_name": "benchmark"}
    yield Revision, [{"id": n, "sample_id": n, "mask_id": 2 * n, "state": "current", **made} for n in numbers]
    yield (
        Score,
        [
            {
                "dataset_id": dataset,
                "sample_id": n,
                "revision_id": n,
                "check": check,
                "version": 1,
                "value": float(value),
            }
            for n, row in zip(numbers, values, strict=True)
            for check, value in zip(CHECKS, row, strict=True)
        ],
    )


def _sample(dataset: int, n: int, value: float) -> dict[str, Any]:
    flagged = _flagged(n)
    return {
        "id": n,
        "dataset_id": dataset,
        "key": f"sol{n % 977:04}/frame_{n:08}",
        "image_id": 2 * n - 1,
        "current_id": n,
        "split": SPLITS[n % len(SPLITS)],
        "status": "flagged" if flagged else "unreviewed",
        "worst": value if flagged else 0.0,
        "worst_check": CHECKS[0] if flagged else None,
    }


def _flags(session: Session, dataset: int, numbers: range) -> Iterator[dict[str, Any]]:
    worst = dict(session.query(Sample.id, Sample.worst).where(Sample.id.between(numbers[0], numbers[-1])).all())
    about = {"dataset_id": dataset, "check": CHECKS[0], "version": 1, "reason": "a generated flag", "state": "open"}
    for n in numbers:
        if _flagged(n):
            yield {"sample_id": n, "revision_id": n, "score": worst[n], **about}


def _flagged(n: int) -> bool:
    return n % 30 == 0


def _hash(n: int, mask: int) -> str:
    return hashlib.sha256(b"%d/%d" % (n, mask)).hexdigest()
