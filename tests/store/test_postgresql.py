import os
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from sqlalchemy import func, make_url, select
from sqlalchemy.exc import DBAPIError

from app.store import postgresql
from app.store.db import Database, open_database
from app.store.faults import is_locked
from app.store.tables import Blob
from tests.postgres import Cluster

BLOB = Blob(hash="x", size=1, data=b"\0")


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    url = cluster.create()
    yield url
    cluster.drop(url)


@pytest.fixture
def hasty(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Waits in line for a second, and takes a writer for stalled after a fifth of one."""
    monkeypatch.setattr(postgresql, "_LOCK_PATIENCE", "1s")
    monkeypatch.setattr(postgresql, "_SILENCE", "200ms")
    database = open_database(url)
    yield database
    database.close()


@contextmanager
def writer(url: str) -> Iterator[psycopg.Connection]:
    """One that has the lock, by itself."""
    plain = make_url(url).set(drivername="postgresql").render_as_string()
    with closing(psycopg.connect(plain)) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [postgresql._WRITER])
        yield connection


def parse(query: bytes) -> bytes:
    body = b"\0" + query + b"\0" + struct.pack("!h", 0)
    return b"P" + struct.pack("!i", 4 + len(body)) + body


def test_a_writer_with_half_of_a_statement_sent_is_ended_by_the_next_in_line(url: str, hasty: Database) -> None:
    with writer(url) as stalled:
        os.write(stalled.fileno(), parse(b"SELECT 1") + b"B" + struct.pack("!i", 4000) + b"half")
        with hasty.write() as session:
            session.merge(BLOB)
    with hasty.read() as session:
        assert session.scalar(select(func.count()).select_from(Blob)) == 1


def test_a_writer_that_computes_is_waited_for_and_left_alone(url: str, hasty: Database) -> None:
    with writer(url) as busy:
        busy.pgconn.send_query(b"SELECT pg_sleep(60)")
        with pytest.raises(DBAPIError) as caught, hasty.write() as session:
            session.merge(BLOB)
        assert is_locked(caught.value)
