"""Compact descriptors of a picture and of its crops: copies lie near each other, whatever the light or the flip."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.domain.checks.luma import luma, resized
from app.domain.picture import Pixels

Vectors = npt.NDArray[np.float32]
Packed = npt.NDArray[np.int8]
Flips = npt.NDArray[np.bool_]

_GRID = 32
_WAVES = 6
LENGTH = _WAVES * _WAVES - 1
# Windows as shares of the side: the whole, and crops that a copy may have kept.
_SHARES = ((1.0, 1), (0.82, 3))
# Below this, which way round a picture lies is a matter of noise, and both ways are looked up.
_UNSURE = 0.06


def _windows() -> list[tuple[float, float, float]]:
    places = []
    for share, steps in _SHARES:
        starts = np.linspace(0, 1 - share, steps)
        places += [(float(top), float(left), share) for top in starts for left in starts]
    return places


WINDOWS = _windows()


def _basis() -> tuple[Vectors, Flips, Flips]:
    """Cosine waves over each window, (windows * LENGTH, grid * grid), and which of them turn sign in each flip."""
    centres = (np.arange(_GRID) + 0.5) / _GRID
    waves = [(u, v) for u in range(_WAVES) for v in range(_WAVES) if u + v]
    rows = []
    for top, left, share in WINDOWS:
        y, x = (centres - top) / share, (centres - left) / share
        tall, wide = (y > 0) & (y < 1), (x > 0) & (x < 1)
        for u, v in waves:
            rows.append(np.outer(tall * np.cos(np.pi * u * y), wide * np.cos(np.pi * v * x)).ravel())
    odd = np.array(waves) % 2 == 1
    return np.array(rows, np.float32), odd[:, 0], odd[:, 1]


_BASIS, _DOWN, _ACROSS = _basis()
_TURNS = (_DOWN, _ACROSS)
# Fixed weights whose sum over the waves that turn sign tells which way round a picture lies.
_LEAN = np.random.default_rng(0).normal(size=LENGTH).astype(np.float32) / np.sqrt(LENGTH)


def describe(image: Pixels) -> bytes | None:
    """The descriptors of a picture, 370 bytes that ``described`` reads; None for one without texture."""
    values = resized(luma(image, 128), _GRID, _GRID)
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-6 * (1.0 + abs(high)):
        return None
    values = (values - low) / (high - low)
    band = values - ndimage.gaussian_filter(values, 6.0)
    power = np.sqrt(ndimage.gaussian_filter(band * band, 6.0))
    fine = band / (power + 0.05 * float(power.max()))
    vectors = (_BASIS @ fine.ravel()).reshape(len(WINDOWS), LENGTH)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if lengths[0] <= 1e-6:
        return None
    vectors /= np.maximum(lengths, 1e-6)
    flips = np.zeros((len(vectors), 2), bool)
    for axis, turns in enumerate(_TURNS):
        flips[:, axis] = vectors[:, turns] @ _LEAN[turns] < 0
        vectors[np.ix_(flips[:, axis], turns)] *= -1
    return np.rint(vectors * 127).astype(np.int8).tobytes() + flips.tobytes()


def described(packed: Sequence[bytes]) -> tuple[Packed, Flips]:
    """Of N pictures: the vectors (N, windows, LENGTH), of which 127 is 1, each flipped to its own standing; and the
    flips (N, windows, 2), up-down and left-right, that took."""
    rows = np.frombuffer(b"".join(packed), np.int8).reshape(len(packed), -1)
    split = len(WINDOWS) * LENGTH
    vectors = np.ascontiguousarray(rows[:, :split]).reshape(len(packed), len(WINDOWS), LENGTH)
    return vectors, rows[:, split:].reshape(len(packed), len(WINDOWS), 2).astype(bool)


def ways_round(vectors: Vectors, flips: Flips) -> tuple[Vectors, Flips, npt.NDArray[np.int64]]:
    """The vectors and, where their standing is unsure, their other flips too; and the row that each came from."""
    rows = np.arange(len(vectors))
    for axis, turns in enumerate(_TURNS):
        unsure = np.flatnonzero(np.abs(vectors[:, turns] @ _LEAN[turns]) < _UNSURE)
        other_vectors, other_flips = vectors[unsure], flips[unsure]
        other_vectors[:, turns] *= -1
        other_flips[:, axis] ^= True
        vectors, flips = np.concatenate([vectors, other_vectors]), np.concatenate([flips, other_flips])
        rows = np.concatenate([rows, rows[unsure]])
    return vectors, flips, rows
