"""Drawing a mask: drafts while it is under way, one revision when it is done."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.classes import ClassList, Role
from app.domain.errors import Conflict, Invalid
from app.domain.mask import Mask, as_mask
from app.store import datasets, decisions, drafts, patches, rasters, revisions, samples, standing, windows
from app.store.db import Database
from app.store.decisions import Wish
from app.store.revisions import Proposal
from app.store.tables import Draft, Raster, Revision, Sample
from app.store.windows import Box


class UnfitMask(Invalid):
    """A mask of another size than its picture or part, a part outside the picture, or an id that no class has."""


class Moved(Conflict):
    """The sample has another mask, or another version, than the one that was drawn on. ``base`` and ``version`` are
    what the reviewer saw."""

    def __init__(self, sentence: str, base: int | None, version: int | None) -> None:
        super().__init__(sentence)
        self.base, self.version = base, version


@dataclass(frozen=True)
class Edited:
    """What came of it: the sample as it stands now, the revision that was made and the batch to undo it by. Both are
    None where no pixel differs from the base; the batch also where the revision waits beside the current one."""

    sample: Sample
    revision: int | None = None
    batch: int | None = None


def save_draft(
    db: Database,
    sample_id: int,
    mask: Mask,
    actor: Actor,
    base: int | None,
    counter: int,
    part: Box | None = None,
) -> Draft:
    """Keep unfinished work; once this returns it is on the disk. ``counter`` is one more than the draft's last;
    ``part``: what of the picture ``mask`` is of, where that isn't all.

    Sent again with the same number and pixels, it changes nothing. Raises NotFound, UnfitMask, drafts.OtherPart where
    this reviewer has a draft of another part, and drafts.SavedElsewhere where another window of theirs saved since.
    """
    with db.write() as session:
        sample = samples.find(session, sample_id)
        _check_size(session, sample, mask, part)
        _check_base(session, sample, base)
        return drafts.save(session, sample_id, actor.name, base, mask, counter, part)


def discard(db: Database, sample_id: int, actor: Actor, base: int | None) -> int:
    """Throw away this reviewer's draft on ``base``; how many there were. Raises NotFound."""
    with db.write() as session:
        return drafts.drop(session, samples.find(session, sample_id).id, actor.name, base)


def finish(
    db: Database,
    sample_id: int,
    mask: Mask,
    actor: Actor,
    base: int | None,
    version: int | None = None,
    aside: bool = False,
    part: Box | None = None,
) -> Edited:
    """Make the work one revision, decided by ``actor``, in place of ``base``; the draft on it goes.

    ``part``: what of the picture ``mask`` is of; the rest is as in ``base``, bit by bit, or without one background
    (void where the class list has none). ``version``: the sample's, as the reviewer saw it. ``aside``: whatever is
    current now, let it wait beside that as a pending revision made from ``base``, to be merged. Unchanged pixels make
    no revision. Raises NotFound, UnfitMask, and Moved where ``base`` is not current any more or the version has moved;
    the draft stays then.
    """
    with db.write() as session:
        sample = samples.find(session, sample_id)
        _check_size(session, sample, mask, part)
        parent = _check_base(session, sample, base)
        if not aside:
            _check_unmoved(sample, base, version)
        raster = put(session, sample, mask) if part is None else _put_part(session, sample, parent, mask, part)
        drafts.drop(session, sample_id, actor.name, base)
        if parent is not None and parent.mask_id == raster.id:
            return Edited(sample)
        owner = datasets.by_id(session, sample.dataset_id)
        proposal = Proposal(sample, raster.id, owner.class_version, "brush", actor, parent=base)
        (revision,) = revisions.propose(session, [proposal])
        if revision.state == "pending" and aside:
            sample.version += 1
            standing.refresh(session, [sample.id])
            return Edited(sample, revision.id)
        return put_in_force(session, sample, revision, actor)


def put_in_force(session: Session, sample: Sample, revision: Revision, actor: Actor) -> Edited:
    """Decide a revision that was made just now from the current mask, as a batch of its own."""
    batch = decisions.open_batch(session, sample.dataset_id, "edit", actor)
    decisions.apply(session, batch, sample, Wish("edit", revision=revision.id))
    standing.refresh(session, [sample.id])
    return Edited(sample, revision.id, batch.id)


def put(session: Session, sample: Sample, mask: Mask) -> Raster:
    """The row that holds ``mask``. Raises UnfitMask where it has an id that no class of the sample's dataset has."""
    (raster,) = rasters.put_masks(session, [(mask, None)])
    check_ids(session, sample, raster)
    return raster


def check_ids(session: Session, sample: Sample, mask: Raster) -> None:
    """Raises UnfitMask where ``mask`` has an id that no class of the sample's dataset has."""
    if strangers := rasters.class_ids(session, mask) - _classes(session, sample).ids:
        raise UnfitMask(f"No class has the id {min(strangers)}; add it to the class list first.")


def check_part(image: Raster, part: Box) -> None:
    """Raises UnfitMask where ``part`` doesn't lie in the picture, all of it."""
    if part.x + part.width > image.width or part.y + part.height > image.height:
        raise UnfitMask(
            f"The part, {part.width} x {part.height} at {part.x}, {part.y}, reaches out of its picture of "
            f"{image.width} x {image.height}; send one that lies inside."
        )


def _check_size(session: Session, sample: Sample, mask: Mask, part: Box | None) -> None:
    image = session.get_one(Raster, sample.image_id)
    if part is not None:
        check_part(image, part)
    frame = part or windows.whole(image)
    if mask.shape != (frame.height, frame.width):
        raise UnfitMask(
            f"The mask is {mask.shape[1]} x {mask.shape[0]}, its {'part' if part else 'picture'} "
            f"{frame.width} x {frame.height}; send one id for each pixel."
        )


def _put_part(session: Session, sample: Sample, parent: Revision | None, mask: Mask, part: Box) -> Raster:
    """The row that holds the parent's mask with ``mask`` in its part. Raises UnfitMask."""

    def paint(where: Box, _: Mask) -> Mask:
        return mask[where.y - part.y :, where.x - part.x :][: where.height, : where.width]

    if parent is not None:
        raster = patches.changed(session, session.get_one(Raster, parent.mask_id), part, paint)
        check_ids(session, sample, raster)
        return raster
    image = session.get_one(Raster, sample.image_id)
    nothing = _nothing(_classes(session, sample))
    whole = np.full((image.height, image.width), nothing, np.promote_types(mask.dtype, np.min_scalar_type(nothing)))
    whole[part.y : part.y + part.height, part.x : part.x + part.width] = mask
    return put(session, sample, as_mask(whole))


def _nothing(classes: ClassList) -> int:
    """The id of pixels that nobody drew: background, else void, else 0."""
    for role in (Role.BACKGROUND, Role.VOID):
        if ids := [one.id for one in classes.classes if one.role is role]:
            return ids[0]
    return 0


def _classes(session: Session, sample: Sample) -> ClassList:
    return datasets.classes(session, datasets.by_id(session, sample.dataset_id))


def _check_base(session: Session, sample: Sample, base: int | None) -> Revision | None:
    return None if base is None else revisions.of_this(session, sample, base)


def _check_unmoved(sample: Sample, base: int | None, version: int | None) -> None:
    if sample.current_id != base:
        sentence = f"{sample.key} has got another mask since you began; merge the two, or choose one."
        raise Moved(sentence, base, version)
    if version not in (None, sample.version):
        sentence = f"{sample.key} was decided since you began; look at it again, then save."
        raise Moved(sentence, base, version)
