"""The real application on a real database: a small set of arrays and a folder of files, one group flagged."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import delete

from app.domain.actor import person
from app.domain.checks.base import Finding, Group
from app.flows import ingest
from app.settings import Settings
from app.store import datasets, findings
from app.store.db import Database, open_database
from app.store.findings import Looked, Ran
from app.store.tables import Job
from app.web.site import create_app
from tests.postgres import Cluster
from tests.sets import every_sample

HOST = "127.0.0.1:8000"
ORIGIN = {"Origin": f"http://{HOST}"}
HOSTILE = "<img src=x onerror=alert(1)>"


def png(pixels: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def make_npz(path: Path, count: int = 12) -> Path:
    """``count`` labelled samples of 24 x 16, the first four with one mask, and three unlabelled ones."""
    random = np.random.default_rng(7)
    training = random.integers(0, 256, (count, 2, 16, 24), np.uint8)
    training[:, 1] = 0
    for index in range(count):
        training[index, 1, : max(4, index), :9] = 1
    training[count - 1, 1, 12:, 12:] = 2
    np.savez(path, training_set=training, test_set=random.integers(0, 256, (3, 16, 24), np.uint8))
    return path


def make_folder(root: Path) -> Path:
    """A 16-bit image, a JPEG turned by its EXIF note, an RGB PNG under a hostile name and a broken file, with masks."""
    random = np.random.default_rng(8)
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 20:50] = 3
    (root / "images" / "deep.png").write_bytes(png(random.integers(0, 65536, (40, 60), np.uint16)))
    exif = Image.Exif()
    exif[0x0112] = 6
    colour = Image.fromarray(random.integers(0, 256, (40, 60, 3), np.uint8))
    colour.save(root / "images" / "turned.jpg", exif=exif)
    colour.save(root / "images" / "plain.jpg")
    colour.save(root / "images" / "=1+1.png")
    (root / "images" / f"{HOSTILE}.png").write_bytes(png(random.integers(0, 256, (40, 60, 3), np.uint8)))
    (root / "images" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    for name in ("deep", "turned", "plain", "=1+1", HOSTILE, "broken"):
        (root / "masks" / f"{name}.png").write_bytes(png(mask))
    return root


def flag_the_first_four(db: Database) -> None:
    """A run of the check shared_mask by its result: four samples in a flagged group, the others scored low."""
    with db.write() as session:
        owner = datasets.find(session, "mars")
        seen = [(one.id, one.current_id) for one in every_sample(session, owner.id)]
        labelled = [(id, current) for id, current in seen if current is not None]
        group = Group("print", tuple(id for id, _ in labelled[:4]), 0.9, True, "4 samples share this mask.")
        found = [
            Finding(id, 0.9 - index / 100, True, f"Shares its mask, {HOSTILE}.", "print")
            if index < 4
            else Finding(id, index / 100, False)
            for index, (id, _) in enumerate(labelled)
        ]
        looked = [Looked(id, current) for id, current in labelled]
        findings.record(session, owner.id, Ran("shared_mask", 1, "mask"), looked, found, [group])


def fill(db: Database, folder: Path) -> None:
    """Both sets, of files made in ``folder``."""
    ingest.run(db, make_npz(folder / "mars.npz"), "mars", person("Ada"))
    ingest.run(db, make_folder(folder / "folder"), "files", person("Ada"), label="folder")
    flag_the_first_four(db)
    with db.write() as session:
        session.execute(delete(Job))


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with both sets, made once; tests work on copies."""
    home = tmp_path_factory.mktemp("home")
    db = open_database(Settings(home=home).database)
    fill(db, home)
    with db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return home


@pytest.fixture(scope="session")
def filled(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """As ``home``, in PostgreSQL: the name of the database and the folder beside it."""
    folder = tmp_path_factory.mktemp("filled")
    url = cluster.create("filled")
    db = open_database(url)
    fill(db, folder)
    db.close()
    yield "filled", folder
    cluster.drop(url)


def open_client(settings: Settings, headers: dict[str, str]) -> TestClient:
    """A client of the application on ``settings``, from this machine; to be entered."""
    return TestClient(
        create_app(settings),
        base_url=f"http://{HOST}",
        headers=headers,
        client=("127.0.0.1", 50000),
        follow_redirects=False,
    )


@pytest.fixture
def copied(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The URL of a copy of the data in PostgreSQL; None where the test runs on SQLite, with a copy in its folder."""
    if backend == "sqlite":
        home: Path = request.getfixturevalue("home")
        shutil.copyfile(home / "remask.sqlite", tmp_path / "remask.sqlite")
        yield None
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    url = cluster.create(template=request.getfixturevalue("filled")[0])
    yield url
    cluster.drop(url)


@pytest.fixture
def serve(copied: str | None, tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Starts the application with the settings given, on a copy of the data; clients speak from its own address."""
    with ExitStack() as opened:

        def start(headers: dict[str, str] | None = None, **settings: object) -> TestClient:
            usual = {"home": tmp_path, "database_url": copied, "reviewer": "Test", "port": 8000}
            client = open_client(Settings.model_validate(usual | settings), ORIGIN if headers is None else headers)
            return opened.enter_context(client)

        yield start


@pytest.fixture
def client(serve: Callable[..., TestClient]) -> TestClient:
    return serve()


@pytest.fixture(scope="session")
def sqlite_reader(home: Path) -> Iterator[TestClient]:
    with open_client(Settings(home=home, reviewer="Test", port=8000), ORIGIN) as client:
        yield client


@pytest.fixture(scope="session")
def postgresql_reader(cluster: Cluster, filled: tuple[str, Path]) -> Iterator[TestClient]:
    name, folder = filled
    url = cluster.create(template=name)
    with open_client(Settings(home=folder, database_url=url, reviewer="Test", port=8000), ORIGIN) as client:
        yield client


@pytest.fixture
def reader(backend: str, request: pytest.FixtureRequest) -> TestClient:
    """One application for all tests that change nothing."""
    client: TestClient = request.getfixturevalue(f"{backend}_reader")
    return client


@pytest.fixture
def db(client: TestClient) -> Database:
    """The application's own database."""
    database = client.app.state.db  # type: ignore[attr-defined]  # Starlette types it as a bare callable
    assert isinstance(database, Database)
    return database
