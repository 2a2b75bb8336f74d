"""Which files are images, and how sizes that differ are told."""

import io

import numpy as np
import pytest
from PIL import Image

from app.domain.formats.image_files import is_image, read_picture, size_mismatch
from app.domain.formats.source import ZipSource
from app.domain.picture import BadPicture, Picture
from tests.domain.formats.test_source import zipped
from tests.domain.test_picture import packed


def test_images_are_told_by_suffix() -> None:
    assert is_image("a/b.JPG")
    assert is_image("x.tiff")
    assert not is_image("png")
    assert not is_image("a.png.txt")


def test_a_picture_is_read_and_a_film_is_refused() -> None:
    page = Image.fromarray(np.zeros((4, 6), np.uint8))
    film = io.BytesIO()
    page.save(film, "TIFF", save_all=True, append_images=[page])
    source = ZipSource(zipped([("a.png", packed(np.zeros((4, 6), np.uint8), "PNG")), ("b.tif", film.getvalue())]))
    assert read_picture(source, "a.png").pixels.shape == (4, 6)
    with pytest.raises(BadPicture, match="a stack of 2 pictures"):
        read_picture(source, "b.tif")


def test_sizes_are_named_width_first() -> None:
    picture = Picture(np.zeros((4, 6)))
    assert size_mismatch(picture, (4, 6), "a.png") is None
    said = size_mismatch(picture, (6, 4), "a.png")
    assert said == "the mask is 4 x 6 but its image is 6 x 4 (a.png)"
