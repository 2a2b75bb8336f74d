import json
from typing import Any

import numpy as np
import pytest
from cvat_sdk.masks import decode_mask, encode_mask
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from app.cvat import wire
from app.cvat.shapes import EllipseRule, Shape, compose
from app.domain.classes import Class, ClassList, Role, named
from app.domain.mask import Mask

SIDES = array_shapes(min_dims=2, max_dims=2, max_side=14)
MASKS = SIDES.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, 9, 255])))
FINE = SIDES.flatmap(lambda shape: arrays(np.uint8, shape))
CLASSES = ClassList((named(0, "background"), named(1, "rock"), named(2, "sand"), named(9, "soil"), named(255, "void")))
ALL = ClassList(tuple(named(id, f"class {id}") for id in range(256)))


def shapes_of(mask: Mask, classes: ClassList, background: bool = False) -> list[Shape]:
    """What a server would answer: numbers as floats, label ids other than class ids."""
    labels = {one.id: 1000 + one.id for one in classes.classes}
    sent = json.loads(wire.body(wire.encode(mask, labels, wire.pushed_ids(classes, background), 3)))
    return [shape_of(one) for one in sent["shapes"]]


def shape_of(sent: dict[str, Any]) -> Shape:
    assert sent["frame"] == 3
    return Shape(sent["type"], 3, sent["label_id"], [float(point) for point in sent["points"]], sent["z_order"])


def back(shapes: list[Shape], mask: Mask, classes: ClassList, background: bool = False) -> wire.Settled:
    ids = {1000 + one.id: one.id for one in classes.classes}
    got = compose(shapes, ids, mask.shape[0], mask.shape[1], EllipseRule.DRAWN)
    assert got.contested == 0
    return wire.settled(got, mask, classes, wire.pushed_ids(classes, background))


@given(st.one_of(MASKS, FINE))
def test_points_are_those_of_cvats_own_sdk(mask: Mask) -> None:
    seen = dict(wire.points_by_class(mask))
    assert sorted(seen) == np.unique(mask).tolist()
    for id, points in seen.items():
        assert points == encode_mask(mask == id)
        height, width = mask.shape
        assert np.array_equal(decode_mask(points, image_width=width, image_height=height), mask == id)


@given(st.one_of(MASKS, FINE), st.booleans())
def test_a_mask_that_nobody_changed_comes_back_bit_identical(mask: Mask, background: bool) -> None:
    got = back(shapes_of(mask, ALL, background), mask, ALL, background)
    assert got.mask.dtype == mask.dtype and np.array_equal(got.mask, mask)
    assert (got.erased, got.kept) == (0, 0)


@settings(max_examples=30)
@given(SIDES.flatmap(lambda shape: arrays(np.uint16, shape, elements=st.sampled_from([0, 300, 65535]))))
def test_wide_ids_keep_their_type(mask: Mask) -> None:
    classes = ClassList((named(0, "background"), named(300, "a"), named(65535, "b")))
    got = back(shapes_of(mask, classes), mask, classes)
    assert got.mask.dtype == np.uint16 and np.array_equal(got.mask, mask)


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (2000, 2000)])
def test_sizes_from_one_pixel_to_large(shape: tuple[int, int]) -> None:
    mask = (np.add.outer(np.arange(shape[0]) // 97, np.arange(shape[1]) // 89) % 3).astype(np.uint8)
    assert np.array_equal(back(shapes_of(mask, CLASSES), mask, CLASSES).mask, mask)


def test_255_classes_with_holes() -> None:
    mask = (np.arange(64 * 64).reshape(64, 64) * 7 % 255).astype(np.uint8)
    assert np.array_equal(back(shapes_of(mask, ALL), mask, ALL).mask, mask)


def test_a_class_list_may_go_beyond_the_masks_type() -> None:
    classes = ClassList((named(0, "background"), named(1, "rock"), named(300, "rare")))
    mask = np.array([[0, 1]], np.uint8)
    assert back(shapes_of(mask, classes), mask, classes).mask.dtype == np.uint8
    drawn = [Shape("mask", 3, 1300, (0, 2, 0, 0, 1, 0))]
    got = back(drawn, mask, classes)
    assert got.mask.tolist() == [[300, 300]] and got.mask.dtype == np.uint16


def test_background_is_left_out_unless_asked_and_void_is_a_shape() -> None:
    mask = np.array([[0, 1], [255, 255]], np.uint8)
    assert [shape.label for shape in shapes_of(mask, CLASSES)] == [1001, 1255]
    assert [shape.label for shape in shapes_of(mask, CLASSES, background=True)] == [1000, 1001, 1255]


def test_erased_pixels_become_background_and_the_rest_keeps_what_it_had() -> None:
    mask = np.array([[0, 1, 2, 255]], np.uint8)
    shapes = [shape for shape in shapes_of(mask, CLASSES) if shape.label != 1001]
    got = back(shapes, mask, CLASSES)
    assert got == wire.Settled(got.mask, 1, 0)
    assert got.mask.tolist() == [[0, 0, 2, 255]]


def test_without_background_erased_pixels_become_void_and_without_both_they_stay() -> None:
    mask = np.array([[1, 2]], np.uint8)
    with_void = ClassList((named(1, "rock"), named(2, "sand"), named(7, "void")))
    got = back(shapes_of(mask, with_void)[1:], mask, with_void)
    assert got.mask.tolist() == [[7, 2]] and got.erased == 1
    plain = ClassList((named(1, "rock"), named(2, "sand")))
    got = back(shapes_of(mask, plain)[1:], mask, plain)
    assert got.mask.tolist() == [[1, 2]] and (got.erased, got.kept) == (0, 1)


def test_labels_mirror_the_classes_but_never_black_or_twice_one_colour() -> None:
    classes = ClassList(
        (
            Class(0, "background", Role.BACKGROUND, "#000000"),
            Class(1, " rock ", Role.FOREGROUND, "#000000"),
            Class(2, "sand", Role.FOREGROUND, "#ff0000"),
            Class(3, "soil", Role.FOREGROUND, "#ff0000"),
        )
    )
    assert wire.label_specs(classes) == (
        wire.LabelSpec("rock", "#000001", 1),
        wire.LabelSpec("sand", "#ff0000", 2),
        wire.LabelSpec("soil", "#ff0001", 3),
    )
    assert wire.label_specs(classes, background=True)[0] == wire.LabelSpec("background", "#000001", 0)


@pytest.mark.parametrize(
    ("classes", "reason"),
    [
        (ClassList((named(1, "x" * 65),)), "at most 64"),
        (ClassList((named(1, "a"), named(2, "a "))), "called a;"),
        (ClassList((named(0, "background"),)), "no class to draw"),
    ],
)
def test_classes_that_cvat_cannot_hold_are_refused(classes: ClassList, reason: str) -> None:
    with pytest.raises(wire.CantPush, match=reason):
        wire.label_specs(classes)


def test_a_class_without_a_label_is_refused() -> None:
    with pytest.raises(wire.CantPush, match="Class 9 has no label"):
        wire.encode(np.array([[9]], np.uint8), {1: 5}, frozenset((1, 9)), 0)
