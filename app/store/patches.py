"""A mask in which some pixels have changed: of one in tiles only a row of tiles is in memory at a time, and tiles that
nothing touched are shared with the mask that it was."""

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.mask import Mask, PixelHash, as_mask, class_counts, decode_ids, encode_png
from app.store import blobs, rasters, windows
from app.store.rasters import TILE
from app.store.tables import ClassPixels, Raster, Tile
from app.store.windows import Box

Paint = Callable[[Box, Mask], Mask]  # where, and the ids there now: the ids that are there then, same shape
Tiles = dict[tuple[int, int], bytes]  # (row, column) -> PNG


def changed(session: Session, mask: Raster, box: Box, paint: Paint) -> Raster:
    """The row of ``mask`` with the pixels in ``box``, which lies in it, as ``paint`` says; all others are the same, bit
    by bit.

    ``paint`` is asked once for each part of ``box``: all of it in a small mask, what lies in one tile in a large one.
    Raises blobs.Damaged.
    """
    if not windows.is_large(mask):
        whole = rasters.mask(session, mask)
        now = paint(box, _cut(whole, box))
        whole = whole.astype(np.promote_types(whole.dtype, now.dtype))
        _cut(whole, box)[:] = now
        [row] = rasters.put_masks(session, [(as_mask(whole), None)])
        return row
    fresh, counts = _painted(session, mask, box, paint)
    dtype = np.dtype(np.uint8 if max(counts) <= 255 else np.uint16)
    hash = _hash(session, mask, fresh, dtype)
    known = rasters.known_mask(session, hash)
    return known if known is not None else _put(session, mask, fresh, counts, hash, dtype)


def _painted(session: Session, mask: Raster, box: Box, paint: Paint) -> tuple[Tiles, Counter[int]]:
    """The tiles that differ then, and how many pixels each class has."""
    fresh: Tiles = {}
    counts = _counts(session, mask)
    for tile in _tiles(mask, box):
        ids = rasters.as_ids(windows.read(session, mask, tile), mask)
        left, top = max(box.x, tile.x), max(box.y, tile.y)
        right, bottom = min(box.x + box.width, tile.x + tile.width), min(box.y + box.height, tile.y + tile.height)
        rows, columns = slice(top - tile.y, bottom - tile.y), slice(left - tile.x, right - tile.x)
        was = ids[rows, columns]
        now = paint(Box(left, top, right - left, bottom - top), was)
        if (now == was).all():
            continue
        counts.subtract(class_counts(was))
        counts.update(class_counts(now))
        ids = ids.astype(np.promote_types(ids.dtype, now.dtype))
        ids[rows, columns] = now
        fresh[tile.y // TILE, tile.x // TILE] = encode_png(as_mask(ids), level=3)
    return fresh, +counts


def _hash(session: Session, mask: Raster, fresh: Tiles, dtype: np.dtype[np.generic]) -> str:
    """The identity that the mask has with these tiles. Raises blobs.Damaged where it isn't what it was before."""
    shape = (mask.height, mask.width)
    before, after = PixelHash(mask.dtype, shape), PixelHash(dtype, shape)
    for y in range(0, mask.height, TILE):
        band = rasters.as_ids(windows.read(session, mask, Box(0, y, mask.width, min(TILE, mask.height - y))), mask)
        before.add(band)
        for (row, column), png in fresh.items():
            if row * TILE == y:
                ids = decode_ids(png)
                band = band.astype(np.promote_types(band.dtype, ids.dtype), copy=False)
                band[:, column * TILE : column * TILE + ids.shape[1]] = ids
        after.add(band)
    if before.hex() != mask.pixel_hash:
        raise blobs.Damaged(f"pixels of raster {mask.id} are damaged")
    return after.hex()


def _put(
    session: Session, mask: Raster, fresh: Tiles, counts: Counter[int], hash: str, dtype: np.dtype[np.generic]
) -> Raster:
    row = Raster(
        pixel_hash=hash, width=mask.width, height=mask.height, channels=1, dtype=dtype.name, codec="tiles", blob=None
    )
    session.add(row)
    session.flush()
    stored = dict(zip(fresh, blobs.put(session, fresh.values()), strict=True))
    for y, x, blob in session.execute(select(Tile.y, Tile.x, Tile.blob).where(Tile.raster_id == mask.id)).all():
        session.add(Tile(raster_id=row.id, y=y, x=x, blob=stored.get((y, x), blob)))
    session.add_all(ClassPixels(raster_id=row.id, class_id=id, pixels=pixels) for id, pixels in counts.items())
    session.flush()
    return row


def _counts(session: Session, mask: Raster) -> Counter[int]:
    rows = session.execute(select(ClassPixels.class_id, ClassPixels.pixels).where(ClassPixels.raster_id == mask.id))
    return Counter({row.class_id: row.pixels for row in rows})


def _tiles(mask: Raster, box: Box) -> Iterator[Box]:
    """Those that ``box`` touches."""
    for y in range(box.y // TILE * TILE, box.y + box.height, TILE):
        for x in range(box.x // TILE * TILE, box.x + box.width, TILE):
            yield Box(x, y, min(TILE, mask.width - x), min(TILE, mask.height - y))


def _cut(mask: Mask, box: Box) -> Mask:
    return mask[box.y : box.y + box.height, box.x : box.x + box.width]
