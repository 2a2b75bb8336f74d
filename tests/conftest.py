"""A real database for every test that wants one, and small data sets to put into it.

What asks much of the database runs on SQLite and on PostgreSQL: the store, the flows, the API. Training runs on SQLite
alone, and so does what a page looks like or who may see it: neither depends on where the rows lie.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.store.db import Database, open_database
from tests import objects, postgres
from tests.objects import Faults
from tests.postgres import Cluster
from tests.sets import write_npz

BOTH = (
    "store",
    "flows",
    "tests/test_jobs",
    "web/test_api",
    "web/test_decisions",
    "web/test_docs",
    "web/test_editing",
    "web/test_fuzz",
    "web/test_health",
    "web/test_roles",
    "web/test_together",
)
TRAIN = ("test_train", "test_compare", "test_crossval", "test_experiments", "test_judged", "test_suggest")
BACKENDS = ("sqlite", "postgresql")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: tests wait for browsers, databases and workers."""
    return (os.cpu_count() or 1) + 1


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    path = metafunc.definition.path
    here = {path.parent.name, f"{path.parent.name}/{path.stem}"} & set(BOTH) and path.stem not in TRAIN
    if "backend" in metafunc.fixturenames and here and not metafunc.definition.get_closest_marker("one_database"):
        metafunc.parametrize("backend", BACKENDS, indirect=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server, started once."""
    with postgres.running() as cluster:
        yield cluster


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """Which database a test runs on."""
    found: str = getattr(request, "param", "sqlite")
    return found


@pytest.fixture
def where(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path | str]:
    """Where an empty database is, or will be."""
    if backend == "sqlite":
        yield tmp_path / "remask.sqlite"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    url = cluster.create()
    yield url
    cluster.drop(url)


@pytest.fixture(scope="session")
def object_server() -> Iterator[int]:
    """The port of an S3 server, started once."""
    with objects.running() as port:
        yield port


@pytest.fixture
def faults(object_server: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """What lies between us and the S3 server for one test; the AWS_ variables lead there."""
    for name, value in objects.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with objects.proxy(object_server) as faults:
        monkeypatch.setenv("AWS_ENDPOINT_URL", faults.url)
        yield faults


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database, migrated once; tests begin with copies of it, as they do on PostgreSQL."""
    path = tmp_path_factory.mktemp("migrated") / "remask.sqlite"
    open_database(path).close()
    return path


@pytest.fixture
def db(where: Path | str, migrated: Path) -> Iterator[Database]:
    if isinstance(where, Path):
        shutil.copyfile(migrated, where)
    database = open_database(where)
    yield database
    database.close()


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    """Twelve labelled samples and three unlabelled ones in the course's layout."""
    return write_npz(tmp_path / "set.npz", np.random.default_rng(0), labelled=12, unlabelled=3)
