"""The bytes of pictures and masks moved from the database into an object store, or back, while nobody works on them.

A batch at a time is put, read back and compared with its hash; only then do its rows give up their bytes. So a move
that was broken off is gone on with by the same call, and every byte is in one of the two places at any moment.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.domain.errors import RemaskError
from app.flows.move import NotAlone
from app.flows.progress import Progress, quiet
from app.store import blobs, engines, jobs
from app.store.blobs import Place
from app.store.db import Database
from app.store.objects import Objects

AT_ONCE = 200
AT_ONCE_BYTES = 32 << 20


class NotKept(RemaskError):
    """The object store gives back other bytes than it was given."""

    status = 502
    title = "The store lost bytes"


class NotWhole(RemaskError):
    """Bytes that are to be moved are damaged where they are."""

    status = 500
    title = "Damaged bytes"


@dataclass(frozen=True)
class Carried:
    """``moved``: blobs that changed their place, with their ``bytes``; ``there``: those that were in it already."""

    moved: int
    bytes: int
    there: int
    seconds: float


def into_store(db: Database, target: Objects, progress: Progress = quiet) -> Carried:
    """Move all bytes into ``target``, be they in the database or in the store that it was opened with, which keeps
    them. SQLite's file shrinks in the end.

    Raises NotAlone, NotKept, NotWhole, objects.Unavailable, and blobs.Elsewhere for bytes in a store that is neither.
    """

    def carry(batch: list[Place]) -> list[Place]:
        lacking = set(target.lacking([one.hash for one in batch]))
        if lacking:
            with db.read() as session:
                target.put({hash: blobs.get(session, hash) for hash in lacking})
            if lost := target.lacking(list(lacking)):
                raise NotKept(f"The object store doesn't give back what it was given ({lost[0]}); look into the store.")
        inside = [one.hash for one in batch if one.inside]
        if inside:
            with db.write() as session:
                blobs.empty(session, inside)
        return [one for one in batch if one.inside or one.hash in lacking]

    started = time.monotonic()
    carried = _carried(db, carry, progress)
    if db.path is not None and carried[0]:
        progress(0, 0, "shrinking the database")
        engines.compact(db.path)
    return Carried(*carried, round(time.monotonic() - started, 3))


def into_database(db: Database, progress: Progress = quiet) -> Carried:
    """Move all bytes from the object store that ``db`` was opened with into its rows; the objects stay. Raises as
    ``into_store``."""

    def carry(batch: list[Place]) -> list[Place]:
        outside = [one for one in batch if not one.inside]
        with db.read() as session:
            datas = {one.hash: blobs.get(session, one.hash) for one in outside}
        if datas:
            with db.write() as session:
                for hash, data in datas.items():
                    blobs.fill(session, hash, data)
                    blobs.get(session, hash)  # reads it back: what is damaged isn't committed
        return outside

    started = time.monotonic()
    carried = _carried(db, carry, progress)
    return Carried(*carried, round(time.monotonic() - started, 3))


def _carried(db: Database, carry: Callable[[list[Place]], list[Place]], progress: Progress) -> tuple[int, int, int]:
    """Have ``carry`` see to every batch, which says what it moved; how many blobs and bytes that were, and how many
    were there already."""
    with db.read() as session:
        if under_way := jobs.under_way(session):
            raise NotAlone(f"Job {under_way[0].id} is under way; wait for it or stop its worker, then try again.")
        total = blobs.count(session)
    moved = size = seen = 0
    for batch in _batches(db):
        try:
            done = carry(batch)
        except blobs.Damaged as error:
            raise NotWhole(f"{str(error).capitalize()}; run remask doctor, mend it, then go on with this.") from error
        moved, size, seen = moved + len(done), size + sum(one.size for one in done), seen + len(batch)
        progress(seen, total, "moving bytes")
    return moved, size, seen - moved


def _batches(db: Database) -> Iterator[list[Place]]:
    """Every blob that has bytes, by hash, as many at a time as fit in memory well."""
    last = ""
    while True:
        with db.read() as session:
            places = blobs.places(session, last, AT_ONCE)
        if not places:
            return
        batch: list[Place] = []
        size = 0
        for one in places:
            if batch and size + one.size > AT_ONCE_BYTES:
                break
            batch.append(one)
            size += one.size
        last = batch[-1].hash
        yield batch
