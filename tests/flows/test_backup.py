"""A backup taken while others write comes back whole, and what isn't one is refused in a sentence."""

import json
import shutil
import stat
import threading
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import text

from app.domain.actor import person
from app.domain.errors import RemaskError
from app.flows import backup, doctor, ingest, review
from app.flows.review import Selection
from app.flows.snapshot import freeze, path_of
from app.settings import Settings
from app.store import dumps, samples
from app.store.db import Database, open_database
from app.store.decisions import Wish
from tests.postgres import Cluster

ADA = person("Ada")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "data"
    home.mkdir()
    return home


@pytest.fixture
def full(home: Path, npz: Path) -> Database:
    db = open_database(home / "remask.sqlite")
    ingest.run(db, npz, "mars", ADA)
    review.decide(db, "mars", Selection(ids=[1, 2]), Wish("exclude"), ADA)
    return db


def test_everything_comes_back(full: Database, home: Path, tmp_path: Path) -> None:
    snapshot = freeze(full, home, "mars", "curated")
    (home / "runs" / "1").mkdir(parents=True)
    (home / "runs" / "1" / "model.pt").write_bytes(b"weights")
    (home / "runs" / "1" / "checkpoint.part").write_bytes(b"half")
    (home / "serve.lock").write_bytes(b"")
    (home / "elsewhere").symlink_to("/etc")
    done = backup.write(full, Settings(home=home), tmp_path / "backup.zip")
    full.close()
    assert stat.S_IMODE((tmp_path / "backup.zip").stat().st_mode) == 0o600
    assert sorted(zipfile.ZipFile(tmp_path / "backup.zip").namelist()) == sorted(
        [backup.MANIFEST, "remask.sqlite", "runs/1/model.pt", f"snapshots/{snapshot.hash}.snapshot"]
    )
    assert done.files == 3

    restored = Settings(home=tmp_path / "restored")
    assert backup.restore(restored, tmp_path / "backup.zip").files == 3
    assert (restored.home / "runs" / "1" / "model.pt").read_bytes() == b"weights"
    assert path_of(restored.home, snapshot).is_file()
    db = open_database(restored.database)
    assert doctor.run(db, restored).sound
    with db.read() as session:
        assert [samples.find(session, id).status for id in (1, 2, 3)] == ["excluded", "excluded", "unreviewed"]
    review.undo(db, 1, ADA)
    db.close()


def test_a_backup_while_others_write_is_one_moment(full: Database, home: Path, tmp_path: Path) -> None:
    """Batches of two are decided all the while: a backup holds each whole or not at all."""
    stop = threading.Event()

    def decide() -> None:
        verbs = ["include", "exclude"]
        while not stop.is_set():
            review.decide(full, "mars", Selection(ids=[1, 2]), Wish(verbs[0]), ADA)  # type: ignore[arg-type]
            verbs.reverse()

    writer = threading.Thread(target=decide)
    writer.start()
    try:
        for index in range(3):
            backup.write(full, Settings(home=home), tmp_path / f"{index}.zip")
    finally:
        stop.set()
        writer.join()
    full.close()
    for index in range(3):
        restored = Settings(home=tmp_path / str(index))
        backup.restore(restored, tmp_path / f"{index}.zip")
        db = open_database(restored.database)
        assert doctor.run(db, restored).sound
        with db.read() as session:
            assert samples.find(session, 1).status == samples.find(session, 2).status
        db.close()


def test_nothing_is_overwritten(full: Database, home: Path, tmp_path: Path) -> None:
    settings, file = Settings(home=home), tmp_path / "backup.zip"
    backup.write(full, settings, file)
    before = file.read_bytes()
    with pytest.raises(backup.Exists, match="is there already"):
        backup.write(full, settings, file)
    with pytest.raises(backup.Exists, match="holds something already"):
        backup.restore(settings, file)
    full.close()
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.zip", "data", "set.npz"]
    (tmp_path / "half" / backup.RESTORING).mkdir(parents=True)
    with pytest.raises(backup.Exists, match="broken off"):
        backup.restore(Settings(home=tmp_path / "half"), file)


def changed(file: Path, out: Path, name: str, content: bytes | None, added: str | None = None) -> Path:
    """A copy of a zip with ``content`` under ``name`` (None: without it), and another file ``added``."""
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(out, "w") as target:
        for one in source.namelist():
            if one != name:
                target.writestr(one, source.read(one))
        if content is not None:
            target.writestr(name, content)
        if added is not None:
            target.writestr(added, b"x")
    return out


def test_what_is_no_backup_is_refused_and_leaves_nothing(full: Database, home: Path, tmp_path: Path) -> None:
    file, empty = tmp_path / "backup.zip", Settings(home=tmp_path / "empty")
    backup.write(full, Settings(home=home), file)
    full.close()
    manifest = json.loads(zipfile.ZipFile(file).read(backup.MANIFEST))
    outside = manifest | {"files": manifest["files"] | {"../evil": {"size": 1, "sha256": ""}}}
    half = tmp_path / "half.zip"
    half.write_bytes(file.read_bytes()[:-1000])
    refused = {
        tmp_path / "missing.zip": "There is no backup",
        half: "no backup of Remask",
        changed(file, tmp_path / "a.zip", "remask.sqlite", b"other"): "doesn't match its hash",
        changed(file, tmp_path / "b.zip", "remask.sqlite", None): "doesn't hold the files",
        changed(file, tmp_path / "c.zip", "x", None, added="more"): "doesn't hold the files",
        changed(file, tmp_path / "d.zip", backup.MANIFEST, json.dumps(outside).encode(), "../evil"): "doesn't hold",
        changed(file, tmp_path / "e.zip", backup.MANIFEST, json.dumps(manifest | {"format": 99}).encode()): "newer",
        changed(file, tmp_path / "f.zip", backup.MANIFEST, json.dumps(manifest | {"database": "Db2"}).encode()): "Db2",
        changed(file, tmp_path / "g.zip", backup.MANIFEST, b"{}"): "no backup of Remask",
    }
    for path, word in refused.items():
        with pytest.raises(RemaskError, match=word):
            backup.restore(empty, path)
        assert not empty.home.exists()
    newer = changed(file, tmp_path / "h.zip", backup.MANIFEST, json.dumps(manifest | {"schema": "9999"}).encode())
    with pytest.raises(dumps.CantDump, match="newer than this program"):
        backup.restore(empty, newer)
    assert not empty.database.exists() if isinstance(empty.database, Path) else False


@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="pg_dump isn't installed")
def test_postgresql_is_dumped_and_read_back(cluster: Cluster, npz: Path, tmp_path: Path) -> None:
    urls = [cluster.create(), cluster.create(template=None)]
    settings = [Settings(home=tmp_path / str(index), database_url=url) for index, url in enumerate(urls)]
    settings[0].home.mkdir()
    db = open_database(urls[0])
    ingest.run(db, npz, "mars", ADA)
    backup.write(db, settings[0], tmp_path / "backup.zip")
    with pytest.raises(dumps.CantDump, match="isn't empty"):
        backup.restore(Settings(home=tmp_path / "other", database_url=urls[0]), tmp_path / "backup.zip")
    with pytest.raises(backup.NoBackup, match="on PostgreSQL"):
        backup.restore(Settings(home=tmp_path / "third"), tmp_path / "backup.zip")
    backup.restore(settings[1], tmp_path / "backup.zip")
    restored = open_database(urls[1])
    assert doctor.run(restored, settings[1]).sound
    with restored.read() as session:
        assert session.scalar(text("SELECT count(*) FROM sample")) == 15
    for one, url in ((db, urls[0]), (restored, urls[1])):
        one.close()
        cluster.drop(url)
