from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.domain.classes import ClassList, named
from app.domain.formats import panoptic
from app.domain.formats.index import open_mask
from app.domain.formats.source import open_source
from tests.domain.formats.made import outcome, picture, png, source_of
from tests.shared import shared


def coded(segments: npt.NDArray[np.int64]) -> bytes:
    return png(np.stack((segments % 256, segments // 256 % 256, segments // 65536), axis=2).astype(np.uint8))


def document(*segments: tuple[Any, Any]) -> dict[str, Any]:
    return {
        "images": [{"id": 1, "file_name": "a.png", "width": 3, "height": 2}],
        "annotations": [
            {
                "image_id": 1,
                "file_name": "a.png",
                "segments_info": [{"id": id, "category_id": category} for id, category in segments],
            }
        ],
        "categories": [{"id": 1, "name": "sky", "color": [1, 2, 3]}, {"id": 7, "name": "car"}],
    }


def files(segments: list[list[int]], *infos: tuple[Any, Any]) -> dict[str, Any]:
    return {
        "images/train/a.png": picture(3, 2),
        "annotations/panoptic_train/a.png": coded(np.array(segments)),
        "annotations/panoptic_train.json": document(*infos),
    }


@given(arrays(np.int64, (3, 4), elements=st.integers(0, 2**24 - 1)))
def test_segment_ids_are_read_from_colours(segments: npt.NDArray[np.int64]) -> None:
    assert np.array_equal(panoptic._segments(open_mask(coded(segments))), segments)


def test_segments_become_classes_and_none_is_void(tmp_path: Path) -> None:
    source = source_of(tmp_path, files([[0, 5, 5], [70_000, 256, 0]], (5, 1), (70_000, 7), (256, 7)))
    assert panoptic.detect(source)
    read = outcome(panoptic, source)
    assert read.mask("train/a") == [[255, 1, 1], [7, 7, 255]]
    assert read.names() == {0: "background", 1: "sky", 7: "car", 255: "void"}
    assert read.samples["train/a"].split == "train"


def test_a_given_list_without_void_takes_no_segment_as_background(tmp_path: Path) -> None:
    source = source_of(tmp_path, files([[0, 5, 5], [5, 5, 0]], (5, 1)))
    read = outcome(panoptic, source, ClassList((named(2, "background"), named(4, "sky"))))
    assert read.mask("train/a") == [[2, 4, 4], [4, 4, 2]]


@pytest.mark.parametrize(
    ("segments", "infos", "reason"),
    [
        ([[9, 5, 5], [5, 5, 5]], [(5, 1)], "segment 9 of"),
        ([[5, 5, 5], [5, 5, 5]], [(5, 99)], "category 99"),
        ([[5, 5], [5, 5]], [(5, 1)], "2 x 2 but its image is 3 x 2"),
    ],
)
def test_contradictions_are_named(tmp_path: Path, segments: list[list[int]], infos: Any, reason: str) -> None:
    read = outcome(panoptic, source_of(tmp_path, files(segments, *infos)))
    assert reason in read.refused["a.png"]


def test_a_missing_png_and_a_picture_without_annotation(tmp_path: Path) -> None:
    made = files([[5, 5, 5], [5, 5, 5]], (5, 1))
    del made["annotations/panoptic_train/a.png"]
    made["images/train/b.png"] = picture(3, 2)
    made["annotations/panoptic_train.json"]["images"].append({"id": 2, "file_name": "b.png"})
    read = outcome(panoptic, source_of(tmp_path, made))
    assert read.refused == {"a.png": "its PNG of segments is not in the source"}
    assert read.samples["train/b"].mask is None


def test_real_samples() -> None:
    read = outcome(panoptic, open_source(shared("data/formats/datumaro_assets/coco_dataset/coco_panoptic")))
    assert read.counts == (1, 0, 1)
    assert "5 x 5 but its image is 10 x 5" in read.refused["a.jpg"]
