"""How sure a model has to be of a pixel for it to be believed: learned on samples that the model never saw.

A pixel's confidence is the probability of its likeliest class. For each class the held-out pixels predicted as it are
counted by confidence, right and wrong apart, void left out. The class's threshold is the lowest confidence from which
on they are right as often as wished, by the lower end of a one-sided 95 % bootstrap interval over content groups
(Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13): pixels of a picture, and pictures of a group,
err together. Groups are counted in at most ``BLOCKS`` blocks, so the memory doesn't grow with their number.

``reached`` is what to expect of it: thresholds found on one half of the blocks are tried on the other half, both ways.
It is measured against given masks; where those are wrong, a right pixel counts as wrong.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

from app.domain.mask import Mask

BINS, BLOCKS = 256, 100
FEWEST = 8  # blocks that a class has to be seen in, at its threshold
DRAWS, LEVEL = 400, 0.95

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
# Some rows of a picture, and their (classes, rows, W) probabilities of 0..1; bands go from its top to its bottom.
Band = tuple[slice, npt.NDArray[np.floating]]


@dataclass(frozen=True)
class Threshold:
    """One class. ``confidence``: from which on it is believed, 0..1, None for never. Of its held-out pixels from there
    on ``precision`` are right, ``low`` at least; they are ``share`` of those predicted as it. ``best``: the highest
    ``low`` at any confidence, None where it was seen in too few groups."""

    class_id: int
    confidence: float | None
    precision: float | None
    low: float | None
    share: float
    best: float | None


@dataclass(frozen=True)
class Calibration:
    """``wished``: the precision asked for. ``reached``, ``share``: of the believed held-out pixels, how many are right;
    of all, how many are believed; None and 0 where none are. ``expected``: (classes, BINS) uint8, how many of 255
    held-out pixels at least so sure are right. ``floors``: (classes,) first bin that is believed, BINS for never."""

    wished: float
    thresholds: tuple[Threshold, ...]
    reached: float | None
    share: float
    samples: int
    groups: int
    expected: npt.NDArray[np.uint8]
    floors: npt.NDArray[np.int64]

    @property
    def believed(self) -> bool:
        """Whether any class is."""
        return any(one.confidence is not None for one in self.thresholds)

    def read(self, bands: Iterable[Band]) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
        """(H, W) class ids, and (H, W) how sure: ``expected`` where believed, elsewhere 0."""
        ids = np.array([one.class_id for one in self.thresholds], np.uint16)
        seen, sure = [], []
        for _, probabilities in bands:
            place, bins = _bins(probabilities)
            seen.append(ids[place])
            sure.append(np.where(bins >= self.floors[place], self.expected[place, bins], 0).astype(np.uint8))
        return np.concatenate(seen), np.concatenate(sure)


class Tally:
    """Held-out pixels by block, predicted class and confidence. ``ids``: class ids in the order of the predictions."""

    def __init__(self, ids: tuple[int, ...]) -> None:
        self.ids = ids
        self.samples = 0
        self._groups: set[str] = set()
        self._right = np.zeros((BLOCKS, len(ids), BINS), np.int64)
        self._wrong = np.zeros_like(self._right)

    def add(self, group: str, given: Mask, bands: Iterable[Band]) -> None:
        """``given`` (H, W) ids; those that aren't in ``ids`` are void."""
        truth = np.full(65536, -1, np.int64)
        truth[list(self.ids)] = np.arange(len(self.ids))
        block = crc32(group.encode()) % BLOCKS
        for rows, probabilities in bands:
            place, bins = _bins(probabilities)
            true = truth[given[rows]]
            for counts, chosen in ((self._right, true == place), (self._wrong, (true >= 0) & (true != place))):
                found = np.bincount(place[chosen] * BINS + bins[chosen], minlength=len(self.ids) * BINS)
                counts[block] += found.reshape(len(self.ids), BINS)
        self.samples += 1
        self._groups.add(group)

    def calibrate(self, wished: float) -> Calibration:
        """Thresholds for a wished precision, 0..1."""
        right, wrong = _at_least(self._right), _at_least(self._wrong)
        seen = (right[:, :, 0] + wrong[:, :, 0]).any(axis=1)
        floors, low = _floors(right[seen], wrong[seen], wished)
        reached, share = _tried(right[seen], wrong[seen], wished)
        good, bad = right.sum(axis=0), wrong.sum(axis=0)
        precision = _share(good, good + bad)
        rising = np.maximum.accumulate(np.nan_to_num(precision), axis=1)
        thresholds = []
        for at, id in enumerate(self.ids):
            floor, all_of_it = int(floors[at]), good[at, 0] + bad[at, 0]
            never = floor == BINS
            thresholds.append(
                Threshold(
                    class_id=id,
                    confidence=None if never else floor / BINS,
                    precision=None if never else float(precision[at, floor]),
                    low=None if never else float(low[at, floor]),
                    share=0.0 if never else float((good[at, floor] + bad[at, floor]) / all_of_it),
                    best=None if np.isnan(low[at]).all() else float(np.nanmax(low[at])),
                )
            )
        return Calibration(
            wished=wished,
            thresholds=tuple(thresholds),
            reached=reached,
            share=share,
            samples=self.samples,
            groups=len(self._groups),
            expected=np.floor(rising * 255 + 1e-9).astype(np.uint8),
            floors=floors,
        )


def _bins(probabilities: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(H, W) position of the likeliest class, and (H, W) its confidence as 0..BINS - 1."""
    place = probabilities.argmax(axis=0)
    confidence = np.take_along_axis(probabilities, place[None], axis=0)[0]
    return place, np.clip((confidence * BINS).astype(np.int64), 0, BINS - 1)


def _at_least(counts: Counts) -> Counts:
    """Pixels in a bin or above it."""
    return np.flip(np.flip(counts, axis=-1).cumsum(axis=-1), axis=-1)


def _share(part: npt.NDArray[np.generic], whole: npt.NDArray[np.generic]) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: Floats = np.true_divide(part, whole)
    return shares


def _floors(right: Counts, wrong: Counts, wished: float) -> tuple[Counts, Floats]:
    """(classes,) first bin from which on the lower bound is as wished, BINS for none; (classes, BINS) lower bounds,
    NaN where too few blocks show the class. ``right``, ``wrong``: (blocks, classes, BINS), at least so sure."""
    blocks, classes, _ = right.shape
    low = np.full((classes, BINS), np.nan)
    floors = np.full(classes, BINS, np.int64)
    if not blocks:
        return floors, low
    drawn = np.random.default_rng(0).multinomial(blocks, np.full(blocks, 1 / blocks), DRAWS).astype(np.float64)
    for at in range(classes):
        shown = right[:, at] + wrong[:, at]
        enough = (shown > 0).sum(axis=0) >= FEWEST
        if not enough.any():
            continue
        precision = _share(drawn @ right[:, at][:, enough], drawn @ shown[:, enough])
        low[at, enough] = np.nanquantile(precision, 1 - LEVEL, axis=0)
        good = np.flatnonzero(low[at] >= wished)
        if good.size:
            floors[at] = good[0]
    return floors, low


def _tried(right: Counts, wrong: Counts, wished: float) -> tuple[float | None, float]:
    """Precision and share of what would be believed, each half of the blocks by the thresholds of the other."""
    good = bad = total = 0
    for half in (0, 1):
        floors, _ = _floors(right[1 - half :: 2], wrong[1 - half :: 2], wished)
        mine_right, mine_wrong = right[half::2].sum(axis=0), wrong[half::2].sum(axis=0)
        total += int(mine_right[:, 0].sum() + mine_wrong[:, 0].sum())
        for at in np.flatnonzero(floors < BINS):
            good += int(mine_right[at, floors[at]])
            bad += int(mine_wrong[at, floors[at]])
    return (good / (good + bad), (good + bad) / total) if good + bad else (None, 0.0)
