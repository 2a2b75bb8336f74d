"""What a snapshot has to be before anything is trained on it, and how its content groups are dealt into folds."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from ml.errors import Refused
from ml.snapshot import Row, Snapshot


def verify(snapshot: Snapshot, *, ignore_background: bool = False) -> list[str]:
    """Refuses a snapshot that can't be learned from honestly; returns sentences about what is doubtful.

    Raises Refused: a content group in two splits (by name), pseudo-labels in val or test, no labelled samples in train
    or val, fewer than two classes to tell apart in train. Doubtful, but trained: a class that a split lacks.
    """
    home: dict[str, Row] = {}
    for row in snapshot.rows:
        if row.split is None:
            continue
        first = home.setdefault(row.group, row)
        if first.split != row.split:
            raise Refused(
                f"Content group {row.group} is in {first.split} ({first.key}) and in {row.split} ({row.key}); "
                "a group has to stay in one split, or the scores are of pictures that were trained on."
            )
        if row.kind == "pseudo" and row.split != "train":
            raise Refused(f"{row.key} in {row.split} has a pseudo-label; only masks of people may judge a model.")
    for split in ("train", "val"):
        if not any(row.split == split and row.labelled for row in snapshot.rows):
            raise Refused(f"There are no labelled samples in {split}; label some, or change the split.")
    present = {split: count_pixels(_of(snapshot.rows, split)) for split in ("train", "val", "test")}
    targets = [one for one in snapshot.targets if not (ignore_background and one.role == "background")]
    learnable = [one.name for one in targets if present["train"][one.id]]
    if len(learnable) < 2:
        found = f"only {learnable[0]}" if learnable else "none"
        raise Refused(f"Training needs at least two classes to tell apart, and train holds {found}.")
    warnings = []
    for split, pixels in present.items():
        missing = [one.name for one in snapshot.targets if not pixels[one.id]]
        if missing and pixels:
            what = "can't be learned" if split == "train" else "isn't measured there"
            warnings.append(f"No pixel of {', '.join(missing)} in {split}: it {what}.")
    return warnings


def count_pixels(rows: Iterable[Row]) -> Counter[int]:
    """Pixels of each class id over ``rows``."""
    total: Counter[int] = Counter()
    for row in rows:
        total.update(row.pixels)
    return total


def deal(rows: Sequence[Row], folds: int, seed: int) -> dict[str, int]:
    """Deals the content groups of ``rows`` into ``folds`` folds of like size in which the classes are spread evenly.

    Greedy, after iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011): the groups with the rarest class
    first, each to the fold with the fewest samples of that class, then the fewest samples. Returns group -> fold.
    Raises Refused where there are fewer groups than folds.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    if len(groups) < folds:
        raise Refused(f"{len(groups)} content groups can't be dealt into {folds} folds; ask for fewer folds.")
    holds = Counter(id for row in rows for id in row.pixels)
    order = sorted(groups, key=lambda group: _shuffled(group, seed))
    rarest = {
        group: min((id for row in groups[group] for id in row.pixels), key=lambda id: (holds[id], id), default=-1)
        for group in order
    }
    order.sort(key=lambda group: (holds[rarest[group]], rarest[group]))
    sizes = [0] * folds
    counts = [Counter[int]() for _ in range(folds)]
    dealt: dict[str, int] = {}
    for group in order:
        fold = min(range(folds), key=lambda one: (counts[one][rarest[group]], sizes[one], one))
        dealt[group] = fold
        sizes[fold] += len(groups[group])
        counts[fold].update(id for row in groups[group] for id in row.pixels)
    return dealt


def _of(rows: Iterable[Row], split: str) -> list[Row]:
    return [row for row in rows if row.split == split and row.labelled]


def _shuffled(group: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{group}".encode()).digest()
