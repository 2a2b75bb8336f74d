"""The snapshots that experiments learn from: one moment of a data set, of which each holds another part.

==============  ===================================================================================================
snapshot        train and validation
==============  ===================================================================================================
clean           a sample of what isn't excluded or flagged for its shared mask, with the current masks
contaminated    the same, and as large a share of what is, with the masks as imported; all of that in train
given           the same samples with the masks as imported; there where some were changed
half            half of the content groups of train without their masks
clean_copies    augmented copies of training pictures beside them, in their groups
leaking_copies  as many copies, of the validation pictures, in train: the trap
pseudo-N        half, and what the model of seed N believes about the rest, where it is sure
==============  ===================================================================================================

The test side is that of ``clean`` in all of them.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.domain.copies import copy_of
from app.domain.errors import Conflict
from app.domain.experiments import COPIES, Facts
from app.flows.progress import Progress
from app.flows.snapshot import CantTrain, freeze_together, path_of
from app.store import browse, datasets, samples
from app.store.browse import Filter
from app.store.db import Database
from app.store.members import Arm
from ml import predictions
from ml import snapshot as frozen
from ml.snapshot import Row, Sample, Snapshot

SHARES = {"test": 0.3, "val": 0.15}  # of the samples; train has the rest
SURE = 0.9
RARE_PIXELS, MOST_COPIES = 50, 24
_TRAP = "The trap: train holds augmented copies of the validation pictures, under groups of their own."


class NothingLeft(Conflict):
    """A data set of which no sample can be judged."""


def prepare(db: Database, home: Path, folder: Path, dataset: str, limit: int, progress: Progress) -> None:
    """Write every snapshot but the pseudo-labels' into ``folder``, with at most ``limit`` samples.

    Raises CantTrain or NotFound as ``freeze_together`` does, NothingLeft without a test sample.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arms: tuple[Arm, ...] = ("curated", "without_excluded", "imported")
    written = freeze_together(db, home, dataset, arms, progress)
    current, given, everything = (frozen.read(path_of(home, one)) for one in written)
    flagged = _flagged(db, dataset)
    rows = [row for row in current.rows if row.labelled and row.split is not None and row.key not in flagged]
    spoilt = {row.key for row in everything.rows} - {row.key for row in current.rows} | flagged
    judged = {row.group for row in rows if row.split != "train"}
    found = [row for row in everything.rows if row.key in spoilt and row.labelled and row.split is not None]
    learned = [replace(row, split="train") for row in found if row.group not in judged]
    bad = pick(learned, round(limit * len(learned) / max(1, len(learned) + len(rows))))
    keys = {row.key for row in share(rows, limit - len(bad))}
    clean = _write(folder, "clean", current, (_sample(current, row) for row in current.rows if row.key in keys))
    if not any(row.split == "test" for row in clean.rows):
        raise NothingLeft(
            f"No sample of {dataset} is in the test split, so nothing can be judged; import samples for it."
        )
    if bad:
        both = [*_whole(clean), *(_sample(everything, row) for row in bad)]
        _write(folder, "contaminated", clean, both)
    if _changed(clean, given):
        before = {row.key: row for row in given.rows}
        mixed = (
            _sample(clean, row) if row.split == "test" or row.key not in before else _sample(given, before[row.key])
            for row in clean.rows
        )
        _write(folder, "given", clean, mixed)
    hidden = set(to_hide(clean))
    _write(folder, "half", clean, (_sample(clean, row, hide=row.key in hidden) for row in clean.rows))
    train = [row for row in clean.rows if row.split == "train"]
    val = [row for row in clean.rows if row.split == "val"]
    _write(folder, "leaking_copies", clean, [*_whole(clean), *_copies(clean, val, trap=True)], trap=_TRAP)
    own = [train[at % len(train)] for at in range(len(val))] if train else []
    _write(folder, "clean_copies", clean, [*_whole(clean), *_copies(clean, own, trap=False)])


def facts_of(folder: Path) -> Facts:
    """What the snapshots in ``folder`` offer to experiments."""
    clean = opened(folder, "clean")
    known = {row.key for row in clean.rows}
    contaminated = path(folder, "contaminated")
    bad = sum(row.key not in known for row in frozen.read(contaminated).rows) if contaminated.exists() else 0
    corrected = _changed(clean, opened(folder, "given")) if path(folder, "given").exists() else 0
    roles = [one.role for one in clean.targets]
    rare, copies = _rare(clean)
    return Facts("background" in roles, roles.count("foreground"), bad, corrected, rare, copies)


def path(folder: Path, name: str) -> Path:
    return folder / f"{name}{frozen.SUFFIX}"


def opened(folder: Path, name: str) -> Snapshot:
    return frozen.read(path(folder, name))


def write_pseudo(folder: Path, name: str, predicted: Path) -> dict[str, float | None]:
    """Write ``half`` with pseudo-labels from the predictions of what was hidden there.

    Returns the share of pixels of which the model was sure, and the share of those that the hidden masks confirm.
    """
    clean, half, believed = opened(folder, "clean"), opened(folder, "half"), predictions.read(predicted)
    truth = {row.key: row for row in clean.rows}
    void = {one.id for one in clean.classes} - {one.id for one in clean.targets}
    ids = np.array(believed.classes, dtype=np.uint16)
    counted = Counter[str]()

    def stream() -> Iterator[Sample]:
        for row in half.rows:
            if row.key not in believed.rows:
                yield _sample(half, row)
                continue
            probabilities = believed.probabilities(row.key)
            mask, sure = ids[probabilities.argmax(0)], probabilities.max(0) >= SURE
            given = clean.mask(truth[row.key])
            told = sure & ~np.isin(given, list(void))
            counted.update(pixels=sure.size, sure=int(sure.sum()), told=int(told.sum()))
            counted.update(right=int((mask == given)[told].sum()))
            yield Sample(row.key, row.group, "train", "pseudo", half.image(row), mask, sure.astype(np.float32))

    _write(folder, name, half, stream())
    sure, told = counted["sure"], counted["told"]
    return {"sure": sure / counted["pixels"], "right": counted["right"] / told if told else None}


def share(rows: Sequence[Row], limit: int) -> list[Row]:
    """At most ``limit`` of ``rows``, by the shares of the splits; what val and test don't fill is train's."""
    by_split = {split: [row for row in rows if row.split == split] for split in ("test", "val", "train")}
    if len(rows) <= limit:
        return list(rows)
    kept = [row for split, part in SHARES.items() for row in pick(by_split[split], round(limit * part))]
    return kept + pick(by_split["train"], limit - len(kept))


def pick(rows: Iterable[Row], count: int) -> list[Row]:
    """``count`` of ``rows``: one of each content group before a second one of any, in an order by hash."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: _shuffled(row.key)):
        groups[row.group].append(row)
    ranked = [(rank, _shuffled(group), row) for group, some in groups.items() for rank, row in enumerate(some)]
    ranked.sort(key=lambda one: one[:2])
    return [row for _, _, row in ranked[:count]]


def to_hide(clean: Snapshot) -> list[str]:
    """The training samples whose masks ``half`` leaves out: every second content group, in an order by hash."""
    train = [row for row in clean.rows if row.split == "train"]
    hidden = set(sorted({row.group for row in train}, key=_shuffled)[1::2])
    return [row.key for row in train if row.group in hidden]


def _flagged(db: Database, dataset: str) -> set[str]:
    """Keys of the samples with an open flag because they share their mask with others that look nothing alike."""
    with db.read() as session:
        row = datasets.find(session, dataset)
        ids = browse.ids(session, row.id, Filter(check="shared_mask"))
        return {one.key for one in samples.by_ids(session, row.id, ids)}


def _changed(clean: Snapshot, given: Snapshot) -> int:
    """Samples to learn from whose mask isn't the one that came in."""
    before = {row.key: row for row in given.rows if row.labelled}
    return sum(
        row.split != "test" and row.key in before and not np.array_equal(clean.mask(row), given.mask(before[row.key]))
        for row in clean.rows
    )


def _rare(clean: Snapshot) -> tuple[str, int]:
    """The rarest foreground class of train, and how often its pictures are repeated to make up as much again."""
    train = [row for row in clean.rows if row.split == "train"]
    pixels = Counter[int]()
    for row in train:
        pixels.update(row.pixels)
    present = [one for one in clean.targets if one.role == "foreground" and pixels[one.id]]
    rarest = min(present, key=lambda one: pixels[one.id], default=None)
    if rarest is None:
        return "", 0
    holders = sum(row.pixels.get(rarest.id, 0) >= RARE_PIXELS for row in train)
    few = 0 < holders <= len(train) / 2
    return rarest.name, min(MOST_COPIES, round(len(train) / holders)) if few else 0


def _copies(snapshot: Snapshot, rows: Sequence[Row], *, trap: bool) -> Iterator[Sample]:
    for at, row in enumerate(rows):
        for number in range(COPIES):
            rng = np.random.default_rng([at, number])
            image, mask = copy_of(snapshot.image(row), snapshot.mask(row), rng)
            group = f"copy of {row.group}" if trap else row.group
            yield Sample(f"copy {at}-{number} of {row.key}", group, "train", "label", image, mask)


def _whole(snapshot: Snapshot) -> Iterator[Sample]:
    return (_sample(snapshot, row) for row in snapshot.rows)


def _sample(snapshot: Snapshot, row: Row, *, hide: bool = False) -> Sample:
    mask = None if hide or not row.labelled else snapshot.mask(row)
    kind = None if mask is None else row.kind
    return Sample(row.key, row.group, row.split, kind, snapshot.image(row), mask)


def _write(folder: Path, name: str, like: Snapshot, stream: Iterable[Sample], **meta: str) -> Snapshot:
    try:
        frozen.write(path(folder, name), stream, like.classes, {**like.meta, "experiment": name, **meta})
    except ValueError as error:
        raise CantTrain(str(error)) from error
    return opened(folder, name)


def _shuffled(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
