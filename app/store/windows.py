"""Parts of large rasters, at full size or reduced, read from the tiles that they touch: never a whole one in memory."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.errors import Invalid
from app.domain.picture import Pixels, decode, span_of
from app.store import blobs, rasters
from app.store.rasters import TILE, TILED_FROM
from app.store.tables import Raster, Tile

_SPAN_SIDE = 1024  # how a picture's span of values is estimated: from one reduced to about this many pixels a side


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels; its left and upper edge are ``x`` and ``y``."""

    x: int
    y: int
    width: int
    height: int


class Outside(Invalid):
    """A window that doesn't lie in the picture."""


def is_large(raster: Raster) -> bool:
    """Whether it is kept in tiles, so that a part costs less than the whole."""
    return raster.width * raster.height > TILED_FROM


def whole(raster: Raster) -> Box:
    return Box(0, 0, raster.width, raster.height)


def inside(raster: Raster, box: Box) -> Box:
    """The part of ``box`` that lies in the picture. Raises Outside where none does."""
    if box.x >= raster.width or box.y >= raster.height:
        raise Outside(f"The window starts outside the picture; its pixels are {raster.width} x {raster.height}.")
    return Box(box.x, box.y, min(box.width, raster.width - box.x), min(box.height, raster.height - box.y))


def aligned(box: Box, step: int) -> Box:
    """The part of ``box`` right of and below the frame's upper left corner, its edges moved out to multiples of
    ``step``."""
    x, y = max(0, box.x) // step * step, max(0, box.y) // step * step
    right, bottom = (-(-end // step) * step for end in (box.x + box.width, box.y + box.height))
    return Box(x, y, right - x, bottom - y)


def step_for(box: Box, size: int | None) -> int:
    """The largest power of two up to TILE by which ``box`` can be reduced and its longer side still be ``size``."""
    step = 1
    while size is not None and step < TILE and -(-max(box.width, box.height) // (2 * step)) >= size:
        step *= 2
    return step


def read(session: Session, raster: Raster, box: Box, step: int = 1, mean: bool = False) -> Pixels:
    """The pixels in ``box``, which lies in the picture: (height / step, width / step[, channels]), rounded up.

    Of each ``step`` x ``step`` (a power of two up to TILE) the first one, or with ``mean`` their mean. The rectangle's
    left and upper edge are moved to multiples of ``step``. Raises blobs.Damaged.
    """
    x, y = box.x // step * step, box.y // step * step
    right, bottom = box.x + box.width, box.y + box.height
    if not is_large(raster):
        return _reduced(rasters.pixels(session, raster)[y:bottom, x:right], step, mean)
    plane = (-(-(bottom - y) // step), -(-(right - x) // step))
    found: Pixels = np.zeros(plane if raster.channels == 1 else (*plane, raster.channels), raster.dtype)
    for top, left, tile in _touched(session, raster.id, x, y, right, bottom):
        first_row, first_column = max(y, top), max(x, left)
        part = _reduced(tile[first_row - top : bottom - top, first_column - left : right - left], step, mean)
        row, column = (first_row - y) // step, (first_column - x) // step
        found[row : row + part.shape[0], column : column + part.shape[1]] = part
    return found


def span(session: Session, raster: Raster) -> tuple[float, float]:
    """The values that a picture shows as black and as white in all of its windows, from a part of its pixels."""
    box = whole(raster)
    return span_of(read(session, raster, box, step_for(box, _SPAN_SIDE)))


def _touched(
    session: Session, raster_id: int, x: int, y: int, right: int, bottom: int
) -> Iterator[tuple[int, int, Pixels]]:
    """(top, left, pixels) of the tiles that a rectangle touches, one in memory at a time. Raises blobs.Damaged."""
    query = (
        select(Tile.y, Tile.x, Tile.blob)
        .where(Tile.raster_id == raster_id)
        .where(Tile.y.between(y // TILE, (bottom - 1) // TILE), Tile.x.between(x // TILE, (right - 1) // TILE))
    )
    rows = session.execute(query).all()
    if len(rows) != ((bottom - 1) // TILE - y // TILE + 1) * ((right - 1) // TILE - x // TILE + 1):
        raise blobs.Damaged(f"tiles of raster {raster_id} are missing")
    for row, column, blob in rows:
        data = blobs.get(session, blob)
        pixels = np.load(io.BytesIO(data), allow_pickle=False) if data[:6] == b"\x93NUMPY" else decode(data).pixels
        yield row * TILE, column * TILE, pixels


def _reduced(pixels: Pixels, step: int, mean: bool) -> Pixels:
    if step == 1:
        return pixels
    if not mean or pixels.dtype.kind == "b":
        return pixels[::step, ::step]
    rows, columns = np.arange(0, pixels.shape[0], step), np.arange(0, pixels.shape[1], step)
    wide = np.float64 if pixels.dtype.kind == "f" else np.int64
    sums = np.add.reduceat(np.add.reduceat(pixels, rows, axis=0, dtype=wide), columns, axis=1)
    counts = np.outer(np.diff(np.append(rows, pixels.shape[0])), np.diff(np.append(columns, pixels.shape[1])))
    counts = counts.reshape(counts.shape + (1,) * (pixels.ndim - 2))
    averaged: Pixels = (sums / counts if pixels.dtype.kind == "f" else sums // counts).astype(pixels.dtype)
    return averaged
