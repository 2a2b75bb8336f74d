import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from app.domain.classes import ClassList, named
from app.domain.exports.base import CantExport
from app.domain.exports.files import mask_file, picture_file
from app.domain.picture import Picture, Pixels, decode
from tests.domain.exports.samples import CLASSES, jpeg

_SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=8)


def test_original_bytes_are_kept() -> None:
    picture = jpeg().picture
    assert picture_file(picture) == (picture.original, ".jpg")


def test_a_codec_that_is_not_wanted_is_written_anew_with_the_same_pixels() -> None:
    out = io.BytesIO()
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(out, "WEBP", lossless=True)
    picture = decode(out.getvalue())
    data, suffix = picture_file(picture, frozenset(("jpeg", "png")))
    assert suffix == ".png" and np.array_equal(decode(data).pixels, picture.pixels)


@settings(deadline=None)
@given(
    st.sampled_from([np.uint8, np.uint16, np.int32, np.float32]).flatmap(lambda dtype: hnp.arrays(dtype, _SHAPES))
    | st.sampled_from([2, 3, 4]).flatmap(lambda c: hnp.arrays(np.uint8, (3, 5, c)))
)
def test_what_an_image_file_holds_comes_back_with_its_dtype(pixels: Pixels) -> None:
    data, _ = picture_file(Picture(pixels))
    back = decode(data).pixels
    assert back.dtype == pixels.dtype and back.tobytes() == pixels.tobytes()


@pytest.mark.parametrize(
    ("pixels", "dtype"),
    [
        (np.array([[0.0, 255.0]]), np.uint8),
        (np.array([[0, 300]], np.int64), np.uint16),
        (np.array([[-1, 5]], np.int64), np.int32),
        (np.array([[0.5, 5]]), np.float32),
        (np.array([[0.5, 5]], np.float16), np.float32),
        (np.array([[1, 513]], ">u2"), np.uint16),
        (np.ones((2, 2, 3)), np.uint8),
        (np.ones((2, 2, 1), np.uint8), np.uint8),
    ],
)
def test_other_dtypes_are_narrowed_where_no_number_changes(pixels: Pixels, dtype: type[np.generic]) -> None:
    back = decode(picture_file(Picture(pixels))[0]).pixels
    assert back.dtype == dtype and np.array_equal(back, np.squeeze(pixels) if pixels.shape[-1] == 1 else pixels)


@pytest.mark.parametrize("pixels", [np.array([[0.1]]), np.full((2, 2, 3), 300), np.ones((2, 2, 5), np.uint8)])
def test_pixels_that_no_image_file_holds_are_refused(pixels: Pixels) -> None:
    with pytest.raises(CantExport, match="export to npz instead"):
        picture_file(Picture(pixels))


def test_a_mask_is_a_palette_png_in_the_colours_of_its_classes() -> None:
    mask = np.array([[0, 1, 7], [255, 255, 0]], np.uint8)
    image = Image.open(io.BytesIO(mask_file(mask, CLASSES)))
    assert image.mode == "P" and np.array_equal(np.asarray(image), mask)
    colours = np.asarray(image.convert("RGB"))
    for one in CLASSES.classes:
        assert tuple(colours[mask == one.id][0]) == one.rgb


def test_ids_over_255_make_every_mask_of_the_list_16_bit_gray() -> None:
    classes = ClassList((named(0, "background"), named(300, "far")))
    image = Image.open(io.BytesIO(mask_file(np.zeros((2, 2), np.uint8), classes)))
    assert image.mode == "I;16"
