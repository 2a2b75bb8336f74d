"""Masks with a part changed: what is stored is what numpy's assignment gives, and nothing else has moved."""

from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.mask import Mask, as_mask, class_counts, pixel_hash
from app.store import patches, rasters
from app.store.blobs import Damaged
from app.store.db import Database
from app.store.tables import Blob, ClassPixels, Tile
from app.store.windows import Box
from tests.sets import small_tiles

IDS = st.sampled_from([[0, 1, 2], [0, 255], [0, 256], [3, 65535]])


@st.composite
def cases(draw: st.DrawFn) -> tuple[Mask, Box, Mask]:
    """A mask, a part of it, and what becomes of the part."""
    height, width = draw(st.tuples(st.integers(1, 30), st.integers(1, 30)))
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    box = Box(x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    whole, part = rng.choice(draw(IDS), (height, width)), rng.choice(draw(IDS), (box.height, box.width))
    return as_mask(whole), box, as_mask(part)


def put_in(part: Mask, box: Box, where: Box, now: Mask) -> Mask:
    assert now.shape == (where.height, where.width)
    return part[where.y - box.y :, where.x - box.x :][: where.height, : where.width]


@pytest.mark.one_database
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases())
def test_any_part_is_changed_as_numpy_assigns(
    db: Database, monkeypatch: pytest.MonkeyPatch, case: tuple[Mask, Box, Mask]
) -> None:
    whole, box, part = case
    small_tiles(monkeypatch)
    wanted = whole.astype(np.promote_types(whole.dtype, part.dtype))
    wanted[box.y : box.y + box.height, box.x : box.x + box.width] = part
    with db.write() as session:
        [before] = rasters.put_masks(session, [(whole, None)])
        after = patches.changed(session, before, box, partial(put_in, part, box))
        session.expire_all()
        for row, mask in ((before, whole), (after, as_mask(wanted))):
            back = rasters.mask(session, row)
            assert (back.dtype, back.tobytes(), row.pixel_hash) == (mask.dtype, mask.tobytes(), pixel_hash(mask))
            counts = session.query(ClassPixels).filter_by(raster_id=row.id)
            assert {one.class_id: one.pixels for one in counts} == class_counts(mask)
        assert rasters.put_masks(session, [(as_mask(wanted), None)]) == [after]
        session.rollback()


def test_tiles_that_nothing_touched_are_shared(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    small_tiles(monkeypatch)
    whole = np.random.default_rng(0).integers(0, 5, (20, 30), dtype=np.uint8)
    with db.write() as session:
        [before] = rasters.put_masks(session, [(whole, None)])
        stored = session.query(Blob).count()
        after = patches.changed(session, before, Box(7, 7, 2, 2), lambda _, now: (now + 1) % 5)
        assert session.query(Blob).count() - stored == 4
        tiles = {(one.y, one.x): one.blob for one in session.query(Tile).filter_by(raster_id=before.id)}
        now = {(one.y, one.x): one.blob for one in session.query(Tile).filter_by(raster_id=after.id)}
    assert len(tiles) == len(now) == 12
    assert {at for at in tiles if tiles[at] != now[at]} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_damage_elsewhere_is_not_taken_along(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    small_tiles(monkeypatch)
    with db.write() as session:
        [row] = rasters.put_masks(session, [(np.zeros((20, 30), np.uint8), None)])
        row.pixel_hash = "0" * 64
        with pytest.raises(Damaged):
            patches.changed(session, row, Box(0, 0, 2, 2), lambda _, now: now + 1)
