"""Samples to export, and what an import makes of the files."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from app.domain.classes import ClassList, Role, named
from app.domain.exports.base import About, Exported
from app.domain.formats import registry
from app.domain.formats.base import Found, Labelled, Refused
from app.domain.formats.source import open_source
from app.domain.mask import Mask
from app.domain.picture import Picture, decode

CLASSES = ClassList(
    (
        named(0, "background"),
        named(1, "soil"),
        named(7, "bedrock, layered", role=Role.FOREGROUND),
        named(255, "void", role=Role.VOID),
    ),
    guessed=False,
)
ABOUT = About("mars", CLASSES, version=3)


def gray(
    key: str = "a", mask: Mask | None = None, split: str | None = None, shape: tuple[int, int] = (4, 6)
) -> Exported:
    """A gray sample whose pixels differ by key; an empty mask of class 0 with one pixel of class 7 unless given."""
    rng = np.random.default_rng(list(key.encode("utf-8", "surrogatepass")))
    if mask is None:
        mask = np.zeros(shape, np.uint8)
        mask[1, 2] = 7
    picture = Picture(rng.integers(0, 256, mask.shape, dtype=np.uint8))
    return Exported(key, picture, mask, split, revision=4, author="Ada", source="brush", status="corrected")


def unlabelled(sample: Exported) -> Exported:
    return replace(sample, mask=None)


def jpeg(key: str = "photo") -> Exported:
    sample = gray(key, shape=(16, 24))
    out = io.BytesIO()
    Image.fromarray(np.zeros((16, 24, 3), np.uint8) + 90).save(out, "JPEG")
    return replace(sample, picture=decode(out.getvalue()))


def imported(path: Path, classes: ClassList | None = None) -> tuple[list[Labelled], ClassList | None]:
    """Everything that an import of ``path`` finds; a refused file fails the test."""
    source = open_source(path)
    assert source.refused == []
    labelled: list[Labelled] = []
    found: ClassList | None = None
    for item in registry.detect(source).read(source, classes):
        match item:
            case Labelled():
                labelled.append(item)
            case Found():
                found = item.classes
            case Refused(file=file, reason=reason):
                raise AssertionError(f"{file}: {reason}")
    source.close()
    return labelled, found


def same_masks(samples: Sequence[Exported], labelled: Sequence[Labelled]) -> None:
    """Asserts that keys, splits and masks came back, bit by bit."""
    back = {one.key: one for one in labelled}
    assert len(back) == len(labelled) and set(back) == {one.key for one in samples}
    for sample in samples:
        one = back[sample.key]
        assert one.split == sample.split
        if sample.mask is None:
            assert one.mask is None
        else:
            assert one.mask is not None and one.mask.dtype == sample.mask.dtype
            assert np.array_equal(one.mask, sample.mask)
        assert one.picture.pixels.dtype == sample.picture.pixels.dtype
        assert np.array_equal(one.picture.pixels, sample.picture.pixels)
