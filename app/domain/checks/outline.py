"""A mask's outline: how many bits it takes to tell, how long it is, and a signature that finds its near copies."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.special import gammaln

from app.domain.mask import Mask

# Masks are read at no more than this many pixels a side; exact identity always comes from the mask's hash.
SIDE = 256
# What lies in the outer 1/16 of a mask is habit more often than drawing: frames, padding, pixels out of view.
MARGIN = 16
_GRID = 32
_WAVES = 4
_AREAS = 4


@dataclass(frozen=True)
class Outline:
    """``bits``: what the inside of the mask costs to describe (0 for one class); ``length``: pixel edges between
    classes; ``classes``: how many occur; ``signature``: (28,) float32, the same for renamed classes, nearly so for
    flips and small shifts."""

    bits: float
    length: int
    classes: int
    signature: npt.NDArray[np.float32]


def reduced(mask: Mask) -> Mask:
    """Every n-th pixel of ``mask``, so that no side exceeds SIDE."""
    step = -(-max(mask.shape) // SIDE)
    return mask[::step, ::step]


def plain(mask: Mask) -> Mask:
    """``mask`` reduced, and without lone pixels in one uniform surrounding: what two drawn copies have in common."""
    small = reduced(mask)
    if min(small.shape) < 2:
        return small
    around = np.pad(small, 1, mode="reflect")
    up, down, left, right = around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]
    lone = (up == down) & (left == right) & (up == left) & (small != up)
    return np.where(lone, up, small)


def inside(mask: Mask) -> Mask:
    """``mask`` without its outer 1/16 on each side."""
    top, left = mask.shape[0] // MARGIN, mask.shape[1] // MARGIN
    return mask[top : mask.shape[0] - top, left : mask.shape[1] - left]


def outline(mask: Mask) -> Outline:
    """The outline of a mask of any size."""
    small = plain(mask)
    across, down = small[:, 1:] != small[:, :-1], small[1:] != small[:-1]
    length = int(across.sum()) + int(down.sum())
    edges = np.zeros(small.shape, np.float32)
    edges[:, 1:] += across
    edges[1:] += down
    areas = np.sort(np.bincount(small.ravel()))[::-1]
    largest = np.zeros(_AREAS, np.float32)
    largest[: len(areas)] = areas[:_AREAS] / small.size
    signature = np.concatenate([_waves(edges), largest])
    return Outline(description_bits(inside(small)), length, int(np.count_nonzero(areas)), signature)


def description_bits(mask: Mask | npt.NDArray[np.bool_]) -> float:
    """Bits that an adaptive context coder spends on a mask beyond those of a constant one; >= 0.

    Each pixel is told from its left, upper left, upper and upper right neighbours (the idea of bilevel image coders
    such as JBIG): the context is which of them agree, the symbol "as left", "as above" or "another class". The code
    length is that of the Krichevsky-Trofimov estimator, in closed form, so no coding takes place. Straight lines are
    cheap, free-hand ones cost about two bits a pixel row, and renaming classes changes nothing.
    """
    if mask.size == 0:
        return 0.0
    padded = np.pad(mask, ((1, 0), (1, 1)), mode="edge")
    here, left = padded[1:, 1:-1], padded[1:, :-2]
    up, up_left, up_right = padded[:-1, 1:-1], padded[:-1, :-2], padded[:-1, 2:]
    left_is_up = left == up
    context = left_is_up + 2 * (up_left == up) + 4 * (up_right == up) + 8 * (left == up_left)
    symbol = np.where(here == left, 0, np.where(here == up, 1, 2))
    counts = np.bincount((context * 3 + symbol).ravel(), minlength=48).reshape(16, 3)
    bits = _code_bits(counts)
    classes = int(np.count_nonzero(np.bincount(mask.ravel().astype(np.int64))))
    bits += float(counts[:, 2].sum()) * float(np.log2(max(classes - 1, 1)))
    constant = np.zeros((1, 3), np.int64)
    constant[0, 0] = mask.size
    return float(max(0.0, bits - _code_bits(constant)))


def _code_bits(counts: npt.NDArray[np.int64]) -> float:
    totals = counts.sum(axis=1)
    nats = gammaln(totals + 1.5) - gammaln(1.5) - (gammaln(counts + 0.5) - gammaln(0.5)).sum(axis=1)
    return float(nats.sum() / np.log(2))


def _waves(edges: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Low frequencies of where the outline lies, without phase: unmoved by shifts (but for the rim) and by flips."""
    grid = np.asarray(Image.fromarray(edges).resize((_GRID, _GRID), Image.Resampling.BOX), np.float32)
    total = float(grid.sum())
    if total <= 0:
        return np.zeros((_WAVES + 1) ** 2 - 1, np.float32)
    waves = np.abs(np.fft.fft2(grid / total)) ** 2
    right = waves[: _WAVES + 1, : _WAVES + 1]
    left = waves[: _WAVES + 1, np.arange(0, -_WAVES - 1, -1)]
    out: npt.NDArray[np.float32] = np.sqrt((right + left) / 2).ravel()[1:].astype(np.float32)
    return out
