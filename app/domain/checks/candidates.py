"""Which pictures may be copies of each other: those whose descriptors lie near, a few for each."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.domain.checks.descriptor import LENGTH, WINDOWS, Flips, Packed, ways_round
from app.domain.checks.neighbours import Index, Vectors, near

_COSINE = 0.75
_CANDIDATES = 8
# So many are asked for: others may have been a pair with some of them already.
_ASKED = 32

_Small = npt.NDArray[np.int32]
_Windows = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Pairs:
    """Candidates, nearest first, no two of them twice: the whole of picture ``one`` looks like ``window`` of picture
    ``other``, flipped. (N,) each, ``flip`` (N, 2)."""

    one: _Small
    other: _Small
    window: _Windows
    flip: Flips


def candidates(vectors: Packed, flips: Flips) -> Pairs:
    """Pairs of the pictures that were ``described`` so, at most a few for each."""
    wholes = vectors[:, 0].astype(np.float32) / np.float32(127)
    queries, query_flips, origin = ways_round(wholes, flips[:, 0].copy())
    found = [_nearest_others(*part, origin) for part in near(queries, vectors.reshape(-1, LENGTH), _COSINE)]
    asked, other, window, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
    del found
    one = origin[asked].astype(np.int32)
    order = np.lexsort((window, other, -cosines))
    kept = order[_few(one[order], other[order], len(vectors))]
    kept = kept[np.lexsort((other[kept], one[kept], -cosines[kept]))]
    flip = query_flips[asked[kept]] ^ flips[other[kept], window[kept]]
    return Pairs(one[kept], other[kept], window[kept], flip)


def _few(one: _Small, other: _Small, count: int) -> Index:
    """Which of these pairs, taken in turn, are no pair yet, nor one too many for ``one``."""
    kept: list[int] = []
    taken, had = bytearray(count), set[int]()
    for k, (a, b) in enumerate(zip(one.data, other.data, strict=True)):
        if taken[a] < _CANDIDATES:
            pair = a * count + b if a < b else b * count + a
            if pair not in had:
                had.add(pair)
                taken[a] += 1
                kept.append(k)
    return np.array(kept, np.int64)


def _nearest_others(
    asked: Index, answered: Index, cosines: Vectors, origin: Index
) -> tuple[_Small, _Small, _Windows, Vectors]:
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
    return asked[kept].astype(np.int32), other[kept].astype(np.int32), window[kept].astype(np.int8), cosines[kept]


def _begins(values: Index) -> npt.NDArray[np.bool_]:
    """Where another value than the one before stands."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]
