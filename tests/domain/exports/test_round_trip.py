"""An import of an export gives the same masks, keys and classes, whatever the masks."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from app.domain import demo
from app.domain.classes import ClassList, Role, named, parse_classes
from app.domain.exports import coco, folder, npz, voc
from app.domain.exports.base import About, Exported, Write
from app.domain.mask import as_mask
from app.domain.picture import Picture
from tests.domain.exports.samples import ABOUT, gray, imported, same_masks, unlabelled

_NAMES = st.text("abcXYZ019 äß_-.", max_size=8).map(lambda name: f"k{' '.join(name.split())}k")
_FOLDERS_OF_KEYS = st.sampled_from(("sol0", "sol1", "training_set", "test_set", "val_day", "deep/training_set"))
_KEYS = st.builds("{}/{}".format, _FOLDERS_OF_KEYS, _NAMES)


@st.composite
def class_lists(draw: st.DrawFn, ids: st.SearchStrategy[int]) -> ClassList:
    chosen = draw(st.lists(ids, min_size=1, max_size=8, unique=True))
    roles = draw(st.lists(st.sampled_from(list(Role)), min_size=len(chosen), max_size=len(chosen)))
    if Role.BACKGROUND not in roles:
        roles[0] = Role.BACKGROUND
    return ClassList(
        tuple(named(id, f"c{id}", role=role) for id, role in zip(chosen, roles, strict=True)), guessed=False
    )


@st.composite
def sets(draw: st.DrawFn, ids: st.SearchStrategy[int], one_size: bool) -> tuple[list[Exported], ClassList]:
    """A few samples, labelled (the first) and not, with masks of the ids of a class list."""
    classes = draw(class_lists(ids))
    keys = draw(st.lists(_KEYS, min_size=1, max_size=4, unique_by=str.casefold))
    sides = st.tuples(st.integers(1, 9), st.integers(1, 9))
    shape = draw(sides)
    samples: list[Exported] = []
    for key in keys:
        shape = shape if one_size else draw(sides)
        mask = None
        if not samples or draw(st.booleans()):
            mask = as_mask(draw(hnp.arrays(np.uint16, shape, elements=st.sampled_from(sorted(classes.ids)))))
        pixels = draw(hnp.arrays(np.uint8, shape if draw(st.booleans()) or one_size else (*shape, 3)))
        split = None if one_size else draw(st.sampled_from((None, "train", "val", "test")))
        samples.append(Exported(key, Picture(pixels), mask, split))
    return samples, classes


def check(write: Write, samples: list[Exported], classes: ClassList) -> None:
    with tempfile.TemporaryDirectory() as place:
        written = write(Path(place) / "out", samples, About("d", classes))
        labelled, found = imported(written.path)
        assert found is not None and found.classes == classes.classes
        same_masks(samples, labelled)


_SMALL = st.integers(0, 255)
_ANY = st.integers(0, 65535)


@settings(max_examples=40, deadline=None)
@given(sets(_SMALL, one_size=False) | sets(_ANY, one_size=False))
def test_folder(data: tuple[list[Exported], ClassList]) -> None:
    check(folder.write, *data)


@settings(max_examples=40, deadline=None)
@given(sets(_SMALL, one_size=False) | sets(_ANY, one_size=False))
def test_coco(data: tuple[list[Exported], ClassList]) -> None:
    check(coco.write, *data)


@settings(max_examples=40, deadline=None)
@given(sets(_SMALL, one_size=False))
def test_voc(data: tuple[list[Exported], ClassList]) -> None:
    check(voc.write, *data)


@settings(max_examples=40, deadline=None)
@given(sets(_SMALL, one_size=True) | sets(_ANY, one_size=True))
def test_npz(data: tuple[list[Exported], ClassList]) -> None:
    samples, classes = data
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out.npz"
        npz.write(out, samples, About("d", classes))
        given_back = parse_classes((out.parent / "out.classes.csv").read_text())
        assert given_back.classes == classes.classes
        labelled, _ = imported(out, given_back)
    wide = max((one.mask.dtype for one in samples if one.mask is not None), key=lambda dtype: dtype.itemsize)
    keyed = _numbered(samples)
    same_masks([replace(one, picture=Picture(_in(one, wide))) for one in keyed], labelled)


def _numbered(samples: list[Exported]) -> list[Exported]:
    """The samples under the keys of their rows."""
    rows = {True: 0, False: 0}
    out = []
    for one in samples:
        name = "training_set" if one.mask is not None else "test_set"
        out.append(replace(one, key=f"{name}/{rows[one.mask is not None]:05d}"))
        rows[one.mask is not None] += 1
    return out


def _in(sample: Exported, dtype: np.dtype[np.generic]) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """A picture in the dtype that its array has; a mask of 16 bits widens the pictures stacked on it."""
    return sample.picture.pixels if sample.mask is None else sample.picture.pixels.astype(dtype)


_FOLDERS = pytest.mark.parametrize("write", [folder.write, coco.write, voc.write], ids=["folder", "coco", "voc"])


@_FOLDERS
def test_all_256_classes(tmp_path: Path, write: Write) -> None:
    classes = ClassList(tuple(named(id, f"class {id}", role=Role(_role(id))) for id in range(256)), guessed=False)
    mask = np.arange(256, dtype=np.uint8).reshape(8, 32)
    sample = Exported("whole/row", Picture(mask.copy()), mask)
    write(tmp_path / "out", [sample], About("d", classes))
    labelled, found = imported(tmp_path / "out")
    assert found is not None and found.classes == classes.classes
    same_masks([sample], labelled)


def _role(id: int) -> str:
    return {0: "background", 255: "void"}.get(id, "foreground")


@_FOLDERS
def test_the_demo_set(tmp_path: Path, write: Write) -> None:
    samples = [Exported(s.key, Picture(s.image), s.mask, "train") for s in demo.generate(count=20)]
    samples += [Exported(key, Picture(image), None, "test") for key, image, _ in demo.generate_unlabelled(count=3)]
    write(tmp_path / "out", samples, About("demo", demo.CLASSES))
    labelled, found = imported(tmp_path / "out")
    assert found is not None and found.classes == demo.CLASSES.classes
    same_masks(samples, labelled)


@_FOLDERS
def test_words_of_keys_are_no_splits(tmp_path: Path, write: Write) -> None:
    samples = [gray(f"training_set/{n:05d}", split=split) for n, split in enumerate((None, None, "val", "train"))]
    samples += [unlabelled(gray("test_set/00000")), unlabelled(gray("test_set/00001", split="train"))]
    write(tmp_path / "mars_training" / "out", samples, ABOUT)
    labelled, _ = imported(tmp_path / "mars_training" / "out")
    same_masks(samples, labelled)
    labelled, _ = imported(tmp_path / "mars_training")
    same_masks(samples, labelled)


@_FOLDERS
def test_void_stays_where_the_class_list_has_it(tmp_path: Path, write: Write) -> None:
    classes = ClassList((named(0, "Sky"), named(1, "Road"), named(11, "Void", role=Role.VOID)), guessed=False)
    samples = [gray("a", np.array([[0, 1], [11, 11]], np.uint8))]
    write(tmp_path / "out", samples, About("camvid", classes))
    labelled, found = imported(tmp_path / "out")
    assert found is not None and found.classes == classes.classes
    same_masks(samples, labelled)
