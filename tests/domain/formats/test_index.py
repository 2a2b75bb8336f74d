"""Mask files: any id map comes back exactly from index, palette and colour-coded images."""

import io
from random import Random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from app.domain.classes import ClassList, named
from app.domain.formats.index import check_ids, open_mask, pack, settle_binary, to_ids
from app.domain.mask import BadMask, encode_png
from app.domain.picture import BadPicture
from tests.domain.test_mask import MASKS, SHAPES
from tests.domain.test_picture import packed, raw_png


@given(MASKS)
def test_index_png_round_trips(mask: npt.NDArray[np.generic]) -> None:
    drawn = open_mask(encode_png(mask))
    assert drawn.exact
    assert np.array_equal(to_ids(drawn, None), mask)


@given(hnp.arrays(np.uint8, SHAPES), st.binary(min_size=768, max_size=768))
def test_the_index_of_a_palette_png_is_the_id(mask: npt.NDArray[np.uint8], palette: bytes) -> None:
    image = Image.fromarray(mask).convert("L")
    image.putpalette(palette)
    out = io.BytesIO()
    image.save(out, "PNG")
    drawn = open_mask(out.getvalue())
    assert drawn.exact
    assert np.array_equal(to_ids(drawn, None), mask)


@given(hnp.arrays(np.uint16, SHAPES, elements=st.integers(0, 40)), st.randoms(use_true_random=False), st.booleans())
def test_colour_coded_masks_round_trip_by_their_map(mask: npt.NDArray[np.uint16], random: Random, alpha: bool) -> None:
    colours = random.sample(range(1 << 24), 41)
    ids = random.sample(range(1 << 16), 41)
    table = np.array([(one >> 16, one >> 8 & 255, one & 255) for one in colours], np.uint8)
    pixels = table[mask]
    if alpha:
        pixels = np.dstack([pixels, np.full(mask.shape, 255, np.uint8)])
    drawn = open_mask(encode_png(pixels))
    assert drawn.coloured
    assert not drawn.exact
    got = to_ids(drawn, dict(zip(colours, ids, strict=True)))
    assert np.array_equal(got, np.array(ids)[mask])


@pytest.mark.parametrize("codec", ["TIFF", "BMP"])
def test_other_lossless_files_hold_ids_too(codec: str) -> None:
    mask = np.array([[0, 7], [255, 3]], np.uint8)
    assert np.array_equal(to_ids(open_mask(packed(mask, codec)), None), mask)
    gray = np.dstack([mask, mask, mask])
    drawn = open_mask(packed(gray, codec))
    assert drawn.gray
    assert np.array_equal(to_ids(drawn, None), mask)


def test_bilevel_is_0_and_1() -> None:
    drawn = open_mask(packed(np.array([[True, False]]), "PNG"))
    assert to_ids(drawn, None).tolist() == [[1, 0]]
    assert not drawn.exact


def test_unknown_colours_are_named() -> None:
    drawn = open_mask(encode_png(np.array([[[1, 2, 3], [255, 0, 0]]], np.uint8)))
    assert not drawn.gray
    with pytest.raises(BadMask, match="#010203 are not in the colour map"):
        to_ids(drawn, {pack((255, 0, 0)): 1})
    with pytest.raises(BadMask, match="no colour map"):
        to_ids(drawn, None)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (packed(np.zeros((8, 8), np.uint8), "JPEG"), "not exact"),
        (packed(np.zeros((8, 8, 3), np.uint8), "WEBP"), "not exact"),
        (packed(np.zeros((8, 8, 4), np.uint8), "PNG"), "transparent"),
        (raw_png(4, 1, 16, 2, bytes(25)), "16-bit colours"),
        (packed(np.full((2, 2), 0.5, np.float32), "TIFF"), "fractions"),
    ],
    ids=["jpeg", "webp", "alpha", "deep", "float"],
)
def test_files_that_do_not_hold_ids_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(BadMask, match=said):
        to_ids(open_mask(data), None)


def test_a_stack_of_pages_is_refused() -> None:
    out = io.BytesIO()
    page = Image.fromarray(np.zeros((4, 4), np.uint8))
    page.save(out, "TIFF", save_all=True, append_images=[page, page])
    with pytest.raises(BadPicture, match="a stack of 3 pictures"):
        open_mask(out.getvalue())


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_damaged_file_is_a_mask_or_a_reason(at: int, value: int) -> None:
    data = bytearray(encode_png(np.arange(64, dtype=np.uint8).reshape(8, 8)))
    data[at % len(data)] = value
    try:
        to_ids(open_mask(bytes(data)), None)
    except (BadMask, BadPicture) as error:
        assert str(error)


@given(hnp.arrays(np.bool_, SHAPES))
def test_binary_masks_are_settled(on: npt.NDArray[np.bool_]) -> None:
    assert np.array_equal(settle_binary(on.astype(np.uint8) * 255), on)
    with pytest.raises(BadMask, match="id 2 in a set"):
        settle_binary(np.full(on.shape, 2, np.uint8))


def test_ids_outside_the_class_list_are_named() -> None:
    classes = ClassList((named(0, "background"), named(3, "rock")))
    mask = np.array([[0, 3, 7, 300]], np.uint16)
    check_ids(mask, None)
    with pytest.raises(BadMask, match="ids 7, 300 not in the class list"):
        check_ids(mask, classes)
    with pytest.raises(BadMask, match=r"^id 7 not in"):
        check_ids(mask[:, :3], classes)
    with pytest.raises(BadMask, match="and 92 more"):
        check_ids(np.arange(101, dtype=np.uint8)[None, 1:].repeat(2, 0), ClassList((named(0, "background"),)))
