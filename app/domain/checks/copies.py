"""Is one picture a copy of another, perhaps cropped, turned a little, or in another light? Told block by block."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.domain.checks.luma import Luma, luma, resized, structure
from app.domain.mask import Mask
from app.domain.picture import Pixels

# Pictures are laid out on a square of this side, in blocks that are looked for this far around.
FRAME = 72
_BLOCK = 12
_REACH = 6
_SIDE = FRAME // _BLOCK
_WINDOW = _BLOCK + 2 * _REACH
# A block is found where it correlates this well, at most this many pixels from where the others say.
_FOUND = 0.55
_STRAY = 1.5
_TEXTURE = 0.02


def _places(side: int, step: int) -> npt.NDArray[np.float64]:
    """(1, y, x) of the middle of each cell of a square grid, (side * side, 3)."""
    y, x = np.divmod(np.arange(side * side), side)
    return np.stack([np.ones_like(y), y * step + step // 2, x * step + step // 2], axis=1).astype(float)


_CENTRES = _places(_SIDE, _BLOCK)
_PIXELS = _places(FRAME, 1)


@dataclass(frozen=True)
class Laid:
    """A picture on the frame: fine structure (FRAME, FRAME) and the spectra of its blocks, each in its window."""

    fine: Luma
    spectra: npt.NDArray[np.complexfloating]
    power: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Match:
    """``share``: blocks, 0..1, found where one affine motion puts them. ``motion``: (3, 2), from (1, y, x) of a place
    on the first frame to (y, x) on the second. ``blocks``: how many the share stands for."""

    share: float
    blocks: int
    motion: npt.NDArray[np.float64]


def lay(pixels: Pixels) -> Laid:
    fine = structure(resized(luma(pixels, 2 * FRAME), FRAME, FRAME))
    blocks = fine.reshape(_SIDE, _BLOCK, _SIDE, _BLOCK).swapaxes(1, 2).reshape(-1, _BLOCK, _BLOCK)
    spectra = np.fft.rfft2(blocks - blocks.mean(axis=(1, 2), keepdims=True), s=(_WINDOW, _WINDOW))
    power = ((blocks - blocks.mean(axis=(1, 2), keepdims=True)) ** 2).sum(axis=(1, 2)).astype(np.float64)
    return Laid(fine, spectra, power)


@dataclass(frozen=True)
class Windows:
    """The surroundings of each block of a picture, ready to be searched."""

    spectra: npt.NDArray[np.complexfloating]
    power: npt.NDArray[np.float64]


def windows(fine: Luma) -> Windows:
    padded = np.pad(fine, _REACH)
    view = np.lib.stride_tricks.sliding_window_view(padded, (_WINDOW, _WINDOW))[::_BLOCK, ::_BLOCK]
    steps = 2 * _REACH + 1
    power = np.lib.stride_tricks.sliding_window_view(_box(padded * padded), (steps, steps))[::_BLOCK, ::_BLOCK]
    return Windows(np.fft.rfft2(view.reshape(-1, _WINDOW, _WINDOW)), power.reshape(-1, steps, steps))


def match(first: Laid, second: Windows) -> Match:
    """Where the blocks of ``first`` are in the picture whose ``windows`` these are."""
    peaks = np.fft.irfft2(np.conj(first.spectra) * second.spectra, s=(_WINDOW, _WINDOW))
    peaks = peaks[:, : 2 * _REACH + 1, : 2 * _REACH + 1] / np.sqrt(
        np.maximum(first.power[:, None, None] * second.power, 1e-6)
    )
    flat = peaks.reshape(len(peaks), -1)
    at = flat.argmax(axis=1)
    strength = flat[np.arange(len(flat)), at]
    told = first.power > _TEXTURE * _BLOCK * _BLOCK
    moved = np.stack([at // (2 * _REACH + 1), at % (2 * _REACH + 1)], axis=1) - _REACH
    good = told & (strength > _FOUND)
    nothing = Match(0.0, 0, np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    if told.sum() < 4 or good.sum() < 4:
        return nothing
    motion = _affine(_CENTRES, _CENTRES[:, 1:] + moved, good)
    if motion is None:
        return nothing
    stray = np.linalg.norm(_CENTRES @ motion - _CENTRES[:, 1:] - moved, axis=1)
    agree = good & (stray <= _STRAY)
    return Match(float(agree.sum() / told.sum()), int(agree.sum()), motion)


def _affine(
    places: npt.NDArray[np.float64], targets: npt.NDArray[np.float64], good: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64] | None:
    """The affine motion that most good blocks follow: least squares from the median motion inwards."""
    moved = targets - places[:, 1:]
    stray = np.linalg.norm(moved - np.median(moved[good], axis=0), axis=1)
    motion = None
    for limit in (5.0, 3.0, _STRAY):
        kept = good & (stray <= limit)
        if kept.sum() < 4:
            return motion
        # A little pull towards a plain shift keeps few blocks from bending the frame.
        weights = np.sqrt(np.array([0.0, 30.0, 30.0]))
        rows = np.concatenate([places[kept] - [0, FRAME / 2, FRAME / 2], np.diag(weights)])
        solution = np.linalg.lstsq(rows, np.concatenate([moved[kept], np.zeros((3, 2))]), rcond=None)[0]
        linear = solution[1:] + np.eye(2)
        motion = np.concatenate([(solution[0] - (FRAME / 2) * solution[1:].sum(axis=0))[None], linear])
        stray = np.linalg.norm(places @ motion - targets, axis=1)
    return motion


def _box(values: Luma) -> npt.NDArray[np.float64]:
    """Sums over every place of a block."""
    sums = np.pad(values.astype(np.float64), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    out: npt.NDArray[np.float64] = (
        sums[_BLOCK:, _BLOCK:] - sums[:-_BLOCK, _BLOCK:] - sums[_BLOCK:, :-_BLOCK] + sums[:-_BLOCK, :-_BLOCK]
    )
    return out


def masks_differ(first: Mask, second: Mask, motion: npt.NDArray[np.float64]) -> float:
    """Share of places on the frame, 0..1, that carry another class in the second mask, both interiors only."""
    one, other = _on_frame(first), _on_frame(second)
    y, x = np.rint(_PIXELS @ motion).astype(int).T
    inside = np.flatnonzero((y >= 0) & (y < FRAME) & (x >= 0) & (x < FRAME))
    there = y[inside] * FRAME + x[inside]
    settled = _settled(one).ravel()[inside] & _settled(other).ravel()[there]
    if not settled.any():
        return 0.0
    differ = one.ravel()[inside] != other.ravel()[there]
    return float(np.count_nonzero(differ & settled) / np.count_nonzero(settled))


def _on_frame(mask: Mask) -> Mask:
    rows, columns = (
        (np.arange(FRAME) * 2 + 1) * mask.shape[0] // (2 * FRAME),
        (np.arange(FRAME) * 2 + 1) * mask.shape[1] // (2 * FRAME),
    )
    return mask[np.ix_(rows, columns)]


def _settled(mask: Mask) -> npt.NDArray[np.bool_]:
    """Places that lie at least two pixels inside one class, where a pixel of misalignment can't matter."""
    out = np.ones(mask.shape, bool)
    for step in (1, 2):
        down, across = mask[step:] != mask[:-step], mask[:, step:] != mask[:, :-step]
        out[step:] &= ~down
        out[:-step] &= ~down
        out[:, step:] &= ~across
        out[:, :-step] &= ~across
    return out
