import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from app.domain.mask import Mask, as_mask, class_counts
from app.domain.picture import Picture
from app.store import blobs, rasters
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
