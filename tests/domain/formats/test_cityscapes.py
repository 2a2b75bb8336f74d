from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.domain.classes import ClassList, named
from app.domain.formats import cityscapes
from app.domain.formats.source import open_source
from tests.domain.formats.made import Outcome, outcome, picture, png, source_of
from tests.shared import shared

NAME = "aachen_000000_000019"


def read(folder: Path, classes: ClassList | None = None, **masks: bytes) -> Outcome:
    files: dict[str, Any] = {f"gtFine/train/aachen/{NAME}_gtFine_{kind}.png": mask for kind, mask in masks.items()}
    files[f"leftImg8bit/train/aachen/{NAME}_leftImg8bit.png"] = picture(3, 1)
    source = source_of(folder, files)
    assert cityscapes.detect(source)
    return outcome(cityscapes, source, classes)


def test_label_ids_come_first(tmp_path: Path) -> None:
    ids = png(np.array([[7, 26, 255]], np.uint8))
    got = read(tmp_path, labelIds=ids, labelTrainIds=picture(3, 1))
    assert got.mask(f"train/aachen/{NAME}") == [[7, 26, 255]]
    assert got.samples[f"train/aachen/{NAME}"].split == "train"
    assert got.samples[f"train/aachen/{NAME}"].original == ids
    names = got.names()
    assert len(names) == 35
    assert (names[7], names[33], names[255]) == ("road", "bicycle", "license plate")
    assert got.classes is not None
    assert got.classes.void_ids == {*range(7), 9, 10, 14, 15, 16, 18, 29, 30, 255}
    assert got.ignored == ["1 annotation of a form other than labelids"]


def test_train_ids(tmp_path: Path) -> None:
    got = read(tmp_path / "1", labelTrainIds=png(np.array([[0, 18, 255]], np.uint8)))
    assert got.mask(f"train/aachen/{NAME}") == [[0, 18, 255]]
    names = got.names()
    assert (len(names), names[0], names[13], names[18]) == (20, "road", "car", "bicycle")
    got = read(tmp_path / "2", labelTrainIds=png(np.array([[0, 19, 255]], np.uint8)))
    assert list(got.refused.values()) == ["id 19 not in the class list"]


def test_instance_ids_and_colours(tmp_path: Path) -> None:
    got = read(tmp_path / "1", instanceIds=png(np.array([[7, 26_001, 24_999]], np.uint16)))
    assert got.mask(f"train/aachen/{NAME}") == [[7, 26, 24]]
    got = read(tmp_path / "2", color=png(np.array([[(128, 64, 128), (0, 0, 0), (0, 0, 142)]], np.uint8)))
    assert got.mask(f"train/aachen/{NAME}") == [[7, 0, 26]]
    got = read(tmp_path / "3", color=png(np.array([[(1, 2, 3)] * 3], np.uint8)))
    assert "#010203" in next(iter(got.refused.values()))


def test_a_given_list_decides_by_name(tmp_path: Path) -> None:
    given = ClassList((named(1, "car"), named(2, "road")))
    got = read(tmp_path / "1", given, labelIds=png(np.array([[7, 26, 7]], np.uint8)))
    assert got.mask(f"train/aachen/{NAME}") == [[2, 1, 2]]
    got = read(tmp_path / "2", given, labelIds=png(np.array([[7, 26, 8]], np.uint8)))
    assert "sidewalk" in next(iter(got.refused.values()))


def test_pictures_without_annotation_and_strays(tmp_path: Path) -> None:
    files: dict[str, Any] = {
        "leftImg8bit/test/bonn/b_1_leftImg8bit.png": picture(3, 1),
        "gtFine/val/c/c_1_gtFine_labelIds.png": picture(3, 1),
        "leftImg8bit/val/d/d_1_leftImg8bit.png": picture(3, 1),
        "gtFine/val/d/d_1_gtFine_labelIds.png": picture(1, 3),
    }
    got = outcome(cityscapes, source_of(tmp_path, files))
    assert got.samples["test/bonn/b_1"].mask is None
    assert got.refused["gtFine/val/c/c_1_gtFine_labelIds.png"] == "its image is not in the source"
    assert "1 x 3 but its image is 3 x 1" in got.refused["gtFine/val/d/d_1_gtFine_labelIds.png"]


@pytest.mark.parametrize(("name", "counts"), [("dataset", (4, 0, 0)), ("train_dataset", (0, 0, 4))])
def test_real_samples(name: str, counts: tuple[int, int, int]) -> None:
    """The second set uses train id 19, which Cityscapes doesn't have; a class list that has it lets it in."""
    path = shared(f"data/formats/datumaro_assets/cityscapes_dataset/{name}")
    assert outcome(cityscapes, open_source(path)).counts == counts
    given = ClassList(tuple(named(id, f"class {id}") for id in range(35)))
    assert outcome(cityscapes, open_source(path), given).counts == (4, 0, 0)
