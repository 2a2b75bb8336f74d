"""Bytes by their hash: put and get, the seam behind which an object store can stand.

Where the database keeps its bytes in an object store (see ``objects``), a row holds the hash and the size, and no
bytes. What was put before a store was named stays in its row and is found there.
"""

import hashlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import bindparam, case, func, insert, null, select, text, update
from sqlalchemy.orm import Session

from app.domain.errors import RemaskError
from app.store.objects import Objects
from app.store.tables import Blob

OBJECTS = "objects"  # the name under which a session's ``info`` holds the object store
_CHUNK = 500
_LARGE = 8 << 20  # bytes that SQLite is given and asked for in parts: as a value it would copy them twice more
_PART = 1 << 20
# Made once: each is asked for many times, and to make one takes as long as to run it.
_ANY = select(Blob.data.label("data"), Blob.size).where(Blob.hash == bindparam("hash"))
_BUT_LARGE = select(case((Blob.size <= _LARGE, Blob.data), else_=null()).label("data"), Blob.size).where(
    Blob.hash == bindparam("hash")
)


class Damaged(Exception):
    """Stored bytes no longer match their hash: the disk or the file is damaged; restore a backup."""


class Elsewhere(RemaskError):
    """The bytes are in an object store that this process wasn't told of."""

    status = 503
    title = "Object store not named"


def put(session: Session, datas: Iterable[bytes]) -> list[str]:
    """Store each of ``datas`` once, in a writing session; their sha256 in hex, in order. Raises objects.Unavailable.

    In an object store they are durable when this returns, before their rows can be committed.
    """
    rows: dict[str, bytes] = {}
    hashes = []
    for data in datas:
        hash = hashlib.sha256(data).hexdigest()
        hashes.append(hash)
        rows[hash] = data
    for hash in _known(session, rows):  # there is one writer at a time, so none is added meanwhile
        del rows[hash]
    if rows:
        store = _objects(session)
        if store is not None:
            store.put({hash: data for hash, data in rows.items() if data})
        kept = rows if store is None else dict.fromkeys(rows, b"")
        large = [hash for hash, data in kept.items() if len(data) > _LARGE and _in_parts(session)]
        small = [{"hash": hash, "size": len(rows[hash]), "data": kept[hash]} for hash in rows if hash not in large]
        if small:
            session.execute(insert(Blob), small)
        for hash in large:
            room = func.zeroblob(len(kept[hash]))
            session.execute(insert(Blob).values(hash=hash, size=len(kept[hash]), data=room))
            _write(session, hash, kept[hash])
    return hashes


def get(session: Session, hash: str) -> bytes:
    """The bytes of ``hash``, verified. Raises Damaged; Elsewhere or objects.Unavailable for those in a store."""
    row = session.execute(_BUT_LARGE if _in_parts(session) else _ANY, {"hash": hash}).first()
    if row is None:
        raise Damaged(f"blob {hash} is missing")
    found: bytes | None = row.data
    if found is None and row.size > _LARGE:
        found = _read(session, hash)
    if row.size and not found:
        found = _from_objects(session, hash)
    if found is None or hashlib.sha256(found).hexdigest() != hash:
        raise Damaged(f"blob {hash} is damaged or missing")
    return found


def hashes(session: Session) -> Iterator[str]:
    """Every hash that has a row, in order."""
    last = ""
    while chunk := session.scalars(select(Blob.hash).where(Blob.hash > last).order_by(Blob.hash).limit(_CHUNK)).all():
        yield from chunk
        last = chunk[-1]


def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Blob)) or 0


def outside(session: Session) -> int:
    """How many blobs have their bytes in an object store."""
    query = select(func.count()).select_from(Blob).where(Blob.size > 0, func.length(Blob.data) == 0)
    return session.scalar(query) or 0


@dataclass(frozen=True)
class Place:
    """Where the bytes of a hash are: ``inside`` the database, or in an object store."""

    hash: str
    size: int
    inside: bool


def places(session: Session, after: str, limit: int) -> list[Place]:
    """Up to ``limit`` blobs that have bytes, in the order of their hashes, beginning after one."""
    query = select(Blob.hash, Blob.size, func.length(Blob.data) > 0).where(Blob.hash > after, Blob.size > 0)
    return [
        Place(hash, size, bool(inside))
        for hash, size, inside in session.execute(query.order_by(Blob.hash).limit(limit))
    ]


def empty(session: Session, hashes: Collection[str]) -> None:
    """Let the rows of these give up their bytes, which an object store has."""
    session.execute(update(Blob).where(Blob.hash.in_(hashes)).values(data=b""))


def fill(session: Session, hash: str, data: bytes) -> None:
    """Let a row have its bytes, which were in an object store."""
    large = len(data) > _LARGE and _in_parts(session)
    kept = func.zeroblob(len(data)) if large else data
    session.execute(update(Blob).where(Blob.hash == hash).values(data=kept))
    if large:
        _write(session, hash, data)


def without_row(session: Session, hashes: Collection[str]) -> list[str]:
    """Those of ``hashes`` that no row has."""
    known = set(_known(session, hashes))
    return [hash for hash in hashes if hash not in known]


def _known(session: Session, hashes: Collection[str]) -> Iterator[str]:
    wanted: Sequence[str] = list(hashes)
    for start in range(0, len(wanted), _CHUNK):
        yield from session.scalars(select(Blob.hash).where(Blob.hash.in_(wanted[start : start + _CHUNK])))


def _in_parts(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


@contextmanager
def _opened(session: Session, hash: str) -> Iterator[sqlite3.Blob]:
    """The bytes of a row as a file, in the session's transaction."""
    row = session.scalar(text("SELECT rowid FROM blob WHERE hash = :hash"), {"hash": hash})
    connection = session.connection().connection.dbapi_connection
    assert isinstance(connection, sqlite3.Connection)  # noqa: S101  (for the type checker)
    with connection.blobopen("blob", "data", row) as opened:
        yield opened


def _write(session: Session, hash: str, data: bytes) -> None:
    """Write the bytes into a row that has room for them."""
    with _opened(session, hash) as opened:
        for start in range(0, len(data), _PART):
            opened.write(memoryview(data)[start : start + _PART])


def _read(session: Session, hash: str) -> bytes:
    with _opened(session, hash) as opened:
        return opened.read()


def _objects(session: Session) -> Objects | None:
    store: Objects | None = session.info.get(OBJECTS)
    return store


def _from_objects(session: Session, hash: str) -> bytes | None:
    store = _objects(session)
    if store is None:
        raise Elsewhere("The bytes of this data folder are in an object store; set REMASK_BLOBS as it was.")
    return store.get(hash)
