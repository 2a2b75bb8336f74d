"""Drawing a mask: drafts while it is under way, one revision when it is done."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.errors import Conflict, Invalid
from app.domain.mask import Mask
from app.store import datasets, decisions, drafts, rasters, revisions, samples, standing
from app.store.db import Database
from app.store.decisions import Wish
from app.store.revisions import Proposal
from app.store.tables import Draft, Raster, Revision, Sample


class UnfitMask(Invalid):
    """A mask of another size than its picture, or with an id that no class has."""


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


def save_draft(db: Database, sample_id: int, mask: Mask, actor: Actor, base: int | None, counter: int) -> Draft:
    """Keep unfinished work; once this returns it is on the disk. ``counter`` is one more than the draft's last.

    Sent again with the same number and pixels, it changes nothing. Raises NotFound, UnfitMask, and
    drafts.SavedElsewhere where another window of this reviewer saved since.
    """
    with db.write() as session:
        sample = samples.find(session, sample_id)
        check_size(session, sample, mask)
        _check_base(session, sample, base)
        return drafts.save(session, sample_id, actor.name, base, mask, counter)


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
) -> Edited:
    """Make the work one revision, decided by ``actor``, in place of ``base``; the draft on it goes.

    ``version``: the sample's, as the reviewer saw it. ``aside``: whatever is current now, let it wait beside that as a
    pending revision made from ``base``, to be merged. Unchanged pixels make no revision. Raises NotFound, UnfitMask,
    and Moved where ``base`` is not current any more or the version has moved; the draft stays then.
    """
    with db.write() as session:
        sample = samples.find(session, sample_id)
        check_size(session, sample, mask)
        parent = _check_base(session, sample, base)
        if not aside:
            _check_unmoved(sample, base, version)
        raster = put(session, sample, mask)
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
    classes = datasets.classes(session, datasets.by_id(session, sample.dataset_id))
    if strangers := rasters.class_ids(session, raster) - classes.ids:
        raise UnfitMask(f"No class has the id {min(strangers)}; add it to the class list first.")
    return raster


def check_size(session: Session, sample: Sample, mask: Mask) -> None:
    """Raises UnfitMask where ``mask`` has another size than the sample's picture."""
    image = session.get_one(Raster, sample.image_id)
    if mask.shape != (image.height, image.width):
        raise UnfitMask(
            f"The mask is {mask.shape[1]} x {mask.shape[0]}, its picture {image.width} x {image.height}; "
            "send one id for each pixel."
        )


def _check_base(session: Session, sample: Sample, base: int | None) -> Revision | None:
    return None if base is None else revisions.of_this(session, sample, base)


def _check_unmoved(sample: Sample, base: int | None, version: int | None) -> None:
    if sample.current_id != base:
        sentence = f"{sample.key} has got another mask since you began; merge the two, or choose one."
        raise Moved(sentence, base, version)
    if version not in (None, sample.version):
        sentence = f"{sample.key} was decided since you began; look at it again, then save."
        raise Moved(sentence, base, version)
