from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.domain.classes import ClassList, Role, named
from app.domain.formats import voc
from app.domain.formats.base import UnknownColours
from app.domain.formats.source import open_source
from tests.domain.formats.made import outcome, picture, png, source_of
from tests.shared import shared

PALETTE = [value for id in range(256) for value in voc.voc_colour(id)]
INDEX = np.array([[0, 1, 255], [15, 1, 0]], np.uint8)


def files(mask: bytes, **more: Any) -> dict[str, Any]:
    return {"JPEGImages/a.png": picture(3, 2), "SegmentationClass/a.png": mask, **more}


def coloured(*colours: tuple[int, int, int]) -> bytes:
    return png(np.array([colours, colours], np.uint8))


def test_the_palette_is_vocs() -> None:
    assert [voc.voc_colour(id) for id in (0, 1, 2, 4, 20, 255)] == [
        (0, 0, 0),
        (128, 0, 0),
        (0, 128, 0),
        (0, 0, 128),
        (0, 64, 128),
        (224, 224, 192),
    ]


def test_a_palette_mask_without_names_has_the_standard_ones(tmp_path: Path) -> None:
    source = source_of(tmp_path, files(png(INDEX, PALETTE)))
    assert voc.detect(source)
    got = outcome(voc, source)
    names = got.names()
    assert (len(names), names[0], names[1], names[20], names[255]) == (
        22,
        "background",
        "aeroplane",
        "tvmonitor",
        "void",
    )
    assert got.classes is not None and got.classes.void_ids == {255}
    assert got.mask("a") == INDEX.tolist()
    assert got.samples["a"].original == png(INDEX, PALETTE)


def test_a_gray_mask_without_names_has_none(tmp_path: Path) -> None:
    got = outcome(voc, source_of(tmp_path, files(png(INDEX))))
    assert got.classes is None
    assert got.mask("a") == INDEX.tolist()


def test_colours_by_labelmap_with_the_white_border(tmp_path: Path) -> None:
    labelmap = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nrock:10,20,30::\nsand:1,2,3::\n"
    mask = coloured((0, 0, 0), (1, 2, 3), (224, 224, 192))
    got = outcome(voc, source_of(tmp_path, files(mask) | {"labelmap.txt": labelmap}))
    assert got.names() == {0: "background", 1: "rock", 2: "sand", 255: "void"}
    assert got.mask("a")[0] == [0, 2, 255]
    assert got.samples["a"].original is None
    other = files(coloured((0, 0, 0), (9, 9, 9), (9, 9, 9))) | {"labelmap.txt": labelmap}
    got = outcome(voc, source_of(tmp_path / "2", other))
    assert "#090909" in got.refused["SegmentationClass/a.png"]


def test_standard_colours_and_unknown_ones(tmp_path: Path) -> None:
    got = outcome(voc, source_of(tmp_path / "1", files(coloured((0, 0, 0), (192, 128, 128), (0, 128, 0)))))
    assert got.mask("a")[0] == [0, 15, 2]
    assert got.names()[15] == "person"
    with pytest.raises(UnknownColours, match="#090909"):
        outcome(voc, source_of(tmp_path / "2", files(coloured((0, 0, 0), (9, 9, 9), (9, 9, 9)))))
    given = ClassList((named(3, "hole", (9, 9, 9)), named(0, "ground", (0, 0, 0), Role.BACKGROUND)))
    got = outcome(voc, source_of(tmp_path / "3", files(coloured((0, 0, 0), (9, 9, 9), (9, 9, 9)))), given)
    assert got.mask("a")[0] == [0, 3, 3]


def test_lists_are_splits_and_pictures_without_masks_unlabelled(tmp_path: Path) -> None:
    made = files(
        png(INDEX, PALETTE),
        **{
            "JPEGImages/b.png": picture(3, 2),
            "JPEGImages/c.png": picture(3, 2),
            "ImageSets/Segmentation/train.txt": "a\n",
            "ImageSets/Segmentation/val.txt": "b\n# c\ngone\n",
            "ImageSets/Segmentation/trainval.txt": "a\nb\n",
            "SegmentationClass/stray.png": png(INDEX),
            "Annotations/a.xml": "<annotation/>",
        },
    )
    got = outcome(voc, source_of(tmp_path, {f"VOC2012/{name}": content for name, content in made.items()}))
    assert {key: (one.split, one.mask is not None) for key, one in got.samples.items()} == {
        "a": ("train", True),
        "b": ("val", False),
    }
    assert got.refused == {
        "gone": "its image is not in the source",
        "VOC2012/SegmentationClass/stray.png": "its image is not in the source",
    }
    assert got.ignored == ["1 picture in no list of ImageSets/Segmentation", "1 file of boxes"]


def test_void_by_255_is_listed_where_a_mask_holds_it(tmp_path: Path) -> None:
    listed = "id,name,role\n0,sky,\n1,road,\n11,other,void\n"
    for void, names in ((11, {0, 1, 11}), (255, {0, 1, 11, 255})):
        mask = np.array([[0, 1, void], [0, 0, 0]], np.uint8)
        got = outcome(voc, source_of(tmp_path / str(void), files(png(mask)) | {"classes.csv": listed}))
        assert got.names().keys() == names and got.refusals == []
        assert got.mask("a") == mask.tolist()


def test_a_coloured_mask_beside_index_masks_is_refused_by_name(tmp_path: Path) -> None:
    other = {"JPEGImages/b.png": picture(3, 2), "SegmentationClass/b.png": coloured((9, 9, 9), (1, 2, 3), (0, 0, 0))}
    got = outcome(voc, source_of(tmp_path, files(png(INDEX)) | other))
    assert list(got.samples) == ["a"]
    assert "colour-coded, unlike the other masks" in got.refused["SegmentationClass/b.png"]


def test_names_of_a_file_are_certain(tmp_path: Path) -> None:
    made = files(png(INDEX), **{"class_names.txt": "_background_\nrock\n"})
    got = outcome(voc, source_of(tmp_path / "1", made))
    assert got.refused == {"SegmentationClass/a.png": "id 15 not in the class list"}
    fine = np.array([[0, 1, 255], [1, 1, 0]], np.uint8)
    made["SegmentationClass/a.png"] = png(fine)
    given = ClassList((named(2, "_background_"), named(5, "rock"), named(7, "void")))
    got = outcome(voc, source_of(tmp_path / "2", made), given)
    assert got.mask("a") == [[2, 5, 7], [5, 5, 2]]


def test_masks_that_do_not_fit_are_named(tmp_path: Path) -> None:
    made = files(picture(4, 4)) | {
        "JPEGImages/b.png": b"no picture",
        "JPEGImages/c.png": picture(3, 2),
        "SegmentationClass/c.png": b"no picture",
    }
    got = outcome(voc, source_of(tmp_path, made))
    assert got.refused["SegmentationClass/a.png"].startswith("the mask is 4 x 4 but its image is 3 x 2")
    assert got.refused["JPEGImages/b.png"] == "not an image that can be read"
    assert got.refused["SegmentationClass/c.png"] == "not an image that can be read"


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("datumaro_assets/voc_dataset/voc_dataset1", (1, 1, 0)),
        ("datumaro_assets/voc_dataset/voc_dataset2", (0, 0, 0)),
        ("datumaro_assets/voc_dataset/voc_dataset3", (0, 1, 0)),
        ("labelme_examples/semantic_segmentation/data_dataset_voc", (3, 0, 0)),
        ("labelme_examples/instance_segmentation/data_dataset_voc", (3, 0, 0)),
        ("labelformat_other/semantic_segmentation/pascalvoc", (2, 0, 0)),
    ],
)
def test_real_samples(name: str, counts: tuple[int, int, int]) -> None:
    source = open_source(shared(f"data/formats/{name}"))
    assert voc.detect(source)
    assert outcome(voc, source).counts == counts


def test_a_sub_folder_stays_in_the_key() -> None:
    source = open_source(shared("data/formats/labelformat_other/semantic_segmentation/pascalvoc"))
    assert set(outcome(voc, source).samples) == {"2007_000032", "subdir/2007_000033"}


def test_cvats_mask_export_with_pictures() -> None:
    """A frame that CVAT lists but has no mask of is unlabelled."""
    got = outcome(voc, open_source(shared("cvat/exports/capture_sdk2.80.0/Segmentation_mask_1.1_images.zip")))
    assert got.counts == (2, 1, 0)
    assert got.names() == {0: "background", 1: "bedrock", 2: "big rock", 3: "sand", 4: "soil"}
