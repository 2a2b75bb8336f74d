"""A frozen data set in one content-hashed file: what training reads, instead of a live database.

``write`` streams samples into a file, ``read`` opens it and verifies its hash. Masks hold class ids as they stand in
the data set; which id is background or void is said by the class list that is frozen with them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ml.container import Reader, Ref, Writer
from ml.errors import Refused

MAGIC = b"remask-snapshot"
SUFFIX = ".snapshot"
SPLITS = ("train", "val", "test")
ROLES = ("foreground", "background", "void")

Split = Literal["train", "val", "test"] | None
Kind = Literal["label", "pseudo"] | None


@dataclass(frozen=True)
class Class:
    """One class: its ``id`` in the masks, ``role`` foreground, background or void, ``colour`` as ``#rrggbb``."""

    id: int
    name: str
    role: str
    colour: str


@dataclass(frozen=True)
class Sample:
    """One sample to write.

    ``image``: (H, W) or (H, W, channels), uint8, uint16, int16, float16 or float32. ``mask``: (H, W), uint8 or uint16,
    or None for a sample without one. ``kind``: ``label``, ``pseudo`` (a model made the mask), None without a mask.
    ``group``: its content group; samples of one group never part over splits. ``weight``: (H, W) float, what each
    pixel counts in the loss (0: nothing), None for 1 everywhere.
    """

    key: str
    group: str
    split: Split
    kind: Kind
    image: NDArray[Any]
    mask: NDArray[Any] | None = None
    weight: NDArray[Any] | None = None


@dataclass(frozen=True)
class Row:
    """One sample of an open snapshot. ``shape``: (H, W, channels). ``pixels``: pixels of each class id in its mask."""

    key: str
    group: str
    split: Split
    kind: Kind
    shape: tuple[int, int, int]
    pixels: Mapping[int, int]
    image: Ref
    mask: Ref | None
    weight: Ref | None

    @property
    def labelled(self) -> bool:
        return self.mask is not None


@dataclass(frozen=True)
class Snapshot:
    """An open snapshot. ``meta``: data set name, class-list version, query, as given to ``write``."""

    path: Path
    hash: str
    classes: tuple[Class, ...]
    meta: Mapping[str, Any]
    rows: tuple[Row, ...]
    reader: Reader

    def image(self, row: Row) -> NDArray[Any]:
        """The pixels as (H, W, channels), a read-only view of the file."""
        return self.reader.array(row.image).reshape(row.shape)

    def mask(self, row: Row) -> NDArray[Any]:
        """The class ids as (H, W). Raises Refused for a sample without a mask."""
        if row.mask is None:
            raise Refused(f"Sample {row.key} has no mask.")
        return self.reader.array(row.mask)

    def weight(self, row: Row) -> NDArray[Any] | None:
        return None if row.weight is None else self.reader.array(row.weight)

    @cached_property
    def targets(self) -> tuple[Class, ...]:
        """The classes a network tells apart, in the order of its outputs: all but void, by id."""
        return tuple(sorted((one for one in self.classes if one.role != "void"), key=lambda one: one.id))

    def with_splits(self, splits: Mapping[str, Split]) -> "Snapshot":
        """The same samples under other splits, by key; a key that isn't named is in no split."""
        unknown = splits.keys() - {row.key for row in self.rows}
        if unknown:
            raise Refused(f"The splits name sample {min(unknown)}, which is not in the snapshot.")
        return replace(self, rows=tuple(replace(row, split=splits.get(row.key)) for row in self.rows))


def write(
    path: Path, samples: Iterable[Sample], classes: Sequence[Class], meta: Mapping[str, Any] | None = None
) -> tuple[str, Path]:
    """Streams ``samples`` into ``path`` (a folder: into ``HASH.snapshot`` there); returns its hash and path.

    Raises Refused, and leaves nothing behind, for a key given twice, shapes or dtypes that don't fit, an id that the
    class list lacks, or a mask without a kind.
    """
    listed = _checked(classes)
    target = None if path.is_dir() else path
    with Writer(path if target is None else path.parent, MAGIC) as writer:
        rows: list[dict[str, Any]] = []
        keys: set[str] = set()
        for sample in samples:
            if sample.key in keys:
                raise Refused(f"Sample {sample.key} is given twice; keys are unique in a snapshot.")
            keys.add(sample.key)
            rows.append(_stored(writer, sample, listed))
        index = {"classes": [asdict(one) for one in classes], "meta": dict(meta or {}), "samples": rows}
        return writer.close(index, target, SUFFIX)


def read(path: Path, *, verify: bool = True) -> Snapshot:
    """Opens a snapshot; raises Refused where the file is none, or its content doesn't match its hash."""
    reader = Reader(path, MAGIC, verify=verify)
    classes = tuple(Class(**one) for one in reader.index["classes"])
    return Snapshot(path, reader.hash, classes, reader.index["meta"], tuple(_rows(reader.index["samples"])), reader)


def _checked(classes: Sequence[Class]) -> set[int]:
    listed = {one.id for one in classes}
    if len(listed) < len(classes):
        raise Refused("The class list gives an id twice.")
    for one in classes:
        if one.role not in ROLES:
            raise Refused(f"Role {one.role!r} of class {one.name} is none of {', '.join(ROLES)}.")
    return listed


def _stored(writer: Writer, sample: Sample, listed: set[int]) -> dict[str, Any]:
    key, image, mask, weight = sample.key, sample.image, sample.mask, sample.weight
    if image.ndim not in (2, 3) or 0 in image.shape or image.dtype == bool:
        raise Refused(
            f"The image of {key} is of shape {image.shape}; it has to be (height, width) or (height, width, n)."
        )
    if sample.split not in (*SPLITS, None):
        raise Refused(f"Split {sample.split!r} of {key} is none of {', '.join(SPLITS)} or nothing.")
    if (mask is None) != (sample.kind is None) or sample.kind not in ("label", "pseudo", None):
        raise Refused(f"Sample {key} has to be of kind label or pseudo if it has a mask, and of none if not.")
    row: dict[str, Any] = {"key": key, "group": sample.group, "split": sample.split, "kind": sample.kind}
    row["shape"] = [*image.shape[:2], image.shape[2] if image.ndim == 3 else 1]
    row["image"] = writer.add(image)
    if mask is not None:
        if mask.shape != image.shape[:2] or mask.dtype not in (np.uint8, np.uint16):
            raise Refused(f"The mask of {key} has to be {image.shape[:2]} of uint8 or uint16, as its image.")
        counts = _counts(mask)
        row["pixels"] = [[int(id), int(counts[id])] for id in np.flatnonzero(counts)]
        for id, _ in row["pixels"]:
            if id not in listed:
                raise Refused(f"The mask of {key} holds class {id}, which is not in the class list.")
        row["mask"] = writer.add(mask)
    if weight is not None:
        if weight.shape != image.shape[:2] or weight.dtype.kind != "f" or not (weight >= 0).all():
            raise Refused(f"The weights of {key} have to be {image.shape[:2]} of floats of at least 0.")
        row["weight"] = writer.add(weight)
    return row


def _counts(mask: NDArray[Any]) -> NDArray[np.int64]:
    """Pixels of each id, counted some rows at a time: what is counted is widened to eight times its size."""
    counts = np.zeros(int(mask.max()) + 1, np.int64)
    rows = max(1, (1 << 22) // mask.shape[1])
    for top in range(0, mask.shape[0], rows):
        counts += np.bincount(mask[top : top + rows].reshape(-1), minlength=counts.size)
    return counts


def _rows(stored: Iterable[dict[str, Any]]) -> Iterator[Row]:
    for one in stored:
        height, width, channels = one["shape"]
        yield Row(
            key=one["key"],
            group=one["group"],
            split=one["split"],
            kind=one["kind"],
            shape=(height, width, channels),
            pixels=dict(one.get("pixels", ())),
            image=one["image"],
            mask=one.get("mask"),
            weight=one.get("weight"),
        )
