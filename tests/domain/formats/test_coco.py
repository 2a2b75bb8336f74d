import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.domain.classes import ClassList, named
from app.domain.formats import coco, panoptic, rle
from app.domain.formats.source import open_source
from tests.domain.formats.made import outcome, picture, source_of
from tests.shared import shared

SQUARE = [[1, 1, 4, 1, 4, 4, 1, 4]]


def document(**parts: Any) -> dict[str, Any]:
    return {
        "images": [{"id": 1, "file_name": "a.png", "width": 6, "height": 5}],
        "annotations": [],
        "categories": [{"id": 3, "name": "rock"}, {"id": 5, "name": "sand"}],
        **parts,
    }


def one(segmentation: object, category: int = 3, image: int = 1) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "segmentation": segmentation, "bbox": [1, 1, 3, 3]}


def test_polygons_and_both_rles_paint_the_same_class(tmp_path: Path) -> None:
    square = np.zeros((5, 6), np.bool_)
    square[1:4, 1:4] = True
    forms: list[object] = [
        SQUARE,
        rle.coco_encode(square),
        {"size": [5, 6], "counts": rle.coco_counts(square)},
        [*SQUARE, [2, 2, 3, 2, 3, 3, 2, 3]],
    ]
    for n, form in enumerate(forms):
        source = source_of(
            tmp_path / str(n), {"a.png": picture(6, 5), "instances.json": document(annotations=[one(form)])}
        )
        assert coco.detect(source)
        read = outcome(coco, source)
        assert read.names() == {0: "background", 3: "rock", 5: "sand"}
        assert read.mask("a") == (square * 3).tolist()
        assert read.samples["a"].overlapped == 0


def test_small_over_large_whatever_the_order(tmp_path: Path) -> None:
    inner, outer = one([[2, 2, 3, 2, 3, 3, 2, 3]], 5), one(SQUARE, 3)
    for n, annotations in enumerate(([inner, outer], [outer, inner])):
        files = {"a.png": picture(6, 5), "x.json": document(annotations=annotations)}
        read = outcome(coco, source_of(tmp_path / str(n), files))
        assert read.mask("a")[2][1:4] == [3, 5, 3]
        assert read.samples["a"].overlapped == 1


def test_a_crowd_and_a_picture_without_annotations(tmp_path: Path) -> None:
    crowd = one({"size": [5, 6], "counts": [0, 5, 25]}) | {"iscrowd": 1}
    images = [{"id": n, "file_name": f"{n}.png", "width": 6, "height": 5} for n in (1, 2)]
    files = {"1.png": picture(6, 5), "2.png": picture(6, 5), "x.json": document(images=images, annotations=[crowd])}
    read = outcome(coco, source_of(tmp_path, files))
    assert [row[0] for row in read.mask("1")] == [3] * 5
    assert not np.any(read.mask("2"))


def test_a_file_without_masks_leaves_pictures_unlabelled(tmp_path: Path) -> None:
    boxes = [{"image_id": 1, "category_id": 3, "bbox": [0, 0, 1, 1]}, {"image_id": 1, "caption": "x"}]
    files = {"a.png": picture(6, 5), "annotations/instances_val.json": document(annotations=boxes)}
    read = outcome(coco, source_of(tmp_path, files))
    assert read.samples["a"].mask is None
    assert read.samples["a"].split == "val"
    assert read.ignored == ["1 box", "1 caption"]


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (one({"size": [6, 5], "counts": [30]}), r"size \[6, 5\] \(height, width\) in a picture of \[5, 6\]"),
        (one({"size": [5, 6], "counts": [0, 31]}), "cover 31 of 30"),
        (one({"size": [100_000, 100_000], "counts": [0, 10**10]}), "100000"),
        (one([[1, 1, 4, 1, float("nan"), 4]]), "finite"),
        (one([[1, 1, 4, 1, 1e300, 4]]), "beyond"),
        (one([["x"] * 6]), "numbers"),
        (one("text"), "neither polygons nor an RLE"),
        (one([5, 6, 7]), "three points"),
        (one(SQUARE, 99), "category 99"),
        (one(SQUARE) | {"category_id": [1]}, "category None"),
    ],
)
def test_a_bad_annotation_refuses_its_picture_by_name(tmp_path: Path, annotation: Any, reason: str) -> None:
    images = [{"id": n, "file_name": f"{n}.png", "width": 6, "height": 5} for n in (1, 2)]
    files = {
        "1.png": picture(6, 5),
        "2.png": picture(6, 5),
        "x.json": document(images=images, annotations=[annotation, one(SQUARE, image=2)]),
    }
    read = outcome(coco, source_of(tmp_path, files))
    assert list(read.refused) == ["1.png"]
    assert list(read.samples) == ["2"]
    assert re.search(reason, read.refused["1.png"])


def test_sizes_missing_pictures_and_strangers_are_named(tmp_path: Path) -> None:
    images = [
        {"id": 1, "file_name": "a.png", "width": 100_000, "height": 100_000},
        {"id": 2, "file_name": "gone.png", "width": 6, "height": 5},
        {"id": 3, "file_name": "broken.png"},
    ]
    annotations = [one(SQUARE), one(SQUARE, image=77)]
    files = {
        "a.png": picture(6, 5),
        "broken.png": b"no picture",
        "x.json": document(images=images, annotations=annotations),
    }
    read = outcome(coco, source_of(tmp_path, files))
    assert read.refused["a.png"] == "the annotations say 100000 x 100000 pixels, the picture has 6 x 5"
    assert read.refused["gone.png"] == "the image is not in the source"
    assert read.refused["broken.png"] == "not an image that can be read"
    assert read.ignored == ["1 annotation of pictures that the file doesn't list"]


def test_slivers_are_counted_not_fatal(tmp_path: Path) -> None:
    files = {
        "a.png": picture(6, 5),
        "x.json": document(annotations=[one([*SQUARE, [1, 1, 2, 2]]), one([[0, 0, 5, 5]])]),
    }
    read = outcome(coco, source_of(tmp_path, files))
    assert read.mask("a")[1] == [0, 3, 3, 3, 0, 0]
    assert read.ignored == ["2 polygons of fewer than three points"]


def test_several_files(tmp_path: Path) -> None:
    """Splits come from file names; a picture is taken once; category ids have to mean the same."""
    files = {
        "images/train/a.png": picture(6, 5),
        "images/val/a.png": picture(6, 5),
        "annotations/instances_train.json": document(annotations=[one(SQUARE)]),
        "annotations/instances_val.json": document(annotations=[one(SQUARE, 5)]),
        "annotations/stuff_train.json": document(annotations=[one(SQUARE, 5)]),
        "annotations/instances_wrong.json": document(categories=[{"id": 3, "name": "boat"}], annotations=[one(SQUARE)]),
        "annotations/broken.json": b"{",
        "annotations/other.json": [{"image_id": 1}],
    }
    read = outcome(coco, source_of(tmp_path, files))
    assert {key: (one.split, int(np.max(read.mask(key)))) for key, one in read.samples.items()} == {
        "train/a": ("train", 3),
        "val/a": ("val", 5),
    }
    assert "1 of its pictures came with another file" in read.refused["annotations/stuff_train.json"]
    assert read.refused["annotations/instances_wrong.json"].startswith(
        "its category 3 is boat, in the other files rock;"
    )
    assert read.refused["annotations/broken.json"].startswith("unreadable JSON")
    assert "list of results" in read.refused["annotations/other.json"]


def test_a_given_class_list_decides_by_name(tmp_path: Path) -> None:
    files = {"a.png": picture(6, 5), "x.json": document(annotations=[one(SQUARE)])}
    source = source_of(tmp_path, files)
    read = outcome(coco, source, ClassList((named(0, "background"), named(9, "rock"))))
    assert read.classes is None
    assert np.max(read.mask("a")) == 9
    other = outcome(coco, source, ClassList((named(0, "background"), named(9, "boat"))))
    assert other.refused == {"a.png": "class rock is not in the class list"}


def test_our_manifest_is_no_annotation_file_but_another_is_named(tmp_path: Path) -> None:
    made = {"a.png": picture(6, 5), "x.json": document(annotations=[one(SQUARE)])}
    ours = {"dataset": "d", "class_list_version": 1, "samples": [{"key": "a"}], "classes": []}
    assert outcome(coco, source_of(tmp_path / "1", made | {"manifest.json": ours})).refused == {}
    other = outcome(coco, source_of(tmp_path / "2", made | {"manifest.json": {"samples": []}}))
    assert list(other.refused) == ["manifest.json"]


@pytest.mark.parametrize(
    ("file", "folder", "split"),
    [
        ("annotations/instances_train.json", "images/training_set", "train"),
        ("annotations/instances_default.json", "images/training_set", None),
        ("annotations/instances_default.json", "images/train", None),
        ("annotations/instances.json", "images/test_set", None),
        ("annotations/instances.json", "val2017", "val"),
        ("valid/_annotations.coco.json", "valid", "val"),
    ],
)
def test_splits_come_from_file_names_and_split_folders(
    tmp_path: Path, file: str, folder: str, split: str | None
) -> None:
    images = [{"id": 1, "file_name": f"{folder.removeprefix('images/')}/a.png"}]
    source = source_of(tmp_path, {f"{folder}/a.png": picture(6, 5), file: document(images=images)})
    assert [one.split for one in outcome(coco, source).samples.values()] == [split]


def test_panoptic_files_are_named(tmp_path: Path) -> None:
    segments = {"image_id": 1, "file_name": "a.png", "segments_info": []}
    files = {
        "a.png": picture(6, 5),
        "x.json": document(annotations=[one(SQUARE)]),
        "p.json": document(annotations=[segments]),
    }
    read = outcome(coco, source_of(tmp_path, files))
    assert read.refused["p.json"] == "panoptic annotations; import them with the format panoptic"


def test_published_sample_agrees_with_its_panoptic_form() -> None:
    source = open_source(shared("data/formats/coco_panopticapi_sample"))
    assert coco.detect(source) and panoptic.detect(source)
    detection, segments = outcome(coco, source), outcome(panoptic, source)
    assert detection.counts == (2, 0, 2)
    assert segments.counts == (2, 0, 0)
    for key in detection.samples:
        one, other = np.array(detection.mask(key)), np.array(segments.mask(key))
        assert np.array_equal(np.where(one == 0, 255, one), other)
        assert detection.samples[key].overlapped == 0


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("datumaro_assets/coco_dataset/coco", (2, 0, 4)),
        ("datumaro_assets/coco_dataset/coco_captions", (0, 2, 0)),
        ("datumaro_assets/coco_dataset/coco_image_info", (0, 2, 0)),
        ("datumaro_assets/coco_dataset/coco_instances", (1, 1, 0)),
        ("datumaro_assets/coco_dataset/coco_labels", (0, 2, 0)),
        ("datumaro_assets/coco_dataset/coco_person_keypoints", (1, 1, 0)),
        ("datumaro_assets/coco_dataset/coco_stuff", (2, 0, 0)),
        ("cocoapi_results", (0, 0, 4)),
        ("labelformat_instance_segmentation/COCO", (0, 0, 4)),
        ("labelformat_instance_segmentation", (2, 0, 2)),
        ("labelme_examples/instance_segmentation/data_dataset_coco", (3, 0, 0)),
    ],
)
def test_real_samples(name: str, counts: tuple[int, int, int]) -> None:
    source = open_source(shared(f"data/formats/{name}"))
    assert coco.detect(source)
    assert outcome(coco, source).counts == counts


def test_results_without_pictures_say_so() -> None:
    read = outcome(coco, open_source(shared("data/formats/cocoapi_results")))
    assert set(read.refused.values()) == {
        "a list of results without the list of images; import it with the annotation file"
    }
