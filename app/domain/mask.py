"""Masks as arrays: (H, W) uint8 or uint16 of class ids, one class per pixel; identity, PNG bytes, counts."""

import hashlib
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.domain.errors import Invalid
from app.domain.picture import BadPicture, array_of, open_image, strips

Mask = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


class BadMask(Invalid):
    """An array that can't be a mask."""


def pixel_hash(pixels: npt.NDArray[np.generic]) -> str:
    """Identity of decoded pixels: sha256 over dtype, shape and row-major little-endian values, in hex."""
    whole = PixelHash(pixels.dtype, pixels.shape)
    for rows in strips(pixels.shape):
        whole.add(pixels[rows])
    return whole.hex()


class PixelHash:
    """``pixel_hash`` of pixels of this dtype and shape that come some rows at a time, from top to bottom."""

    def __init__(self, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> None:
        self._little = np.dtype(dtype).newbyteorder("<")
        self._digest = hashlib.sha256(f"{self._little.str}{shape}".encode())

    def add(self, rows: npt.NDArray[np.generic]) -> None:
        self._digest.update(np.ascontiguousarray(rows, dtype=self._little).reshape(-1).view(np.uint8).data)

    def hex(self) -> str:
        return self._digest.hexdigest()


def as_mask(values: npt.NDArray[np.generic]) -> Mask:
    """Whole numbers of any numeric dtype as the smallest mask dtype; (H, W), ids 0..65535.

    Raises BadMask for another shape, fractions, NaN, infinity or ids out of range.
    """
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.ndim != 2 or values.size == 0:
        raise BadMask(f"A mask has to be two-dimensional; this one has shape {values.shape}.")
    if values.dtype == np.uint8:
        return values.astype(np.uint8, copy=False)
    if values.dtype.kind not in "buif":
        raise BadMask(f"A mask has to hold whole numbers; this one holds {values.dtype}.")
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.trunc(values)).all()):
        raise BadMask("A mask has to hold whole numbers; this one holds fractions, NaN or infinity.")
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise BadMask(f"Mask ids have to lie in 0..65535; this one holds {low if low < 0 else high}.")
    if high <= 255:
        return values.astype(np.uint8)
    return values.astype(np.uint16)


def decode_ids(data: bytes) -> Mask:
    """The ids in a gray (8 or 16 bit) or palette image; of a palette the index counts, not the colour.

    Raises BadPicture for bytes that are no image, BadMask for a colour image.
    """
    image = open_image(data)
    if image.mode not in ("L", "P", "1", "I;16", "I;16B", "I"):
        raise BadMask(f"not a mask of class ids: a {image.mode} image")
    try:
        values = array_of(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise BadPicture(f"broken image: {error}") from error
    return as_mask(values)


def encode_png(pixels: npt.NDArray[np.generic], level: int = 6) -> bytes:
    """(H, W) uint8/uint16 or (H, W, 3|4) uint8 as PNG, without loss; ``level`` is zlib's, 0..9."""
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, format="PNG", compress_level=level)
    return out.getvalue()


def class_counts(mask: Mask) -> dict[int, int]:
    """Pixels of each class id that occurs."""
    counts = np.zeros(1 << (8 * mask.dtype.itemsize), np.int64)
    for rows in strips(mask.shape):
        flat = np.ascontiguousarray(mask[rows]).ravel()
        if mask.dtype == np.uint8 and flat.size % 2 == 0:
            # Two pixels at a time: bincount widens each number that it counts to eight bytes, which takes most of its
            # time.
            pairs = np.bincount(flat.view(np.uint16), minlength=1 << 16).reshape(256, 256)
            counts += pairs.sum(axis=0) + pairs.sum(axis=1)
        else:
            found = np.bincount(flat)
            counts[: found.size] += found
    return {int(id): int(counts[id]) for id in np.flatnonzero(counts)}


def distinct(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """The numbers that occur in (H, W) whole numbers, ascending."""
    if values.dtype == np.uint8 or values.dtype == np.uint16:
        return np.array(sorted(class_counts(as_mask(values))), values.dtype)
    parts = [np.unique(values[rows]) for rows in strips(values.shape)]
    return parts[0] if len(parts) == 1 else np.unique(np.concatenate(parts))
