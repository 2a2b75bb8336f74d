"""Which candidates are copies indeed: pairs of pictures looked at again, block by block, few of them in memory."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from app.domain.checks.base import Look
from app.domain.checks.candidates import Pairs, candidates
from app.domain.checks.copies import Laid, Match, lay, masks_differ, match, windows
from app.domain.checks.descriptor import WINDOWS, described
from app.domain.checks.luma import resized
from app.domain.checks.unions import Unions
from app.domain.mask import Mask, as_mask

SURE = 0.7
LIKELY = 0.45
# One object that two pictures share explains no more blocks than this.
_BLOCKS = 9
# After so many looks in a row that brought nothing a picture is left alone.
_PATIENCE = 3
_READY = 512  # pictures, about 110 KB each
_TOGETHER = 3  # times as many pairs as there are pictures are put in order at a time


@dataclass(slots=True)
class Kind:
    """One picture, exact: what ``describe`` told of it, its samples and the masks that they carry."""

    hash: str
    described: bytes | None
    samples: list[int] = field(default_factory=list)
    masks: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    """Pictures that are at least likely copies. ``share``: of blocks; ``apart``: how much their masks differ, told of
    sure ones."""

    one: int
    other: int
    share: float
    apart: float


@dataclass(frozen=True)
class _Pair:
    """One of ``Pairs``."""

    one: int
    other: int
    window: int
    flip: tuple[bool, bool]


def links(kinds: list[Kind], copies: Unions, content: Unions, look: Look) -> Iterator[Link]:
    """Links between pictures, those with the nearest descriptors first. What was found has to be joined, sure ones in
    both, before the next is asked for."""
    pictures = _Pictures(kinds, look)
    misses = [0] * len(kinds)
    for pair in _in_turn(_candidates(kinds), copies, content, misses):
        one, other = pair.one, pair.other
        if copies.root(one) == copies.root(other) or max(misses[one], misses[other]) >= _PATIENCE:
            continue
        found = _matched(pictures.laid(one), pictures.laid(other), pair)
        known = content.root(one) == content.root(other)
        likely = found.share >= LIKELY and found.blocks >= _BLOCKS and not known
        if found.share < SURE and not likely:
            misses[one] += 1
            misses[other] += 1
            continue
        misses[one] = misses[other] = 0
        apart = _masks_apart(pictures.mask(one), pictures.mask(other), pair, found) if found.share >= SURE else 0.0
        yield Link(one, other, found.share, apart)


def _candidates(kinds: list[Kind]) -> Pairs | None:
    """Pairs of kinds, by their numbers; None where there can't be any."""
    rows = np.array([i for i, kind in enumerate(kinds) if kind.described is not None], np.int32)
    if len(rows) < 2:
        return None
    found = candidates(*described([kind.described for kind in kinds if kind.described is not None]))
    return Pairs(rows[found.one], rows[found.other], found.window, found.flip)


def _in_turn(pairs: Pairs | None, copies: Unions, content: Unions, misses: list[int]) -> Iterator[_Pair]:
    """The pairs that are open, in an order that comes to the same as theirs, but has a picture's pairs together.

    Of some of the pairs at a time those are told apart that can't come to touch each other through any that are joined:
    whichever of them is first, nothing else follows.
    """
    if pairs is None:
        return
    size = max(1, _TOGETHER * len(misses))
    for start in range(0, len(pairs.one), size):
        still = [
            k
            for k in range(start, min(start + size, len(pairs.one)))
            if copies.root(pairs.one[k]) != copies.root(pairs.other[k])
            and max(misses[pairs.one[k]], misses[pairs.other[k]]) < _PATIENCE
        ]
        ends = np.empty((len(still), 2), np.int64)
        for row, k in zip(ends, still, strict=True):
            row[:] = content.root(pairs.one[k]), content.root(pairs.other[k])
        touch = coo_array((np.ones(len(still), bool), (ends[:, 0], ends[:, 1])), shape=(len(misses), len(misses)))
        apart = connected_components(touch, directed=False)[1][ends[:, 0]]
        for at in np.argsort(apart, kind="stable"):
            k = still[at]
            flip = (bool(pairs.flip[k, 0]), bool(pairs.flip[k, 1]))
            yield _Pair(int(pairs.one[k]), int(pairs.other[k]), int(pairs.window[k]), flip)


class _Pictures:
    """Pictures laid out and their masks, looked at again when they are asked for; the last ones are kept."""

    def __init__(self, kinds: list[Kind], look: Look) -> None:
        self._kinds, self._look = kinds, look
        self._shown = lru_cache(_READY)(self._looked_at)

    def laid(self, kind: int) -> Laid:
        return self._shown(kind)[0]

    def mask(self, kind: int) -> Mask | None:
        """The mask of the first of its samples that has one."""
        one = self._kinds[kind]
        if not one.masks:
            return None
        first = min(one.masks)
        return self._shown(kind)[1].mask() if first == one.samples[0] else self._look(first).mask

    def _looked_at(self, kind: int) -> tuple[Laid, "_Packed"]:
        view = self._look(self._kinds[kind].samples[0])
        return lay(view.image), _Packed(view.mask)


class _Packed:
    """A mask in little memory, whatever its size."""

    def __init__(self, mask: Mask | None) -> None:
        self._told = None if mask is None else (zlib.compress(mask.tobytes(), 1), mask.dtype, mask.shape)

    def mask(self) -> Mask | None:
        if self._told is None:
            return None
        data, dtype, shape = self._told
        return as_mask(np.frombuffer(zlib.decompress(data), dtype).reshape(shape))


def _matched(one: Laid, other: Laid, pair: _Pair) -> Match:
    top, left, share = WINDOWS[pair.window]
    fine = other.fine
    if pair.window:
        side = len(fine)
        start, stop = (
            (round(top * side), round(left * side)),
            (round((top + share) * side), round((left + share) * side)),
        )
        fine = resized(fine[start[0] : stop[0], start[1] : stop[1]], side, side)
    return match(one, windows(fine[:: -1 if pair.flip[0] else 1, :: -1 if pair.flip[1] else 1]))


def _masks_apart(one: Mask | None, other: Mask | None, pair: _Pair, found: Match) -> float:
    if one is None or other is None:
        return 0.0
    top, left, share = WINDOWS[pair.window]
    height, width = other.shape
    cut = other[
        round(top * height) : max(round((top + share) * height), 1),
        round(left * width) : max(round((left + share) * width), 1),
    ]
    return masks_differ(one, cut[:: -1 if pair.flip[0] else 1, :: -1 if pair.flip[1] else 1], found.motion)
