"""Which of many vectors lie near which, without comparing each with each."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

Vectors = npt.NDArray[np.float32]
Packed = npt.NDArray[np.int8]
Index = npt.NDArray[np.int64]

# Cells of about this many vectors; up to one cell nothing is left out.
_CELL = 2000
_PROBES = 6
_ROWS = 512
_LOOKED_UP = 16


def near(
    queries: Vectors, vectors: Vectors | Packed, least: float, most: int
) -> Iterator[tuple[Index, Index, Vectors]]:
    """Pairs (query, vector, cosine) with a cosine of ``least`` or more; most of them where there are many vectors.

    Both are (N, D) of unit length, which is 127 where vectors are packed. There are cells around some of the vectors,
    and a query is compared with those in the nearest cells; of one cell the nearest ``most`` are enough. Some queries
    at a time, all that is found of each at once. The same input gives the same output.
    """
    cells = max(1, len(vectors) // _CELL)
    chosen = np.random.default_rng(0).choice(len(vectors), cells, replace=False) if cells > 1 else np.zeros(1, np.int64)
    centres = unpacked(vectors[chosen])
    home = _nearest(vectors, centres, 1)[:, 0]
    by_cell = np.argsort(home, kind="stable")
    starts = np.searchsorted(home[by_cell], np.arange(cells + 1))
    visits = _nearest(queries, centres, min(_PROBES, cells))
    together = np.argsort(visits[:, 0], kind="stable")  # who lies near each other asks in the same few cells
    for start in range(0, len(together), _ROWS):
        block = together[start : start + _ROWS]
        found: list[tuple[Index, Index, Vectors]] = []
        for cell in np.unique(visits[block]):
            asking = block[(visits[block] == cell).any(axis=1)]
            inside = by_cell[starts[cell] : starts[cell + 1]]
            cosines = queries[asking] @ unpacked(vectors[inside]).T
            row, column = np.nonzero(_reached(cosines, least, most))
            found.append((asking[row], inside[column], cosines[row, column]))
        asked, answered, cosine = (np.concatenate(parts) for parts in zip(*found, strict=True))
        yield asked, answered, cosine


def unpacked(vectors: Vectors | Packed) -> Vectors:
    """In floats, of unit length."""
    floats = vectors.astype(np.float32)
    return floats / np.float32(127) if vectors.dtype == np.int8 else floats


def _reached(cosines: Vectors, least: float, most: int) -> npt.NDArray[np.bool_]:
    """Which are ``least`` or more, of a row with far more than ``most`` of them only its largest."""
    reached: npt.NDArray[np.bool_] = cosines >= least
    many = np.flatnonzero(reached.sum(axis=1) > 2 * most)
    if len(many):
        crowded = cosines[many]
        reached[many] = crowded >= np.partition(crowded, -most, axis=1)[:, -most, None]
    return reached


def nearest_first(tree: cKDTree, row: int, radius: float) -> Iterator[int]:
    """The other rows of a tree's points within ``radius`` of one, nearest first, then by number; no more are looked up
    than are asked for, or a few times as many."""
    own, given, count = tree.data[row], set[int](), _LOOKED_UP
    while True:
        count = min(count, tree.n)
        apart, near = tree.query(own, k=range(1, count + 1), distance_upper_bound=np.nextafter(radius, np.inf))
        near = np.sort(np.asarray(near)[np.isfinite(apart)])
        squared = ((tree.data[near] - own) ** 2).sum(axis=1)
        # There may be others that lie as far away as the farthest of a full answer; which is first is told by the next.
        full = len(near) == count < tree.n
        for j in np.argsort(squared, kind="stable"):
            one = int(near[j])
            if one not in given and not (full and squared[j] == squared.max()):
                given.add(one)
                if one != row:
                    yield one
        if not full:
            return
        count *= 4


def _nearest(vectors: Vectors | Packed, centres: Vectors, count: int) -> Index:
    """(N, count) of the centres with the largest cosines, the largest first."""
    out = np.empty((len(vectors), count), np.int64)
    for start in range(0, len(vectors), _ROWS):
        cosines = unpacked(vectors[start : start + _ROWS]) @ centres.T
        best = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        order = np.argsort(-np.take_along_axis(cosines, best, axis=1), axis=1, kind="stable")
        out[start : start + _ROWS] = np.take_along_axis(best, order, axis=1)
    return out
