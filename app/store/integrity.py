"""What must hold between the rows, asked of the database: for the doctor, who looks at all of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, and_, delete, exists, func, inspect, or_, select, text, update
from sqlalchemy.orm import Session, aliased

from app.domain.errors import Invalid
from app.domain.mask import as_mask, class_counts
from app.paths import MIGRATIONS
from app.store import rasters
from app.store.blobs import Damaged
from app.store.tables import Base, Batch, Blob, ClassPixels, Dataset, Decision, Raster, Revision, Sample, Tile

CHUNK = 500


@dataclass(frozen=True)
class Schema:
    """The version that the database is at (None: it has none) and the one that this program makes."""

    at: str | None
    newest: str

    @property
    def fits(self) -> bool:
        return self.at == self.newest


def newest_schema() -> str:
    """The version that this program makes."""
    return max(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def schema(session: Session) -> Schema:
    newest = newest_schema()
    if not inspect(session.connection()).has_table("alembic_version"):
        return Schema(None, newest)
    return Schema(session.scalar(text("SELECT version_num FROM alembic_version")), newest)


def file_faults(session: Session) -> list[str]:
    """What SQLite says of its own file, in its words; empty where it is sound, and on a server, which sees to it."""
    if session.get_bind().dialect.name != "sqlite":
        return []
    return [one for one in session.scalars(text("PRAGMA quick_check(20)")) if one != "ok"]


def broken_links(session: Session) -> dict[str, int]:
    """table -> rows that point to a row that isn't there; a server holds this itself."""
    if session.get_bind().dialect.name != "sqlite":
        return {}
    found: dict[str, int] = {}
    for row in session.execute(text("PRAGMA foreign_key_check")):
        found[row[0]] = found.get(row[0], 0) + 1
    return found


def misplaced(session: Session) -> list[int]:
    """Samples whose current mask is not the revision that says so of itself."""
    current = aliased(Revision)
    query = (
        select(Sample.id)
        .join(current, and_(current.sample_id == Sample.id, current.state == "current"), isouter=True)
        .where(func.coalesce(current.id, 0) != func.coalesce(Sample.current_id, 0))
    )
    return list(session.scalars(query))


def miscounted(session: Session) -> list[int]:
    """Batches whose count isn't that of their decisions."""
    decided = select(func.count()).where(Decision.batch_id == Batch.id).correlate(Batch).scalar_subquery()
    return list(session.scalars(select(Batch.id).where(Batch.count != decided)))


def recount(session: Session, batch_ids: Sequence[int]) -> None:
    decided = select(func.count()).where(Decision.batch_id == Batch.id).correlate(Batch).scalar_subquery()
    session.execute(update(Batch).where(Batch.id.in_(batch_ids)).values(count=decided))


def unused_blobs(session: Session) -> list[str]:
    """Hashes of blobs that no row names."""
    return list(session.scalars(select(Blob.hash).where(_unnamed(_table(Blob), "hash"))))


def unused_rasters(session: Session) -> list[int]:
    """Rasters that no picture, mask or prediction is."""
    return list(session.scalars(select(Raster.id).where(_unnamed(_table(Raster), "id"))))


def drop_unused(session: Session) -> tuple[int, list[str]]:
    """Delete the rasters that nothing uses, then the blobs; the number of rasters, and the hashes of the blobs."""
    unused = unused_rasters(session)
    for start in range(0, len(unused), CHUNK):
        chunk = unused[start : start + CHUNK]
        for owned in (Tile, ClassPixels):
            session.execute(delete(owned).where(owned.raster_id.in_(chunk)))
        session.execute(delete(Raster).where(Raster.id.in_(chunk)))
    hashes = unused_blobs(session)
    for start in range(0, len(hashes), CHUNK):
        session.execute(delete(Blob).where(Blob.hash.in_(hashes[start : start + CHUNK])))
    return len(unused), hashes


def unverified_blobs(session: Session) -> list[str]:
    """Hashes of the blobs that reading every raster doesn't read: originals and documents."""
    read = or_(exists().where(Raster.blob == Blob.hash), exists().where(Tile.blob == Blob.hash))
    return list(session.scalars(select(Blob.hash).where(~read).order_by(Blob.hash)))


@dataclass(frozen=True)
class Looked:
    """A raster that was read whole: what is wrong with it, and whether its pixels by class aren't as they are kept."""

    id: int
    damage: str | None
    miscounted: bool = False


def every_raster(session: Session) -> Iterator[Looked]:
    """Every raster, its bytes and its pixels read and verified one at a time."""
    last = 0
    while chunk := list(session.scalars(select(Raster).where(Raster.id > last).order_by(Raster.id).limit(CHUNK))):
        ids = [one.id for one in chunk]
        masks = set(session.scalars(select(Revision.mask_id).where(Revision.mask_id.in_(ids))))
        counted: dict[int, dict[int, int]] = {id: {} for id in masks}
        for row in session.scalars(select(ClassPixels).where(ClassPixels.raster_id.in_(ids))):
            counted.setdefault(row.raster_id, {})[row.class_id] = row.pixels
        for one in chunk:
            yield _look(session, one, counted.get(one.id))
        last = ids[-1]
        session.expunge_all()


def recount_classes(session: Session, raster_id: int) -> None:
    """Count a mask's pixels by class anew."""
    session.execute(delete(ClassPixels).where(ClassPixels.raster_id == raster_id))
    mask = rasters.mask(session, session.get_one(Raster, raster_id))
    session.add_all(ClassPixels(raster_id=raster_id, class_id=id, pixels=n) for id, n in class_counts(mask).items())


def count_rasters(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Raster)) or 0


def sample_with(session: Session, raster_id: int) -> str | None:
    """``dataset/key`` of a sample that has this raster as its picture or as a mask."""
    query = (
        select(Dataset.name, Sample.key)
        .join(Sample, Sample.dataset_id == Dataset.id)
        .join(Revision, Revision.sample_id == Sample.id, isouter=True)
        .where(or_(Sample.image_id == raster_id, Revision.mask_id == raster_id))
        .limit(1)
    )
    row = session.execute(query).first()
    return None if row is None else f"{row.name}/{row.key}"


def sample_ids(session: Session) -> Iterator[list[int]]:
    """The ids of all samples, in order, a chunk at a time."""
    last = 0
    while ids := list(session.scalars(select(Sample.id).where(Sample.id > last).order_by(Sample.id).limit(CHUNK))):
        yield ids
        last = ids[-1]


def _look(session: Session, raster: Raster, counted: dict[int, int] | None) -> Looked:
    try:
        pixels = rasters.verify(session, raster)
    except (Damaged, Invalid, ValueError) as error:  # the last two: bytes that match their hash and can't be decoded
        return Looked(raster.id, str(error))
    return Looked(raster.id, None, counted is not None and class_counts(as_mask(pixels)) != counted)


def _table(row: type[Base]) -> Table:
    table = row.__table__
    assert isinstance(table, Table)  # noqa: S101  (for the type checker)
    return table


def _unnamed(table: Table, key: str) -> ColumnElement[bool]:
    """That no column of any table points to a row of ``table``; those that go with the row (tiles, counts) don't
    count."""
    named = [
        exists().where(link.parent == table.c[key])
        for other in Base.metadata.sorted_tables
        for link in other.foreign_keys
        if link.column is table.c[key] and link.ondelete != "CASCADE"
    ]
    return ~or_(*named)
