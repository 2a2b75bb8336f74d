"""Masks in image files: index and palette images hold class ids, RGB ones colours that a table turns into ids."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.domain.classes import ClassList, named
from app.domain.errors import RemaskError
from app.domain.formats.image_files import single
from app.domain.formats.source import Source
from app.domain.mask import BadMask, Mask, as_mask, distinct
from app.domain.picture import BadPicture, array_of, open_image, strips

Rgb = tuple[int, int, int]
Colours = Mapping[int, int]
"""Packed colour (``r << 16 | g << 8 | b``) to class id."""

# Masks of 0 and 255 alone are read as these two.
BINARY = ClassList((named(0, "background"), named(1, "foreground")))
_ON = 255
_BLURRED = ("JPEG", "MPO")
_COLOUR_MODES = ("RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV")


@dataclass(frozen=True)
class Drawn:
    """A mask file as drawn, (H, W): class ids, or packed 24-bit colours where ``coloured`` (RGB, channels kept).

    ``exact``: the file is a PNG whose stored numbers are ``values``.
    """

    values: npt.NDArray[np.generic]
    coloured: bool
    exact: bool

    @property
    def gray(self) -> bool:
        """Whether a coloured mask has three equal channels everywhere, so that it may hold ids."""
        return not self.coloured or all(
            bool((self.values[rows] == (self.values[rows].astype(np.uint32) & 255) * 0x010101).all())
            for rows in strips(self.values.shape)
        )


def open_mask(data: bytes) -> Drawn:
    """The mask in the bytes of an image file. Raises BadPicture or BadMask with the reason."""
    image = single(open_image(data))
    if image.format in _BLURRED or (image.format == "WEBP" and data[12:16] == b"VP8 "):
        raise BadMask(f"a {image.format} mask is not exact (its packing blurs class ids); save masks as PNG")
    png = image.format == "PNG"
    if png and data[24] == 16 and data[25] & 2:
        raise BadMask("a mask of 16-bit colours; save class ids as a gray PNG")
    try:
        values = array_of(image)
    except Exception as error:  # truncated files, bad chunks
        raise BadPicture(f"broken image: {error}") from error
    if image.mode in ("LA", "RGBA"):
        if (values[:, :, -1] != _ON).any():
            raise BadMask("a mask with transparent pixels; save it without transparency")
        values = values[:, :, 0] if image.mode == "LA" else values[:, :, :3]
    if values.ndim == 3 and values.shape[2] != 3:
        raise BadMask(f"a mask in {image.mode} colours; save it as a gray, palette or RGB PNG")
    if values.ndim == 2:
        return Drawn(values, False, png and image.mode in ("L", "P", "I;16"))
    packed = np.empty(values.shape[:2], np.uint32)
    for rows in strips(packed.shape):
        part = values[rows].astype(np.uint32)
        packed[rows] = part[:, :, 0] << 16 | part[:, :, 1] << 8 | part[:, :, 2]
    return Drawn(packed, True, False)


def any_index(source: Source, names: Iterable[str]) -> bool:
    """Whether any of these mask files holds class ids rather than colours, as their headers tell."""
    for name in names:
        try:
            with open_image(source.read(name)) as image:
                if image.mode not in _COLOUR_MODES and image.format not in _BLURRED:
                    return True
        except RemaskError:
            continue  # refused by name when its turn comes
    return False


def to_ids(drawn: Drawn, colours: Colours | None) -> Mask:
    """Class ids of a mask, by ``colours`` where it is coloured; without them, a gray RGB image holds ids.

    Raises BadMask naming the colours that the table lacks.
    """
    if not drawn.coloured:
        return as_mask(drawn.values)
    if colours is None:
        if not drawn.gray:
            raise BadMask("colour-coded, unlike the other masks, and no colour map says what its colours mean")
        return as_mask(drawn.values.astype(np.uint32) & 255)
    seen = distinct(drawn.values)
    unknown = [hex_of(int(one)) for one in seen if int(one) not in colours]
    if unknown:
        raise BadMask(f"colours {_listed(unknown)} are not in the colour map")
    ids = np.array([colours[int(one)] for one in seen], np.uint16)
    found = np.empty(drawn.values.shape, np.uint16)
    for rows in strips(found.shape):
        found[rows] = ids[np.searchsorted(seen, drawn.values[rows])]
    return as_mask(found)


def check_ids(mask: Mask, classes: ClassList | None) -> None:
    """Raises BadMask naming the ids of ``mask`` that ``classes`` lacks."""
    if classes is None:
        return
    outside = sorted({int(id) for id in distinct(mask)} - classes.ids)
    if outside:
        ids = _listed([str(id) for id in outside])
        raise BadMask(f"id{'s' if len(outside) > 1 else ''} {ids} not in the class list")


def settle_binary(mask: Mask) -> Mask:
    """A mask of 0 and 255 with 1 in place of 255. Raises BadMask where it holds anything else."""
    other = [int(id) for id in distinct(mask) if id not in (0, _ON)]
    if other:
        raise BadMask(f"id {other[0]} in a set of masks that otherwise hold 0 and 255")
    settled: npt.NDArray[np.uint8] = (mask == _ON).view(np.uint8)
    return settled


def pack(rgb: Rgb) -> int:
    return rgb[0] << 16 | rgb[1] << 8 | rgb[2]


def hex_of(packed: int) -> str:
    return f"#{packed:06x}"


def _listed(words: list[str]) -> str:
    return ", ".join(words[:8]) + (f" and {len(words) - 8} more" if len(words) > 8 else "")
