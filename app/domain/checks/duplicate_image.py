"""Pictures that occur more than once: exactly, or cropped, flipped, shifted, turned a little, in another light.

Each picture leaves descriptors of itself and of nine crops; pairs whose descriptors lie near each other are looked at
again, block by block. From SURE on (share of blocks that one affine motion explains) two pictures are copies and
flagged; from LIKELY on they only share a content group, so that a split doesn't part frames of one scene.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from app.domain.checks.base import Finding, Group, Look, View
from app.domain.checks.copies import Laid, Match, lay, masks_differ, match, windows
from app.domain.checks.descriptor import LENGTH, WINDOWS, Description, describe, ways_round
from app.domain.checks.luma import resized
from app.domain.checks.neighbours import Index, Vectors, near
from app.domain.checks.unions import Unions
from app.domain.classes import ClassList
from app.domain.mask import Mask

SURE = 0.7
LIKELY = 0.45
# One object that two pictures share explains no more blocks than this.
_BLOCKS = 9
_COSINE = 0.75
_CANDIDATES = 8
# So many are asked for: others may have been a pair with some of them already.
_ASKED = 32
# After so many looks in a row that brought nothing a picture is left alone.
_PATIENCE = 3
# Links that are only likely don't build a content group past this share of the set.
_LARGEST = 0.2
_AT_LEAST = 50
# Copies whose masks differ in more than this share of the pixels are called conflicting; past the other it's plain.
_CONFLICT = 0.02
_PLAIN = 0.2
_WORST = 0.9  # one of the two masks is right, so contamination comes before it


@dataclass
class _Kind:
    """One picture, exact: its samples and the masks that they carry."""

    hash: str
    description: Description | None
    samples: list[int] = field(default_factory=list)
    masks: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Pair:
    """A candidate: the whole of kind ``one`` looks like a window of kind ``other``, flipped."""

    cosine: float
    one: int
    other: int
    window: int
    flip: tuple[bool, bool]


class DuplicateImage:
    name: ClassVar[str] = "duplicate_image"
    title: ClassVar[str] = "Picture that occurs more than once"
    subject: ClassVar[Literal["mask", "image"]] = "image"
    version: ClassVar[int] = 1
    threshold: ClassVar[float] = 0.5

    def __init__(self, _classes: ClassList) -> None:
        self._kinds: dict[str, _Kind] = {}
        self._content: dict[int, int] = {}

    def see(self, view: View) -> None:
        """Keeps the hashes, and once for each distinct picture about 400 bytes."""
        kind = self._kinds.get(view.image_hash)
        if kind is None:
            kind = self._kinds[view.image_hash] = _Kind(view.image_hash, describe(view.image))
        kind.samples.append(view.sample)
        if view.mask_hash is not None:
            kind.masks[view.sample] = view.mask_hash

    def content_groups(self) -> dict[int, int]:
        """After ``finish``: each sample's content group, named by the smallest sample in it."""
        return self._content

    def finish(self, look: Look) -> Iterator[Finding | Group]:
        """A group for each picture that two or more samples show, then a finding for every sample."""
        kinds = sorted(self._kinds.values(), key=lambda kind: kind.hash)
        for kind in kinds:
            kind.samples.sort()
        weights = [len(kind.samples) for kind in kinds]
        copies, content = Unions(weights), Unions(weights)
        differ = _exact_conflicts(kinds, look)
        largest = max(_AT_LEAST, int(_LARGEST * sum(weights)))
        for one, other, share, apart in _links(kinds, copies, content, look):
            if share >= SURE:
                copies.join(one, other)
                content.join(one, other)
                for sample in kinds[one].samples + kinds[other].samples:
                    differ[sample] = max(differ.get(sample, 0.0), apart)
            elif content.weight[content.root(one)] + content.weight[content.root(other)] <= largest:
                content.join(one, other)
        for members in content.sets().values():
            samples = [sample for kind in members for sample in kinds[kind].samples]
            self._content.update(dict.fromkeys(samples, min(samples)))
        yield from _judged(kinds, copies, differ, self.threshold)


def _judged(
    kinds: list[_Kind], copies: Unions, differ: dict[int, float], threshold: float
) -> Iterator[Finding | Group]:
    findings: list[Finding] = []
    for members in copies.sets().values():
        samples = sorted(sample for kind in members for sample in kinds[kind].samples)
        if len(samples) < 2:
            findings.append(Finding(samples[0], 0.0, False))
            continue
        fingerprint = kinds[members[0]].hash[:16]
        scores = {}
        for kind in members:
            exact = len(kinds[kind].samples) > 1
            for sample in kinds[kind].samples:
                apart = differ.get(sample, 0.0)
                scores[sample] = _score(exact, apart)
                reason = _reason(exact, len(members) > 1, len(samples) - 1, apart)
                findings.append(Finding(sample, scores[sample], scores[sample] >= threshold, reason, fingerprint))
        worst = max(samples, key=lambda sample: (scores[sample], -sample))
        kinds_of = "the same picture" if len(members) == 1 else "copies of one picture"
        apart = differ.get(worst, 0.0)
        tail = f", and masks differ in {_percent(apart)} of the pixels" if apart > _CONFLICT else ""
        yield Group(fingerprint, tuple(samples), scores[worst], True, f"{len(samples)} samples show {kinds_of}{tail}.")
    yield from sorted(findings, key=lambda finding: finding.sample)


def _score(exact: bool, apart: float) -> float:
    base = 0.6 if exact else 0.5
    return base + (_WORST - base) * min(1.0, apart / _PLAIN) if apart > _CONFLICT else base


def _reason(exact: bool, near_too: bool, others: int, apart: float) -> str:
    how = "Exactly the same picture as" if exact and not near_too else "A copy of the picture of"
    start = f"{how} {others} other sample{'s' if others > 1 else ''}"
    return f"{start}, but the masks differ in {_percent(apart)} of the pixels." if apart > _CONFLICT else f"{start}."


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "under 1 %"


def _exact_conflicts(kinds: list[_Kind], look: Look) -> dict[int, float]:
    """For samples of one exact picture: the share of pixels in which the mask differs from the most common one."""
    out: dict[int, float] = {}
    for kind in kinds:
        counts = Counter(kind.masks.values())
        if len(counts) < 2:
            continue
        usual = min(counts, key=lambda mask: (-counts[mask], mask))
        at = {mask: min(s for s, own in kind.masks.items() if own == mask) for mask in counts}
        reference = look(at[usual]).mask
        apart = {mask: _apart(reference, look(at[mask]).mask) for mask in counts}
        for sample, mask in kind.masks.items():
            # The usual mask is as much in question as the other where there are just two of them.
            out[sample] = apart[mask] if mask != usual or counts[usual] > 1 else max(apart.values())
    return out


def _apart(one: Mask | None, other: Mask | None) -> float:
    if one is None or other is None:
        return 0.0
    return 1.0 if one.shape != other.shape else float(np.mean(one != other))


def _links(kinds: list[_Kind], copies: Unions, content: Unions, look: Look) -> Iterator[tuple[int, int, float, float]]:
    """Pairs of kinds that turn out to be at least likely copies: (one, other, share of blocks, how masks differ)."""

    @lru_cache(maxsize=1024)
    def laid(kind: int) -> Laid:
        return lay(look(kinds[kind].samples[0]).image)

    misses = [0] * len(kinds)
    for pair in _candidates(kinds):
        one, other = pair.one, pair.other
        if copies.root(one) == copies.root(other) or max(misses[one], misses[other]) >= _PATIENCE:
            continue
        found = _matched(laid(one), laid(other), pair)
        known = content.root(one) == content.root(other)
        likely = found.share >= LIKELY and found.blocks >= _BLOCKS and not known
        if found.share < SURE and not likely:
            misses[one] += 1
            misses[other] += 1
            continue
        misses[one] = misses[other] = 0
        yield one, other, found.share, _masks_apart(kinds, pair, found, look) if found.share >= SURE else 0.0


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


def _masks_apart(kinds: list[_Kind], pair: _Pair, found: Match, look: Look) -> float:
    first, second = kinds[pair.one], kinds[pair.other]
    if not first.masks or not second.masks:
        return 0.0
    one, other = look(min(first.masks)).mask, look(min(second.masks)).mask
    if one is None or other is None:
        return 0.0
    top, left, share = WINDOWS[pair.window]
    height, width = other.shape
    cut = other[
        round(top * height) : max(round((top + share) * height), 1),
        round(left * width) : max(round((left + share) * width), 1),
    ]
    return masks_differ(one, cut[:: -1 if pair.flip[0] else 1, :: -1 if pair.flip[1] else 1], found.motion)


def _candidates(kinds: list[_Kind]) -> list[_Pair]:
    """Pairs of different kinds with near descriptors, nearest first, at most a few for each kind."""
    rows = [i for i, kind in enumerate(kinds) if kind.description is not None]
    told = [kinds[i].description for i in rows]
    described = [one for one in told if one is not None]
    if len(described) < 2:
        return []
    vectors = np.stack([one.vectors for one in described]).astype(np.float32) / np.float32(127)
    flips = np.stack([one.flips for one in described])
    queries, query_flips, origin = ways_round(vectors[:, 0].copy(), flips[:, 0].copy())
    found = [_nearest_others(*part, origin) for part in near(queries, vectors.reshape(-1, LENGTH), _COSINE)]
    asked, other, window, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
    one = origin[asked]
    best: dict[tuple[int, int], _Pair] = {}
    taken = [0] * len(rows)
    for k in np.lexsort((window, other, -cosines)):
        key = (int(one[k]), int(other[k]))
        if key in best or (key[1], key[0]) in best or taken[key[0]] >= _CANDIDATES:
            continue
        taken[key[0]] += 1
        flip = query_flips[asked[k]] ^ flips[other[k], window[k]]
        best[key] = _Pair(float(cosines[k]), rows[key[0]], rows[key[1]], int(window[k]), (bool(flip[0]), bool(flip[1])))
    return sorted(best.values(), key=lambda pair: (-pair.cosine, pair.one, pair.other))


def _nearest_others(
    asked: Index, answered: Index, cosines: Vectors, origin: Index
) -> tuple[Index, Index, Index, Vectors]:
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
    return asked[kept], other[kept], window[kept], cosines[kept]


def _begins(values: Index) -> npt.NDArray[np.bool_]:
    """Where another value than the one before stands."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]
