"""About two dozen numbers that tell the look of a picture: light, colour, grain at four scales, its oddest places."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.domain.checks.luma import Luma, luma, resized
from app.domain.picture import Pixels

SIDE = 256
_FRAME = 64
_BLOCK = 8


def features(image: Pixels) -> npt.NDArray[np.float32]:
    """(N_FEATURES,) float32, finite. Light is relative to the range of the dtype (floats: to the picture's largest
    value, at least 1); everything else doesn't depend on it."""
    values = luma(image, SIDE) / np.float32(full_scale(image))
    small = resized(values, _FRAME, _FRAME)
    quantiles = np.quantile(small, (0.02, 0.25, 0.5, 0.75, 0.98))
    spread = float(small.std()) + 1e-4
    plain = (small - float(small.mean())) / spread
    squared = plain * plain
    bands, left = [], small
    for sigma in (0.7, 1.4, 2.8, 5.6):
        blurred = ndimage.gaussian_filter(small, sigma)
        bands.append(float(np.log((left - blurred).std() + 1e-4)))
        left = blurred
    down, across = np.diff(plain, axis=0)[:, :-1], np.diff(plain, axis=1)[:-1]
    slope = np.hypot(down, across)
    blocks = small.reshape(_FRAME // _BLOCK, _BLOCK, _FRAME // _BLOCK, _BLOCK)
    means, spreads = blocks.mean(axis=(1, 3)), np.log(blocks.std(axis=(1, 3)) + 1e-3)
    middle = float(np.median(means))
    told = [
        *quantiles,
        np.log(spread),
        float(np.clip((squared * plain).mean(), -20, 20)),
        float(np.log((squared * squared).mean() + 1e-3)),
        *bands,
        float(np.log(slope.mean() + 1e-3)),
        float(np.log(np.quantile(slope, 0.98) + 1e-3)),
        float(np.log((np.abs(down).mean() + 1e-3) / (np.abs(across).mean() + 1e-3))),
        float(means.max()) - middle,
        middle - float(means.min()),
        float(spreads.max()) - float(np.median(spreads)),
        float(np.median(spreads)) - float(spreads.min()),
        float(spreads.std()),
        float(np.log((small > 0.97).mean() + 0.01)),
        float(np.log((small < 0.03).mean() + 0.01)),
        *_stray(small, quantiles),
        *_colour(image),
    ]
    out: npt.NDArray[np.float32] = np.nan_to_num(np.array(told, np.float32), posinf=0.0, neginf=0.0)
    return out


def _stray(values: Luma, quantiles: npt.NDArray[np.floating]) -> list[float]:
    """How much of the picture lies far above and far below its middle half, as after pasting something into it."""
    reach = 1.5 * max(float(quantiles[3] - quantiles[1]), 0.02)
    above, below = (values > quantiles[3] + reach).mean(), (values < quantiles[1] - reach).mean()
    return [float(np.log(above + 0.01)), float(np.log(below + 0.01))]


def full_scale(image: Pixels) -> float:
    """The largest value that a pixel of this dtype can have; floats: 1, or the largest that occurs where it is more."""
    if image.dtype.kind in "ui":
        return float(np.iinfo(image.dtype.name).max)
    if image.dtype.kind != "f":
        return 1.0
    finite = image[np.isfinite(image)]
    return max(1.0, float(np.abs(finite).max())) if finite.size else 1.0


def _colour(image: Pixels) -> list[float]:
    """Mean redness and blueness, and how colourful; zeros for grey pictures."""
    if image.ndim == 2 or image.shape[2] < 3 or image.size == 0:
        return [0.0, 0.0, 0.0]
    step = max(1, max(image.shape[:2]) // _FRAME)
    pixels = np.nan_to_num(image[::step, ::step, :3].astype(np.float32), posinf=0.0, neginf=0.0) / full_scale(image)
    grey = pixels.mean(axis=2)
    red, blue = pixels[:, :, 0] - grey, pixels[:, :, 2] - grey
    return [float(red.mean()), float(blue.mean()), float(np.hypot(red, blue).mean())]
