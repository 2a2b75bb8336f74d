"""NPZ: every numeric dtype comes back exactly, row by row; archives that lie or hold code are refused by name."""

import io
import tracemalloc
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from app.domain.classes import ClassList, named
from app.domain.formats import npz
from app.domain.formats.base import Expected, Found, Ignored, Labelled, Read, Refused
from app.domain.formats.npy import Array
from app.domain.formats.source import FolderSource, Source, ZipSource, open_source
from tests.domain.formats.test_source import zipped
from tests.shared import shared

Arrays = dict[str, npt.NDArray[Any]]
NUMERIC = ["?", "i1", "u1", "<i2", ">u2", "i4", ">i8", "u8", "f2", "<f4", ">f4", "f8"]


def saved(arrays: Arrays, compressed: bool = True) -> bytes:
    out = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


def wrapped(data: bytes) -> Source:
    """The NPZ as one file of an archive."""
    return ZipSource(zipped([("set/x.npz", data), ("README.txt", b"about")]))


def take(data: bytes, classes: ClassList | None = None) -> list[Read]:
    return list(npz.read(wrapped(data), classes))


def samples(found: list[Read]) -> dict[str, Labelled]:
    return {one.key: one for one in found if isinstance(one, Labelled)}


def refusals(found: list[Read]) -> dict[str, str]:
    return {one.file: one.reason for one in found if isinstance(one, Refused)}


@given(st.data(), st.sampled_from(NUMERIC), st.booleans())
def test_the_course_layout_round_trips_in_every_dtype(data: st.DataObject, dtype: str, compressed: bool) -> None:
    n, m, h, w = (data.draw(st.integers(1, 3)) for _ in range(4))
    ids = data.draw(hnp.arrays(np.uint8, (n, 2, h, w), elements=st.integers(0, 1 if dtype == "?" else 100)))
    test = data.draw(hnp.arrays(np.uint8, (m, h, w), elements=st.integers(0, 1)))
    arrays = {"training_set": ids.astype(dtype), "test_set": test.astype(dtype)}
    found = take(saved(arrays, compressed))
    assert refusals(found) == {}
    got = samples(found)
    assert list(got) == [f"training_set/{i:05d}" for i in range(n)] + [f"test_set/{i:05d}" for i in range(m)]
    native = np.dtype(np.uint8 if dtype == "?" else dtype).newbyteorder("=")
    for i in range(n):
        one = got[f"training_set/{i:05d}"]
        assert one.mask is not None
        assert one.mask.dtype == np.uint8
        assert np.array_equal(one.mask, ids[i, 1])
        assert one.picture.pixels.dtype == native
        assert np.array_equal(one.picture.pixels, ids[i, 0])
        assert one.split is None
    assert all(got[f"test_set/{i:05d}"].mask is None for i in range(m))


@given(hnp.arrays(np.uint16, (2, 3, 4)), st.sampled_from([("images", "masks"), ("X", "y"), ("image", "label")]))
def test_plain_arrays_round_trip(ids: npt.NDArray[np.uint16], names: tuple[str, str]) -> None:
    pixels = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    if set(np.unique(ids)) == {0, 255}:
        return  # another rule, tested below
    gray = pixels[..., 0]
    for images, masks, expected in [
        (pixels, ids, pixels),
        (pixels, ids[..., None], pixels),
        (np.moveaxis(pixels, 3, 1), ids, pixels),
        (gray, ids, gray),
        (pixels[..., :1], ids, gray),
    ]:
        got = samples(take(saved({names[0]: images, names[1]: masks})))
        assert list(got) == [f"{names[0]}/00000", f"{names[0]}/00001"]
        for i, one in enumerate(got.values()):
            assert one.mask is not None
            assert np.array_equal(one.mask, ids[i])
            assert np.array_equal(one.picture.pixels, expected[i])


def test_names_of_arrays_tell_splits() -> None:
    image, mask = np.zeros((1, 5, 6), np.uint8), np.ones((1, 5, 6), np.uint8)
    names = {"X_train": image, "y_train": mask, "X_val": image, "y_val": mask, "test_images": image, "masks_test": mask}
    got = samples(take(saved(names)))
    assert {key: one.split for key, one in got.items()} == {
        "X_train/00000": "train", "X_val/00000": "val", "test_images/00000": "test"
    }  # fmt: skip
    assert all(one.mask is not None for one in got.values())


def test_x_goes_with_y_and_images_with_masks() -> None:
    image, one, two = np.zeros((1, 5, 6), np.uint8), np.ones((1, 5, 6), np.uint8), np.full((1, 5, 6), 2, np.uint8)
    got = samples(take(saved({"images": image, "masks": one, "X": image, "y": two})))
    masks = {key: sample.mask for key, sample in got.items()}
    assert masks["images/00000"] is not None and int(masks["images/00000"][0, 0]) == 1
    assert masks["X/00000"] is not None and int(masks["X/00000"][0, 0]) == 2


def test_long_arrays_get_longer_keys() -> None:
    array = Array("a.npy", (100_001, 2, 2), np.dtype(np.uint8), 128)
    assert array.key(7) == "a/000007"


def test_what_is_left_over_is_named() -> None:
    image = np.zeros((2, 5, 6), np.uint8)
    found = take(saved({"images": image, "scores": np.zeros(3), "y_val": image}))
    assert Ignored("array scores of shape (3,)") in found
    assert "no images" in refusals(found)["set/x.npz/y_val"]
    assert len(samples(found)) == 2


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": np.zeros((2, 5, 6)), "masks": np.zeros((3, 5, 6))}, "masks have to be"),
        ({"images": np.zeros((2, 5, 6)), "masks": np.zeros((2, 6, 5))}, "sizes differ"),
        ({"images": np.zeros((2, 5, 6)), "masks": np.zeros((2, 5, 6, 4))}, "masks have to be"),
        ({"images": np.zeros((2, 5, 6, 7))}, "images have to be"),
        ({"images": np.zeros((2, 3, 6, 3))}, "could come first or last"),
        ({"images": np.zeros((2, 5))}, "images have to be"),
        ({"images": np.float64(3)}, "images have to be"),
        ({"things": np.zeros((2, 5, 6))}, "it holds things (2, 5, 6)"),
        ({"images": np.asfortranarray(np.zeros((2, 5, 6)))}, "Fortran"),
        ({"images": np.zeros((2, 0, 6))}, "rows of nothing"),
        ({"images": np.zeros((2, 5, 6), complex)}, "complex128, not numbers"),
        ({"images": np.array([["a", "b"]])}, "not numbers"),
        ({"images": np.zeros((2, 5, 6), [("a", "u1"), ("b", "u2")])}, "not numbers"),
        ({}, "no array that can be read"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_by_name(arrays: Arrays, said: str) -> None:
    found = take(saved(arrays))
    assert not samples(found)
    assert any(said in reason for reason in refusals(found).values()), refusals(found)


def test_channels_are_told_by_the_masks_where_they_could_be_either() -> None:
    images = np.arange(2 * 3 * 6 * 3, dtype=np.uint8).reshape(2, 3, 6, 3)
    last = samples(take(saved({"X": images, "y": np.ones((2, 3, 6))})))
    first = samples(take(saved({"X": images, "y": np.ones((2, 6, 3))})))
    assert last["X/00000"].picture.pixels.shape == (3, 6, 3)
    assert first["X/00000"].picture.pixels.shape == (6, 3, 3)


def test_bad_rows_are_refused_and_the_rest_goes_on() -> None:
    images, masks = np.zeros((6, 3, 4)), np.ones((6, 3, 4))
    images[0, 0, 0], images[1, 0, 0] = np.nan, np.inf
    masks[2, 0, 0], masks[3, 0, 0], masks[4, 0, 0] = 0.5, -1, 9
    classes = ClassList((named(0, "background"), named(1, "rock")))
    found = take(saved({"images": images, "masks": masks}), classes)
    assert list(samples(found)) == ["images/00005"]
    said = refusals(found)
    assert "NaN" in said["set/x.npz/images/00000"]
    assert "NaN" in said["set/x.npz/images/00001"]
    assert "fractions" in said["set/x.npz/images/00002"]
    assert "-1" in said["set/x.npz/images/00003"]
    assert said["set/x.npz/images/00004"] == "id 9 not in the class list"


def test_masks_of_0_and_255_alone_are_background_and_foreground() -> None:
    masks = np.array([[[0, 255]], [[0, 0]]], np.uint8)
    found = take(saved({"images": np.zeros((2, 1, 2)), "masks": masks}))
    assert found[0] == Found(ClassList((named(0, "background"), named(1, "foreground"))))
    assert [one.mask.tolist() for one in samples(found).values() if one.mask is not None] == [[[0, 1]], [[0, 0]]]
    masks[1, 0, 0] = 2
    found = take(saved({"images": np.zeros((2, 1, 2)), "masks": masks}))
    assert [one.mask.tolist() for one in samples(found).values() if one.mask is not None] == [[[0, 255]], [[2, 0]]]


def test_a_class_list_beside_the_file_is_read() -> None:
    masks = np.array([[[0, 255]], [[0, 0]], [[0, 3]]], np.uint8)
    data = saved({"images": np.zeros((3, 1, 2)), "masks": masks})
    listed = b"id,name\n0,background\n2,rock\n"
    found = list(npz.read(ZipSource(zipped([("x.npz", data), ("x.classes.csv", listed)])), None))
    assert isinstance(found[0], Found)
    assert [one.name for one in found[0].classes.classes] == ["background", "rock", "void"]
    assert list(samples(found)) == ["images/00000", "images/00001"]
    assert refusals(found) == {"x.npz/images/00002": "id 3 not in the class list"}
    found = list(npz.read(ZipSource(zipped([("x.npz", data), ("classes.csv", b"id,name\n")])), None))
    assert "empty" in refusals(found)["classes.csv"]
    assert len(samples(found)) == 3


class Evil:
    """Runs when unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was loaded",))


def test_pickles_are_refused_unread() -> None:
    objects = np.empty(1, object)
    objects[0] = Evil()
    found = take(saved({"images": objects, "masks": np.zeros((1, 2, 2))}))
    assert "pickled Python objects" in refusals(found)["set/x.npz/images"]


def header(shape: str, descr: str = "'|u1'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "entry",
    [
        header("(1000000000, 100, 100)") + bytes(99),
        header("(2, 3, 4)") + bytes(23),
        header("(2, 3, 4)") + bytes(25),
        header("(-1, 3, 4)"),
        header("(10**9999,)"),
        header("(1000000000000, 0, 4)"),
        header("(2, 100000, 100000)"),
        header("__import__('os').getcwd()"),
        header("(" * 3000 + ")" * 3000),
        header("(1,)", "'|O'"),
        b"\x93NUMPY\x09\x00",
        b"\x93NUMPY",
        b"",
        b"nothing of numpy",
    ],
)
def test_headers_that_lie_are_refused_before_anything_is_allocated(entry: bytes) -> None:
    tracemalloc.start()
    found = take(zipped([("images.npy", entry)]).getvalue())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "set/x.npz/images" in refusals(found)
    assert peak < 8 << 20


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_damaged_archive_gives_reasons_and_true_rows_only(at: int, value: int) -> None:
    stack = np.arange(3 * 2 * 8 * 8, dtype=np.uint16).reshape(3, 2, 8, 8)
    data = bytearray(saved({"training_set": stack}))
    data[at % len(data)] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = take(bytes(data))
    assert found
    for key, one in samples(found).items():
        assert np.array_equal(one.picture.pixels, stack[int(key[-5:]), 0])
        assert one.mask is not None and np.array_equal(one.mask, stack[int(key[-5:]), 1])


def damaged(arrays: Arrays, name: str) -> bytes:
    """An uncompressed archive with one bit of the last row of an array turned."""
    data = bytearray(saved(arrays, compressed=False))
    start = data.index(name.encode())
    at = data.index(arrays[name].tobytes(), start) + arrays[name].nbytes - 1
    data[at] ^= 1
    return bytes(data)


def test_nothing_of_a_damaged_array_is_kept() -> None:
    rows = np.random.default_rng(3).integers(0, 5, (40, 2, 30, 30), np.uint8)
    arrays = {"training_set": rows, "test_set": rows[:4, 0]}
    found = take(damaged(arrays, "training_set"))
    assert list(samples(found)) == [f"test_set/{row:05d}" for row in range(4)]
    said = refusals(found)
    assert list(said) == ["set/x.npz/training_set"]
    assert said["set/x.npz/training_set"].startswith("is damaged (bad CRC-32)")


def test_images_whose_masks_are_damaged_are_unlabelled() -> None:
    rng = np.random.default_rng(4)
    images, masks = rng.integers(0, 255, (9, 8, 8), np.uint8), rng.integers(0, 5, (9, 8, 8), np.uint8)
    arrays = {"images": images, "masks": masks, "X": images + 1, "y": masks + 1}
    got = take(damaged(arrays, "masks"))
    assert list(refusals(got)) == ["set/x.npz/masks"]
    assert all((one.mask is None) == key.startswith("images") for key, one in samples(got).items())
    assert len(samples(got)) == 18
    assert not samples(take(damaged({"images": images}, "images")))


def test_a_truncated_archive_is_refused() -> None:
    data = saved({"images": np.zeros((2, 5, 6))})
    assert refusals(take(data[:200])) == {"set/x.npz": "not a zip that can be read (File is not a zip file)"}


def test_what_is_npz(tmp_path: Path) -> None:
    data = saved({"images": np.zeros((2, 5, 6))})
    (tmp_path / "a.npz").write_bytes(data)
    assert npz.detect(open_source(tmp_path / "a.npz"))
    assert npz.detect(wrapped(data))
    assert len(samples(list(npz.read(open_source(tmp_path), None)))) == 2
    (tmp_path / "image.png").write_bytes(b"x")
    assert not npz.detect(FolderSource(tmp_path))
    assert not npz.detect(FolderSource(tmp_path, "image.png"))


def test_memory_stays_flat() -> None:
    rows = np.zeros((3000, 2, 64, 64), np.uint8)
    rows[:, 0] = np.random.default_rng(0).integers(0, 255, (64, 64))
    data = wrapped(saved({"training_set": rows}))
    del rows
    tracemalloc.start()
    count = sum(isinstance(one, Labelled) for one in npz.read(data, None))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 3000
    assert peak < 4 << 20


def test_the_replica_of_the_course_set() -> None:
    kinds: Counter[str] = Counter()
    ids: set[int] = set()
    expected, *read = npz.read(open_source(shared("data/mars_replica")), None)
    assert expected == Expected(3615)
    for one in read:
        assert isinstance(one, Labelled)
        assert one.picture.pixels.shape == (64, 128)
        kinds[one.key.split("/")[0]] += 1
        if one.mask is not None:
            ids |= set(np.unique(one.mask).tolist())
    assert kinds == {"training_set": 2615, "test_set": 1000}
    assert ids == {0, 1, 2, 3, 4}
