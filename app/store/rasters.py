"""Images and masks as rows: kept without loss, in tiles when large, verified on read."""

import io
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app.domain.mask import Mask, class_counts, decode_ids, encode_png, pixel_hash
from app.domain.picture import Picture, Pixels, decode
from app.store import blobs
from app.store.tables import ClassPixels, Raster, Tile

TILED_FROM = 4_000_000
TILE = 1024


def put_pictures(session: Session, pictures: Sequence[Picture]) -> list[Raster]:
    """One row for each picture, in order; the same bytes share a row."""
    hashes = [pixel_hash(one.pixels) for one in pictures]
    datas = [one.original if one.original is not None else _lossless(one.pixels)[1] for one in pictures]
    known = _known(session, hashes)
    rows = []
    for picture, hash, blob in zip(pictures, hashes, blobs.put(session, datas), strict=True):
        row = known.get((hash, blob))
        if row is None:
            codec = picture.codec or _lossless_codec(picture.pixels)
            row = _row(picture.pixels, hash, codec, blob)
            session.add(row)
            known[hash, blob] = row
            if is_tiled(picture.pixels):
                session.flush()
                _put_tiles(session, row, picture.pixels)
        rows.append(row)
    session.flush()
    return rows


def put_masks(session: Session, masks: Sequence[tuple[Mask, bytes | None]]) -> list[Raster]:
    """One row for each (mask, bytes of a gray or palette PNG of just these ids, or None), in order; equal masks
    share a row."""
    hashes = [pixel_hash(mask) for mask, _ in masks]
    known = _known_masks(session, hashes)
    fresh: dict[str, tuple[Mask, bytes | None]] = {}
    for hash, one in zip(hashes, masks, strict=True):
        if hash not in known:
            fresh.setdefault(hash, one)
    small = {h: one for h, one in fresh.items() if not is_tiled(one[0])}
    stored = blobs.put(session, [png if png is not None else encode_png(mask) for mask, png in small.values()])
    added = {h: _row(one[0], h, "ids", blob) for (h, one), blob in zip(small.items(), stored, strict=True)}
    added |= {h: _row(one[0], h, "tiles", None) for h, one in fresh.items() if h not in small}
    session.add_all(added.values())
    session.flush()
    for hash, row in added.items():
        mask = fresh[hash][0]
        if row.codec == "tiles":
            _put_tiles(session, row, mask)
        session.add_all(ClassPixels(raster_id=row.id, class_id=id, pixels=n) for id, n in class_counts(mask).items())
    known |= added
    return [known[hash] for hash in hashes]


def pixels(session: Session, raster: Raster) -> Pixels:
    """The pixels of a raster as they came in, verified. Raises blobs.Damaged."""
    if _in_tiles(raster):  # tile by tile: never the file or a decoder's copy beside it
        array: Pixels = np.zeros(_shape(raster), raster.dtype)
        for y, x, tile in _tiles(session, raster.id):
            array[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    elif raster.codec == "npy":
        array = np.load(io.BytesIO(blobs.get(session, raster.blob or "")), allow_pickle=False)
    elif raster.codec == "ids":
        array = decode_ids(blobs.get(session, raster.blob or ""))
    else:
        return picture(session, raster).pixels
    return _verified(array, raster)


def picture(session: Session, raster: Raster) -> Picture:
    """As ``pixels``, with the image file's bytes where that is how it is kept, read once."""
    if raster.codec == "npy" or raster.blob is None:
        return Picture(pixels(session, raster))
    data = blobs.get(session, raster.blob)
    shown = pixels(session, raster) if _in_tiles(raster) else _verified(decode(data).pixels, raster)
    return Picture(shown, data, raster.codec)


def verify(session: Session, raster: Raster) -> Pixels:
    """As ``pixels``, where there are a file and tiles from both. Raises blobs.Damaged."""
    found = pixels(session, raster)
    if _in_tiles(raster) and raster.blob is not None and raster.codec != "npy":
        _verified(decode(blobs.get(session, raster.blob)).pixels, raster)
    return found


def mask(session: Session, raster: Raster) -> Mask:
    """As ``pixels``, for a row that put_masks made: (H, W) uint8 or uint16."""
    return as_ids(pixels(session, raster), raster)


def as_ids(array: Pixels, raster: Raster) -> Mask:
    """Pixels of a row that put_masks made, or a part of them, as what they are."""
    return array.astype(np.uint8, copy=False) if raster.dtype == "uint8" else array.astype(np.uint16, copy=False)


def sizes(session: Session, ids: Collection[int]) -> dict[int, tuple[int, int]]:
    """raster -> its height and width."""
    rows = session.execute(select(Raster.id, Raster.height, Raster.width).where(Raster.id.in_(ids)))
    return {id: (height, width) for id, height, width in rows}


def class_ids(session: Session, raster: Raster) -> set[int]:
    """The ids that occur in a row that put_masks made."""
    return set(session.scalars(select(ClassPixels.class_id).where(ClassPixels.raster_id == raster.id)))


def known_mask(session: Session, hash: str) -> Raster | None:
    """The mask of this identity, where there is one."""
    return _known_masks(session, [hash]).get(hash)


def _verified(array: Pixels, raster: Raster) -> Pixels:
    if pixel_hash(array) != raster.pixel_hash:
        raise blobs.Damaged(f"pixels of raster {raster.id} are damaged")
    return array


def _known(session: Session, hashes: Sequence[str]) -> dict[tuple[str, str | None], Raster]:
    rows = session.scalars(select(Raster).where(Raster.pixel_hash.in_(set(hashes))))
    return {(row.pixel_hash, row.blob): row for row in rows}


def _known_masks(session: Session, hashes: Sequence[str]) -> dict[str, Raster]:
    """Those that are masks already, told by their counts: a gray picture of the same pixels has none."""
    counted = exists().where(ClassPixels.raster_id == Raster.id)
    rows = session.scalars(select(Raster).where(Raster.pixel_hash.in_(set(hashes)), counted))
    return {row.pixel_hash: row for row in rows}


def _row(array: Pixels, hash: str, codec: str, blob: str | None) -> Raster:
    height, width = array.shape[:2]
    channels = 1 if array.ndim == 2 else array.shape[2]
    return Raster(
        pixel_hash=hash, width=width, height=height, channels=channels, dtype=array.dtype.name, codec=codec, blob=blob
    )


def _shape(raster: Raster) -> tuple[int, ...]:
    plane = (raster.height, raster.width)
    return plane if raster.channels == 1 else (*plane, raster.channels)


def is_tiled(array: npt.NDArray[np.generic]) -> bool:
    """Whether pixels of this shape are kept in tiles."""
    return bool(array.shape[0] * array.shape[1] > TILED_FROM)


def _in_tiles(raster: Raster) -> bool:
    return raster.codec == "tiles" or raster.width * raster.height > TILED_FROM


def _lossless_codec(array: Pixels) -> str:
    gray = array.ndim == 2 and array.dtype in (np.uint8, np.uint16)
    colour = array.ndim == 3 and array.shape[2] in (3, 4) and array.dtype == np.uint8
    return "png" if gray or colour else "npy"


def _lossless(array: Pixels) -> tuple[str, bytes]:
    codec = _lossless_codec(array)
    if codec == "png":
        return codec, encode_png(array, level=3)
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return codec, out.getvalue()


def _put_tiles(session: Session, raster: Raster, array: Pixels) -> None:
    for y in range(0, raster.height, TILE):
        for x in range(0, raster.width, TILE):
            _, data = _lossless(np.ascontiguousarray(array[y : y + TILE, x : x + TILE]))
            [blob] = blobs.put(session, [data])
            session.add(Tile(raster_id=raster.id, y=y // TILE, x=x // TILE, blob=blob))


def _tiles(session: Session, raster_id: int) -> Iterator[tuple[int, int, Pixels]]:
    query = select(Tile).where(Tile.raster_id == raster_id)
    for tile in session.scalars(query):
        data = blobs.get(session, tile.blob)
        array = np.load(io.BytesIO(data)) if data[:6] == b"\x93NUMPY" else decode(data).pixels
        yield tile.y * TILE, tile.x * TILE, array
