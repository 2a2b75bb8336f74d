import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from app.domain.formats import rle
from tests.shared import shared

masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40))


@given(masks)
def test_coco_round_trip(mask: rle.Bool) -> None:
    packed = rle.coco_encode(mask)
    assert packed["size"] == list(mask.shape)
    assert packed["counts"].isascii()
    assert np.array_equal(rle.coco_decode(packed), mask)
    plain = {"size": list(mask.shape), "counts": rle.coco_counts(mask)}
    assert np.array_equal(rle.coco_decode(plain), mask)
    assert sum(rle.coco_counts(mask)) == mask.size


@given(masks)
def test_cvat_round_trip(mask: rle.Bool) -> None:
    points = rle.cvat_encode(mask)
    assert np.array_equal(rle.cvat_decode(points, *mask.shape), mask) or not mask.any()
    if mask.any():
        left, top, right, bottom = points[-4:]
        assert sum(points[:-4]) == (right - left + 1) * (bottom - top + 1)
        assert mask[top].any() and mask[bottom].any() and mask[:, left].any() and mask[:, right].any()


@given(masks)
def test_bounds_hold_the_set_pixels(mask: rle.Bool) -> None:
    bounds = rle.bounds_of(mask)
    assert (np.diff(bounds) > 0).all()
    assert rle.area(bounds) == mask.sum()
    assert np.array_equal(rle.mask_of(bounds, *mask.shape), mask)


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 2)), st.data())
def test_a_part_at_its_place_and_a_few_columns_at_a_time(part: npt.NDArray[np.uint8], data: st.DataObject) -> None:
    top, left, below, beside = (data.draw(st.integers(0, 3)) for _ in range(4))
    frame = np.pad(part, ((top, below), (left, beside)), constant_values=9)
    expected = rle.bounds_of(frame == 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.domain.picture.STRIP", 12)
        assert np.array_equal(rle.bounds_of(frame, 1), expected)
        assert np.array_equal(rle.bounds_within(part, (top, left), frame.shape[0], 1), expected)
    if expected.size:
        rows, columns = np.nonzero(frame == 1)
        x, y, width, height = rle.box_of(expected, frame.shape[0])
        assert (x, y, x + width - 1, y + height - 1) == (columns.min(), rows.min(), columns.max(), rows.max())


@given(masks, st.integers(1, 5), st.data())
def test_a_window_is_what_is_there(mask: rle.Bool, step: int, data: st.DataObject) -> None:
    top, left = (data.draw(st.integers(0, side - 1)) for side in mask.shape)
    height, width = data.draw(st.integers(1, mask.shape[0] - top)), data.draw(st.integers(1, mask.shape[1] - left))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.domain.picture.STRIP", 50)
        found = rle.mask_within(rle.bounds_of(mask), mask.shape[0], (top, left), (height, width), step)
    assert np.array_equal(found, mask[top : top + height : step, left : left + width : step])


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_union_is_or(height: int, width: int, data: st.DataObject) -> None:
    parts = data.draw(st.lists(arrays(np.bool_, (height, width)), max_size=5))
    expected = np.logical_or.reduce(parts) if parts else np.zeros((height, width), np.bool_)
    union = rle.union([rle.bounds_of(part) for part in parts])
    assert np.array_equal(rle.mask_of(union, height, width), expected)


@given(st.lists(st.integers(0, 6), max_size=30))
def test_any_runs_decode_or_are_refused(runs: list[int]) -> None:
    """Runs of zero length in the middle are legal: they are what naive encoders write."""
    total = sum(runs)
    if not total:
        return
    mask = rle.coco_decode({"size": [total, 1], "counts": runs})
    expected = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    assert np.array_equal(mask[:, 0], expected)
    bounds = rle.coco_bounds({"size": [total, 1], "counts": runs}, total, 1)
    assert (np.diff(bounds) > 0).all()


def test_known_answers() -> None:
    square = np.zeros((20, 30), np.bool_)
    square[10:12, 10:12] = True
    assert rle.cvat_encode(square) == [0, 4, 10, 10, 11, 11]
    corner = np.zeros((4, 4), np.bool_)
    corner[0, 0] = True
    assert rle.cvat_encode(corner) == [0, 1, 0, 0, 0, 0]
    assert rle.cvat_encode(np.zeros((4, 4), np.bool_)) == [1, 0, 0, 0, 0]
    assert rle.coco_counts(corner) == [0, 1, 15]
    # the answers of COCO's own mask API
    assert rle.coco_encode(corner)["counts"] == "01?"
    assert rle.coco_encode(np.ones((4, 4), np.bool_))["counts"] == "0`0"
    assert rle.coco_encode(np.zeros((4, 4), np.bool_))["counts"] == "`0"


@pytest.mark.parametrize("empty", [[1, 0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0, 0]])
def test_empty_masks_of_every_cvat(empty: list[int]) -> None:
    assert not rle.cvat_decode(empty, 5, 7).any()


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ([5, 12], "cover 17 of 16"),
        ([5, 1], "cover 6 of 16"),
        ([-1, 17], "negative"),
        ([1.5, 14.5], "whole"),
        ([float("nan"), 16], "whole"),
        ([2**62, 2**62, 2**62, 2**62, 16], "beyond"),
        (["a"], "numbers"),
        ([[1], [2, 3]], "numbers"),
        (None, "without counts"),
        ("", "cover 0 of 16"),
        ("P", "breaks off"),
        ("\x01\x02", "characters"),
        ("oooooooooooooo0", "beyond"),
        ("ü", "characters"),
        ("\ud800", "characters"),
        ("1" * 3, "of 16"),
    ],
)
def test_bad_counts_are_refused(counts: Any, reason: str) -> None:
    with pytest.raises(rle.BadRle, match=reason):
        rle.coco_decode({"size": [4, 4], "counts": counts})


@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=40))
def test_any_string_decodes_or_is_refused(text: str) -> None:
    try:
        mask = rle.coco_decode({"size": [6, 5], "counts": text})
    except rle.BadRle:
        return
    assert mask.shape == (6, 5)


@pytest.mark.parametrize("size", [[100_000, 100_000], [0, 4], [-1, -4], "4x4", [4.0, 4], None, [4]])
def test_hostile_sizes_allocate_nothing(size: Any) -> None:
    with pytest.raises(rle.BadRle):
        rle.coco_decode({"size": size, "counts": [10_000_000_000]})


@pytest.mark.parametrize(
    "points",
    [
        [0, 4, 10, 10, 11, 12],
        [0, 4, 29, 10, 30, 11],
        [0, 4, -1, 0, 0, 1],
        [4, 11, 10, 10, 9],
        [0, 1.5, 0, 0, 0, 0],
        [0, 1, 0, 0, 1e300, 0],
        [1, 2],
    ],
)
def test_bad_cvat_points_are_refused(points: list[float]) -> None:
    with pytest.raises(rle.BadRle):
        rle.cvat_decode(points, 20, 30)


def test_published_results_decode_and_encode_to_the_same_string() -> None:
    path = shared("data/formats/cocoapi_results/instances_val2014_fakesegm100_results.json")
    results = json.loads(path.read_text())
    assert len(results) == 734
    for one in results:
        mask = rle.coco_decode(one["segmentation"])
        assert list(mask.shape) == one["segmentation"]["size"]
        assert rle.coco_encode(mask) == one["segmentation"]
