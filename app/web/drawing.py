"""What is shown of images and masks: 8 bit, class colours, an overlay of both, and thumbnails of each."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.domain.classes import ClassList, Role
from app.domain.mask import Mask
from app.domain.picture import Pixels, to_display

# Ids that no class list names stand out.
UNKNOWN = (255, 0, 255)
_SHOWN_BY_BROWSERS = ("png", "jpeg", "webp")
_ORIENTATION = 0x0112


def passes_through(original: bytes, codec: str, dtype: str) -> bool:
    """Whether a browser shows the file just as we decode it: 8 bit, one frame, and not turned by its EXIF note (which a
    browser obeys, while the mask lies on the pixels as they are stored)."""
    if dtype != "uint8" or codec not in _SHOWN_BY_BROWSERS:
        return False
    with Image.open(io.BytesIO(original)) as image:
        turned = image.getexif().get(_ORIENTATION, 1) != 1
        return not turned and getattr(image, "n_frames", 1) == 1 and image.mode in ("L", "P", "RGB", "RGBA", "1")


def picture(pixels: Pixels, size: int | None) -> Image.Image:
    """The image as 8 bit; ``size`` bounds its longer side (area averaging; never enlarged)."""
    image = Image.fromarray(np.ascontiguousarray(to_display(pixels)))
    wanted = _smaller((image.width, image.height), size)
    return image.resize(wanted, Image.Resampling.LANCZOS, reducing_gap=3.0) if wanted else image


def coloured(mask: Mask, classes: ClassList, size: int | None) -> Image.Image:
    """The mask in its classes' colours: a palette image whose indices are the class ids, or RGB where ids pass 255.

    ``size`` bounds the longer side, by nearest neighbour, so that no class appears that isn't there.
    """
    if mask.dtype == np.uint8:
        image = Image.fromarray(mask)
        image.putpalette(_palette(classes, 256).tobytes())
    else:
        image = Image.fromarray(_palette(classes, 65536)[mask])
    wanted = _smaller((image.width, image.height), size)
    return image.resize(wanted, Image.Resampling.NEAREST) if wanted else image


def overlay(pixels: Pixels, mask: Mask | None, classes: ClassList, opacity: float, size: int | None) -> Image.Image:
    """The image under its mask's colours; background classes are left clear."""
    base = picture(pixels, size).convert("RGB")
    if mask is None:
        return base
    tint = coloured(mask, classes, size).convert("RGB")
    background = [one.id for one in classes.classes if one.role is Role.BACKGROUND]
    cover = Image.fromarray((~np.isin(mask, background)).astype(np.uint8) * round(opacity * 255))
    return Image.composite(tint, base, cover.resize(base.size, Image.Resampling.NEAREST))


def changes(pixels: Pixels, before: Mask | None, after: Mask, classes: ClassList, size: int | None) -> Image.Image:
    """Where ``after`` differs from ``before`` (everywhere, without one), in the colours of what it says there, over the
    picture in a dim grey."""
    base = picture(pixels, None).convert("L").point(lambda value: 24 + value * 0.3).convert("RGB")
    changed = np.ones(after.shape, np.bool_) if before is None else before != after
    shown = Image.composite(coloured(after, classes, None).convert("RGB"), base, Image.fromarray(changed))
    wanted = _smaller((shown.width, shown.height), size)
    return shown.resize(wanted, Image.Resampling.NEAREST) if wanted else shown


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, format="PNG", compress_level=3)
    return out.getvalue()


def _palette(classes: ClassList, length: int) -> npt.NDArray[np.uint8]:
    table = np.full((length, 3), UNKNOWN, np.uint8)
    for one in classes.classes:
        if one.id < length:
            table[one.id] = one.rgb
    return table


def _smaller(size: tuple[int, int], longest: int | None) -> tuple[int, int] | None:
    if longest is None or max(size) <= longest:
        return None
    scale = longest / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
