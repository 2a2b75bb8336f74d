"""Sums and means over the pixels of each label of a label image."""

import numpy as np
import numpy.typing as npt

from app.domain.detector.predicted import F32, F64, I64, Bool


def total(labels: I64, count: int, values: npt.NDArray[np.generic]) -> F64:
    """The sum of ``values`` over the pixels of each label, (count,)."""
    return np.bincount(labels.ravel(), weights=values.ravel(), minlength=count).astype(np.float64, copy=False)


class Kept:
    """Some labels of a label image, renumbered from 1 so that all others are 0: means over each."""

    def __init__(self, labels: I64, count: int, rows: I64) -> None:
        place = np.zeros(count, np.int64)
        place[rows] = np.arange(1, rows.size + 1)
        self.labels = place[labels]
        self.count = rows.size + 1
        self.pixels = np.bincount(self.labels.ravel(), minlength=self.count).astype(np.float64)

    def mean(self, values: npt.NDArray[np.generic]) -> F64:
        return total(self.labels, self.count, values)[1:] / np.maximum(self.pixels[1:], 1)

    def mean_where(self, values: F32, where: Bool) -> F64:
        """The mean over the pixels of each that lie in ``where``; NaN where there is none."""
        picked, weights = self.labels[where], values[where]
        seen = np.bincount(picked, minlength=self.count)[1:]
        sums = np.bincount(picked, weights, minlength=self.count)[1:]
        return np.where(seen > 0, sums / np.maximum(seen, 1), np.nan)

    def peak(self, values: F32) -> F64:
        """The largest value over each, at least 0."""
        inside = self.labels > 0
        out = np.zeros(self.count)
        np.maximum.at(out, self.labels[inside], values[inside])
        return out[1:]

    def shape(self) -> tuple[F64, F64, F64]:
        """Of each: share of its bounding box filled, long over short side, whether it touches the frame."""
        box = boxes(self.labels, self.count)[1:]
        high, wide = box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]
        frame = self.labels.shape
        border = (box[:, 0] == 0) | (box[:, 1] == 0) | (box[:, 2] == frame[0]) | (box[:, 3] == frame[1])
        return self.pixels[1:] / (high * wide), np.maximum(high, wide) / np.minimum(high, wide), border.astype(float)


def boxes(labels: I64, count: int) -> I64:
    """(count, 4): top, left, bottom, right of each label, ends excluded; (0, 0, 1, 1) of a label that isn't there."""
    height, width = labels.shape
    out = np.tile(np.array([0, 0, 1, 1]), (count, 1))
    # The last write wins, so that a reversed pass keeps the first row or column and a forward pass the last.
    for axis, flat, side in ((0, labels.ravel(), width), (1, labels.T.ravel(), height)):
        at = np.repeat(np.arange(labels.shape[axis]), side)
        out[flat[::-1], axis] = at[::-1]
        out[flat, axis + 2] = at + 1
    return out
