"""Samples with their rasters: what checks and exports go through."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from app.domain.errors import NotFound
from app.store.tables import Raster, Revision, Sample

CHUNK = 200


@dataclass(frozen=True)
class Whole:
    """A sample, its picture, its current revision and that one's mask; the last two are None without a mask."""

    sample: Sample
    image: Raster
    revision: Revision | None
    mask: Raster | None


def find(session: Session, sample_id: int) -> Whole:
    """Raises NotFound."""
    row = session.execute(_query().where(Sample.id == sample_id)).first()
    if row is None:
        raise NotFound(f"There is no sample with id {sample_id}.")
    return Whole(*row)


def after(session: Session, dataset_id: int, last: int, curated: bool = False, until: int | None = None) -> list[Whole]:
    """Up to CHUNK samples with an id above ``last``, by id, none above ``until``; ``curated`` leaves excluded ones
    out."""
    query = _query().where(Sample.dataset_id == dataset_id, Sample.id > last).order_by(Sample.id).limit(CHUNK)
    if curated:
        query = query.where(Sample.excluded.is_(False))
    if until is not None:
        query = query.where(Sample.id <= until)
    return [Whole(*row) for row in session.execute(query)]


def marks(session: Session, dataset_id: int, every: int) -> list[int]:
    """The id of every so-manyth sample, by id, but the last."""
    ids = session.scalars(select(Sample.id).where(Sample.dataset_id == dataset_id).order_by(Sample.id)).all()
    return list(ids[every - 1 : -1 : every])


def walk(session: Session, dataset_id: int, curated: bool) -> Iterator[Whole]:
    """Every sample by id, as ``after``, a chunk of rows at a time."""
    last = 0
    while chunk := after(session, dataset_id, last, curated):
        yield from chunk
        last = chunk[-1].sample.id


@cache  # to make it takes several times as long as to run it for one sample
def _query() -> Select[Sample, Raster, Revision | None, Raster | None]:
    mask = aliased(Raster)
    return (
        select(Sample, Raster, Revision, mask)
        .join(Raster, Raster.id == Sample.image_id)
        .join(Revision, Revision.id == Sample.current_id, isouter=True)
        .join(mask, mask.id == Revision.mask_id, isouter=True)
    )
