"""Pictures that occur more than once: exactly, or cropped, flipped, shifted, turned a little, in another light.

Each picture leaves descriptors of itself and of nine crops; pairs whose descriptors lie near each other are looked at
again, block by block. From SURE on (share of blocks that one affine motion explains) two pictures are copies and
flagged; from LIKELY on they only share a content group, so that a split doesn't part frames of one scene.
"""

from collections import Counter
from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np

from app.domain.checks.base import Finding, Group, Look, View
from app.domain.checks.descriptor import describe
from app.domain.checks.links import SURE, Kind, links
from app.domain.checks.unions import Unions
from app.domain.classes import ClassList
from app.domain.mask import Mask

# Links that are only likely don't build a content group past this share of the set.
_LARGEST = 0.2
_AT_LEAST = 50
# Copies whose masks differ in more than this share of the pixels are called conflicting; past the other it's plain.
_CONFLICT = 0.02
_PLAIN = 0.2
_WORST = 0.9  # one of the two masks is right, so contamination comes before it


class DuplicateImage:
    name: ClassVar[str] = "duplicate_image"
    title: ClassVar[str] = "Picture that occurs more than once"
    subject: ClassVar[Literal["mask", "image"]] = "image"
    version: ClassVar[int] = 1
    threshold: ClassVar[float] = 0.5

    def __init__(self, _classes: ClassList) -> None:
        self._kinds: dict[str, Kind] = {}
        self._content: dict[int, int] = {}

    def see(self, view: View) -> None:
        """Keeps the hashes, and once for each distinct picture about 1 KB."""
        kind = self._kinds.get(view.image_hash)
        if kind is None:
            kind = self._kinds[view.image_hash] = Kind(view.image_hash, describe(view.image))
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
        for link in links(kinds, copies, content, look):
            one, other = link.one, link.other
            if link.share >= SURE:
                copies.join(one, other)
                content.join(one, other)
                for sample in kinds[one].samples + kinds[other].samples:
                    differ[sample] = max(differ.get(sample, 0.0), link.apart)
            elif content.weight[content.root(one)] + content.weight[content.root(other)] <= largest:
                content.join(one, other)
        for members in content.sets().values():
            samples = [sample for kind in members for sample in kinds[kind].samples]
            self._content.update(dict.fromkeys(samples, min(samples)))
        yield from _judged(kinds, copies, differ, self.threshold)


def _judged(kinds: list[Kind], copies: Unions, differ: dict[int, float], threshold: float) -> Iterator[Finding | Group]:
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


def _exact_conflicts(kinds: list[Kind], look: Look) -> dict[int, float]:
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
