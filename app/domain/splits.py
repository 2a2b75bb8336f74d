"""Which samples train, tune and test: dealt once by content group, kept ever after.

Samples of one content group (copies, crops, near-duplicates of one picture) never part over splits. A split that a
sample has, by import or by an earlier deal, stays; newcomers inherit their group's. Where a group is in two splits
already, its later side (test before val before train keeps its place) is held out.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}
HELD_OUT = "held_out"
_STRONGEST = ("test", "val", "train")


@dataclass(frozen=True)
class Dealt:
    """A sample to deal: its content ``group``, the ``split`` that it has (None: none yet), the ``classes`` it shows."""

    id: int
    group: str
    split: str | None
    classes: frozenset[int]


def deal(samples: Sequence[Dealt]) -> dict[int, str]:
    """sample -> train, val, test or held_out, for every sample.

    Groups without a split are dealt greedily, those with the rarest class first, each to the split that lacks most of
    that class, so that rare classes reach every split (after iterative stratification, Sechidis et al. 2011). Ties are
    broken by a hash of the group, so the same samples give the same split whatever their order.
    """
    groups: dict[str, list[Dealt]] = {}
    for one in samples:
        groups.setdefault(one.group, []).append(one)
    dealt: dict[int, str] = {}
    fresh: list[str] = []
    for group, members in groups.items():
        had = {one.split for one in members if one.split in SHARES}
        if not had:
            fresh.append(group)
            continue
        home = next(split for split in _STRONGEST if split in had)
        dealt |= {one.id: home if one.split in (home, None) else HELD_OUT for one in members}
    holds = Counter(id for one in samples for id in one.classes)
    counts = {split: Counter[int]() for split in SHARES}
    sizes = dict.fromkeys(SHARES, 0)
    for one in samples:
        if (split := dealt.get(one.id, HELD_OUT)) != HELD_OUT:
            counts[split].update(one.classes)
            sizes[split] += 1
    rarest = {
        group: min((id for one in groups[group] for id in one.classes), key=lambda id: (holds[id], id), default=-1)
        for group in fresh
    }
    for group in sorted(fresh, key=lambda group: (holds[rarest[group]], rarest[group], _shuffled(group))):
        split = min(SHARES, key=lambda one: _need(counts[one], sizes[one], SHARES[one], rarest[group]))
        for one in groups[group]:
            dealt[one.id] = split
            counts[split].update(one.classes)
        sizes[split] += len(groups[group])
    return dealt


def _need(counts: Mapping[int, int], size: int, share: float, rarest: int) -> tuple[float, float]:
    """Smaller for the split that has least of the class, then least of everything, measured by its share."""
    return counts.get(rarest, 0) / share, size / share


def _shuffled(group: str) -> str:
    return hashlib.sha256(group.encode()).hexdigest()
