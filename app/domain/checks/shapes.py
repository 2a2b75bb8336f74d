"""What a mask is made of: areas and places of its classes, specks, pinholes, ragged outline."""

from dataclasses import dataclass

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
    places, specks, pinholes = {}, 0, 0
    most = max(_SMALL, _SMALL * small.size // _USUAL)
    for id in present:
        own = small == id
        places[id] = _cells(own)
        if len(present) == 1:
            break
        labels, count = ndimage.label(own)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        little = int((sizes <= most).sum())
        if id in hollow and little:
            inside = _inside(labels, count)
            holes = int(((sizes <= most) & inside).sum())
            pinholes += holes
            little -= holes
        specks += little
    return Shape(areas, places, specks, pinholes, _ragged(small) if len(present) > 1 else 0.0)


def _cells(own: npt.NDArray[np.bool_]) -> int:
    """Cells of the grid in which a class has at least one pixel, as bits."""
    y, x = np.nonzero(own)
    cells = np.unique(y * GRID // own.shape[0] * GRID + x * GRID // own.shape[1])
    return sum(1 << int(cell) for cell in cells)


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
