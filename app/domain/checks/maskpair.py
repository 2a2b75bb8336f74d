"""How much two masks have in common, after the flip and the small shift that fit best."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.domain.checks.outline import description_bits, inside, plain
from app.domain.mask import Mask

# A shift of at most a tenth of each side is looked for, and every flip.
_REACH = 10
_LEAST = 3
# Near copies differ in at most this share of their pixels, and then in a small share of the outline, or have most of
# the description in common.
_PIXELS = 0.1
_DIFFERS = 0.15
_COMMON = 0.6


@dataclass(frozen=True)
class Fit:
    """``common``: bits of description that one mask shares with the other; ``differs``: share of pixels that differ
    where they overlap; ``flip``: (up-down, left-right) that lays the other on the one; ``moved``: it took a flip or a
    shift; ``near``: they are copies."""

    common: float
    differs: float
    flip: tuple[bool, bool]
    moved: bool
    near: bool


def fit(one: Mask, other: Mask, bits: float) -> Fit:
    """The best of four flips of ``other`` against ``one``, whose description takes ``bits``."""
    first = plain(one)
    second = _to_shape(plain(other), first.shape)
    edges, length = _edges(first)
    spectrum = np.fft.rfft2(edges)
    fits: list[tuple[float, npt.NDArray[np.bool_], tuple[bool, bool], bool]] = []
    for flip in ((False, False), (False, True), (True, False), (True, True)):
        turned = second[:: -1 if flip[0] else 1, :: -1 if flip[1] else 1]
        differing, moved = _differing(first, turned, spectrum)
        share = float(differing.mean())
        fits.append((share, differing, flip, moved or any(flip)))
        if share == 0:
            break
    share, differing, flip, moved = min(fits, key=lambda one: one[0])
    common = max(0.0, bits - description_bits(inside(differing.astype(np.uint8)))) if share else bits
    alike = int(differing.sum()) <= _DIFFERS * length or common >= _COMMON * bits
    return Fit(common, share, flip, moved, alike and share <= _PIXELS)


def ways(shape: tuple[int, ...]) -> int:
    """How many flips and shifts were open to chance."""
    tall, wide = _reach(shape)
    return 4 * (2 * tall + 1) * (2 * wide + 1)


def _reach(shape: tuple[int, ...]) -> tuple[int, int]:
    tall, wide = (min(max(side // _REACH, _LEAST), side // 4) for side in shape[:2])
    return tall, wide


def _differing(
    first: Mask, second: Mask, spectrum: npt.NDArray[np.complexfloating]
) -> tuple[npt.NDArray[np.bool_], bool]:
    """Where the masks differ in their overlap, unshifted or after the shift that lays outline on outline; and which."""
    height, width = first.shape
    peaks = np.fft.irfft2(spectrum * np.conj(np.fft.rfft2(_edges(second)[0])), s=first.shape)
    tall, wide = _reach(first.shape)
    rows, columns = np.arange(-tall, tall + 1), np.arange(-wide, wide + 1)
    at = int(peaks[np.ix_(rows, columns)].argmax())
    down, right = int(rows[at // len(columns)]), int(columns[at % len(columns)])
    still: npt.NDArray[np.bool_] = first != second
    if down == 0 and right == 0:
        return still, False
    moved: npt.NDArray[np.bool_] = (
        first[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        != second[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
    )
    return (moved, True) if moved.mean() < still.mean() else (still, False)


def _edges(mask: Mask) -> tuple[npt.NDArray[np.float32], int]:
    across, down = mask[:, 1:] != mask[:, :-1], mask[1:] != mask[:-1]
    edges = np.zeros(mask.shape, np.float32)
    edges[:, 1:] += across
    edges[1:] += down
    return edges, int(across.sum()) + int(down.sum())


def _to_shape(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """Nearest pixel of another grid."""
    if mask.shape == shape:
        return mask
    rows = (np.arange(shape[0]) * mask.shape[0]) // shape[0]
    columns = (np.arange(shape[1]) * mask.shape[1]) // shape[1]
    return mask[np.ix_(rows, columns)]
