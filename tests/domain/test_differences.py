"""Regions of difference: every one named once, and put together again they give either mask."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from app.domain.differences import Unlike, differences, merged
from app.domain.mask import Mask

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))
IDS = {np.uint8: st.sampled_from([0, 1, 2, 255]), np.uint16: st.sampled_from([0, 1, 300, 65535])}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Mask, Mask]:
    shape = draw(SHAPES)
    dtypes = [draw(st.sampled_from([np.uint8, np.uint16])) for _ in range(2)]
    a, b = (draw(arrays.arrays(dtype, shape, elements=IDS[dtype])) for dtype in dtypes)
    return a, b


@given(pairs())
def test_all_regions_turn_the_one_mask_into_the_other_and_none_leave_it(pair: tuple[Mask, Mask]) -> None:
    a, b = pair
    labels, found = differences(a, b)
    np.testing.assert_array_equal(merged(a, b, labels, [one.number for one in found]), b)
    np.testing.assert_array_equal(merged(a, b, labels, []), a)


@given(pairs(), st.data())
def test_one_region_changes_just_its_own_pixels(pair: tuple[Mask, Mask], data: st.DataObject) -> None:
    a, b = pair
    labels, found = differences(a, b)
    if not found:
        np.testing.assert_array_equal(a, b)
        return
    one = data.draw(st.sampled_from(found))
    np.testing.assert_array_equal(merged(a, b, labels, [one.number]) != a, labels == one.number)


@given(pairs())
def test_a_region_is_one_piece_of_one_pair(pair: tuple[Mask, Mask]) -> None:
    a, b = pair
    labels, found = differences(a, b)
    np.testing.assert_array_equal(labels > 0, a != b)
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    for one in found:
        inside = labels == one.number
        ys, xs = np.nonzero(inside)
        assert one.pixels == ys.size
        assert one.box == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
        assert (a[inside] == one.was).all()
        assert (b[inside] == one.becomes).all()
        assert pieces(inside) == 1
    # Two regions that touch differ in their pair of classes, else they would be one.
    for axis in (0, 1):
        first, second = np.moveaxis(labels, axis, 0)[:-1], np.moveaxis(labels, axis, 0)[1:]
        for left, right in set(zip(first.ravel().tolist(), second.ravel().tolist(), strict=True)):
            if left and right and left != right:
                pair_of = {one.number: (one.was, one.becomes) for one in found}
                assert pair_of[left] != pair_of[right]


def pieces(inside: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> int:
    """Four-connected components, by flooding."""
    left = set(zip(*np.nonzero(inside), strict=True))
    count = 0
    while left:
        count += 1
        queue = [left.pop()]
        while queue:
            y, x = queue.pop()
            for near in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if near in left:
                    left.discard(near)
                    queue.append(near)
    return count


def test_known_regions() -> None:
    a = np.zeros((4, 6), np.uint8)
    b = a.copy()
    b[0, :2] = 1
    b[1, 2] = 1  # touches the first only by a corner
    b[3, 4:] = 2
    _, found = differences(a, b)
    assert [(one.was, one.becomes, one.pixels, one.box) for one in found] == [
        (0, 1, 2, (0, 0, 2, 1)),
        (0, 1, 1, (2, 1, 3, 2)),
        (0, 2, 2, (4, 3, 6, 4)),
    ]


def test_what_does_not_fit_is_refused() -> None:
    a = np.zeros((2, 3), np.uint8)
    with pytest.raises(Unlike, match="3 x 2 and 2 x 3"):
        differences(a, a.T)
    labels, _ = differences(a, a)
    with pytest.raises(Unlike, match="no region 1"):
        merged(a, a, labels, [1])
