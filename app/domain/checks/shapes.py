"""What a mask is made of: areas and places of its classes, specks, pinholes, ragged outline."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.domain.checks.outline import reduced
from app.domain.mask import Mask

# Places are cells of this grid, one bit each.
GRID = 8
# A component of at most this many pixels (of a mask of 64 x 128; in proportion above) is small.
_SMALL = 4
_USUAL = 64 * 128


@dataclass(frozen=True)
class Shape:
    """``areas``: share of the mask of each class; ``places``: cells of the grid that it touches, as bits;
    ``specks``, ``pinholes``: small components, a pinhole being one of ``hollow`` classes inside another class;
    ``ragged``: share of the outline that is frayed, 0..1."""

    areas: dict[int, float]
    places: dict[int, int]
    specks: int
    pinholes: int
    ragged: float


def shape(mask: Mask, hollow: frozenset[int]) -> Shape:
    """The shape of a mask of any size; above 256 pixels a side it is told from every n-th pixel."""
    small = reduced(mask)
    counts = np.bincount(small.ravel())
    present = [int(id) for id in np.flatnonzero(counts)]
    areas = {id: float(counts[id]) / small.size for id in present}
    places, specks, pinholes = dict(zip(present, _places(small, counts), strict=True)), 0, 0
    most = max(_SMALL, _SMALL * small.size // _USUAL)
    for id in present if len(present) > 1 else ():
        labels, count = ndimage.label(small == id)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        little = int((sizes <= most).sum())
        if id in hollow and little:
            inside = _inside(labels, count)
            holes = int(((sizes <= most) & inside).sum())
            pinholes += holes
            little -= holes
        specks += little
    return Shape(areas, places, specks, pinholes, _ragged(small) if len(present) > 1 else 0.0)


def _places(mask: Mask, counts: npt.NDArray[np.integer]) -> list[int]:
    """For each id of those that ``counts`` has, in order: the cells of the grid in which it has a pixel, as bits."""
    rank = np.cumsum(counts > 0) - 1
    touched = np.bincount((rank[mask] * GRID * GRID + _cells(mask.shape)).ravel(), minlength=(rank[-1] + 1) * GRID**2)
    bits = np.packbits(touched.reshape(-1, GRID * GRID) > 0, axis=1, bitorder="little")
    return [int(row) for row in bits.view("<u8").ravel()]


@lru_cache(maxsize=8)
def _cells(shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """The cell of the grid that each pixel of a mask lies in."""
    rows, columns = (np.arange(side) * GRID // side for side in shape)
    return rows[:, None] * GRID + columns


def _inside(labels: npt.NDArray[np.signedinteger], count: int) -> npt.NDArray[np.bool_]:
    """Which components don't reach the rim."""
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    out = np.ones(count, bool)
    out[rim[rim > 0] - 1] = False
    return out


def _ragged(mask: Mask) -> float:
    """Share of the outline's pixels with at most three of eight neighbours of their own class: tips and teeth."""
    padded = np.pad(mask, 1, mode="edge")
    height, width = mask.shape
    alike = np.zeros(mask.shape, np.int8)
    for down in (0, 1, 2):
        for right in (0, 1, 2):
            if (down, right) != (1, 1):
                alike += padded[down : down + height, right : right + width] == mask
    outline = int((alike < 8).sum())
    return float((alike <= 3).sum() / outline) if outline else 0.0
