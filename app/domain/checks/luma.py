"""Brightness of a picture of any dtype, size and channel count, at a bounded size, and its fine structure."""

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from app.domain.picture import STRIP, Pixels

Luma = npt.NDArray[np.float32]

# Luma weights of ITU-R BT.601; channels beyond the third are left out (alpha, infrared).
_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)


def luma(pixels: Pixels, side: int) -> Luma:
    """(H, W) float32 in the picture's own units, reduced by a whole factor so that no side exceeds ``side``.

    NaN and infinities become 0. Never empty: a picture without pixels is one zero.
    """
    if pixels.size == 0:
        return np.zeros((1, 1), np.float32)
    step = -(-max(pixels.shape[:2]) // side)
    if step == 1 or min(pixels.shape[:2]) < step:
        return _reduced(_values(pixels), step)
    # Of a large picture some rows at a time: in 32 bits all of it would be four times as large.
    rows = max(1, STRIP // (step * pixels.shape[1])) * step
    end = pixels.shape[0] // step * step
    parts = [_reduced(_values(pixels[top : min(top + rows, end)]), step) for top in range(0, end, rows)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _values(pixels: Pixels) -> Luma:
    """Brightness at full size."""
    if pixels.ndim == 2:
        values = pixels.astype(np.float32)
    elif pixels.shape[2] < 3:
        values = pixels[:, :, 0].astype(np.float32)
    else:
        values = pixels[:, :, :3].astype(np.float32) @ _WEIGHTS
    if pixels.dtype.kind == "f":
        values = np.clip(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0), -1e9, 1e9)
    return values


def resized(values: Luma, height: int, width: int) -> Luma:
    """``values`` averaged (or repeated) onto a grid of another size."""
    if values.shape == (height, width):
        return values
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BOX), np.float32)


def structure(values: Luma, noise: float = 1.2) -> Luma:
    """What is left of brightness, contrast and slow shading: (H, W), local mean about 0, local spread about 1.

    A band-pass (difference of Gaussians), divided by its local spread; places without any texture stay near 0.
    """
    spread = float(values.std())
    if spread <= 1e-6 * (1.0 + float(np.abs(values).max())):
        return np.zeros(values.shape, np.float32)
    plain = (values - values.mean()) / np.float32(spread)
    wide = max(2.0, max(values.shape) / 32)
    band = ndimage.gaussian_filter(plain, noise, mode="nearest") - ndimage.gaussian_filter(plain, wide, mode="nearest")
    power = np.sqrt(ndimage.gaussian_filter(band * band, 2 * wide, mode="nearest"))
    floor = 0.1 * float(power.max()) + 1e-6
    out: Luma = (band / (power + np.float32(floor))).astype(np.float32)
    return out


def _reduced(values: Luma, step: int) -> Luma:
    if step == 1:
        return values
    height, width = max(values.shape[0] // step, 1), max(values.shape[1] // step, 1)
    if values.shape[0] < step or values.shape[1] < step:
        return resized(values, height, width)
    cut = values[: height * step, : width * step]
    out: Luma = cut.reshape(height, step, width, step).mean(axis=(1, 3), dtype=np.float32)
    return out
