"""Invented terrain as a rover's camera would see it: relief in perspective, lit by a low sun, with its true mask.

Everything is whole-number or element-wise float64 arithmetic (+, -, *, /, sqrt), which IEEE 754 fixes to the last bit;
sines, matrix products and transforms, which differ between machines, are not used. So a seed means the same pixels
anywhere.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]
BACKGROUND, SOIL, BEDROCK, SAND, ROCK = range(5)

_TILE = 512  # texels a side of the ground's texture, which repeats
_LEVELS = 4  # copies of it, each averaged over twice as many texels, for ground that is far away
_DARK, _BRIGHT = 12.0, 236.0


@dataclass(frozen=True)
class Recipe:
    """What a scene has to show: its terrain classes, and which extras."""

    terrain: tuple[int, ...]
    rocks: int = 0
    sky: bool = False
    deck: bool = False


def fractal(rng: np.random.Generator, first: int, octaves: int, fade: float, side: int = _TILE) -> F64:
    """Value noise that repeats after ``side``: (side, side) in [0, 1]. ``first`` cells a side in the widest octave,
    twice as many in each next one, each ``fade`` times as strong."""
    total = np.zeros((side, side))
    weight, sum_of_weights = 1.0, 0.0
    for octave in range(octaves):
        cells = first << octave
        step = side // cells
        t = (np.arange(step) + 0.5) / step
        s = t * t * (3 - 2 * t)
        knots = rng.integers(0, 256, (cells, cells)) / 255
        wide = (knots[:, :, None] * (1 - s) + np.roll(knots, -1, 1)[:, :, None] * s).reshape(cells, side)
        full = wide[:, None, :] * (1 - s)[:, None] + np.roll(wide, -1, 0)[:, None, :] * s[:, None]
        total += weight * full.reshape(side, side)
        sum_of_weights += weight
        weight *= fade
    return total / sum_of_weights


def _slabs(rng: np.random.Generator, cells: int, squash: float) -> tuple[F64, F64]:
    """Cells around scattered points, wider than high by ``squash``: (how far inside its slab, the slab's height)."""
    step = _TILE // cells
    where = (np.arange(_TILE) + 0.5) / step
    cell = np.arange(_TILE) // step
    points = rng.random((2, cells, cells))
    heights = rng.random((cells, cells))
    nearest = np.full((_TILE, _TILE), 9.0)
    second = nearest.copy()
    height = np.zeros((_TILE, _TILE))
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            row, column = np.ix_((cell + dy) % cells, (cell + dx) % cells)
            y = (cell + dy)[:, None] + points[0][row, column] - where[:, None]
            x = (cell + dx)[None, :] + points[1][row, column] - where[None, :]
            distance = np.sqrt(x * x + squash * y * y)
            closer = distance < nearest
            second = np.where(closer, nearest, np.minimum(second, distance))
            nearest = np.where(closer, distance, nearest)
            height = np.where(closer, heights[row, column], height)
    return second - nearest, height


def _ripples(rng: np.random.Generator, waves: int) -> F64:
    """Wind ripples: a parabola for each wave, bent by noise, in [0, 1]."""
    bend = fractal(rng, 4, 3, 0.5)
    phase = (np.arange(_TILE)[:, None] * (waves / _TILE) + bend * 5.0) % 1.0
    return 1.0 - 4.0 * (phase - 0.5) * (phase - 0.5)


def _levels(texture: F64) -> F64:
    """(_LEVELS, side, side): the texture averaged over blocks of 1, 2, 4, ... texels."""
    out = [texture]
    for level in range(1, _LEVELS):
        small = out[-1][:: 1 << (level - 1), :: 1 << (level - 1)]
        mean = (small[::2, ::2] + small[1::2, ::2] + small[::2, 1::2] + small[1::2, 1::2]) / 4
        out.append(mean.repeat(1 << level, 0).repeat(1 << level, 1))
    return np.stack(out)


@dataclass(frozen=True)
class Ground:
    """Textures of one world: height of each terrain class (levels, side, side), and where which class lies."""

    relief: dict[int, F64]
    tint: F64
    lie: F64


@lru_cache(maxsize=2)
def ground(seed: int) -> Ground:
    """The ground of a world; made once a seed (a fifth of a second), read only."""
    rng = np.random.Generator(np.random.PCG64(seed))
    fine = fractal(rng, 64, 3, 0.75)
    broad = fractal(rng, 8, 4, 0.6)
    grit = fractal(rng, 128, 2, 0.9)
    pebbles = np.clip(fractal(rng, 32, 2, 0.5) - 0.66, 0, 1) * 5 + np.clip(grit - 0.72, 0, 1) * 3
    inside, height = _slabs(rng, 12, 3.0)
    small, _ = _slabs(rng, 32, 2.0)
    rough = np.clip(inside + 0.5 * (fine - 0.55), 0, 1)
    rock = np.minimum(rough * 7, 1) * (0.55 + 0.6 * height) + np.minimum(small * 5, 1) * 0.22 + 0.5 * broad + 0.2 * fine
    relief = {
        SOIL: 0.55 * fine + 0.5 * broad + pebbles + 0.25 * grit,
        BEDROCK: rock,
        SAND: 0.55 * _ripples(rng, 40) + 0.35 * broad + 0.06 * grit,
    }
    return Ground({id: _levels(texture) for id, texture in relief.items()}, _levels(broad), fractal(rng, 8, 3, 0.35))


def scene(rng: np.random.Generator, land: Ground, recipe: Recipe, size: tuple[int, int]) -> tuple[U8, U8]:
    """One picture and its true mask, both uint8 of ``size`` (H, W)."""
    height, width = size
    rows, columns = 2 * height, 2 * width  # drawn twice as fine, then averaged
    y = np.arange(rows)[:, None] / rows
    x = (np.arange(columns)[None, :] - columns / 2) / rows
    horizon = 0.10 + 0.16 * rng.random() if recipe.sky else -0.25 - 0.9 * rng.random()
    depth = (1.02 - horizon) / np.maximum(y - horizon, 0.02)
    scale = rows * (0.7 + 0.5 * rng.random())
    u, v = _turn(rng, x * depth * scale, depth * scale * (1.02 - horizon))
    u += rng.integers(0, _TILE)
    v += rng.integers(0, _TILE)
    level = np.clip((depth * scale / rows > 1.6).astype(int) + (depth > 2.6) + (depth > 5), 0, _LEVELS - 1)
    iu, iv = u.astype(int) & (_TILE - 1), v.astype(int) & (_TILE - 1)

    labels = _lie(rng, land, recipe.terrain, u, v)
    sun = -1 if rng.random() < 0.5 else 1
    contrast = 55 + 75 * rng.random()
    base = 70 + 70 * rng.random()
    tones = {SOIL: 0.0, BEDROCK: 26 + 18 * rng.random(), SAND: -22 - 14 * rng.random()}
    strength = {SOIL: 0.9, BEDROCK: 1.25, SAND: 0.85}
    light = np.zeros((rows, columns))
    for id in recipe.terrain:
        relief = land.relief[id][level, iv, iu]
        slope = np.empty_like(relief)
        slope[:, 1:] = sun * (relief[:, 1:] - relief[:, :-1])
        slope[:, :1] = slope[:, 1:2]
        slope[1:] += 0.6 * (relief[1:] - relief[:-1])
        tone = base + tones[id] + strength[id] * contrast * (1.1 * slope + 0.35 * (relief - 0.6))
        light = np.where(labels == id, tone, light)
    light += 34 * (land.tint[level, iv, iu] - 0.5)

    for _ in range(int(rng.integers(2, 9))):  # stones too small to be a class of their own
        _stone(rng, light, None, base, sun, 0.012 + 0.03 * rng.random(), horizon)
    for _ in range(recipe.rocks):
        _stone(rng, light, labels, base, sun, 0.11 + 0.09 * rng.random(), horizon)
    if recipe.sky:
        _sky(rng, light, labels, horizon, base)
    if recipe.deck:
        _deck(rng, light, labels)
    return _expose(rng, light), np.ascontiguousarray(labels[::2, ::2])


def _turn(rng: np.random.Generator, u: F64, v: F64) -> tuple[F64, F64]:
    """The ground turned by some angle; the pair (cosine, sine) comes from a rational point of the circle."""
    t = 1.2 * rng.random() - 0.6
    cosine, sine = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    return u * cosine - v * sine, u * sine + v * cosine


def _lie(rng: np.random.Generator, land: Ground, terrain: tuple[int, ...], u: F64, v: F64) -> U8:
    """Which terrain lies where: for each class a field of noise, the highest wins."""
    labels = np.full(u.shape, terrain[0], np.uint8)
    best = np.full(u.shape, -9.0)
    zoom = 0.3 + 0.25 * rng.random()
    for id in terrain:
        du, dv = rng.integers(0, _TILE, 2)
        field = land.lie[(v * zoom + dv).astype(int) & (_TILE - 1), (u * zoom + du).astype(int) & (_TILE - 1)]
        field = field + 0.16 * rng.random()
        labels = np.where(field > best, np.uint8(id), labels)
        best = np.maximum(field, best)
    return labels


def _stone(
    rng: np.random.Generator, light: F64, labels: U8 | None, base: float, sun: int, radius: float, horizon: float
) -> None:
    """A rock with flat faces and its shadow, drawn into ``light`` (and ``labels``, where it is one of the class)."""
    rows, columns = light.shape
    top = max(horizon + 0.22, 0.05)
    at = top + (0.92 - top) * rng.random()
    size = radius * rows * (0.6 + 0.6 * (at - horizon) / (1 - horizon))
    cy, cx = at * rows, (0.08 + 0.84 * rng.random()) * columns
    reach = int(size * 2.4) + 2
    y0, y1 = max(int(cy) - reach, 0), min(int(cy) + reach, rows)
    x0, x1 = max(int(cx) - reach, 0), min(int(cx) + reach, columns)
    y = (np.arange(y0, y1)[:, None] - cy) / size
    x = (np.arange(x0, x1)[None, :] - cx) / size
    faces = 9
    points = rng.random((faces, 4))
    body, shadow = np.full((y1 - y0, x1 - x0), 9.0), np.full((y1 - y0, x1 - x0), 9.0)
    shade = np.zeros_like(body)
    for index, (a, b, c, d) in enumerate(points):
        # Directions go round the square, so the faces close around the middle; the circle is near enough.
        side = index * 8 / faces + 0.5 * a
        dx, dy = _compass(side)
        steep = 0.55 + 0.9 * b
        plane = (0.75 + 0.45 * c) * (1.0 if dy < 0 else 0.8) - dx * x * 0.8 - dy * y * 1.15
        rise = plane * steep
        shade = np.where(rise < body, -sun * dx * 42 - dy * 30 + 16 * (d - 0.5), shade)
        body = np.minimum(body, rise)
        shadow = np.minimum(shadow, plane + dx * sun * 0.5 + dy * 0.15)
    cap = 0.5
    shade = np.where(body > cap, 30.0, shade)
    window = light[y0:y1, x0:x1]
    window[shadow > 0] *= 0.42
    window[body > 0] = max(base, 90) + 36 + shade[body > 0]
    if labels is not None:
        labels[y0:y1, x0:x1][body > 0] = ROCK


def _compass(side: float) -> tuple[float, float]:
    """A point of the square's rim for ``side`` in 0..8, drawn in to about unit length."""
    side %= 8
    quarter, along = int(side // 2), side % 2 - 1
    x, y = ((1.0, along), (-along, 1.0), (-1.0, -along), (along, -1.0))[quarter]
    length = float(np.sqrt(x * x + y * y))
    return x / length, y / length


def _sky(rng: np.random.Generator, light: F64, labels: U8, horizon: float, base: float) -> None:
    """Haze towards the horizon, far hills and the sky; all of it background."""
    rows, columns = light.shape
    y = np.arange(rows)[:, None] / rows
    line = fractal(rng, 4, 5, 0.5, 256)
    crest = line[0][np.arange(columns) * 256 // columns // 2]
    hills = horizon - 0.2 * (crest - 0.3)[None, :]
    near = horizon + 0.07 + 0.05 * line[128][np.arange(columns) * 256 // columns // 2][None, :]
    glow = 150 + 60 * rng.random()
    haze = np.clip(1 - (y - horizon) / 0.45, 0, 1) * 0.6
    light += haze * (0.5 * (glow + base) - light)
    far = y < near
    light[:] = np.where(far, 0.15 * light + 0.85 * (0.42 * glow + 0.36 * base + 30 * (crest[None, :] - 0.5)), light)
    light[:] = np.where(y < hills, glow + 40 * (y - horizon), light)
    labels[far] = BACKGROUND


def _deck(rng: np.random.Generator, light: F64, labels: U8) -> None:
    """A corner of the rover itself: a plate with seams, a rim and bolts; background."""
    rows, columns = light.shape
    y = np.arange(rows)[:, None] / rows
    x = np.arange(columns)[None, :] / rows
    x = x if rng.random() < 0.5 else columns / rows - x
    lean = 0.9 * rng.random() - 0.2
    edge = 0.55 + 0.25 * rng.random() + lean * x * 0.5 - y + np.where(x > 0.5 + 0.5 * rng.random(), 0.35, 0.0)
    plate = edge < 0
    seam = (-edge * (5 + 3 * rng.random()) + 0.3 * x) % 1.0
    bolt = ((x * 9) % 1 - 0.5) ** 2 + ((-edge * 9) % 1 - 0.5) ** 2
    tone = 60 + 120 * rng.random() + 25 * edge
    metal = tone + np.where(seam < 0.09, -45.0, 0.0) + np.where(bolt < 0.035, 28.0, 0.0) + 35 * (edge > -0.025)
    light[:] = np.where(plate, metal, light)
    light[(edge >= 0) & (edge < 0.05)] *= 0.6
    labels[plate] = BACKGROUND


def _expose(rng: np.random.Generator, light: F64) -> U8:
    """What the camera makes of the light: vignetting, exposure, noise, eight bits, half the size."""
    rows, columns = light.shape
    y = (np.arange(rows)[:, None] - rows / 2) / (rows / 2)
    x = (np.arange(columns)[None, :] - columns / 2) / (columns / 2)
    fall = 0.10 + 0.16 * rng.random()
    gain = 0.8 + 0.35 * rng.random()
    seen = light * (1 - fall * (x * x + y * y)) * gain
    mean = (seen[::2, ::2] + seen[1::2, ::2] + seen[::2, 1::2] + seen[1::2, 1::2]) / 4
    mean += rng.integers(-3, 4, mean.shape)
    seen_bytes: U8 = np.clip(mean + 0.5, _DARK, _BRIGHT).astype(np.uint8)
    return seen_bytes
