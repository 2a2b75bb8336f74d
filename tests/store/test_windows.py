import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.domain.picture import Picture
from app.store import blobs, rasters, windows
from app.store.db import Database
from app.store.tables import Raster, Tile
from app.store.windows import Box

HEIGHT, WIDTH = 2100, 2000  # over four megapixels, with tiles that aren't full


@pytest.fixture
def deep(db: Database) -> tuple[Database, Raster, npt.NDArray[np.uint16]]:
    pixels = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH), np.uint16)
    with db.write() as session:
        [row] = rasters.put_pictures(session, [Picture(pixels)])
    return db, row, pixels


def test_windows_are_what_lies_there(deep: tuple[Database, Raster, npt.NDArray[np.uint16]]) -> None:
    db, row, pixels = deep

    @settings(max_examples=25, deadline=None)
    @given(
        st.integers(0, WIDTH - 1),
        st.integers(0, HEIGHT - 1),
        st.integers(1, WIDTH),
        st.integers(1, HEIGHT),
        st.sampled_from([1, 2, 8, 1024]),
    )
    def lies_there(x: int, y: int, width: int, height: int, step: int) -> None:
        box = windows.inside(row, Box(x, y, width, height))
        x, y = x // step * step, y // step * step
        part = pixels[y : box.y + box.height, x : box.x + box.width]
        with db.read() as session:
            np.testing.assert_array_equal(windows.read(session, row, box, step), part[::step, ::step])
            mean = windows.read(session, row, box, step, mean=True)
        rows, columns = min(step, part.shape[0]), min(step, part.shape[1])
        assert mean[0, 0] == int(part[:rows, :columns].astype(np.int64).mean())
        assert mean.shape == part[::step, ::step].shape

    lies_there()


def test_a_window_reads_the_tiles_that_it_touches_and_no_other(
    deep: tuple[Database, Raster, npt.NDArray[np.uint16]], monkeypatch: pytest.MonkeyPatch
) -> None:
    db, row, _ = deep
    read: list[str] = []
    get = blobs.get

    def reading(session: Session, hash: str) -> bytes:
        read.append(hash)
        return get(session, hash)

    monkeypatch.setattr(blobs, "get", reading)
    monkeypatch.setattr(rasters, "pixels", lambda *_: pytest.fail("read whole"))
    with db.read() as session:
        windows.read(session, row, Box(10, 10, 100, 100))
        assert len(read) == 1
        windows.read(session, row, Box(1000, 1000, 100, 100))
        assert len(read) == 5


def test_small_and_coloured_pictures_have_windows_too(db: Database) -> None:
    pixels = np.random.default_rng(1).random((9, 7, 3)).astype(np.float32)
    with db.write() as session:
        [row] = rasters.put_pictures(session, [Picture(pixels)])
        np.testing.assert_array_equal(windows.read(session, row, Box(2, 3, 4, 5)), pixels[3:8, 2:6])
        mean = windows.read(session, row, windows.whole(row), 4, mean=True)
    np.testing.assert_allclose(mean[0, 0], pixels[:4, :4].mean(axis=(0, 1)), rtol=1e-6)
    assert mean.shape == (3, 2, 3)


def test_the_step_leaves_the_size_that_was_asked_for() -> None:
    assert windows.step_for(Box(0, 0, 8192, 4096), 1024) == 8
    assert windows.step_for(Box(0, 0, 8191, 4096), 1024) == 8
    assert windows.step_for(Box(0, 0, 8184, 10), 1024) == 4
    assert windows.step_for(Box(0, 0, 100, 100), 1024) == windows.step_for(Box(0, 0, 9000, 9000), None) == 1


def test_outside_and_damage_are_told(deep: tuple[Database, Raster, npt.NDArray[np.uint16]]) -> None:
    db, row, _ = deep
    with pytest.raises(windows.Outside, match="2000 x 2100"):
        windows.inside(row, Box(WIDTH, 0, 1, 1))
    with db.write() as session:
        session.execute(delete(Tile).where(Tile.raster_id == row.id, Tile.x == 1, Tile.y == 1))
    with db.read() as session, pytest.raises(blobs.Damaged, match="missing"):
        windows.read(session, row, windows.whole(row))
