"""The application with its pictures and masks in an object store: the same pages, and a sentence where it fails."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.domain.actor import person
from app.flows import doctor, export, ingest, inspect
from app.settings import Settings
from app.store import blobs
from app.store.db import Database, open_database
from app.store.objects import Objects
from app.store.tables import Blob, Raster, Sample
from tests.objects import CREDENTIALS, Faults
from tests.sets import every_sample
from tests.web.conftest import ORIGIN, make_folder, open_client

pytestmark = pytest.mark.one_database


@pytest.fixture
def settings(faults: Faults, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "data", blobs=f"s3://bucket/{tmp_path.name}", port=8000)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with open_client(settings, ORIGIN) as client:
        yield client


@pytest.fixture
def db(client: TestClient) -> Database:
    """The application's own database."""
    database = client.app.state.db  # type: ignore[attr-defined]  # Starlette types it as a bare callable
    assert isinstance(database, Database)
    return database


def test_the_whole_journey(client: TestClient, db: Database, npz: Path, tmp_path: Path) -> None:
    """Imported, checked, looked at and exported: nothing differs from a database that keeps the bytes itself."""
    inside = open_database(tmp_path / "inside.sqlite")
    exported: list[dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]] = []
    for one in (inside, db):
        assert ingest.run(one, npz, "mars", person("Ada")).imported == 15
        inspect.run(one, "mars", ["shared_mask"])
        out = tmp_path / f"{len(exported)}.npz"
        export.run(one, out, "mars", "npz")
        exported.append(dict(np.load(out)))
    inside.close()
    np.testing.assert_array_equal(exported[0]["training_set"], exported[1]["training_set"])
    with db.read() as session:
        assert blobs.outside(session) == blobs.count(session) > 15
    for sample in (1, 15):
        assert client.get(f"/media/samples/{sample}/image.png").headers["content-type"] == "image/png"
    assert client.get("/media/revisions/1/mask.png").status_code == 200


def test_originals_come_back_from_the_store(client: TestClient, db: Database, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "set")
    ingest.run(db, folder, "files", person("Ada"))
    with db.read() as session:
        [id] = [one.id for one in every_sample(session, 1) if one.key == "deep"]
    assert client.get(f"/media/samples/{id}/original").content == (folder / "images" / "deep.png").read_bytes()


def test_a_store_that_fails_is_a_sentence_with_a_time_to_come_back(
    client: TestClient, db: Database, npz: Path, faults: Faults
) -> None:
    ingest.run(db, npz, "mars", person("Ada"))
    faults.status = 500
    answer = client.get("/media/samples/1/image.png")
    assert answer.status_code == 503
    assert "The object store doesn't answer" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0
    assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in answer.text
    assert client.get("/api/v1/samples/1").status_code == 200  # what needs no bytes goes on
    faults.status = None
    assert client.get("/media/samples/1/image.png").status_code == 200


def test_damage_in_the_store_is_a_sentence(client: TestClient, db: Database, npz: Path, settings: Settings) -> None:
    ingest.run(db, npz, "mars", person("Ada"))
    with db.read() as session:
        raster = session.get_one(Raster, session.get_one(Sample, 1).image_id)
    assert raster.blob is not None
    Objects(str(settings.blobs)).put({raster.blob: b"something else"})
    answer = client.get("/media/samples/1/image.png")
    assert answer.status_code == 500
    assert "no longer match their hash" in answer.json()["detail"]
    [found] = [one for one in doctor.run(db, settings).ailments if one.grave]
    assert (found.name, found.examples) == ("pixels", ("mars/training_set/00000",))


def test_the_doctor_drops_objects_that_belong_to_nothing(
    db: Database, npz: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest.run(db, npz, "mars", person("Ada"))
    store = Objects(str(settings.blobs))
    store.put({"ab" * 32: b"left by a kill"})
    assert not [one for one in doctor.run(db, settings).ailments if one.name == "objects"]  # it may be on its way yet
    monkeypatch.setattr(doctor, "OBJECT_AGE", -doctor.OBJECT_AGE)
    before = sum(len(page) for page in store.walk())
    [found] = [one for one in doctor.run(db, settings, mend=True).ailments if one.name == "objects"]
    assert (found.count, found.mended, found.grave) == (1, True, False)
    assert sum(len(page) for page in store.walk()) == before - 1
    with db.read() as session:
        assert blobs.outside(session) == before - 1 == session.query(Blob).count()
    assert doctor.run(db, settings).sound
