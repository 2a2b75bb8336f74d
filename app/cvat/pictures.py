"""A sample's picture as the file that CVAT gets, and which frame of a task it became."""

import io
from collections.abc import Iterable, Mapping

from PIL import Image

from app.cvat.answers import Frame
from app.cvat.errors import ImportFailed
from app.domain.exports.files import picture_file
from app.domain.mask import encode_png
from app.domain.picture import Picture, pixels_of

# What goes as it came. An MPO holds several pictures, a GIF may move.
_AS_IT_IS = frozenset(("png", "jpeg", "tiff", "webp", "bmp"))
_ORIENTATION = 0x0112


def frame_file(picture: Picture) -> tuple[bytes, str]:
    """The bytes and the suffix of a picture for CVAT: the original, or PNG (TIFF for what PNG can't hold) with the same
    pixels. A photo that asks to be turned (EXIF) goes as PNG, because CVAT would turn it and masks don't turn along.

    Raises CantExport for pixels that no file holds exactly.
    """
    if picture.original is not None and picture.codec in _AS_IT_IS:
        with Image.open(io.BytesIO(picture.original)) as image:
            if image.getexif().get(_ORIENTATION, 1) != 1:
                return encode_png(pixels_of(image)), ".png"
    return picture_file(picture, _AS_IT_IS)


def match_frames(frames: Iterable[Frame], sizes: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """Name -> frame number, for names with the width and height that were sent. Raises ImportFailed where CVAT has
    other frames, or one of another size."""
    found = {frame.name: frame for frame in frames}
    if found.keys() != sizes.keys():
        odd = sorted(found.keys() ^ sizes.keys())[0]
        raise ImportFailed(
            f"The CVAT task holds {len(found)} pictures where {len(sizes)} were sent ({odd}); push again."
        )
    for name, (width, height) in sizes.items():
        if (found[name].width, found[name].height) != (width, height):
            raise ImportFailed(
                f"CVAT takes {name} for {found[name].width} x {found[name].height} pixels, it is {width} x {height}."
            )
    return {name: frame.number for name, frame in found.items()}
