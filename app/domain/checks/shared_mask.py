"""Masks that different pictures share though nobody draws such a mask twice: contamination groups.

A shared mask alone says little: constant masks and thin frames repeat honestly, and so do the masks of copies of one
picture. What says much is a mask that takes many bits to describe, on pictures that show different scenes. The
evidence of a group is compared with what chance would need: if n masks of the set are at least as simple and honest
masks repeat as if a share HONESTY of their bits were drawn freely, then K different pictures share one by chance
where HONESTY * bits < log2(n) * K / (K - 1). The ratio r of the two sides gives the score r^2 / (1 + r^2).
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from app.domain.checks.base import Finding, Group, Look, View
from app.domain.checks.edges import edge_fit
from app.domain.checks.maskpair import fit, ways
from app.domain.checks.neighbours import nearest_first
from app.domain.checks.outline import Outline, outline
from app.domain.checks.scene import SAME, Scene, agreement, scene
from app.domain.classes import ClassList
from app.domain.mask import Mask

# Measured: frames and straight cuts repeat dozens of times at 60 bits, free-hand outlines never do at 100.
HONESTY = 0.15
_FEWEST = 128
# Near copies are looked for among masks that can't be alike by accident, this far apart at most by signature.
_NEAR_BITS = 75.0
_RADIUS = 0.18
_MISSES = 5
# Different pictures are counted among at most so many members.
_COUNTED = 48


@dataclass
class _Kind:
    """One mask, exact: who has it, in which picture."""

    hash: str
    outline: Outline
    members: list[tuple[str, int]]


@dataclass(frozen=True)
class _Gathered:
    """Kinds that are copies of the first one; ``flips`` lays each on it, ``common`` is the bits that each shares,
    ``doubts`` the bits that each costs where a flip or shift had to be looked for."""

    kinds: list[_Kind]
    flips: list[tuple[bool, bool]]
    common: list[float]
    doubts: list[float]


class SharedMask:
    name: ClassVar[str] = "shared_mask"
    title: ClassVar[str] = "Mask shared by different pictures"
    subject: ClassVar[Literal["mask", "image"]] = "mask"
    version: ClassVar[int] = 1
    threshold: ClassVar[float] = 0.5

    def __init__(self, _classes: ClassList) -> None:
        self._kinds: dict[str, _Kind] = {}

    def see(self, view: View) -> None:
        """Keeps the hashes, and once for each distinct mask its outline (about 150 bytes)."""
        if view.mask is None or view.mask_hash is None:
            return
        kind = self._kinds.get(view.mask_hash)
        if kind is None:
            kind = self._kinds[view.mask_hash] = _Kind(view.mask_hash, outline(view.mask), [])
        kind.members.append((view.image_hash, view.sample))

    def finish(self, look: Look) -> Iterator[Finding | Group]:
        """Every group of two or more samples, then a finding for every sample that has a mask."""
        kinds = sorted(self._kinds.values(), key=lambda k: (-len(k.members), k.hash))
        bits = np.sort(np.repeat([k.outline.bits for k in kinds], [len(k.members) for k in kinds]))
        found: dict[int, Finding] = {}
        for gathered in _gather(kinds, look):
            members = tuple(sorted(sample for kind in gathered.kinds for _, sample in kind.members))
            if len(members) < 2:
                continue
            group = self._judge(gathered, members, bits, look)
            yield group
            reason = group.reason if group.flagged else ""
            for sample in members:
                found[sample] = Finding(sample, group.score, group.flagged, reason, group.fingerprint)
        for sample in sorted(sample for kind in kinds for _, sample in kind.members):
            yield found.get(sample) or Finding(sample, 0.0, False)

    def _judge(self, gathered: _Gathered, members: tuple[int, ...], bits: npt.NDArray[np.float64], look: Look) -> Group:
        leader = gathered.kinds[0].outline
        weights = [len(kind.members) for kind in gathered.kinds]
        common = float(np.average(gathered.common, weights=weights))
        simpler = int(np.searchsorted(bits, leader.bits, "right")) - len(members)
        chance = math.log2(max(simpler, _FEWEST)) + float(np.average(gathered.doubts, weights=weights))
        images = _images(gathered)
        best = _score(common, len(images), chance)
        scenes = best >= self.threshold / 2
        pictures = _pictures(images, look) if scenes else len(images)
        score = _score(common, pictures, chance)
        if score >= self.threshold / 2:
            score = _score(common * (1 - 0.7 * _fits(images, look)), pictures, chance)
        flagged = score >= self.threshold
        alike = "share this mask" if len(gathered.kinds) == 1 else "share nearly this mask"
        drawn = f"{leader.classes} classes and {leader.length:,} boundary pixels"
        if flagged and pictures < len(images):
            reason = f"{len(members)} samples {alike} of {drawn}, yet their pictures differ; nobody draws it twice."
        elif flagged:
            reason = f"{len(members)} different pictures {alike} of {drawn}; by chance nobody draws it twice."
        elif scenes and pictures < 2:
            reason = f"{len(members)} copies of one picture {alike}."
        else:
            reason = f"{len(members)} samples {alike}, which is simple enough to occur more than once."
        return Group(gathered.kinds[0].hash[:16], members, score, flagged, reason)


def _score(bits: float, pictures: int, chance: float) -> float:
    if pictures < 2 or bits <= 0:
        return 0.0
    needed = chance * pictures / (pictures - 1)
    ratio = HONESTY * bits / needed
    return ratio * ratio / (1 + ratio * ratio)


def _gather(kinds: list[_Kind], look: Look) -> Iterator[_Gathered]:
    """Each kind with its near copies, those that most samples share first; every kind comes exactly once."""
    free = {i for i in range(len(kinds)) if kinds[i].outline.bits >= _NEAR_BITS}
    near = _Neighbours(kinds, sorted(free))
    for i, kind in enumerate(kinds):
        if i not in free:
            if kind.outline.bits < _NEAR_BITS:
                yield _Gathered([kind], [(False, False)], [kind.outline.bits], [0.0])
            continue
        free.discard(i)
        gathered = _Gathered([kind], [(False, False)], [kind.outline.bits], [0.0])
        misses = 0
        own: Mask | None = None
        for j in near.of(i):
            if j not in free:
                continue
            own = look(kind.members[0][1]).mask if own is None else own
            other = look(kinds[j].members[0][1]).mask
            if own is None or other is None:
                continue
            found = fit(own, other, kind.outline.bits)
            if not found.near:
                misses += 1
                if misses >= _MISSES:
                    break
                continue
            misses = 0
            free.discard(j)
            gathered.kinds.append(kinds[j])
            gathered.flips.append(found.flip)
            gathered.common.append(found.common)
            gathered.doubts.append(math.log2(ways(own.shape)) if found.moved else 0.0)
        yield gathered


class _Neighbours:
    """Kinds within _RADIUS of each other by signature, looked up when asked for."""

    def __init__(self, kinds: list[_Kind], order: list[int]) -> None:
        self._order = order
        self._row = {kind: row for row, kind in enumerate(order)}
        signatures = np.array([kinds[i].outline.signature for i in order], np.float64)
        self._tree = cKDTree(signatures) if order else None

    def of(self, kind: int) -> Iterator[int]:
        """The other kinds, nearest first."""
        if self._tree is not None:
            yield from (self._order[row] for row in nearest_first(self._tree, self._row[kind], _RADIUS))


def _images(gathered: _Gathered) -> list[tuple[int, tuple[bool, bool]]]:
    """One sample for each distinct picture, in an order that doesn't depend on when they were seen, and its flip."""
    first: dict[str, tuple[int, tuple[bool, bool]]] = {}
    for kind, flip in zip(gathered.kinds, gathered.flips, strict=True):
        for image, sample in sorted(kind.members):
            first.setdefault(image, (sample, flip))
    return [first[image] for image in sorted(first)]


def _pictures(images: list[tuple[int, tuple[bool, bool]]], look: Look) -> int:
    """How many different scenes the pictures show, scaled up where only some of them were compared."""
    step = -(-len(images) // _COUNTED)
    leaders: dict[tuple[int, int], list[Scene]] = defaultdict(list)
    taken = images[::step]
    shape = scene(look(taken[0][0]).image).fine.shape
    for sample, flip in taken:
        own = scene(look(sample).image, (shape[0], shape[1]), flip)
        plain = leaders[shape[0], shape[1]]
        if not any(agreement(own, other) >= SAME for other in plain):
            plain.append(own)
    count = sum(len(scenes) for scenes in leaders.values())
    return len(images) if count == len(taken) else max(1, round(count * len(images) / len(taken))) if count > 1 else 1


def _fits(images: list[tuple[int, tuple[bool, bool]]], look: Look) -> float:
    """How well the mask lies on the edges of its pictures, 0..1, over some of them."""
    step = -(-len(images) // 16)
    values = []
    for sample, _ in images[::step]:
        view = look(sample)
        if view.mask is not None:
            values.append(edge_fit(view.image, view.mask))
    return float(np.median(values)) if values else 0.0
