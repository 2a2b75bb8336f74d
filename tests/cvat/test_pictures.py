import io

import numpy as np
import pytest
from PIL import Image

from app.cvat.answers import Frame
from app.cvat.errors import ImportFailed
from app.cvat.pictures import frame_file, match_frames
from app.domain.picture import Picture, decode


def encoded(kind: str, orientation: int | None = None) -> bytes:
    image = Image.fromarray(np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3))
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    out = io.BytesIO()
    image.save(out, kind, exif=exif)
    return out.getvalue()


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", ".png"), ("JPEG", ".jpg"), ("TIFF", ".tiff"), ("WEBP", ".webp")])
def test_originals_go_as_they_came(kind: str, suffix: str) -> None:
    data = encoded(kind)
    assert frame_file(decode(data)) == (data, suffix)
    assert frame_file(decode(encoded(kind, 1)))[1] == suffix


def test_sixteen_bits_stay_and_arrays_become_png() -> None:
    pixels = np.array([[0, 65535, 3]], np.uint16)
    data, suffix = frame_file(Picture(pixels))
    assert suffix == ".png" and np.array_equal(decode(data).pixels, pixels)
    assert frame_file(decode(data)) == (data, ".png")


def test_a_photo_that_asks_to_be_turned_goes_upright_as_it_is_stored() -> None:
    picture = decode(encoded("JPEG", 6))
    data, suffix = frame_file(picture)
    assert suffix == ".png"
    assert np.array_equal(decode(data).pixels, picture.pixels)
    assert Image.open(io.BytesIO(data)).getexif().get(0x0112) is None


def test_frames_are_those_that_were_sent() -> None:
    frames = [Frame(0, "a.png", 4, 3, False), Frame(1, "b/c.png", 5, 3, True)]
    assert match_frames(frames, {"b/c.png": (5, 3), "a.png": (4, 3)}) == {"a.png": 0, "b/c.png": 1}
    with pytest.raises(ImportFailed, match="holds 2 pictures where 1 were sent"):
        match_frames(frames, {"a.png": (4, 3)})
    with pytest.raises(ImportFailed, match=r"takes a\.png for 4 x 3 pixels, it is 3 x 4"):
        match_frames(frames, {"a.png": (3, 4), "b/c.png": (5, 3)})
