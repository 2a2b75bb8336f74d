from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.domain import demo
from app.domain.exports import npz
from app.domain.exports.base import CantExport, Exported, Taken
from app.domain.mask import Mask
from app.domain.picture import Picture
from tests.domain.exports.samples import ABOUT, gray, imported, same_masks, unlabelled


def test_gray_samples_make_the_course_layout(tmp_path: Path) -> None:
    samples = [gray("x"), unlabelled(gray("y")), gray("z")]
    written = npz.write(tmp_path / "set.npz", samples, ABOUT)
    assert (written.labelled, written.unlabelled) == (2, 1)
    with np.load(written.path) as arrays:
        assert set(arrays.files) == {"training_set", "test_set"}
        training, test = arrays["training_set"], arrays["test_set"]
    assert training.shape == (2, 2, 4, 6) and training.dtype == test.dtype == np.uint8
    assert np.array_equal(training[1, 0], samples[2].picture.pixels)
    assert np.array_equal(training[1, 1], np.asarray(samples[2].mask))
    assert np.array_equal(test[0], samples[1].picture.pixels)


def test_colour_samples_make_images_and_masks(tmp_path: Path) -> None:
    colour = Picture(np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3))
    samples = [replace(gray(key, shape=(8, 6)), picture=colour) for key in "abc"]
    samples[2] = unlabelled(samples[2])
    written = npz.write(tmp_path / "set.npz", samples, ABOUT)
    with np.load(written.path) as arrays:
        assert set(arrays.files) == {"images", "masks", "test_set"}
        assert arrays["images"].shape == (2, 8, 6, 3) and arrays["test_set"].shape == (1, 8, 6, 3)
        assert arrays["masks"].shape == (2, 8, 6)
    labelled, _ = imported(written.path, ABOUT.classes)
    keys = ["images/00000", "images/00001", "test_set/00000"]
    same_masks([replace(one, key=key) for one, key in zip(samples, keys, strict=True)], labelled)


@pytest.mark.parametrize(
    ("image", "mask", "both"),
    [
        (np.uint8, np.uint8, np.uint8),
        (np.uint8, np.uint16, np.uint16),
        (np.int16, np.uint16, np.int32),
        (np.float16, np.uint16, np.float32),
        (np.float64, np.uint8, np.float64),
    ],
)
def test_the_dtype_is_the_smallest_that_holds_both(
    tmp_path: Path, image: type[np.generic], mask: type[np.generic], both: type[np.generic]
) -> None:
    ids: Mask = np.full((2, 3), 7, np.uint8) if mask is np.uint8 else np.full((2, 3), 700, np.uint16)
    written = npz.write(tmp_path / "set.npz", [Exported("a", Picture(np.ones((2, 3), image)), ids)], ABOUT)
    with np.load(written.path) as arrays:
        assert arrays["training_set"].dtype == both
        assert np.array_equal(arrays["training_set"][0, 1], ids)


def test_the_same_samples_give_the_same_bytes(tmp_path: Path) -> None:
    samples = [gray("x"), unlabelled(gray("y"))]
    (tmp_path / "b").mkdir()
    one, two = (npz.write(tmp_path / name, samples, ABOUT).path for name in ("a.npz", "b/a.npz"))
    for suffix in (".npz", ".manifest.csv", ".manifest.json", ".classes.csv"):
        assert one.with_suffix(suffix).read_bytes() == two.with_suffix(suffix).read_bytes()


def test_the_manifest_says_which_row_a_key_is(tmp_path: Path) -> None:
    npz.write(tmp_path / "set.npz", [gray("x/1"), unlabelled(gray("y")), gray("z")], ABOUT)
    lines = (tmp_path / "set.manifest.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["x/1", "training_set/00000", "training_set/00000"],
        ["y", "test_set/00000", ""],
        ["z", "training_set/00001", "training_set/00001"],
    ]


def test_a_folder_gets_a_file_named_after_the_data_set(tmp_path: Path) -> None:
    assert npz.write(tmp_path, [gray()], ABOUT).path == tmp_path / "mars.npz"


def test_pictures_of_two_sizes_are_refused_with_both(tmp_path: Path) -> None:
    with pytest.raises(CantExport, match=r"small is 6 x 4 \(gray\) and large is 9 x 8 \(gray\); export to folder"):
        npz.write(tmp_path / "set.npz", [gray("small"), gray("large", shape=(8, 9))], ABOUT)
    assert list(tmp_path.iterdir()) == []


def test_gray_beside_colour_is_refused(tmp_path: Path) -> None:
    colour = replace(gray("b"), picture=Picture(np.zeros((4, 6, 3), np.uint8)))
    with pytest.raises(CantExport, match="3 channels"):
        npz.write(tmp_path / "set.npz", [gray("a"), colour], ABOUT)


def test_nothing_to_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CantExport, match="nothing to export"):
        npz.write(tmp_path / "set.npz", [], ABOUT)
    assert list(tmp_path.iterdir()) == []


def test_samples_that_change_on_the_way_are_noticed(tmp_path: Path) -> None:
    class Shrinking:
        left = 3

        def __iter__(self) -> Iterator[Exported]:
            self.left -= 1
            return iter([gray(key) for key in "abc"[: self.left]])

    with pytest.raises(CantExport, match="changed while"):
        npz.write(tmp_path / "set.npz", Shrinking(), ABOUT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["set.npz", "set.manifest.csv"])
def test_what_is_there_is_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(Taken, match="is there already"):
        npz.write(tmp_path / "set.npz", [gray()], ABOUT)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_the_demo_set_comes_back(tmp_path: Path) -> None:
    samples = [Exported(s.key, Picture(s.image), s.mask) for s in demo.generate(count=30)]
    samples += [Exported(key, Picture(image), None) for key, image, _ in demo.generate_unlabelled(count=3)]
    npz.write(tmp_path / "demo.npz", samples, ABOUT)
    labelled, _ = imported(tmp_path / "demo.npz", demo.CLASSES)
    same_masks(samples, labelled)
