import hashlib

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sqlalchemy import update

from app.domain import picture
from app.domain.mask import Mask, as_mask, class_counts, distinct, encode_png, pixel_hash
from app.domain.picture import Picture
from app.store import blobs, rasters
from app.store.blobs import Damaged
from app.store.db import Database
from app.store.tables import Blob, ClassPixels, Raster, Tile

PIXELS = st.one_of(
    [
        hnp.arrays(np.dtype(dtype), shape)
        for dtype in ("u1", "u2", "i4", "f4", "f8", "?")
        for shape in ((1, 1), (5, 7), (4, 3, 3), (4, 3, 4), (3, 4, 2), (2, 2, 6))
    ]
)
MASKS = hnp.arrays(np.uint16, (3, 4), elements=st.sampled_from([0, 1, 255, 256, 65535])).map(as_mask)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pixels=PIXELS)
def test_any_picture_comes_back_bit_by_bit(db: Database, pixels: npt.NDArray[np.generic]) -> None:
    with db.write() as session:
        [row] = rasters.put_pictures(session, [Picture(pixels)])
        back = rasters.pixels(session, row)
    assert (back.dtype, back.shape, back.tobytes()) == (pixels.dtype, pixels.shape, pixels.tobytes())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(MASKS, min_size=1, max_size=5))
def test_any_masks_come_back_and_are_counted(db: Database, masks: list[Mask]) -> None:
    with db.write() as session:
        rows = rasters.put_masks(session, [(mask, None) for mask in masks])
        for row, mask in zip(rows, masks, strict=True):
            back = rasters.mask(session, row)
            assert (back.dtype, back.tobytes()) == (mask.dtype, mask.tobytes())
            counts = session.query(ClassPixels).filter_by(raster_id=row.id)
            assert {one.class_id: one.pixels for one in counts} == class_counts(mask)


def test_a_large_mask_is_kept_in_tiles(db: Database) -> None:
    mask = np.random.default_rng(0).integers(0, 5, (2100, 2000), dtype=np.uint8)
    with db.write() as session:
        [row] = rasters.put_masks(session, [(mask, None)])
        assert (row.codec, session.query(Tile).filter_by(raster_id=row.id).count()) == ("tiles", 6)
    with db.read() as session:
        np.testing.assert_array_equal(rasters.mask(session, session.get_one(Raster, row.id)), mask)


def test_equal_masks_share_a_row(db: Database) -> None:
    mask = np.arange(12, dtype=np.uint8).reshape(3, 4)
    with db.write() as session:
        first, second = rasters.put_masks(session, [(mask, None), (mask.copy(), None)])
        [third] = rasters.put_masks(session, [(mask, None)])
    assert first.id == second.id == third.id


def test_damage_on_the_disk_is_noticed(db: Database) -> None:
    with db.write() as session:
        [row] = rasters.put_masks(session, [(np.ones((4, 4), np.uint8), None)])
        session.query(Blob).filter_by(hash=row.blob).update({"data": b"something else"})
    with db.read() as session, pytest.raises(blobs.Damaged):
        rasters.mask(session, session.get_one(Raster, row.id))


@pytest.mark.one_database
def test_large_bytes_come_back_whole(db: Database) -> None:
    """Bytes that SQLite is given in parts, and what is damaged of them."""
    data = bytes(range(256)) * (40 << 10)
    with db.write() as session:
        [hash] = blobs.put(session, [data])
        assert blobs.put(session, [data, b"small"])[0] == hash
    with db.read() as session:
        assert blobs.get(session, hash) == data
    with db.write() as session:
        session.execute(update(Blob).where(Blob.hash == hash).values(data=data[:-1] + b"x"))
    with db.read() as session, pytest.raises(Damaged):
        blobs.get(session, hash)


def test_what_is_done_strip_by_strip_is_as_if_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for dtype, shape in (
        ("uint8", (37, 11)),
        ("uint16", (37, 11)),
        ("uint8", (9, 5, 3)),
        (">u2", (8, 8)),
        ("f4", (6, 7)),
    ):
        pixels = rng.integers(0, 250, shape).astype(dtype)
        little = pixels.astype(pixels.dtype.newbyteorder("<"))
        known = hashlib.sha256(f"{little.dtype.str}{shape}".encode() + little.tobytes()).hexdigest()
        for strip in (1, 30, 1 << 22):
            monkeypatch.setattr(picture, "STRIP", strip)
            assert pixel_hash(pixels) == known
            if len(shape) == 2:
                assert distinct(pixels).tolist() == np.unique(pixels).tolist()
            if dtype in ("uint8", "uint16") and len(shape) == 2:
                counts = dict(zip(*(part.tolist() for part in np.unique(pixels, return_counts=True)), strict=True))
                assert class_counts(pixels) == counts
                assert (picture.decode(encode_png(pixels)).pixels == pixels).all()
