"""Ellipses to pixels, as CVAT draws them, which depends on the server's version.

``drawn``: rounded to whole pixels and drawn by OpenCV's ellipse() with its outline (recorded from CVAT 2.17, and from
2.54 in COCO). ``outlined``: as a polygon, and without its rotation (the mask export that was recorded from 2.54).
OpenCV: https://docs.opencv.org/4.x/d6/d6e/group__imgproc__draw.html; its arithmetic is 16.16 fixed point.
"""

import math

import numpy as np
import numpy.typing as npt

from app.domain.formats.polygon import BadPolygon, Points, points_of, polygon_bounds
from app.domain.formats.rle import Bool, Bounds, bounds_of

_SHIFT = 16
_ONE = 1 << _SHIFT
_HALF = _ONE >> 1
_FAR = 1 << 18
# A table of whole degrees in single precision, to seven decimals
_SINE = np.round(np.sin(np.radians(np.arange(451))), 7).astype(np.float32).astype(np.float64)
_OUTLINE_POINTS = 720
Coordinates = npt.NDArray[np.int64]


def drawn(x: float, y: float, radius_x: float, radius_y: float, degrees: float, height: int, width: int) -> Bounds:
    """The pixels of an ellipse as OpenCV fills it, outline included; bounds (see rle). Raises BadPolygon."""
    if not all(abs(value) < _FAR for value in (x, y, radius_x, radius_y, degrees)):  # NaN too
        raise BadPolygon("an ellipse with a coordinate beyond any picture")
    points = _vertices(round(x), round(y), abs(round(radius_x)), abs(round(radius_y)), round(degrees))
    canvas = np.zeros((height, width), np.bool_)
    for start, end in zip(np.roll(points, 1, axis=0).tolist(), points.tolist(), strict=True):
        _line(canvas, start, end)
    _fill(canvas, points.tolist())
    return bounds_of(canvas)


def outlined(x: float, y: float, radius_x: float, radius_y: float, height: int, width: int) -> Bounds:
    """The pixels of an upright ellipse as a polygon of 720 points; bounds (see rle). Raises BadPolygon."""
    turn = np.linspace(0, 2 * math.pi, _OUTLINE_POINTS)
    outline: Points = np.stack((x + radius_x * np.cos(turn), y + radius_y * np.sin(turn)), axis=1)
    return polygon_bounds(points_of(outline), height, width)


def _vertices(x: int, y: int, radius_x: int, radius_y: int, degrees: int) -> Coordinates:
    """Corners (n, 2) in fixed point, a step of some degrees apart; smaller ellipses have fewer."""
    radius = max(radius_x, radius_y)
    step = 90 if radius < 3 else 30 if radius < 10 else 18 if radius < 15 else 5
    turn = np.arange(0, 360 + step, step).clip(max=360)
    tilt = degrees % 360 if degrees <= 0 or degrees > 360 else degrees
    cosine, sine = _SINE[450 - tilt], _SINE[tilt]
    along = radius_x * _ONE * _SINE[450 - turn]
    across = radius_y * _ONE * _SINE[turn]
    exact = np.stack((x * _ONE + along * cosine - across * sine, y * _ONE + along * sine + across * cosine), axis=1)
    points = np.rint(exact).astype(np.int64)
    kept = np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))
    points = points[kept]
    return points if len(points) > 1 else np.array([[x, y]] * 2, np.int64) * _ONE


def _line(canvas: Bool, start: list[int], end: list[int]) -> None:
    """One pixel for each step along the longer side, and the end."""
    clipped = _clip(start, end, canvas.shape[1] << _SHIFT, canvas.shape[0] << _SHIFT)
    if clipped is None:
        return
    (x0, y0), (x1, y1) = clipped
    flat = abs(x1 - x0) > abs(y1 - y0)
    if (x1 < x0) if flat else (y1 < y0):
        x0, y0, x1, y1 = x1, y1, x0, y0
    long, short = (x1 - x0, y1 - y0) if flat else (y1 - y0, x1 - x0)
    slope = _divided(short * _ONE, long | 1)
    steps = np.arange((long >> _SHIFT) + 1)
    along = ((x0 if flat else y0) + _HALF >> _SHIFT) + steps
    across = (y0 if flat else x0) + _HALF + steps * slope >> _SHIFT
    columns, rows = (along, across) if flat else (across, along)
    columns = np.append(columns, x1 + _HALF >> _SHIFT)
    rows = np.append(rows, y1 + _HALF >> _SHIFT)
    inside = (columns >= 0) & (columns < canvas.shape[1]) & (rows >= 0) & (rows < canvas.shape[0])
    canvas[rows[inside], columns[inside]] = True


def _clip(start: list[int], end: list[int], width: int, height: int) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The part of a line within the frame, None where there is none; both in fixed point."""
    right, bottom = width - 1, height - 1
    (x0, y0), (x1, y1) = start, end

    def sides(x: int, y: int) -> int:
        return (x < 0) + (x > right) * 2 + (y < 0) * 4 + (y > bottom) * 8

    one, other = sides(x0, y0), sides(x1, y1)
    if not one & other and one | other:
        if one & 12:
            edge = 0 if one < 8 else bottom
            x0, y0 = x0 + int(float(edge - y0) * (x1 - x0) / (y1 - y0)), edge
            one = sides(x0, y0) & 3
        if other & 12:
            edge = 0 if other < 8 else bottom
            x1, y1 = x1 + int(float(edge - y1) * (x1 - x0) / (y1 - y0)), edge
            other = sides(x1, y1) & 3
        if not one & other and one | other:
            if one:
                edge = 0 if one == 1 else right
                x0, y0, one = edge, y0 + int(float(edge - x0) * (y1 - y0) / (x1 - x0)), 0
            if other:
                edge = 0 if other == 1 else right
                x1, y1, other = edge, y1 + int(float(edge - x1) * (y1 - y0) / (x1 - x0)), 0
    return None if one | other else ((x0, y0), (x1, y1))


def _fill(canvas: Bool, points: list[list[int]]) -> None:
    """Fills a convex polygon row by row between its two chains of edges, walked from the top down."""
    height, width = canvas.shape
    count = len(points)
    rounded = [(x + _HALF >> _SHIFT, y + _HALF >> _SHIFT) for x, y in points]
    columns, rows = [x for x, _ in rounded], [y for _, y in rounded]
    if count < 3 or max(columns) < 0 or max(rows) < 0 or min(columns) >= width or min(rows) >= height:
        return
    top = min(range(count), key=lambda index: points[index][1])
    left_over = count
    at, until = [top, top], [rows[top], rows[top]]
    edge, slope = [-_ONE, -_ONE], [0, 0]
    for row in range(rows[top], min(max(rows), height - 1) + 1):
        for side, direction in enumerate((1, count - 1)):
            if row < until[side]:
                continue
            here = at[side]
            following = (here + direction) % count
            while True:
                left_over -= 1
                if left_over < 0:
                    return
                if rows[following] > row:
                    fall = rows[following] - row
                    until[side] = rows[following]
                    slope[side] = _divided((points[following][0] - points[here][0]) * 2 + fall, 2 * fall)
                    edge[side] = points[here][0]
                    at[side] = following
                    break
                here, following = following, (following + direction) % count
        if row >= 0:
            first, last = (min(edge) + _HALF) >> _SHIFT, (max(edge) + _HALF) >> _SHIFT
            canvas[row, max(first, 0) : max(last + 1, 0)] = True
        edge = [x + dx for x, dx in zip(edge, slope, strict=True)]


def _divided(number: int, by: int) -> int:
    """Division that rounds towards zero."""
    return abs(number) // by * (1 if number >= 0 else -1)
