"""Does a mask's outline lie on the edges of its picture, more than it would at another place?"""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.domain.checks.luma import luma, resized
from app.domain.mask import Mask
from app.domain.picture import Pixels

SIDE = 256
# The outline is laid at these other places, as shares of height and width, to see what chance gives.
_ELSEWHERE = ((0.25, 0.1), (0.5, 0.35), (0.75, 0.6), (0.4, 0.85), (0.1, 0.5), (0.6, 0.25))


def edge_fit(image: Pixels, mask: Mask) -> float:
    """0 where the outline meets no more edge than elsewhere (moved cyclically), towards 1 where it meets far more."""
    values = luma(image, SIDE)
    step = -(-max(mask.shape) // SIDE)
    small = mask[::step, ::step]
    values = resized(values, small.shape[0], small.shape[1])
    outline: npt.NDArray[np.bool_] = np.zeros(small.shape, bool)
    outline[:, 1:] |= small[:, 1:] != small[:, :-1]
    outline[1:] |= small[1:] != small[:-1]
    if not outline.any():
        return 0.0
    strength = ndimage.gaussian_gradient_magnitude(values, 1.0, mode="nearest")
    # Ranks, so that one very strong edge doesn't decide for the whole outline.
    ranks = strength.ravel().argsort().argsort().reshape(strength.shape) / max(strength.size - 1, 1)
    here = float(ranks[outline].mean())
    height, width = small.shape
    moved = [np.roll(outline, (int(y * height), int(x * width)), (0, 1)) for y, x in _ELSEWHERE]
    elsewhere = [float(ranks[one].mean()) for one in moved]
    gain = (here - float(np.mean(elsewhere))) / (0.05 + float(np.std(elsewhere)))
    return float(np.clip((gain - 1.0) / 4.0, 0.0, 1.0))
