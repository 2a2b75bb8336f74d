"""Pictures and masks as the bytes of image files, without loss."""

import io

import numpy as np
from PIL import Image

from app.domain.classes import ClassList
from app.domain.exports.base import CantExport
from app.domain.mask import Mask, encode_png
from app.domain.picture import Picture, Pixels

_SUFFIX = {
    "png": ".png", "jpeg": ".jpg", "mpo": ".jpg", "tiff": ".tiff", "webp": ".webp", "bmp": ".bmp", "gif": ".gif",
}  # fmt: skip
# What PNG and TIFF hold exactly, narrow first.
_GRAY = tuple(np.dtype(kind) for kind in ("u1", "u2", "i4", "f4"))
_LEVEL = 4


def picture_file(picture: Picture, keep: frozenset[str] | None = None) -> tuple[bytes, str]:
    """The bytes of a picture's file and its suffix: the original as received where there is one (of a codec in
    ``keep``, where that is given), else PNG, or TIFF for gray beyond 16 bits and fractions.

    Raises CantExport for pixels that neither holds exactly.
    """
    suffix = _SUFFIX.get(picture.codec or "")
    if picture.original is not None and suffix and (keep is None or picture.codec in keep):
        return picture.original, suffix
    pixels = _storable(picture.pixels)
    if pixels.dtype.itemsize <= 2:
        return encode_png(pixels, _LEVEL), ".png"
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="TIFF")
    return out.getvalue(), ".tiff"


def mask_file(mask: Mask, classes: ClassList) -> bytes:
    """A mask as PNG of its class ids: 8 bits with the classes' colours as palette, or 16-bit gray where the list or
    the mask has ids over 255."""
    if mask.dtype != np.uint8 or max(classes.ids, default=0) > 255:
        return encode_png(mask.astype(np.uint16), _LEVEL)
    image = Image.fromarray(np.ascontiguousarray(mask))
    image.putpalette(palette(classes))
    out = io.BytesIO()
    image.save(out, format="PNG", compress_level=_LEVEL)
    return out.getvalue()


def palette(classes: ClassList) -> bytes:
    """256 colours as RGB bytes: the class's own, and gray by its number for an id that has none."""
    colours = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    for one in classes.classes:
        if one.id <= 255:
            colours[one.id] = one.rgb
    return colours.tobytes()


def _storable(pixels: Pixels) -> Pixels:
    """The same numbers in a dtype and shape that an image file holds. Raises CantExport where there is none."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    dtypes = _GRAY if native.ndim == 2 else _GRAY[:1] if native.shape[2] in (2, 3, 4) else ()
    if native.dtype in dtypes:
        return native
    for dtype in dtypes:
        with np.errstate(invalid="ignore", over="ignore"):
            cast = native.astype(dtype)
        if np.array_equal(cast.astype(native.dtype), native, equal_nan=native.dtype.kind == "f"):
            return cast
    raise CantExport(
        f"A picture of {native.dtype} with shape {native.shape} fits no PNG or TIFF exactly; export to npz instead."
    )
