"""A large sample as the detector looks at it: in cells, so that its cost is bounded; and what was found brought back.

The lengths that the detector goes by follow the picture's side, so that little is lost.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from app.domain.detector.predicted import F32, Bool, Predicted
from app.domain.detector.region import Region, region_of, whole_of
from app.domain.formats import rle
from app.domain.mask import Mask
from app.domain.picture import STRIP

MOST = 4_000_000  # pixels; what has more is looked at in cells


def step_of(shape: tuple[int, ...]) -> int:
    """The side of the cells in which a picture of this height and width is looked at, in pixels; 1: as it is."""
    return max(1, int(np.ceil(np.sqrt(shape[0] * shape[1] / MOST))))


def reduced(predicted: Predicted) -> Predicted:
    """At most about MOST pixels: of each cell the mean of picture and probabilities, and the given pixel in its middle.

    What is larger is read some rows at a time, so that its arrays may lie on the disk.
    """
    step, given = step_of(predicted.given.shape), predicted.given
    if step == 1 or predicted.image.shape[:2] != given.shape or predicted.probabilities.shape[:2] != given.shape:
        return predicted
    middles = (np.minimum(np.arange(0, size, step) + step // 2, size - 1) for size in given.shape)
    image = _means(predicted.image, step)
    if predicted.image.dtype.kind in "bui":
        image = np.rint(image)
    return replace(
        predicted,
        image=image.astype(predicted.image.dtype),
        given=given[np.ix_(*middles)],
        probabilities=_means(predicted.probabilities, step),
    )


def enlarged(region: Region, predicted: Predicted, small: Mask) -> Region:
    """A region of ``reduced(predicted)``, of which ``small`` is the mask, in the frame of ``predicted``: of its cells
    those pixels that are given as it is."""
    given = predicted.given
    step, frame = step_of(given.shape), (given.shape[0], given.shape[1])
    if step == 1:
        return region
    if region.given is None:
        return whole_of(frame, region.reason, region.probability)
    left, top, width, height = region.box
    cells = _cells(region, small.shape)[top : top + height, left : left + width]
    ids = np.unique(small[top : top + height, left : left + width][cells])
    part = given[step * top : step * (top + height), step * left : step * (left + width)]
    inside = np.zeros(part.shape, np.bool_)
    for row, line in enumerate(cells):
        here = slice(step * row, step * (row + 1))
        inside[here] = np.repeat(line, step)[: part.shape[1]] & np.isin(part[here], ids)
    corner = step * top, step * left
    return region_of(inside, region.reason, region.given, region.seen, region.probability, corner, frame)


def _cells(region: Region, shape: tuple[int, ...]) -> Bool:
    encoded = {"size": list(shape), "counts": list(region.counts)}
    return rle.coco_decode(encoded)


def _means(values: npt.NDArray[np.generic], step: int) -> F32:
    """(H, W[, C]) -> (H / step, W / step[, C]), rounded up: the means over cells."""
    height, width = values.shape[:2]
    columns = np.arange(0, width, step)
    wide = np.diff(columns, append=width).astype(np.float32).reshape(-1, *[1] * (values.ndim - 2))
    rows = max(1, STRIP // (width * step)) * step
    out: F32 = np.empty((-(-height // step), columns.size, *values.shape[2:]), np.float32)
    for top in range(0, height, rows):
        strip = values[top : top + rows]
        starts = np.arange(0, len(strip), step)
        high = np.diff(starts, append=len(strip)).astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))
        sums = np.add.reduceat(strip, starts, axis=0, dtype=np.float32)
        out[top // step : top // step + starts.size] = np.add.reduceat(sums, columns, axis=1) / (high * wide)
    return out
