"""Who is in a snapshot, and with which mask: the arms that a training can be made of.

=================  ====================================================================================
arm                train and validation
=================  ====================================================================================
curated            every sample that isn't excluded, with its current mask
imported           every sample, excluded ones too, with the mask that it was imported with
without_excluded   imported masks, excluded samples left out
without_flagged    imported masks, excluded samples and those with an open flag left out
=================  ====================================================================================

The test side is the same in all of them: samples that aren't excluded, with their current mask, so that two arms are
judged on the same pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.domain.splits import Dealt
from app.store.tables import ClassPixels, Raster, Revision, Sample

Arm = Literal["curated", "imported", "without_excluded", "without_flagged"]
ARMS: tuple[str, ...] = get_args(Arm)
CHUNK = 200


@dataclass(frozen=True)
class Member:
    """A sample of a snapshot; ``mask`` is None for one without."""

    sample: Sample
    image: Raster
    mask: Raster | None


def group_of(sample: Sample) -> str:
    """The name of a sample's content group; before the duplicates are looked for, samples of one picture are one."""
    return str(sample.content_group) if sample.content_group is not None else f"image-{sample.image_id}"


def to_deal(session: Session, dataset_id: int) -> list[Dealt]:
    """Every sample that ever had a mask, for ``splits.deal``."""
    classes: dict[int, set[int]] = {}
    shown = (
        select(Sample.id, ClassPixels.class_id)
        .join(Revision, Revision.id == Sample.current_id)
        .join(ClassPixels, ClassPixels.raster_id == Revision.mask_id)
        .where(Sample.dataset_id == dataset_id)
    )
    for id, class_id in session.execute(shown):
        classes.setdefault(id, set()).add(class_id)
    labelled = select(Sample).where(Sample.dataset_id == dataset_id, Sample.current_id.is_not(None))
    return [
        Dealt(one.id, group_of(one), one.split, frozenset(classes.get(one.id, ())))
        for one in session.scalars(labelled.order_by(Sample.id))
    ]


def of_arm(session: Session, dataset_id: int, arm: Arm) -> Iterator[Member]:
    """The members of an arm by id, a chunk of rows at a time; unlabelled samples too."""
    last = 0
    while chunk := list(session.execute(_query(arm).where(Sample.dataset_id == dataset_id, Sample.id > last))):
        for sample, image, current, imported in chunk:
            judged = sample.split == "test"
            yield Member(sample, image, current if judged or arm == "curated" else imported)
        last = chunk[-1][0].id


def _query(arm: Arm) -> Select[Sample, Raster, Raster | None, Raster | None]:
    current, imported = aliased(Raster), aliased(Raster)
    now, first = aliased(Revision), aliased(Revision)
    first_id = select(func.min(Revision.id)).where(Revision.sample_id == Sample.id, Revision.source == "import")
    query = (
        select(Sample, Raster, current, imported)
        .join(Raster, Raster.id == Sample.image_id)
        .join(now, now.id == Sample.current_id, isouter=True)
        .join(current, current.id == now.mask_id, isouter=True)
        .join(first, first.id == first_id.correlate(Sample).scalar_subquery(), isouter=True)
        .join(imported, imported.id == first.mask_id, isouter=True)
        .order_by(Sample.id)
        .limit(CHUNK)
    )
    judged = Sample.split == "test"
    if arm == "imported":
        return query.where(or_(Sample.split.is_(None), ~judged, Sample.excluded.is_(False)))
    query = query.where(Sample.excluded.is_(False))
    return query.where(or_(judged, Sample.worst_check.is_(None))) if arm == "without_flagged" else query
