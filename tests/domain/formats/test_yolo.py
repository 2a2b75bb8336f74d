from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.classes import ClassList, named
from app.domain.formats import yolo
from app.domain.formats.source import open_source
from tests.domain.formats.made import outcome, picture, source_of
from tests.shared import shared

LEFT = "0 0 0 0.5 0 0.5 1 0 1\n"
ALL = "1 0 0 1 0 1 1 0 1\n"
YAML = "path: .\ntrain: images/train\nval: images/val  # later\nnames:\n  0: rock\n  1: 'big rock'\n"


def files(label: str, **more: Any) -> dict[str, Any]:
    return {"data.yaml": YAML, "images/train/a.png": picture(4, 2), "labels/train/a.txt": label, **more}


def test_polygons_small_over_large(tmp_path: Path) -> None:
    source = source_of(tmp_path, files(LEFT + ALL))
    assert yolo.detect(source)
    got = outcome(yolo, source)
    assert got.names() == {0: "background", 1: "rock", 2: "big rock"}
    assert got.mask("train/a") == [[1, 1, 2, 2]] * 2
    assert got.samples["train/a"].overlapped == 4
    assert got.samples["train/a"].split == "train"


def test_boxes_empty_files_and_missing_ones(tmp_path: Path) -> None:
    more: dict[str, Any] = {
        "images/train/b.png": picture(4, 2),
        "labels/train/b.txt": "",
        "images/val/c.png": picture(4, 2),
        "images/val/d.png": picture(4, 2),
        "labels/val/d.txt": "0 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.2 0.2 0.9\n",
        "labels/val/gone.txt": LEFT,
    }
    got = outcome(yolo, source_of(tmp_path, files(LEFT) | more))
    assert not np.any(got.mask("train/b"))
    assert got.samples["val/c"].mask is None
    assert got.samples["val/c"].split == "val"
    assert not np.any(got.mask("val/d"))
    assert got.ignored == ["2 boxes"]
    assert got.refused == {"labels/val/gone.txt": "its image is not in the source"}


def test_boxes_alone_label_nothing(tmp_path: Path) -> None:
    got = outcome(yolo, source_of(tmp_path, files("0 0.5 0.5 0.2 0.2\n")))
    assert got.counts == (0, 1, 0)


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (LEFT + "0 0.1 0.2\n", "line 2 holds 2 numbers"),
        (LEFT + "rock 0.1 0.2 0.3 0.4\n", "line 2 holds something other than numbers"),
        ("0.5 0 0 1 1 0 1\n", "line 1 doesn't begin with a class number"),
        ("nan 0 0 1 1 0 1\n", "line 1 doesn't begin with a class number"),
        (LEFT + "0 0 0 1 1 nan 1\n", "line 2 holds 6 numbers"),
    ],
)
def test_bad_lines_refuse_their_file(tmp_path: Path, label: str, reason: str) -> None:
    got = outcome(yolo, source_of(tmp_path, files(label)))
    assert reason in got.refused["labels/train/a.txt"]


def test_unknown_classes_and_a_given_list(tmp_path: Path) -> None:
    got = outcome(yolo, source_of(tmp_path / "1", files("7 0 0 1 0 1 1\n")))
    assert got.refused == {"images/train/a.png": "category 7 is not one that the file lists"}
    given_list = ClassList((named(0, "background"), named(5, "big rock")))
    got = outcome(yolo, source_of(tmp_path / "2", files(ALL)), given_list)
    assert got.mask("train/a") == [[5] * 4] * 2


def test_without_names_and_with_labels_beside_pictures(tmp_path: Path) -> None:
    source = source_of(tmp_path, {"a.png": picture(4, 2), "a.txt": "3 0 0 1 0 1 1 0 1\n"})
    assert yolo.detect(source)
    got = outcome(yolo, source)
    assert got.names() == {0: "background", 1: "class 3"}


def test_lists_of_pictures_are_splits(tmp_path: Path) -> None:
    made = files(LEFT) | {"train.txt": "", "val.txt": "data/images/x/b.png\n", "images/x/b.png": picture(4, 2)}
    got = outcome(yolo, source_of(tmp_path, made))
    assert got.samples["x/b"].split == "val"


def test_text_that_is_not_yolo(tmp_path: Path) -> None:
    assert not yolo.detect(source_of(tmp_path, {"a.png": picture(4, 2), "a.txt": "a photo of a rock\n"}))


@pytest.mark.parametrize(
    "text",
    [
        "names: [a, 'b c']\ntrain: x\n",
        "# all\nnc: 2\nnames:\n- a\n- b c # second\ntrain:\n  - x\n",
        'names: {0: a, 1: "b c"}\ntrain: x',
        "names:\n    0 : a\n    1: b c\ntrain: [x]\n",
    ],
)
def test_the_part_of_yaml_that_matters(text: str) -> None:
    settings = yolo.parse_settings(text)
    assert settings.names == {0: "a", 1: "b c"}
    assert settings.splits == {"train": ["x"]}
    assert not settings.keypoints
    assert yolo.parse_settings("kpt_shape: [3, 2]").keypoints


@given(st.text(max_size=200))
def test_any_text_is_settings(text: str) -> None:
    yolo.parse_settings(text)


@pytest.mark.parametrize(
    ("name", "counts", "ignored"),
    [
        ("yolo", (0, 1, 0), ["2 boxes"]),
        ("yolov8_detection", (0, 1, 0), ["2 boxes"]),
        ("yolov8_detection_with_list_of_imgs", (0, 1, 0), ["2 boxes"]),
        ("yolov8_detection_with_list_of_names", (0, 1, 0), ["2 boxes"]),
        ("yolov8_detection_with_subset_txt", (0, 1, 0), ["2 boxes"]),
        ("yolov8_oriented_boxes", (1, 0, 0), []),
        ("yolov8_pose", (0, 1, 0), ["1 skeleton"]),
        ("yolov8_pose_two_values_per_point", (0, 1, 0), ["1 skeleton"]),
        ("yolov8_segmentation", (1, 0, 0), []),
    ],
)
def test_real_samples(name: str, counts: tuple[int, int, int], ignored: list[str]) -> None:
    source = open_source(shared(f"data/formats/datumaro_assets/yolo_dataset/{name}"))
    assert yolo.detect(source)
    got = outcome(yolo, source)
    assert got.counts == counts
    assert got.ignored == ignored
    assert all(one.split == "train" for one in got.samples.values())


def test_polygons_of_photos() -> None:
    got = outcome(yolo, open_source(shared("data/formats/labelformat_instance_segmentation/YOLOv8")))
    assert got.counts == (2, 0, 0)
    assert np.count_nonzero(got.mask("000000109005")) == pytest.approx(6956, rel=0.02)  # as COCO states this object
