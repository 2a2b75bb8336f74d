"""A suspected region as a small picture: what is there, what is given and what the model sees, outlined alike."""

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from app.domain.classes import ClassList, Role
from app.domain.formats.rle import Bool
from app.domain.mask import Mask
from app.domain.picture import Pixels
from app.store.windows import Box
from app.web.drawing import coloured, picture

PANE, GAP = 184, 4  # screen pixels
_LEAST, _AROUND = 24, 1.6  # picture pixels that a pane shows at least; and how much of its surroundings
_COVER = 0.6


def around(region: Box, frame: tuple[int, int]) -> Box:
    """A square around the region in a frame of this height and width; it reaches beyond the frame only where that is
    less high or wide than the square."""
    side = min(max(_LEAST, round(_AROUND * max(region.height, region.width))), max(frame))
    x, y = (_start(*one, side) for one in ((region.x, region.width, frame[1]), (region.y, region.height, frame[0])))
    return Box(x, y, side, side)


def strip(
    pixels: Pixels, given: Mask, seen: Mask, inside: Bool, classes: ClassList, square: tuple[int, int, int, int]
) -> Image.Image:
    """RGBA, three squares of PANE side by side: the picture, under ``given``, under ``seen``; all (H, W), with the
    region ``inside``. ``square``: what of them is shown, left, top, right and bottom. Background classes are left
    clear, what lies outside is transparent."""
    small = square[2] - square[0] < PANE
    base = _pane(
        picture(pixels, None).convert("RGBA"), square, Image.Resampling.NEAREST if small else Image.Resampling.BOX
    )
    line = _outline(_pane(Image.fromarray(inside), square, Image.Resampling.NEAREST))
    background = [one.id for one in classes.classes if one.role is Role.BACKGROUND]
    whole = Image.new("RGBA", (3 * PANE + 2 * GAP, PANE))
    for place, mask in enumerate((None, given, seen)):
        shown = base.copy()
        if mask is not None:
            tint = coloured(mask, classes, None).convert("RGB")
            tint.putalpha(Image.fromarray((~np.isin(mask, background)).astype(np.uint8) * round(255 * _COVER)))
            shown.alpha_composite(_pane(tint, square, Image.Resampling.NEAREST))
        shown.alpha_composite(line)
        whole.paste(shown, (place * (PANE + GAP), 0))
    return whole


def _start(start: int, length: int, of: int, side: int) -> int:
    """Where ``side`` pixels begin that have the region in their middle, moved into the frame where they fit."""
    if side >= of:
        return (of - side) // 2
    return min(max(0, start + (length - side) // 2), of - side)


def _pane(image: Image.Image, box: tuple[int, int, int, int], by: Image.Resampling) -> Image.Image:
    return image.crop(box).resize((PANE, PANE), by)


def _outline(region: Image.Image) -> Image.Image:
    """White along the inner rim, dark within and beyond it, so that it shows on any picture."""
    inside: npt.NDArray[np.bool_] = np.asarray(region.convert("L")) > 0
    rim = inside & ~ndimage.binary_erosion(inside, iterations=2, border_value=1)
    near = ndimage.binary_dilation(rim, iterations=1) & ~rim
    line = np.zeros((*inside.shape, 4), np.uint8)
    line[rim] = 255
    line[near, 3] = 170
    return Image.fromarray(line)
