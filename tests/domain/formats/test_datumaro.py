from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.domain.classes import ClassList, named
from app.domain.formats import datumaro, rle
from app.domain.formats.source import open_source
from tests.domain.formats.made import outcome, picture, source_of
from tests.shared import shared

LABELS = {
    "label": {"labels": [{"name": "rock"}, {"name": "background"}, {"name": "sand"}]},
    "mask": {"colormap": [{"label_id": 0, "r": 1, "g": 2, "b": 3}]},
}


def document(*annotations: dict[str, Any], **image: Any) -> dict[str, Any]:
    stated = {"path": "a.png", "size": [4, 6], **image}
    return {"info": {}, "categories": LABELS, "items": [{"id": "a", "annotations": list(annotations), "image": stated}]}


def square(label: Any, z: Any = 0, corner: int = 0) -> dict[str, Any]:
    mask = np.zeros((4, 6), np.bool_)
    mask[corner : corner + 2, corner : corner + 2] = True
    return {"type": "mask", "label_id": label, "z_order": z, "rle": rle.coco_encode(mask)}


def polygon(label: Any, points: Any, z: int = 0) -> dict[str, Any]:
    return {"type": "polygon", "label_id": label, "z_order": z, "points": points}


def files(content: dict[str, Any], name: str = "train") -> dict[str, Any]:
    return {f"annotations/{name}.json": content, f"images/{name}/a.png": picture(6, 4)}


def test_masks_polygons_and_what_is_ignored(tmp_path: Path) -> None:
    shapes = (square(0), polygon(2, [4, 0, 6, 0, 6, 4, 4, 4]), {"type": "bbox"}, {"type": "caption"}, {"type": "odd"})
    source = source_of(tmp_path, files(document(*shapes)))
    assert datumaro.detect(source)
    got = outcome(datumaro, source)
    assert got.names() == {0: "background", 1: "rock", 2: "sand"}
    assert got.classes is not None and got.classes.classes[1].colour == "#010203"
    assert got.mask("train/a") == [[1, 1, 0, 0, 2, 2]] * 2 + [[0, 0, 0, 0, 2, 2]] * 2
    assert got.samples["train/a"].split == "train"
    assert got.ignored == ["1 box", "1 caption", "1 annotation of type odd"]


@pytest.mark.parametrize(("orders", "top"), [((0, 0), 2), ((1, 0), 1), ((0, 1), 2), ((-1, -2), 1)])
def test_z_order_decides(tmp_path: Path, orders: tuple[int, int], top: int) -> None:
    got = outcome(datumaro, source_of(tmp_path, files(document(square(0, orders[0]), square(2, orders[1])))))
    assert got.mask("train/a")[0][0] == top
    assert got.samples["train/a"].overlapped == 4


def test_pictures_by_id_and_by_flattened_name(tmp_path: Path) -> None:
    content = document(square(0))
    content["items"] = [
        {"id": "x.y", "annotations": [square(0)]},
        {"id": "s/b", "annotations": [], "image": {"path": "s/b.png"}},
    ]
    made = {
        "annotations/default.json": content,
        "images/default/x.y.png": picture(6, 4),
        "images/default/s_b.png": picture(6, 4),
    }
    got = outcome(datumaro, source_of(tmp_path, made))
    assert set(got.samples) == {"x.y", "s_b"}
    assert not np.any(got.mask("s_b"))


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (square(None), "a mask whose label_id is None"),
        (polygon(9, [0, 0, 1, 1, 2, 0]), "a polygon whose label_id is 9"),
        (polygon(0, [0, 0]), "three points"),
        (polygon(0, None), "polygon"),
        ({"type": "mask", "label_id": 0, "rle": {"size": [4, 6], "counts": "P"}}, "breaks off"),
        ({"type": "mask", "label_id": 0, "rle": {"size": [9, 9], "counts": [81]}}, "size"),
        ({"type": "mask", "label_id": 0}, "RLE"),
    ],
)
def test_bad_annotations_refuse_their_picture(tmp_path: Path, shape: dict[str, Any], reason: str) -> None:
    got = outcome(datumaro, source_of(tmp_path, files(document(shape))))
    assert reason in got.refused["images/train/a.png"]


def test_bad_files_are_named(tmp_path: Path) -> None:
    made = files(document(square(0))) | {
        "annotations/a.json": {"items": 3},
        "annotations/b.json": {"items": [], "categories": {"label": {"labels": [{}]}}},
        "annotations/c.json": b"[",
    }
    got = outcome(datumaro, source_of(tmp_path, made))
    assert got.counts == (1, 0, 3)
    assert got.refused["annotations/a.json"] == "no Datumaro annotations: it has no list of items"
    assert got.refused["annotations/b.json"] == "categories that can't be read"


def test_another_size_and_a_given_list(tmp_path: Path) -> None:
    got = outcome(datumaro, source_of(tmp_path / "1", files(document(square(0), size=[9, 9]))))
    assert list(got.refused.values()) == ["the annotations say 9 x 9 pixels, the picture has 6 x 4"]
    given = ClassList((named(3, "rock"), named(5, "background")))
    got = outcome(datumaro, source_of(tmp_path / "2", files(document(square(0)))), given)
    assert got.mask("train/a")[0] == [3, 3, 5, 5, 5, 5]


@pytest.mark.parametrize(
    ("name", "counts"), [("diverse", (0, 0, 7)), ("with_pcd", (0, 0, 3)), ("with_skeleton", (0, 1, 0))]
)
def test_real_samples(name: str, counts: tuple[int, int, int]) -> None:
    source = open_source(shared(f"data/formats/datumaro_assets/datumaro_dataset/{name}"))
    assert datumaro.detect(source)
    assert outcome(datumaro, source).counts == counts
