"""Bytes by their hash: put and get, the seam behind which another store can stand."""

import hashlib
from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from app.store.tables import Blob


class Damaged(Exception):
    """Stored bytes no longer match their hash: the disk or the file is damaged; restore a backup."""


def put(session: Session, datas: Iterable[bytes]) -> list[str]:
    """Store each of ``datas`` once; their sha256 in hex, in order."""
    rows: dict[str, bytes] = {}
    hashes = []
    for data in datas:
        hash = hashlib.sha256(data).hexdigest()
        hashes.append(hash)
        rows[hash] = data
    if rows:
        values = [{"hash": hash, "size": len(data), "data": data} for hash, data in rows.items()]
        session.execute(insert(Blob).on_conflict_do_nothing(index_elements=["hash"]), values)
    return hashes


def get(session: Session, hash: str) -> bytes:
    """The bytes of ``hash``, verified. Raises Damaged."""
    data = session.scalar(select(Blob.data).where(Blob.hash == hash))
    if data is None or hashlib.sha256(data).hexdigest() != hash:
        raise Damaged(f"blob {hash} is damaged or missing")
    return data
