"""Bytes in an object store, on a real S3 server: kept, verified, refused in a sentence where the store fails."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from app.store import blobs, rasters
from app.store.db import Database, open_database
from app.store.objects import BadStore, Objects, Unavailable
from app.store.tables import Blob, Raster
from tests.objects import Faults

pytestmark = pytest.mark.one_database
SOON = timedelta(seconds=0.5)


@pytest.fixture
def store(faults: Faults, tmp_path: Path) -> Objects:
    return Objects(f"s3://bucket/{tmp_path.name}", SOON)


@pytest.fixture
def outside(where: Path | str, store: Objects) -> Iterator[Database]:
    """A database that keeps its bytes in the store."""
    open_database(where).close()
    database = Database(f"sqlite:///{where}" if isinstance(where, Path) else where, store)
    yield database
    database.close()


def test_bytes_go_to_the_store_and_come_back(outside: Database, store: Objects) -> None:
    with outside.write() as session:
        first, again, empty = blobs.put(session, [b"some bytes", b"some bytes", b""])
    assert first == again
    with outside.read() as session:
        assert blobs.get(session, first) == b"some bytes"
        assert blobs.get(session, empty) == b""
        assert session.scalar(select(Blob.data).where(Blob.hash == first)) == b""
    assert [(one.hash, one.size) for page in store.walk() for one in page] == [(first, 10)]
    assert store.get(first) == b"some bytes"


def test_what_is_there_is_not_put_again(outside: Database, faults: Faults) -> None:
    for _ in range(2):
        with outside.write() as session:
            blobs.put(session, [b"the same"])
    assert len([one for one in faults.seen if one.startswith("PUT")]) == 1


def test_bytes_are_there_before_their_row(outside: Database, store: Objects) -> None:
    """A writer that fails leaves an object without a row at most, which the next to put it takes over."""
    with pytest.raises(RuntimeError), outside.write() as session:
        [hash] = blobs.put(session, [b"never named"])
        raise RuntimeError
    assert store.get(hash) == b"never named"
    with outside.read() as session:
        assert blobs.count(session) == 0
    with outside.write() as session:
        blobs.put(session, [b"never named"])
    with outside.read() as session:
        assert blobs.get(session, hash) == b"never named"


def test_damage_in_the_store_is_noticed(outside: Database, store: Objects) -> None:
    with outside.write() as session:
        [hash, gone] = blobs.put(session, [b"good", b"fine"])
    store.put({hash: b"evil"})
    store.drop([gone])
    for one in (hash, gone):
        with outside.read() as session, pytest.raises(blobs.Damaged):
            blobs.get(session, one)


def test_bytes_in_the_database_are_found_after_a_store_was_named(where: Path | str, store: Objects) -> None:
    before = open_database(where)
    with before.write() as session:
        [hash] = blobs.put(session, [b"from before"])
    before.close()
    after = Database(f"sqlite:///{where}" if isinstance(where, Path) else where, store)
    with after.write() as session:
        [new] = blobs.put(session, [b"from after"])
        assert blobs.get(session, hash) == b"from before"
        assert blobs.outside(session) == 1
    after.close()
    forgotten = open_database(where)
    with forgotten.read() as session, pytest.raises(blobs.Elsewhere, match="REMASK_BLOBS"):
        blobs.get(session, new)
    forgotten.close()


def test_large_pictures_are_kept_in_tiles_there_too(outside: Database) -> None:
    mask = np.random.default_rng(0).integers(0, 5, (2100, 2000), dtype=np.uint8)
    with outside.write() as session:
        [row] = rasters.put_masks(session, [(mask, None)])
    with outside.read() as session:
        np.testing.assert_array_equal(rasters.mask(session, session.get_one(Raster, row.id)), mask)


@pytest.mark.parametrize("fault", ["500", "503", "silent"])
def test_a_failing_store_gives_a_sentence_and_soon(outside: Database, faults: Faults, fault: str) -> None:
    with outside.write() as session:
        [hash] = blobs.put(session, [b"before"])
    faults.silent, faults.status = fault == "silent", None if fault == "silent" else int(fault)
    started = time.monotonic()
    with outside.read() as session, pytest.raises(Unavailable, match="try again in a while"):
        blobs.get(session, hash)
    with pytest.raises(Unavailable), outside.write() as session:
        blobs.put(session, [b"during"])
    assert time.monotonic() - started < 10
    faults.silent, faults.status = False, None
    with outside.read() as session:
        assert blobs.count(session) == 1
        assert blobs.get(session, hash) == b"before"


def test_a_store_that_fails_for_a_moment_is_asked_again(outside: Database, faults: Faults) -> None:
    faults.status = 500
    threading.Timer(0.15, lambda: setattr(faults, "status", None)).start()
    with outside.write() as session:
        [hash] = blobs.put(session, [b"at last"])
    with outside.read() as session:
        assert blobs.get(session, hash) == b"at last"


def test_refused_credentials_and_missing_buckets_are_named(faults: Faults) -> None:
    with pytest.raises(BadStore, match="no bucket 'nowhere'"):
        Objects("s3://nowhere", SOON).put({"ab": b"x"})
    faults.status = 403
    with pytest.raises(Unavailable, match="AWS_ACCESS_KEY_ID"):
        Objects("s3://bucket", SOON).get("ab")


@pytest.mark.parametrize("url", ["file:///tmp", "bucket", "s3://", "s3://key:secret@bucket", "https://host/bucket"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(BadStore, match="s3://bucket") as refused:
        Objects(url)
    assert "secret" not in str(refused.value)
