"""Predicted probabilities in one file: written sample by sample, read one at a time. Free of torch.

Each row says which sample it is of, and which run and fold made it; ``classes`` are ids in the order of the first axis.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.container import Reader, Ref, Writer
from ml.errors import Refused

MAGIC = b"remask-predictions"
DTYPES = ("uint8", "float16")
STRIP = 1 << 22  # pixels of a large picture whose probabilities are in memory at a time


@dataclass(frozen=True)
class Prediction:
    """One sample to write: ``probabilities`` (classes, H, W) float of 0..1, or of a large picture bands (classes, rows,
    W) of it from top to bottom; ``fold`` None outside of K folds."""

    key: str
    probabilities: NDArray[Any] | Iterator[NDArray[Any]]
    fold: int | None = None


@dataclass(frozen=True)
class Predicted:
    """A row of an open file."""

    key: str
    fold: int | None
    run: str
    shape: tuple[int, int, int]
    ref: Ref


@dataclass(frozen=True)
class Predictions:
    """An open file. ``classes``: ids of the classes. ``meta``: snapshot, model or folds, as given to ``write``."""

    hash: str
    classes: tuple[int, ...]
    meta: Mapping[str, Any]
    rows: Mapping[str, Predicted]
    reader: Reader

    def probabilities(self, key: str) -> NDArray[np.float32]:
        """(classes, H, W) of 0..1. Raises Refused for a sample that isn't there."""
        return _unpacked(self.stored(key))

    def stored(self, key: str) -> NDArray[Any]:
        """As ``probabilities``, as they lie in the file: a read-only view, uint8 (255 = 1) or float16."""
        if key not in self.rows:
            raise Refused(f"There is no prediction of {key}.")
        return self.reader.array(self.rows[key].ref)

    def bands(self, key: str) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """``probabilities`` some rows at a time, from top to bottom, and which rows they are."""
        stored = self.stored(key)
        rows = max(1, STRIP // stored.shape[2])
        for top in range(0, stored.shape[1], rows):
            here = slice(top, min(top + rows, stored.shape[1]))
            yield here, _unpacked(stored[:, here])


def write(
    path: Path,
    predictions: Iterable[Prediction],
    classes: Sequence[int],
    *,
    run: str,
    meta: Mapping[str, Any],
    dtype: str = "uint8",
) -> str:
    """Streams ``predictions`` into ``path``; returns the file's hash. ``dtype``: uint8 (steps of 1/255) or float16."""
    if dtype not in DTYPES:
        raise Refused(f"Predictions are stored as {' or '.join(DTYPES)}, not as {dtype}.")
    with Writer(path.parent, MAGIC) as writer:
        rows = []
        for one in predictions:
            found = one.probabilities
            if isinstance(found, np.ndarray):
                array = writer.add(_packed(found, dtype))
            else:
                array = writer.add_bands(_packed(band, dtype) for band in found)
            rows.append({"key": one.key, "fold": one.fold, "run": run, "array": array})
        return writer.close({"classes": list(classes), "meta": dict(meta), "predictions": rows}, path)[0]


def join(path: Path, parts: Sequence[Path], meta: Mapping[str, Any]) -> str:
    """Copies the rows of ``parts`` into one file, an array at a time; returns its hash."""
    with Writer(path.parent, MAGIC) as writer:
        rows: list[dict[str, Any]] = []
        classes: tuple[int, ...] = ()
        for part in parts:
            opened = read(part)
            classes = opened.classes
            for row in opened.rows.values():
                array = writer.add(opened.reader.array(row.ref))
                rows.append({"key": row.key, "fold": row.fold, "run": row.run, "array": array})
        rows.sort(key=lambda row: row["key"])
        return writer.close({"classes": list(classes), "meta": dict(meta), "predictions": rows}, path)[0]


def read(path: Path, *, verify: bool = True) -> Predictions:
    """Opens a file of predictions; raises Refused where it is none or damaged."""
    reader = Reader(path, MAGIC, verify=verify)
    rows = {
        one["key"]: Predicted(one["key"], one["fold"], one["run"], tuple(one["array"][2]), one["array"])
        for one in reader.index["predictions"]
    }
    return Predictions(reader.hash, tuple(reader.index["classes"]), reader.index["meta"], rows, reader)


def _packed(probabilities: NDArray[Any], dtype: str) -> NDArray[Any]:
    values = probabilities.astype(np.float32, copy=False)
    if dtype == "uint8":
        values = values * np.float32(255)
        np.rint(values, out=values)
    return values.astype(dtype)


def _unpacked(stored: NDArray[Any]) -> NDArray[np.float32]:
    steps = 255 if stored.dtype == np.uint8 else 1
    probabilities: NDArray[np.float32] = np.divide(stored, steps, dtype=np.float32)
    return probabilities
