import json
from typing import Any

import numpy as np
import pytest

from app.cvat.shapes import EllipseRule, Shape, UnknownLabels, compose, ellipse_rule
from app.domain.errors import RemaskError
from app.domain.formats import rle
from tests.cvat.recorded import archive, colours, exported_mask
from tests.shared import shared

RULE = EllipseRule.DRAWN


def shape_of(answer: dict[str, Any]) -> Shape:
    return Shape(
        answer["type"],
        answer["frame"],
        answer["label_id"],
        answer["points"],
        answer["z_order"],
        answer["rotation"],
        answer["id"],
    )


def square(label: int, corner: int, z: int = 0, side: int = 3) -> Shape:
    area = np.zeros((8, 8), np.bool_)
    area[corner : corner + side, corner : corner + side] = True
    return Shape("mask", 0, label, rle.cvat_encode(area), z)


@pytest.mark.parametrize("server", [(2, 17), (2, 54)])
def test_every_shape_is_drawn_as_that_server_exported_it(server: tuple[int, int]) -> None:
    """Upright and turned rectangles, ellipses, polygons of all sorts, z-order mixes: ten frames, pixel by pixel."""
    prefix = f"shapes/{server[0]}.{server[1]}_"
    held = json.loads(shared(f"cvat/exports/{prefix}annotations.json").read_text())
    one = archive(f"{prefix}Segmentation_mask_1.1.zip")
    palette = colours(one)
    labels = {label["id"]: label["name"] for label in held["labels"]} if isinstance(held["labels"], list) else {}
    labels = labels or {int(id): name for id, name in held["labels"].items()}
    ids = {label: n for n, label in enumerate(labels, start=1)}
    colour = {0: palette["background"]} | {ids[label]: palette[name] for label, name in labels.items()}
    shapes = [shape_of(answer) for answer in held["shapes"]]
    for frame in range(10):
        here = [shape for shape in shapes if shape.frame == frame]
        got = compose(here, ids, held["height"], held["width"], ellipse_rule(server))
        ours = np.vectorize(colour.get)(got.mask)
        assert np.array_equal(ours, exported_mask(one, f"s{frame:02}")), f"frame {frame}"
        assert got.ellipses == sum(shape.kind == "ellipse" for shape in here)


def test_ellipses_follow_the_server() -> None:
    tilted = Shape("ellipse", 0, 1, (20.0, 20.0, 36.0, 14.0), rotation=90.0)
    old, new = (compose([tilted], {1: 1}, 40, 40, rule) for rule in EllipseRule)
    assert np.flatnonzero(old.mask.any(axis=1))[[0, -1]].tolist() == [4, 36]
    assert np.flatnonzero(new.mask.any(axis=1))[[0, -1]].tolist() == [14, 25]
    assert ellipse_rule((2, 17)) is EllipseRule.DRAWN and ellipse_rule((2, 80)) is EllipseRule.OUTLINED


def test_painting_is_a_stable_sort_by_z_order_never_by_id() -> None:
    first = Shape("mask", 0, 1, (0, 4, 0, 0, 1, 1), 0, id=9)
    second = Shape("mask", 0, 2, (0, 4, 0, 0, 1, 1), 0, id=3)
    below = Shape("mask", 0, 3, (0, 4, 0, 0, 1, 1), -1, id=50)
    got = compose([first, second, below], {1: 1, 2: 2, 3: 3}, 2, 2, RULE)
    assert (got.mask == 2).all()
    assert got.contested == 4
    assert (compose([second, first, below], {1: 1, 2: 2, 3: 3}, 2, 2, RULE).mask == 1).all()


def test_only_overlaps_at_one_height_are_contested() -> None:
    ids = {1: 1, 2: 2, 3: 1}
    assert compose([square(1, 0), square(2, 2)], ids, 8, 8, RULE).contested == 1
    assert compose([square(1, 0), square(2, 2, z=1)], ids, 8, 8, RULE).contested == 0
    assert compose([square(1, 0), square(3, 2)], ids, 8, 8, RULE).contested == 0, "two labels of one class agree"


def test_painted_tells_background_from_nothing() -> None:
    got = compose([square(1, 0), square(2, 4)], {1: 0, 2: None}, 8, 8, RULE)
    assert not got.mask.any()
    assert got.painted.sum() == 9, "a label that is ignored paints nothing"


@pytest.mark.parametrize("points", [(0, 0, 0, 0), (0, 0, 0, 0, 0), (1, 0, 0, 0, 0), (1.0, 0.0, 0.0, 0.0, 0.0)])
def test_every_known_form_of_an_empty_mask(points: tuple[float, ...]) -> None:
    assert not compose([Shape("mask", 0, 1, points)], {1: 1}, 3, 3, RULE).painted.any()


def test_what_a_class_map_cannot_hold_is_refused_by_name() -> None:
    kinds = ["points", "skeleton", "skeleton", "cuboid", "polyline", "tag", "track"]
    got = compose([Shape(kind, 0, 99) for kind in kinds] + [square(1, 0)], {1: 5}, 8, 8, RULE)
    assert got.refused == ("1 cuboid", "1 point set", "1 polyline", "2 skeletons", "1 tag", "1 track")
    assert (got.mask == 5).sum() == 9


def test_an_unknown_label_is_asked_about() -> None:
    with pytest.raises(UnknownLabels, match="map, create or ignore") as caught:
        compose([square(4, 0), square(7, 0)], {7: 1}, 8, 8, RULE)
    assert caught.value.labels == {4}


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("mask", (0, 5, 0, 0, 1, 1)),
        ("mask", (0, 4, -1, 0, 1, 1)),
        ("mask", (0, 4, 7, 7, 8, 8)),
        ("mask", (0, 4, 1, 1, 0, 0)),
        ("mask", (0, 3.5, 0.5, 0, 0, 1, 1)),
        ("mask", (0, 1e300, 0, 0, 1e300, 1)),
        ("polygon", (1, 1, 2, 2)),
        ("polygon", (1, 1, 2, float("nan"), 3, 3)),
        ("rectangle", (1, 1, 2)),
        ("rectangle", (1, 1, 2, float("inf"))),
        ("rectangle", (1, 1, 2, 1e300)),
        ("ellipse", (1, 1, 1e200, 0)),
        ("ellipse", (1, 1, 2, 0, 5)),
    ],
)
def test_what_cannot_be_drawn_is_an_error_not_garbage(kind: str, points: tuple[float, ...]) -> None:
    for rule in EllipseRule:
        with pytest.raises(RemaskError):
            compose([Shape(kind, 0, 1, points)], {1: 1}, 8, 8, rule)
