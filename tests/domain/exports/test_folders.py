"""What the exports to a folder have in common, and what is each one's own."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.domain.classes import ClassList, named, parse_classes
from app.domain.exports import coco, folder, voc
from app.domain.exports.base import About, CantExport, Exported, Taken, Write
from app.domain.formats.rle import coco_decode
from app.domain.mask import pixel_hash
from tests.domain.exports.samples import ABOUT, CLASSES, gray, jpeg, unlabelled

each = pytest.mark.parametrize("write", [folder.write, coco.write, voc.write], ids=["folder", "coco", "voc"])


def tree(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@each
def test_the_same_samples_give_the_same_files(tmp_path: Path, write: Write) -> None:
    samples = [gray("x", split="train"), unlabelled(gray("y")), jpeg()]
    for name in ("one", "two"):
        write(tmp_path / name, samples, ABOUT)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


@each
def test_the_class_list_lies_beside(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "out", [gray()], ABOUT)
    assert parse_classes((tmp_path / "out" / "classes.csv").read_text()) == CLASSES


@each
def test_an_id_that_the_list_lacks_is_added_to_it(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "out", [gray(mask=np.full((2, 2), 9, np.uint8))], ABOUT)
    assert parse_classes((tmp_path / "out" / "classes.csv").read_text()).by_id(9) is not None


@each
def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path, write: Write) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(Taken, match=r"out is there already; give the export a new folder"):
        write(tmp_path / "out", [gray()], ABOUT)
    assert tree(tmp_path) == {"out/mine": b"mine"}


@each
def test_an_empty_folder_is_filled(tmp_path: Path, write: Write) -> None:
    (tmp_path / "out").mkdir()
    assert write(tmp_path / "out", [gray()], ABOUT).path == tmp_path / "out"
    assert "manifest.csv" in tree(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@each
def test_a_broken_export_leaves_nothing(tmp_path: Path, write: Write) -> None:
    def broken() -> Iterator[Exported]:
        yield gray()
        raise RuntimeError("the database is gone")

    with pytest.raises(RuntimeError):
        write(tmp_path / "out", broken(), ABOUT)
    assert list(tmp_path.iterdir()) == []


@each
def test_nothing_to_export_is_refused(tmp_path: Path, write: Write) -> None:
    with pytest.raises(CantExport, match="nothing to export"):
        write(tmp_path / "out", [], ABOUT)
    assert list(tmp_path.iterdir()) == []


@each
def test_a_place_that_is_no_folder_is_refused_in_a_sentence(tmp_path: Path, write: Write) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CantExport, match="can't be written"):
        write(tmp_path / "file" / "out", [gray()], ABOUT)


@each
def test_hostile_keys_stay_inside_and_are_told_by_the_manifest(tmp_path: Path, write: Write) -> None:
    keys = ["../../evil", "/etc/passwd", "a\x00b", "rock", "Rock", "=1+1", "line\nbreak"]
    write(tmp_path / "out", [gray(key) for key in keys], ABOUT)
    rows = json.loads((tmp_path / "out" / "manifest.json").read_text())["samples"]
    assert [row["key"] for row in rows] == keys
    files = {str(row["file"]) for row in rows}
    assert len({file.casefold() for file in files}) == len(keys) and files <= tree(tmp_path / "out").keys()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@each
def test_the_manifest(tmp_path: Path, write: Write) -> None:
    sample = gray("sol1/a", split="val")
    write(tmp_path / "out", [sample, unlabelled(gray("b"))], ABOUT)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["dataset"], manifest["class_list_version"]) == ("mars", 3)
    assert manifest["classes"] == CLASSES.as_json()
    first, second = manifest["samples"]
    assert sample.mask is not None
    assert first["image_hash"] == pixel_hash(sample.picture.pixels) and first["mask_hash"] == pixel_hash(sample.mask)
    assert {name: first[name] for name in ("key", "revision", "author", "source", "split", "status")} == {
        "key": "sol1/a", "revision": 4, "author": "Ada", "source": "brush", "split": "val", "status": "corrected",
    }  # fmt: skip
    assert second["mask_file"] is None and second["mask_hash"] is None
    table = (tmp_path / "out" / "manifest.csv").read_text().splitlines()
    assert len(table) == 3 and table[0].split(",") == list(first)


def test_no_cell_of_the_table_is_a_formula(tmp_path: Path) -> None:
    folder.write(tmp_path / "out", [gray("=HYPERLINK(1)")], ABOUT)
    assert "\n'=HYPERLINK(1)," in (tmp_path / "out" / "manifest.csv").read_text()


def test_folder_layout(tmp_path: Path) -> None:
    samples = [gray("sol1/a", split="train"), unlabelled(gray("b", split="test")), gray("c"), jpeg()]
    folder.write(tmp_path / "out", samples, ABOUT)
    files = tree(tmp_path / "out")
    assert set(files) == {
        "images/sol1/a.png", "images/b.png", "images/c.png", "images/photo.jpg", "masks/sol1/a.png", "masks/c.png",
        "masks/photo.png", "classes.csv", "train.txt", "test.txt", "manifest.csv", "manifest.json",
    }  # fmt: skip
    assert files["images/photo.jpg"] == samples[3].picture.original
    assert files["train.txt"] == b"sol1/a\n" and files["test.txt"] == b"b\n"


def test_voc_layout(tmp_path: Path) -> None:
    samples = [gray("a", split="train"), jpeg()]
    written = voc.write(tmp_path / "out", samples, ABOUT)
    files = tree(tmp_path / "out")
    assert {"JPEGImages/a.png", "JPEGImages/photo.jpg", "SegmentationClass/a.png"} <= set(files)
    assert files["JPEGImages/photo.jpg"] == samples[1].picture.original
    assert files["ImageSets/Segmentation/train.txt"] == b"a\n"
    assert files["ImageSets/Segmentation/default.txt"] == b"photo\n"
    assert b"\nsoil:230,159,0::\n" in files["labelmap.txt"]
    assert written.notes == ("Pictures in JPEGImages that are PNG or TIFF, because they came as no JPEG: 1.",)


def test_voc_refuses_ids_over_255(tmp_path: Path) -> None:
    classes = ClassList((named(0, "background"), named(256, "far")))
    with pytest.raises(CantExport, match="export to folder instead"):
        voc.write(tmp_path / "out", [gray(mask=np.zeros((2, 2), np.uint8))], About("d", classes))


def test_coco_tells_every_pixel(tmp_path: Path) -> None:
    mask = np.array([[0, 0, 7], [255, 7, 7]], np.uint8)
    coco.write(tmp_path / "out", [gray("sol1/a", mask), replace(unlabelled(gray("b")), split="test")], ABOUT)
    root = tmp_path / "out" / "annotations"
    assert {path.name for path in root.iterdir()} == {"instances_default.json", "image_info_test.json"}
    document: dict[str, Any] = json.loads((root / "instances_default.json").read_text())
    assert document["images"] == [{"id": 1, "file_name": "sol1/a.png", "width": 3, "height": 2}]
    assert [(one["id"], one["name"], one["role"]) for one in document["categories"]] == [
        (one.id, one.name, one.role.value) for one in CLASSES.classes
    ]
    by_class = {one["category_id"]: one for one in document["annotations"]}
    assert by_class.keys() == {0, 7, 255}
    for id, one in by_class.items():
        assert np.array_equal(coco_decode(one["segmentation"]), mask == id) and one["area"] == (mask == id).sum()
    assert by_class[7]["bbox"] == [1, 0, 2, 2]
    assert json.loads((root / "image_info_test.json").read_text())["annotations"] == []


def test_an_image_file_is_what_it_says(tmp_path: Path) -> None:
    sample = gray("deep/er/a")
    folder.write(tmp_path / "out", [sample], ABOUT)
    with Image.open(tmp_path / "out" / "images" / "deep" / "er" / "a.png") as image:
        assert np.array_equal(np.asarray(image), sample.picture.pixels)
