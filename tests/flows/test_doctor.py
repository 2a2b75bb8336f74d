"""The doctor finds each thing that is broken on purpose, says how to mend it, and mends what is safe."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from app.domain.actor import person
from app.flows import doctor, ingest, inspect, review
from app.flows.ailments import Ailment
from app.flows.review import Selection
from app.settings import Settings
from app.store import jobs, workers
from app.store.db import Database
from app.store.decisions import Wish
from app.store.tables import Raster, now
from tests.sets import every_sample

ADA = person("Ada")
LONG_AGO = 1_000_000_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def full(db: Database, npz: Path) -> Database:
    """Samples, flags and decisions, and a worker that has done all there was to do."""
    ingest.run(db, npz, "mars", ADA)
    inspect.run(db, "mars")
    review.decide(db, "mars", Selection(ids=[1, 2, 3]), Wish("exclude"), ADA)
    with db.write() as session:
        for job in jobs.waiting(session):
            jobs.cancel(session, job.id)
    return db


def found(db: Database, settings: Settings, mend: bool = False) -> dict[str, Ailment]:
    return {one.name: one for one in doctor.run(db, settings, mend).ailments if one.name != "space"}


def test_a_sound_folder_is_called_sound(full: Database, settings: Settings) -> None:
    report = doctor.run(full, settings)
    assert [one for one in report.ailments if one.name != "space"] == []
    assert report.sound
    assert report.looked["samples"] == 15
    assert report.looked["pictures and masks"] > 15
    assert report.looked["blobs"] > 15


@pytest.mark.parametrize(
    ("statement", "name", "count"),
    [
        ("UPDATE sample SET status = 'accepted' WHERE id < 4", "status", 3),
        ("UPDATE sample SET worst = 0.5 WHERE id = 5", "status", 1),
        ("UPDATE batch SET count = 7", "counts", 1),
        ("UPDATE class_pixels SET pixels = pixels + 1 WHERE raster_id = (SELECT mask_id FROM revision WHERE id = 1)",
         "classes", 1),
        ("DELETE FROM class_pixels WHERE raster_id = (SELECT mask_id FROM revision WHERE id = 2)", "classes", 1),
    ],
)  # fmt: skip
def test_what_is_derived_is_derived_again(
    full: Database, settings: Settings, statement: str, name: str, count: int
) -> None:
    def derived() -> list[object]:
        with full.read() as session:
            samples = [(one.status, one.worst, one.worst_check) for one in every_sample(session, 1)]
            rows = session.execute(text("SELECT raster_id, class_id, pixels FROM class_pixels ORDER BY 1, 2")).all()
            return [samples, rows, session.scalars(text("SELECT count FROM batch")).all()]

    before = derived()
    with full.write() as session:
        session.execute(text(statement))
    [(told, ailment)] = found(full, settings).items()
    assert (told, ailment.count, ailment.grave, ailment.mended) == (name, count, True, False)
    assert "--mend" in ailment.sentence
    assert derived() != before
    assert found(full, settings, mend=True)[name].mended
    assert found(full, settings) == {}
    assert derived() == before


def test_damaged_bytes_are_found_and_left_alone(full: Database, settings: Settings) -> None:
    with full.write() as session:
        session.execute(text("UPDATE blob SET data = :data WHERE hash = (SELECT blob FROM raster WHERE id = "
                             "(SELECT image_id FROM sample WHERE id = 4))"), {"data": b"gone"})  # fmt: skip
    for mend in (False, True):
        [(name, ailment)] = found(full, settings, mend).items()
        assert (name, ailment.grave, ailment.mended) == ("pixels", True, False)
        assert ailment.examples == ("mars/training_set/00003",)
        assert "remask restore" in ailment.sentence


def test_pixels_that_are_not_those_of_their_hash_are_found(full: Database, settings: Settings) -> None:
    """The bytes are whole, and are another picture's."""
    with full.write() as session:
        session.execute(text("UPDATE raster SET blob = (SELECT blob FROM raster WHERE id = 2) WHERE id = 1"))
    assert "pixels" in found(full, settings)


def test_damaged_originals_are_found(full: Database, settings: Settings) -> None:
    with full.write() as session:
        session.execute(text("INSERT INTO blob (hash, size, data) VALUES (:hash, 3, :data)"),
                        {"hash": "cd" * 32, "data": b"abc"})  # fmt: skip
        session.execute(text("UPDATE revision SET original = :hash WHERE id = 1"), {"hash": "cd" * 32})
    assert found(full, settings)["originals"].examples == ("cd" * 32,)


def test_a_mask_that_is_not_the_current_one_is_found(full: Database, settings: Settings) -> None:
    with full.write() as session:
        session.execute(text("UPDATE revision SET state = 'superseded' WHERE id = 4"))
    assert found(full, settings)["current"].examples == ("4",)


@pytest.mark.one_database
def test_links_to_nothing_are_found(full: Database, settings: Settings) -> None:
    with full.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("DELETE FROM batch")
    assert found(full, settings)["links"].examples == ("decision",)


def test_rows_that_belong_to_nothing_are_dropped(full: Database, settings: Settings, npz: Path) -> None:
    with full.write() as session:
        unused = {"hash": "ef" * 32, "data": b""}
        session.execute(text("INSERT INTO blob (hash, size, data) VALUES (:hash, 0, :data)"), unused)
        session.add(Raster(pixel_hash="0", width=1, height=1, channels=1, dtype="uint8", codec="tiles"))
    assert found(full, settings)["unused"].count == 2
    assert found(full, settings, mend=True)["unused"].mended
    assert found(full, settings) == {}


def test_another_schema_is_all_there_is_to_say(full: Database, settings: Settings) -> None:
    for version, word in (("0001", "brings it up to date"), ("9999", "update Remask")):
        with full.write() as session:
            session.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
        [(name, ailment)] = found(full, settings).items()
        assert name == "schema"
        assert word in ailment.sentence


def make_run(home: Path) -> Path:
    (home / "runs" / "77").mkdir(parents=True)
    (home / "runs" / "77" / "events.jsonl").write_text("{}")
    return home / "runs" / "77"


def make_file(*steps: str) -> Callable[[Path], Path]:
    def make(home: Path) -> Path:
        path = home.joinpath(*steps)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        return path if len(steps) == 2 else home.joinpath(*steps[:2])

    return make


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (make_run, "runs"),
        (make_file("snapshots", f"{'ab' * 32}.snapshot"), "snapshots"),
        (make_file("exports", "mars-curated-npz.zip"), "exports"),
        (make_file("exports", ".partial-1", "half.npz"), "leftovers"),
        (make_file("snapshots", ".1234.part"), "leftovers"),
        (make_file("uploads", "upload-1", "set.npz"), "uploads"),
    ],
)
def test_files_of_nobody_are_removed_once_nobody_writes_to_them(
    full: Database, settings: Settings, make: Callable[[Path], Path], name: str
) -> None:
    path = make(settings.home)
    assert found(full, settings, mend=True) == {}  # somebody may be writing it just now
    for one in (path, *path.rglob("*")):
        os.utime(one, (LONG_AGO, LONG_AGO))
    assert not found(full, settings)[name].grave
    assert path.exists()
    assert found(full, settings, mend=True)[name].examples == (path.name,)
    assert not path.exists()
    assert found(full, settings) == {}


@pytest.mark.one_database
def test_snapshots_that_are_gone_or_damaged_are_found(full: Database, settings: Settings) -> None:
    from app.flows.snapshot import freeze, path_of

    snapshot = freeze(full, settings.home, "mars", "curated")
    assert found(full, settings) == {}
    path = path_of(settings.home, snapshot)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert found(full, settings)["snapshot-damaged"].grave
    path.unlink()
    assert found(full, settings)["snapshot-missing"].examples == (snapshot.hash,)


@pytest.mark.one_database
def test_waiting_jobs_without_a_worker_are_told(full: Database, settings: Settings) -> None:
    with full.write() as session:
        job = jobs.request(session, "demo", None, {"dataset": "demo"})
        job.state, job.heartbeat = "running", now() - 2 * jobs.LOST_AFTER
    assert found(full, settings)["worker"].count == 1
    workers.Pulse(settings.home, "worker").beat()
    assert found(full, settings) == {}
    sign = settings.home / workers.FOLDER / "worker"
    os.utime(sign, (LONG_AGO, LONG_AGO))
    assert "start `remask serve`" in found(full, settings)["worker"].sentence


@pytest.mark.one_database
def test_a_file_that_sqlite_finds_damaged_is_told(full: Database, settings: Settings) -> None:
    with full.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        root, size = connection.exec_driver_sql(
            "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_master "
            "WHERE name = 'ix_sample_image_id'"
        ).one()
    full.close()
    assert full.path is not None
    with full.path.open("r+b") as file:
        file.seek((root - 1) * size + 3)
        file.write(b"\xff\xff")
    assert found(full, settings)["file"].grave
