"""Which pictures may be copies of each other: those whose descriptors lie near, a few for each."""

from array import array
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from app.domain.checks.descriptor import LENGTH, WINDOWS, Flips, Packed, ways_round
from app.domain.checks.neighbours import Index, Vectors, near, unpacked

_COSINE = 0.75
_CANDIDATES = 8
# So many are asked for: others may have been a pair with some of them already.
_ASKED = 32
_ENOUGH = (_ASKED + 1) * len(WINDOWS)  # the windows of so many, and a picture's own
_BANDS = (2.0, 0.96, 0.93, 0.9, 0.87, 0.84, 0.81, 0.78, 0.0)

Whole = npt.NDArray[np.signedinteger]


@dataclass(frozen=True)
class Pairs:
    """Candidates, nearest first, no two of them twice: the whole of picture ``one`` looks like ``window`` of picture
    ``other``, flipped. (N,) each, ``flip`` (N, 2)."""

    one: Whole
    other: Whole
    window: Whole
    flip: Flips


def candidates(vectors: Packed, flips: Flips) -> Pairs:
    """Pairs of the pictures that were ``described`` so, at most a few for each."""
    queries, query_flips, origin = ways_round(unpacked(vectors[:, 0]), flips[:, 0].copy())
    found = [_nearest_others(*part, origin) for part in near(queries, vectors.reshape(-1, LENGTH), _COSINE, _ENOUGH)]
    cosines = np.concatenate([part.pop() for part in found])
    window = np.concatenate([part.pop() for part in found])
    other = np.concatenate([part.pop() for part in found])
    asked = np.concatenate([part.pop() for part in found])
    kept = _few(asked, other, window, cosines, origin)
    one, other, window = origin[asked[kept]].astype(np.int32), other[kept], window[kept]
    flip = query_flips[asked[kept]] ^ flips[other, window]
    order = np.lexsort((other, one, -cosines[kept]))
    return Pairs(one[order], other[order], window[order], flip[order])


def _few(asked: Whole, other: Whole, window: Whole, cosines: Vectors, origin: Index) -> Index:
    """Which of these, taken nearest first, are no pair yet, nor one too many for the picture that ``origin`` tells."""
    count = int(origin.max()) + 1
    kept, taken, having = array("q"), bytearray(count), array("i", bytes(4 * count * _CANDIDATES))
    for high, low in pairwise(_BANDS):  # to put all of them in order at once takes as much memory as they do
        band = np.flatnonzero((cosines < high) & (cosines >= low))
        band = band[np.lexsort((window[band], other[band], -cosines[band]))]
        for k, a, b in zip(band.data, origin[asked[band]].data, other[band].data, strict=True):
            if taken[a] >= _CANDIDATES:
                continue
            of_a, of_b = a * _CANDIDATES, b * _CANDIDATES
            if b not in having[of_a : of_a + taken[a]] and a not in having[of_b : of_b + taken[b]]:
                having[of_a + taken[a]] = b
                taken[a] += 1
                kept.append(k)
    return np.array(kept, np.int64)


def _nearest_others(asked: Index, answered: Index, cosines: Vectors, origin: Index) -> list[npt.NDArray[Any]]:
    """Of what is near each query, of the picture ``origin`` tells: the nearest window of each other picture, of at most
    _ASKED of them. (query, picture, window, cosine)."""
    apart = origin[asked] != answered // len(WINDOWS)
    asked, answered, cosines = asked[apart], answered[apart], cosines[apart]
    other, window = answered // len(WINDOWS), answered % len(WINDOWS)
    order = np.lexsort((window, -cosines, other, asked))
    asked, other, window, cosines = asked[order], other[order], window[order], cosines[order]
    first = _begins(asked) | _begins(other)
    asked, other, window, cosines = asked[first], other[first], window[first], cosines[first]
    order = np.lexsort((other, -cosines, asked))
    asked, other, window, cosines = asked[order], other[order], window[order], cosines[order]
    starts = np.flatnonzero(_begins(asked))
    rank = np.arange(len(asked)) - np.repeat(starts, np.diff(np.append(starts, len(asked))))
    kept = rank < _ASKED
    return [
        asked[kept].astype(np.int32),
        other[kept].astype(np.int32),
        window[kept].astype(np.int8),
        cosines[kept],
    ]


def _begins(values: Index) -> npt.NDArray[np.bool_]:
    """Where another value than the one before stands."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]
