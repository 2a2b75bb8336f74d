"""The critic: a small network that sees picture, mask and prediction together and has practised to tell spoilt masks.

Trees judge by features that somebody thought of; the critic finds its own. It is trained elsewhere, from ``Lessons``
(see ``Teach``); its answers are worked out here, so that judging needs nothing that trains. Everything that it sees is
brought to one small grid: what it costs doesn't grow with the pictures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.domain.detector.predicted import F32, F64, I64, LEAST, U8, Scene

SIDE = 96  # cells of the grid's shorter side; probabilities are kept half as fine
COPIES = 6  # spoilt masks of a sample to learn from
FEWEST = 50  # lessons; fewer teach it nothing
DOUBTED = 0.25  # of the masks as given, which give no lesson
_LONGEST = 2 * SIDE
STRIDES = (2, 1, 2, 1, 2, 1)

# Weight and bias of six convolutions of 3 x 3, (out, in, 3, 3) and (out,), with their strides above, and of two dense
# layers on the mean and the maximum of the last map, (out, in) and (out,); rectified but for the last.
Layers = Sequence[F32]


@dataclass(frozen=True)
class View:
    """A scene on the grid: ``picture`` (3, h, w), 128 = its mean, 48 to a standard deviation; ``chance`` (channels,
    h / 2, w / 2), log p, 0 = LEAST, 255 = 1."""

    picture: U8
    chance: U8


@dataclass(frozen=True)
class Lesson:
    """A sample to learn from: ``masks`` (1 + COPIES, h, w) places, the first as given, the others spoilt."""

    view: View
    masks: U8


@dataclass(frozen=True)
class Lessons:
    """All of a set on one grid: ``pictures`` (n, 3, h, w), ``chances`` (n, channels, h / 2, w / 2), ``masks``
    (n, 1 + COPIES, h, w); ``halves`` (n,), 0 or 1: a critic judges the half that it didn't learn from."""

    pictures: U8
    chances: U8
    masks: U8
    halves: U8


# The critic for half 0, which has learned from half 1, and the other way round.
Teach = Callable[[Lessons], tuple[Layers, Layers]]


def lessons_of(taken: Sequence[Lesson], parts: Sequence[int]) -> Lessons:
    return Lessons(
        np.stack([one.view.picture for one in taken]),
        np.stack([one.view.chance for one in taken]),
        np.stack([one.masks[: 1 + COPIES] for one in taken]),
        (np.array(parts) % 2).astype(np.uint8),
    )


def grid_of(aspect: float) -> tuple[int, int]:
    """Rows and columns for pictures that are ``aspect`` times as wide as high; multiples of 8."""
    along = 8 * round(min(_LONGEST, SIDE * max(aspect, 1 / aspect)) / 8)
    return (SIDE, along) if aspect >= 1 else (along, SIDE)


def view_of(scene: Scene, grid: tuple[int, int]) -> View:
    logs = 255 * (1 - _pooled(scene.log, (grid[0] // 2, grid[1] // 2)) / np.log(LEAST))
    pictures = 128 + 48 * (scene.image - scene.image.mean()) / max(1e-3, float(scene.image.std()))
    both = _pooled(pictures, grid), logs
    picture, chance = (np.rint(one.clip(0, 255)).astype(np.uint8).transpose(2, 0, 1) for one in both)
    return View(np.ascontiguousarray(picture), np.ascontiguousarray(chance))


def on_grid(mask: I64, grid: tuple[int, int]) -> U8:
    """The mask on the grid: of each cell the pixel in its middle. (h, w)."""
    rows, columns = ((2 * np.arange(n) + 1) * m // (2 * n) for n, m in zip(grid, mask.shape, strict=True))
    return mask[np.ix_(rows, columns)].astype(np.uint8)


def score(layers: Layers, view: View, masks: U8) -> F64:
    """Log odds that each of ``masks`` (n, h, w) is spoilt rather than given, were there as many of both: (n,)."""
    x = np.maximum(_first(view, masks, layers[0], layers[1]), 0)
    for place, stride in enumerate(STRIDES[1:], 1):
        x = np.maximum(_convolved(x, layers[2 * place], layers[2 * place + 1], stride), 0)
    x = np.concatenate([x.mean(axis=(2, 3)), x.max(axis=(2, 3))], axis=1)
    hidden = np.maximum(x @ layers[-4].T + layers[-3], 0)
    out: F64 = (hidden @ layers[-2].T + layers[-1])[:, 0].astype(np.float64)
    return out


def _first(view: View, masks: U8, weight: F32, bias: F32) -> F32:
    """The first convolution over picture, one-hot mask (times 2) and log p (-1 to 1): (n, out, h / 2, w / 2).

    Stacked they would be many planes, most of them empty: picture and log p are the same for all masks, log p says each
    value four times, and of a mask's planes all but one are 0 at a cell.
    """
    count, (height, width) = view.chance.shape[0], view.chance.shape[1:]
    of_picture, of_mask, of_chance = np.split(weight, [3, 3 + count], axis=1)
    picture: F32 = view.picture.astype(np.float32) / np.float32(48) - np.float32(128 / 48)
    chance: F32 = view.chance.astype(np.float32) / np.float32(255 / 2) - np.float32(1)
    # Of the three rows that meet a cell of log p, two lie in its own and the first in the one before; columns likewise.
    rows = np.stack([of_chance[:, :, 0], of_chance[:, :, 1] + of_chance[:, :, 2]], axis=2)
    halved = np.stack([rows[..., 0], rows[..., 1] + rows[..., 2]], axis=3)
    same = _convolved(picture[None], of_picture, bias, 2)[0] + _taps(chance[None], halved, 1, height, width)[0]
    table = np.zeros((9, count + 1, weight.shape[0]), np.float32)  # by place and class; the last: outside the picture
    table[:, :count] = 2 * of_mask.transpose(2, 3, 1, 0).reshape(9, count, -1)
    padded = np.pad(masks, ((0, 0), (1, 1), (1, 1)), constant_values=count)
    out = np.repeat(same.transpose(1, 2, 0)[None], len(masks), axis=0)
    for place, (down, right) in enumerate(np.ndindex(3, 3)):
        out += table[place][padded[:, down : down + 2 * height : 2, right : right + 2 * width : 2]]
    return out.transpose(0, 3, 1, 2)


def _convolved(x: F32, weight: F32, bias: F32, stride: int) -> F32:
    """3 x 3, zeros around: (n, in, h, w) -> (n, out, h / stride, w / stride)."""
    height, width = x.shape[2] // stride, x.shape[3] // stride
    return _taps(x, weight, stride, height, width) + bias[:, None, None]


def _taps(x: F32, weight: F32, stride: int, height: int, width: int) -> F32:
    """A convolution whose first tap lies one row and one column before the first pixel, zeros around:
    (n, in, h, w), (out, in, a, b) -> (n, out, height, width)."""
    taps = list(np.ndindex(weight.shape[2:]))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    near = np.empty((len(x), len(taps), x.shape[1], height, width), np.float32)
    for place, (down, right) in enumerate(taps):
        rows, columns = slice(down, down + stride * height, stride), slice(right, right + stride * width, stride)
        near[:, place] = padded[:, :, rows, columns]
    flat = weight.transpose(0, 2, 3, 1).reshape(weight.shape[0], -1)
    out: F32 = flat @ near.reshape(len(x), flat.shape[1], -1)
    return out.reshape(len(x), -1, height, width)


def _pooled(values: F32, grid: tuple[int, int]) -> F32:
    """(H, W, C) -> (h, w, C): means over cells, or the nearest pixel where there are fewer pixels than cells."""
    for axis, cells in enumerate(grid):
        size = values.shape[axis]
        begin = np.arange(cells) * size // cells
        if size % cells == 0:
            apart = values.reshape(*values.shape[:axis], cells, size // cells, *values.shape[axis + 1 :])
            values = apart.mean(axis=axis + 1)
        elif size < cells:
            values = values.take(begin, axis=axis)
        else:
            held = np.diff(np.append(begin, size)).astype(np.float32)
            sums: F32 = np.add.reduceat(values, begin, axis=axis)
            values = sums / (held[:, None, None] if axis == 0 else held[:, None])
    return values
