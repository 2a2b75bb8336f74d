"""How surprised the model usually is, and where: the yardstick that a pixel's surprise is held against.

Surprise of a pixel: log p(likeliest class) - log p(given class), at least 0. Models are always less sure at boundaries
and of rare classes, so the mean over the data set for the given class and the distance to the given boundary is taken
off (and the result divided by the spread, for a score in units that compare over classes).
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from app.domain.detector.predicted import F32, F64, I64, Bool, Scene

EDGES = np.array([0.5, 1.2, 2.3, 3.6, 6.0, 12.0])
BINS = EDGES.size + 1
NEAR = 3.5
# A class and bin with fewer pixels leans on the bin's mean over all classes.
_LEAN = 200.0


def boundary_of(mask: I64) -> Bool:
    """Pixels with a four-neighbour of another value."""
    edge = np.zeros(mask.shape, np.bool_)
    across, down = mask[:, 1:] != mask[:, :-1], mask[1:] != mask[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge


def distance_to(edge: Bool) -> F32:
    """Pixels to the nearest edge pixel; far away where there is none."""
    if not edge.any():
        return np.full(edge.shape, float(max(edge.shape)), np.float32)
    return ndimage.distance_transform_edt(~edge).astype(np.float32)


def surprise_of(scene: Scene, mask: I64) -> F32:
    """log p_max - log p_given, (H, W), from 0 to about 7."""
    return scene.best - np.take_along_axis(scene.log, mask[:, :, None], axis=2)[:, :, 0]


@dataclass(frozen=True)
class Expected:
    """``mean`` and ``spread`` of surprise, (channels, BINS); ``pairs`` (channels, channels): log share of the pixels
    given as one class that are predicted as the other; ``share``: log share of each given class."""

    mean: F64
    spread: F64
    pairs: F64
    share: F64

    def excess(self, surprise: F32, mask: I64, distance: F32) -> tuple[F32, F32]:
        """Surprise less its mean, and the same in units of spread."""
        cell = mask * BINS + np.searchsorted(EDGES, distance)
        less = surprise - self.mean.ravel().astype(np.float32)[cell]
        return less, less / self.spread.ravel().astype(np.float32)[cell]


class Tally:
    """Adds up a data set, sample by sample, into an Expected."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self._sums = np.zeros((3, channels * BINS))
        self._pairs = np.zeros((channels, channels))

    def add(self, scene: Scene, mask: I64) -> None:
        surprise = surprise_of(scene, mask)
        cell = (mask * BINS + np.searchsorted(EDGES, distance_to(boundary_of(mask)))).ravel()
        for row, weights in enumerate((None, surprise.ravel(), surprise.ravel() ** 2)):
            self._sums[row] += np.bincount(cell, weights, minlength=self.channels * BINS)
        pair = (mask * self.channels + scene.top).ravel()
        self._pairs += np.bincount(pair, minlength=self.channels**2).reshape(self._pairs.shape)

    @property
    def given(self) -> F64:
        """Pixels given as each class."""
        out: F64 = self._pairs.sum(axis=1)
        return out

    @property
    def predicted(self) -> F64:
        out: F64 = self._pairs.sum(axis=0)
        return out

    def expected(self, order: I64) -> Expected:
        """With the channels reordered: place i is channel order[i]."""
        count, first, second = (row.reshape(self.channels, BINS)[order] for row in self._sums)
        all_mean = first.sum(axis=0) / np.maximum(count.sum(axis=0), 1)
        all_square = second.sum(axis=0) / np.maximum(count.sum(axis=0), 1)
        mean = (first + _LEAN * all_mean) / (count + _LEAN)
        square = (second + _LEAN * all_square) / (count + _LEAN)
        pairs = self._pairs[np.ix_(order, order)]
        rows = pairs.sum(axis=1, keepdims=True)
        return Expected(
            mean,
            np.sqrt(np.maximum(square - mean**2, 0.01)),
            np.log((pairs + 1) / (rows + self.channels)),
            np.log((rows[:, 0] + 1) / (rows.sum() + self.channels)),
        )
