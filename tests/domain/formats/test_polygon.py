import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.formats import polygon, rle

# height, width, polygon, and what COCO's own mask API makes of it
KNOWN = [
    (5, 5, [1, 1, 4, 1, 4, 4, 1, 4], "6320004"),
    (8, 8, [0.5, 0.5, 6.2, 1.7, 3.3, 7.9], "9263M2NM4M`0"),
    (10, 12, [-3, -4, 20, 5, 4, 15], "0553Md1O]N00001O"),
    (7, 9, [1, 1, 8, 6, 8, 1, 1, 6], "853N2N80H2N25"),
    (6, 6, [2.5, 2.5, 2.5, 2.5, 2.5, 2.5], "T1"),
    (9, 9, [4, 0, 5, 8.5, 3.6, 8.5], "X15T1"),
    (20, 20, [0, 0, 20, 0, 20, 20, 0, 20], "0`<"),
    (
        20,
        20,
        [3.2, 4.7, 18.9, 0.3, 11.1, 10.05, 19.5, 18.2, 9.3, 12.6, 1.4, 19.9, 6.6, 11.3],
        "j11a01E12OO3MN481O001000O2OJKM52MN210NO23NL07OI090602",
    ),
    (12, 6, [-1000.0, 5, 1000.0, 6, 0, 900], "666000000000"),
    (15, 15, [7, 7, 7, 8, 8, 8, 8, 7], "`31`3"),
]


def drawn(points: list[float], height: int, width: int) -> rle.Bool:
    return rle.mask_of(polygon.polygon_bounds(polygon.points_of(points), height, width), height, width)


@pytest.mark.parametrize(("height", "width", "points", "counts"), KNOWN)
def test_pixels_are_those_of_the_mask_api(height: int, width: int, points: list[float], counts: str) -> None:
    assert rle.coco_encode(drawn(points, height, width))["counts"] == counts


def slow(points: list[float], height: int, width: int) -> rle.Bool:
    """The rule of COCO's mask API, walked point by point along the outline as it is defined."""
    grid = [(math.trunc(5 * x + 0.5), math.trunc(5 * y + 0.5)) for x, y in zip(points[::2], points[1::2], strict=True)]
    walk: list[tuple[int, int]] = []
    for (x0, y0), (x1, y1) in zip(grid, grid[1:] + grid[:1], strict=True):
        dx, dy = abs(x1 - x0), abs(y1 - y0)
        flat = dx >= dy
        backward = x0 > x1 if flat else y0 > y1
        (ax, ay), (bx, by) = ((x1, y1), (x0, y0)) if backward else ((x0, y0), (x1, y1))
        steps = max(dx, dy)
        slope = 0.0 if not steps else ((by - ay) if flat else (bx - ax)) / steps
        edge = [
            (ax + t, math.trunc(ay + slope * t + 0.5)) if flat else (math.trunc(ax + slope * t + 0.5), ay + t)
            for t in range(steps + 1)
        ]
        walk += reversed(edge) if backward else edge
    toggles = np.zeros(height * width + 1, np.int64)
    for (u0, v0), (u1, v1) in itertools.pairwise(walk):
        column = ((u1 if u1 < u0 else u1 - 1) + 0.5) / 5 - 0.5
        if u0 == u1 or column != math.floor(column) or not 0 <= column <= width - 1:
            continue
        row = min(max((min(v0, v1) + 0.5) / 5 - 0.5, 0), height)
        toggles[int(column) * height + math.ceil(row)] += 1
    filled: rle.Bool = (np.cumsum(toggles)[:-1] % 2 == 1).reshape(width, height).T
    return filled


coordinates = st.floats(-20, 50) | st.integers(-10, 45).map(float) | st.integers(-20, 90).map(lambda n: n / 2)


@given(
    st.integers(1, 30),
    st.integers(1, 30),
    st.lists(coordinates, min_size=6, max_size=16).filter(lambda c: len(c) % 2 == 0),
)
def test_any_polygon_is_drawn_by_the_rule(height: int, width: int, points: list[float]) -> None:
    assert np.array_equal(drawn(points, height, width), slow(points, height, width))


@given(st.lists(st.floats(-1e8, 1e8), min_size=6, max_size=12).filter(lambda c: len(c) % 2 == 0))
def test_far_coordinates_stay_in_the_frame(points: list[float]) -> None:
    bounds = polygon.polygon_bounds(polygon.points_of(points), 20, 30)
    assert (np.diff(bounds) > 0).all()
    assert not bounds.size or (bounds[0] >= 0 and bounds[-1] <= 600)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([1, 1, 2, 2], "three points"),
        ([1, 1, 2, 2, 3], "three points"),
        ([], "three points"),
        ([1, 1, 2, 2, 3, math.nan], "finite"),
        ([1, 1, 2, 2, 3, math.inf], "finite"),
        ([1, 1, 2, 2, 3, 1e300], "beyond"),
        ([[1, 1], [2, 2], [3]], "numbers"),
        (["a", "b", "c", "d", "e", "f"], "numbers"),
        ([[1, 1, 1], [2, 2, 2], [3, 3, 3], [4, 4, 4]], "three points"),
        ({"x": 1}, "numbers"),
        (None, "three points|finite"),
        ([10**400] * 6, "numbers"),
    ],
)
def test_what_is_no_polygon_is_refused(points: object, reason: str) -> None:
    with pytest.raises(polygon.BadPolygon, match=reason):
        polygon.points_of(points)


def test_an_outline_that_never_ends_is_refused() -> None:
    points = np.tile([[0.0, 0.0], [20_000.0, 5.0]], (3000, 1))
    with pytest.raises(polygon.BadPolygon, match="crosses"):
        polygon.polygon_bounds(points, 10, 20_000)


def test_ellipses_have_the_area_of_ellipses() -> None:
    bounds = polygon.polygon_bounds(polygon.ellipse_points(100, 80, 60, 30, 25), 160, 200)
    assert rle.area(bounds) == pytest.approx(math.pi * 60 * 30, rel=0.01)
    with pytest.raises(polygon.BadPolygon):
        polygon.ellipse_points(0, 0, math.inf, 1)
