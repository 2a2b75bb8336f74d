"""Polygons to pixels, by the rule of COCO's mask API, which CVAT's own exports use too.

The rule (https://github.com/cocodataset/cocoapi): vertices are rounded to a grid of five steps a pixel, edges
are drawn on it, and a column's fill changes where the outline crosses the column's centre; fill is even-odd.
"""

import math

import numpy as np
import numpy.typing as npt

from app.domain.errors import Invalid
from app.domain.formats.rle import Bounds

_SCALE = 5
# A coordinate further out than any picture is wide is an error in the file.
_FAR = 1e8
# Columns that all edges of one polygon cross together; a hand-drawn outline crosses thousands.
_MAX_CROSSINGS = 50_000_000
Points = npt.NDArray[np.float64]


class BadPolygon(Invalid):
    """Coordinates that describe no polygon."""


def points_of(flat: object) -> Points:
    """Points (n, 2) as x, y from a flat list ``x, y, x, y, ...`` or a list of pairs.

    Raises BadPolygon for fewer than three points, an odd count, NaN, infinity or coordinates beyond any picture.
    """
    try:
        values = np.array(flat, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise BadPolygon("a polygon whose coordinates aren't numbers") from None
    if values.size % 2 or values.size < 6 or values.ndim > 2 or (values.ndim == 2 and values.shape[1] != 2):
        raise BadPolygon(f"a polygon of {values.size} coordinates; three points of x and y are the least")
    if not np.isfinite(values).all():
        raise BadPolygon("a polygon with a coordinate that is not a finite number")
    if np.abs(values).max() > _FAR:
        raise BadPolygon("a polygon with a coordinate beyond any picture")
    return values.reshape(-1, 2)


def polygon_bounds(points: Points, height: int, width: int) -> Bounds:
    """The pixels of a polygon as bounds (see rle); ``points`` (n, 2) may lie outside, the frame cuts them off.

    Equal to COCO's mask API on every polygon. Raises BadPolygon where the outline is absurdly long.
    """
    grid = np.trunc(_SCALE * points + 0.5).astype(np.int64)
    here, there = grid, np.roll(grid, -1, axis=0)
    delta = there - here
    steep = np.abs(delta[:, 0]) < np.abs(delta[:, 1])
    backward = np.where(steep, delta[:, 1] < 0, delta[:, 0] < 0)[:, None]
    start, end = np.where(backward, there, here), np.where(backward, here, there)
    low, high = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    # column c is crossed between the grid lines 5c+2 and 5c+3
    first = np.maximum(-((2 - low) // _SCALE), 0)
    last = np.minimum((high - 3) // _SCALE, width - 1)
    count = np.maximum(last - first + 1, 0)
    total = int(count.sum())
    if total > _MAX_CROSSINGS:
        raise BadPolygon(f"a polygon whose outline crosses {total:,} columns")
    edge = np.repeat(np.arange(count.size), count)
    column = np.repeat(first, count) + np.arange(total) - np.repeat(np.cumsum(count) - count, count)
    x0, y0 = start[edge, 0], start[edge, 1]
    run, rise = (end - start)[edge, 0], (end - start)[edge, 1]
    steep = steep[edge]
    line = np.where(steep, _on_steep(x0, y0, run, rise, column), _on_shallow(x0, y0, run, rise, column))
    row = np.ceil(np.clip((line + 0.5) / _SCALE - 0.5, 0, height)).astype(np.int64)
    crossings, times = np.unique(column * height + row, return_counts=True)
    return _closed(crossings[times % 2 == 1], height * width)


def _on_shallow(
    x0: npt.NDArray[np.int64],
    y0: npt.NDArray[np.int64],
    run: npt.NDArray[np.int64],
    rise: npt.NDArray[np.int64],
    column: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """The upper of the two grid rows on either side of the column's centre, on edges flatter than 45 degrees."""
    slope = rise / np.maximum(run, 1)
    step = _SCALE * column + 2 - x0
    left, right = np.trunc(y0 + slope * step + 0.5), np.trunc(y0 + slope * (step + 1) + 0.5)
    upper: npt.NDArray[np.int64] = np.minimum(left, right).astype(np.int64)
    return upper


def _on_steep(
    x0: npt.NDArray[np.int64],
    y0: npt.NDArray[np.int64],
    run: npt.NDArray[np.int64],
    rise: npt.NDArray[np.int64],
    column: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """The last grid row before the edge, drawn row by row, passes the column's centre."""
    slope = run / np.maximum(rise, 1)
    centre = _SCALE * column + 2
    safe = np.where(slope == 0, 1.0, slope)

    def passed(step: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        x = np.trunc(x0 + slope * step + 0.5)
        return np.where(slope > 0, x > centre, x <= centre)

    step = np.ceil((centre + 0.5 - x0) / safe).astype(np.int64)
    # the division may be a rounding error off; the drawing itself decides
    step = np.where(passed(step - 1), step - 1, step)
    step = np.where(passed(step), step, step + 1)
    return y0 + step - 1


def _closed(crossings: npt.NDArray[np.int64], total: int) -> Bounds:
    """Crossings as bounds: an odd one out fills to the frame's last pixel, one at the very end means nothing."""
    crossings = crossings[crossings < total]
    return np.append(crossings, total) if crossings.size % 2 else crossings


def ellipse_points(x: float, y: float, radius_x: float, radius_y: float, degrees: float = 0.0) -> Points:
    """An ellipse as a polygon (n, 2), fine enough that no vertex lies a tenth of a pixel off the curve's chord."""
    radius = max(abs(radius_x), abs(radius_y), 1.0)
    if not (math.isfinite(radius) and radius < _FAR):
        raise BadPolygon("an ellipse with a radius beyond any picture")
    count = min(max(16, math.ceil(math.pi / math.acos(1 - 0.1 / radius))), 20_000) if radius > 0.1 else 16
    turn = np.linspace(0, 2 * math.pi, count, endpoint=False)
    along, across = radius_x * np.cos(turn), radius_y * np.sin(turn)
    angle = math.radians(degrees)
    return np.stack(
        (
            x + along * math.cos(angle) - across * math.sin(angle),
            y + along * math.sin(angle) + across * math.cos(angle),
        ),
        axis=1,
    )
