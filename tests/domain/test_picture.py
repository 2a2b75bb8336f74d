"""Pictures: decoded once, as they are stored; what is broken says why; 16 bit is stretched to look at."""

import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from app.domain.picture import MAX_PIXELS, BadPicture, Picture, decode, to_display


def packed(pixels: npt.NDArray[np.generic], codec: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, codec, **options)
    return out.getvalue()


@pytest.mark.parametrize("codec", ["PNG", "TIFF", "BMP", "WEBP"])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_lossless_codecs_keep_pixels(codec: str, shape: tuple[int, ...]) -> None:
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    data = packed(pixels, codec, **({"lossless": True} if codec == "WEBP" else {}))
    picture = decode(data)
    expected = np.stack([pixels] * 3, axis=2) if codec == "WEBP" and pixels.ndim == 2 else pixels
    assert np.array_equal(picture.pixels, expected)
    assert picture.original == data
    assert picture.codec == codec.lower()
    assert (picture.width, picture.height) == (7, 5)


def test_jpeg_alpha_and_16_bit_are_kept_as_they_are() -> None:
    assert decode(packed(np.zeros((4, 6, 3), np.uint8), "JPEG")).channels == 3
    assert decode(packed(np.zeros((4, 6, 4), np.uint8), "PNG")).channels == 4
    deep = np.array([[0, 40000], [65535, 1]], np.uint16)
    assert np.array_equal(decode(packed(deep, "PNG")).pixels, deep)
    assert np.array_equal(decode(packed(deep, "TIFF")).pixels, deep)


def test_palettes_and_bilevel_are_expanded() -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putpalette([9, 8, 7, 255, 0, 1])
    out = io.BytesIO()
    image.save(out, "PNG")
    assert decode(out.getvalue()).pixels.tolist() == [[[9, 8, 7], [255, 0, 1]]]
    assert decode(packed(np.array([[True, False]]), "PNG")).pixels.tolist() == [[255, 0]]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_picture_or_a_reason(data: bytes) -> None:
    with pytest.raises(BadPicture):
        decode(b"\x89PNG\r\n\x1a\n" + data)


@given(st.integers(0, 400))
def test_a_truncated_picture_is_refused(length: int) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, 20), np.uint8)
    with pytest.raises(BadPicture):
        decode(packed(noise, "PNG")[:length])


def raw_png(width: int, height: int, depth: int, colour: int, data: bytes) -> bytes:
    """A PNG of any header over any unpacked ``data``."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    with pytest.raises(BadPicture, match=f"{MAX_PIXELS:,}"):
        decode(raw_png(100_000, 100_000, 8, 0, bytes(100)))


@given(hnp.arrays(st.sampled_from([np.uint8, np.uint16, np.int32, np.float32, np.float64, np.bool_]), (4, 5)))
def test_anything_can_be_shown(pixels: npt.NDArray[np.generic]) -> None:
    shown = to_display(pixels)
    assert shown.dtype == np.uint8
    assert shown.shape == (4, 5)
    if pixels.dtype == np.uint8:
        assert np.array_equal(shown, pixels)


def test_16_bit_is_stretched_and_many_channels_show_three() -> None:
    ramp = np.arange(10_000, dtype=np.uint16).reshape(100, 100) + 20_000
    shown = to_display(ramp)
    assert (shown.min(), shown.max()) == (0, 255)
    assert np.all(np.diff(shown.ravel().astype(int)) >= 0)
    assert to_display(np.zeros((4, 5, 7), np.uint16)).shape == (4, 5, 3)
    assert to_display(np.zeros((4, 5, 2), np.uint8)).shape == (4, 5)
    assert Picture(np.zeros((4, 5, 7))).channels == 7
