"""Who is in a snapshot, and with which mask: the arms that a training can be made of.

=================  ====================================================================================
arm                train and validation
=================  ====================================================================================
curated            every sample that isn't excluded, with its current mask
imported           every sample, excluded ones too, with the mask that it was imported with
without_excluded   imported masks, excluded samples left out
without_flagged    imported masks, excluded samples and those with an open flag left out
with_pseudo        as curated; and, in train only, unlabelled samples with the mask that a model proposed
=================  ====================================================================================

The test side is the same in all of them: samples that aren't excluded, with their current mask, so that two arms are
judged on the same pixels.

A pseudo-label is the newest pending revision of source ``model`` on a sample that has no current mask and isn't
excluded, if it says how sure the model was: pixels less sure than ``CONFIDENT`` count as void. It goes into train and
nowhere else, and only where no sample of its content group is in val, test or held out. It is never a label: a person's
decision makes it one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.domain.splits import HELD_OUT, Dealt
from app.store.tables import ClassPixels, Raster, Revision, Sample

Arm = Literal["curated", "imported", "without_excluded", "without_flagged", "with_pseudo"]
ARMS: tuple[str, ...] = get_args(Arm)
CHUNK = 200
CONFIDENT = 0.9


@dataclass(frozen=True)
class Member:
    """A sample of a snapshot; ``mask`` is None for one without. ``sure``: how sure a pseudo-label is of each
    pixel, 0 to 255; None for a label of people."""

    sample: Sample
    image: Raster
    mask: Raster | None
    sure: Raster | None = None


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
    apart = _groups_apart(session, dataset_id) if arm == "with_pseudo" else frozenset()
    while chunk := list(session.execute(_query(arm).where(Sample.dataset_id == dataset_id, Sample.id > last))):
        unlabelled = [one for one, _, current, _ in chunk if current is None and group_of(one) not in apart]
        pseudo = _pseudo(session, unlabelled) if arm == "with_pseudo" else {}
        for sample, image, current, imported in chunk:
            if sample.id in pseudo:
                yield Member(sample, image, *pseudo[sample.id])
                continue
            judged = sample.split == "test"
            yield Member(sample, image, current if judged or arm in ("curated", "with_pseudo") else imported)
        last = chunk[-1][0].id


def of_test(session: Session, dataset_id: int) -> Iterator[tuple[Sample, Raster, Raster | None, Raster | None]]:
    """Test samples that aren't excluded, by id: sample, image, current mask and imported mask."""
    query = _query("curated").where(Sample.dataset_id == dataset_id, Sample.split == "test")
    last = 0
    while chunk := list(session.execute(query.where(Sample.id > last))):
        yield from ((sample, image, current, imported) for sample, image, current, imported in chunk)
        last = chunk[-1][0].id


def free(session: Session, dataset_id: int) -> set[str]:
    """Keys of the samples that a model of the set may be asked about and then learn from: without a mask, not excluded,
    and no sample of their content group has a mask or is in val, test or held out."""
    mine = select(Sample).where(Sample.dataset_id == dataset_id).execution_options(yield_per=1000)
    apart = _groups_apart(session, dataset_id)
    apart |= {group_of(one) for one in session.scalars(mine.where(Sample.current_id.is_not(None)))}
    unlabelled = mine.where(Sample.current_id.is_(None), Sample.excluded.is_(False))
    return {one.key for one in session.scalars(unlabelled) if group_of(one) not in apart}


def _groups_apart(session: Session, dataset_id: int) -> frozenset[str]:
    """Content groups that no pseudo-label may come from."""
    kept = select(Sample).where(Sample.dataset_id == dataset_id, Sample.split.in_(("val", "test", HELD_OUT)))
    return frozenset(group_of(one) for one in session.scalars(kept))


def _pseudo(session: Session, samples: Sequence[Sample]) -> dict[int, tuple[Raster, Raster]]:
    """sample -> the mask that a model proposed last and how sure it was."""
    mask, sure = aliased(Raster), aliased(Raster)
    query = (
        select(Revision.sample_id, mask, sure)
        .join(mask, mask.id == Revision.mask_id)
        .join(sure, sure.id == Revision.confidence_id)
        .where(Revision.sample_id.in_([one.id for one in samples]))
        .where(Revision.source == "model", Revision.state == "pending")
        .order_by(Revision.id)
    )
    return {id: (proposed, confidence) for id, proposed, confidence in session.execute(query)}


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
