"""Bytes of pictures and masks moved into a real S3 server and back; broken off, damaged, refused where it has to be."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from typer.testing import CliRunner

from app.__main__ import app
from app.domain.actor import person
from app.flows import doctor, ingest, move, move_bytes
from app.flows.move_bytes import into_database, into_store
from app.settings import Settings
from app.store import blobs, jobs
from app.store.db import Database, open_database
from app.store.objects import Objects, Unavailable
from app.store.tables import Blob
from tests.objects import Faults

pytestmark = pytest.mark.one_database
ADA = person("ada")
SOON = timedelta(seconds=0.5)


@pytest.fixture
def url(faults: Faults, tmp_path: Path) -> str:
    return f"s3://bucket/{tmp_path.name}"


@pytest.fixture
def full(db: Database, npz: Path) -> Iterator[Database]:
    ingest.run(db, npz, "mars", ADA)
    with db.write() as session:
        blobs.put(session, [bytes(9 << 20), b"the last", b""])  # one that SQLite takes in parts
    yield db


def held(db: Database) -> dict[str, bytes]:
    with db.read() as session:
        return {hash: blobs.get(session, hash) for hash in blobs.hashes(session)}


def inside(db: Database) -> int:
    """Bytes in the rows."""
    with db.read() as session:
        return session.scalar(select(func.sum(func.length(Blob.data)))) or 0


def test_there_and_back_every_byte_is_the_same(full: Database, url: str, tmp_path: Path) -> None:
    before, size = held(full), inside(full)
    there = into_store(full, Objects(url))
    assert (there.moved, there.bytes, there.there) == (len(before) - 1, size, 0)
    assert inside(full) == 0
    assert full.path is not None
    assert full.path.stat().st_size < size
    outside = Database(f"sqlite:///{full.path}", Objects(url))
    assert held(outside) == before
    assert [one.name for one in doctor.run(outside, Settings(home=tmp_path)).ailments if one.grave] == []
    back = into_database(outside)
    assert (back.moved, back.bytes) == (there.moved, size)
    outside.close()
    assert held(full) == before


def test_broken_off_it_goes_on_with_what_is_left(
    full: Database, url: str, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(move_bytes, "AT_ONCE", 3)
    before = held(full)
    calls = []

    def then_the_store_fails(_done: int, _total: int, _message: str) -> None:
        calls.append(1)
        faults.status = 500 if len(calls) == 2 else None

    with pytest.raises(Unavailable):
        into_store(full, Objects(url, SOON), then_the_store_fails)
    faults.status = None
    outside = Database(f"sqlite:///{full.path}", Objects(url))
    assert held(outside) == before
    again = into_store(outside, Objects(url))
    assert (again.moved, again.there) == (len(before) - 1 - 6, 6)
    assert held(outside) == before
    outside.close()


def test_what_reads_back_otherwise_keeps_its_bytes(full: Database, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, put = held(full), Objects.put
    monkeypatch.setattr(Objects, "put", lambda self, datas: put(self, dict.fromkeys(datas, b"other")))
    with pytest.raises(move_bytes.NotKept, match="look into the store"):
        into_store(full, Objects(url))
    assert held(full) == before
    assert inside(full) == sum(map(len, before.values()))


def test_damage_is_named_and_nothing_is_given_up(full: Database, url: str) -> None:
    with full.write() as session:
        session.execute(update(Blob).where(Blob.size == 8).values(data=b"the lost"))
    with pytest.raises(move_bytes.NotWhole, match="remask doctor"):
        into_store(full, Objects(url))


def test_a_database_that_somebody_works_on_is_refused(full: Database, url: str) -> None:
    with full.write() as session:
        job = jobs.request(session, "check", None, {}).id
        jobs.claim(session, job, jobs.new_owner("somebody"))
    with pytest.raises(move.NotAlone, match=f"Job {job}"):
        into_store(full, Objects(url))


def test_by_command(full: Database, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = held(full)
    assert full.path is not None
    full.path.rename(tmp_path / "remask.sqlite")
    monkeypatch.setenv("REMASK_HOME", str(tmp_path))
    runner = CliRunner()
    said = runner.invoke(app, ["migrate", "--blobs", url, "--json"])
    assert json.loads(said.stdout)["moved"] == len(before) - 1
    monkeypatch.setenv("REMASK_BLOBS", url)
    assert "leave REMASK_BLOBS out" in runner.invoke(app, ["migrate", "--blobs", "database"]).stdout
    monkeypatch.delenv("REMASK_BLOBS")
    db = open_database(tmp_path / "remask.sqlite")
    assert held(db) == before
    db.close()
    assert runner.invoke(app, ["migrate"]).exit_code != 0
