"""Do two pictures show the same scene? Block by block, so that one shared object doesn't make two pictures one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.domain.checks.luma import Luma, luma, resized, structure
from app.domain.picture import Pixels

# Pictures are compared at no more than this many pixels a side.
SIDE = 128
# Blocks of about this many pixels; a block agrees from this correlation on, and a scene from this share of blocks on.
_BLOCK = 16
_AGREES = 0.4
SAME = 0.5


@dataclass(frozen=True)
class Scene:
    """A picture made ready to be compared: its fine structure (H, W) and the spectrum of that."""

    fine: Luma
    spectrum: npt.NDArray[np.complexfloating]


def scene(pixels: Pixels, shape: tuple[int, int] | None = None, flip: tuple[bool, bool] = (False, False)) -> Scene:
    """``pixels`` flipped (up-down, left-right) and brought to ``shape``, or to at most SIDE pixels a side."""
    values = luma(pixels, SIDE)
    if shape is not None:
        values = resized(values, *shape)
    return ready(values[:: -1 if flip[0] else 1, :: -1 if flip[1] else 1])


def ready(values: Luma) -> Scene:
    fine = structure(values)
    return Scene(fine, np.fft.rfft2(fine))


def agreement(a: Scene, b: Scene) -> float:
    """Share of blocks, 0..1, whose structure agrees after the best shift (up to an eighth of each side).

    Both scenes have one shape. Blocks without texture in both count for neither side; without any, 0.
    """
    down, right = _shift(a, b)
    height, width = a.fine.shape
    first = a.fine[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
    second = b.fine[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
    aa, bb, ab = _blocks(first * first), _blocks(second * second), _blocks(first * second)
    weight = np.sqrt(aa * bb)
    told = np.maximum(aa, bb) > 0.02
    if not told.any():
        return 0.0
    agrees = (ab > _AGREES * weight) & (weight > 0) & told
    return float(agrees.sum() / told.sum())


def _shift(a: Scene, b: Scene) -> tuple[int, int]:
    """How far ``a`` lies below and to the right of ``b``, by the peak of their cross-correlation."""
    height, width = a.fine.shape
    peaks = np.fft.irfft2(a.spectrum * np.conj(b.spectrum), s=(height, width))
    tall, wide = height // 8, width // 8
    rows, columns = np.arange(-tall, tall + 1), np.arange(-wide, wide + 1)
    near = peaks[np.ix_(rows, columns)]
    at = int(near.argmax())
    return int(rows[at // len(columns)]), int(columns[at % len(columns)])


def _blocks(values: Luma) -> Luma:
    """Means of blocks of about _BLOCK pixels a side."""
    height, width = values.shape
    tall, wide = max(height // _BLOCK, 1), max(width // _BLOCK, 1)
    rows = np.linspace(0, height, tall + 1).astype(int)
    columns = np.linspace(0, width, wide + 1).astype(int)
    sums = np.add.reduceat(np.add.reduceat(values, rows[:-1], axis=0), columns[:-1], axis=1)
    out: Luma = (sums / np.outer(np.diff(rows), np.diff(columns))).astype(np.float32)
    return out
