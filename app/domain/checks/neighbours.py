"""Which of many unit vectors lie near which: cells around some of them, and only the nearest cells are searched."""

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]

# Cells of about this many vectors; up to one cell nothing is left out.
_CELL = 2000
_PROBES = 6
_ROWS = 2048


def near(queries: Vectors, vectors: Vectors, least: float) -> tuple[Index, Index, Vectors]:
    """Pairs (query, vector, cosine) with a cosine of ``least`` or more; most of them where there are many vectors.

    Both are (N, D) of unit length. The same input gives the same output.
    """
    cells = max(1, len(vectors) // _CELL)
    centres = vectors[np.random.default_rng(0).choice(len(vectors), cells, replace=False)] if cells > 1 else vectors[:1]
    probes = min(_PROBES, cells)
    home = _nearest(vectors, centres, 1)[:, 0]
    visits = _nearest(queries, centres, probes)
    found: list[tuple[Index, Index, Vectors]] = []
    for cell in range(len(centres)):
        inside = np.flatnonzero(home == cell)
        asking = np.flatnonzero((visits == cell).any(axis=1))
        for start in range(0, len(asking), _ROWS):
            some = asking[start : start + _ROWS]
            cosines = queries[some] @ vectors[inside].T
            row, column = np.nonzero(cosines >= least)
            found.append((some[row], inside[column], cosines[row, column]))
    return (
        np.concatenate([one[0] for one in found]),
        np.concatenate([one[1] for one in found]),
        np.concatenate([one[2] for one in found]),
    )


def _nearest(vectors: Vectors, centres: Vectors, count: int) -> Index:
    """(N, count) of the centres with the largest cosines."""
    out = np.empty((len(vectors), count), np.int64)
    for start in range(0, len(vectors), _ROWS):
        cosines = vectors[start : start + _ROWS] @ centres.T
        out[start : start + _ROWS] = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
    return out
