"""Before there is a model: what mask and image alone say. Weak, and marked so wherever it is shown.

Each score lies in [0, 1], larger is worse. None is calibrated: the rank is what counts.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from app.domain.detector.components import components
from app.domain.detector.expect import boundary_of
from app.domain.detector.predicted import F32, I64, Bool, unit_of
from app.domain.detector.sums import total
from app.domain.mask import Mask
from app.domain.picture import Pixels, to_display

SPECK = 12.0  # square units
RUN = 8.0  # units: a straight stretch of boundary this long looks drawn with a ruler
_WEIGHTS = {"off_edges": 0.5, "specks": 0.15, "holes": 0.15, "straight": 0.2}


@dataclass(frozen=True)
class Unaided:
    """``score``: the weighed mean of the others. ``off_edges``: share of the boundary under which the image has no
    more gradient than it usually has. ``specks``: tiny segments, per boundary. ``holes``: tiny segments that lie wholly
    within one other, likewise. ``straight``: share of the boundary in long level or upright stretches that the image
    doesn't have. ``pixel_map`` (H, W) float32: where.
    """

    score: float
    off_edges: float
    specks: float
    holes: float
    straight: float
    pixel_map: F32


def unaided(image: Pixels, given: Mask) -> Unaided:
    """``image`` (H, W) or (H, W, C) and ``given`` (H, W) of one height and width. A constant mask scores 0."""
    mask = given.astype(np.int64)
    shown = to_display(image)
    grey = shown[:, :, :3].mean(axis=2) if shown.ndim == 3 else shown.astype(np.float64)
    unit = unit_of(mask.shape)
    gradient = ndimage.gaussian_gradient_magnitude(grey, unit)
    flat = gradient <= gradient.mean() + 1e-9
    edge = boundary_of(mask)
    length = int(edge.sum())
    labels, count = components(mask)
    areas = np.bincount(labels.ravel(), minlength=count)
    tiny = (areas <= SPECK * unit**2)[labels]
    inside = tiny & _enclosed(labels, count)[labels]
    ruled = _ruled(mask, max(4, round(RUN * unit))) & flat
    off = edge & flat

    def share(of: Bool) -> float:
        return float((of & edge).sum() / length) if length else 0.0

    values = {
        "off_edges": share(off),
        "specks": share(tiny & ~inside),
        "holes": share(inside),
        "straight": share(ruled),
    }
    pixel_map = 0.5 * off + 0.25 * tiny + 0.25 * ruled
    score = sum(_WEIGHTS[name] * value for name, value in values.items())
    return Unaided(score, **values, pixel_map=pixel_map.astype(np.float32))


def _enclosed(labels: I64, count: int) -> Bool:
    """Of each component: it touches one single other one, and not the frame."""
    low, high = np.full(count, count), np.full(count, -1)
    frame = np.zeros(labels.shape, np.bool_)
    frame[[0, -1]] = frame[:, [0, -1]] = True
    for one, two in ((labels[:, 1:], labels[:, :-1]), (labels[1:], labels[:-1])):
        crossing = one != two
        for near, far in ((one[crossing], two[crossing]), (two[crossing], one[crossing])):
            np.minimum.at(low, near, far)
            np.maximum.at(high, near, far)
    at_frame = total(labels, count, frame) > 0
    out: Bool = (low == high) & ~at_frame
    return out


def _ruled(mask: I64, run: int) -> Bool:
    """Pixels on a level or upright stretch of boundary of ``run`` pixels or more."""
    out = np.zeros(mask.shape, np.bool_)
    for turned, where in ((mask, out), (mask.T, out.T)):
        upper, lower = turned[:-1], turned[1:]
        # Which two values meet: a straight stretch is one run of the same two.
        pair = np.where(lower != upper, np.minimum(lower, upper) * 65536 + np.maximum(lower, upper), 0)
        if not pair.size:
            continue
        runs = _runs(pair)
        long = (np.bincount(runs.ravel()) >= run)[runs] & (pair > 0)
        where[:-1] |= long
        where[1:] |= long
    return out


def _runs(values: I64) -> I64:
    """Labels of the runs of equal value along each row."""
    starts = np.ones(values.shape, np.bool_)
    starts[:, 1:] = values[:, 1:] != values[:, :-1]
    return (np.cumsum(starts.ravel()) - 1).reshape(values.shape)
