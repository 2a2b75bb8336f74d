"""Two masks of one sample: where they differ, and one revision made of both, region by region."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.differences import Difference, differences, merged
from app.domain.errors import Invalid
from app.domain.mask import Mask
from app.flows.edit import Edited, Moved, put, put_in_force
from app.store import datasets, rasters, revisions, samples
from app.store.db import Database
from app.store.revisions import Proposal
from app.store.tables import Raster, Revision, Sample

Side = Literal["mine", "theirs"]


class NothingTaken(Invalid):
    """A merge that would change nothing."""


@dataclass(frozen=True)
class Compared:
    """The regions where two revisions differ, the largest first; ``pixels`` differ in all."""

    regions: list[Difference]
    pixels: int


def compare(session: Session, sample_id: int, mine: int, theirs: int) -> Compared:
    """From ``theirs`` (was) to ``mine`` (becomes). Raises NotFound for a revision that isn't of this sample."""
    sample = samples.find(session, sample_id)
    ours, other = (revisions.of_this(session, sample, id) for id in (mine, theirs))
    _, found = differences(_mask(session, other), _mask(session, ours))
    found.sort(key=lambda one: (-one.pixels, one.number))
    return Compared(found, sum(one.pixels for one in found))


def merge(
    db: Database,
    sample_id: int,
    mine: int,
    theirs: int,
    take: Mapping[int, Side],
    rest: Side,
    actor: Actor,
    version: int | None = None,
) -> Edited:
    """One revision of two, decided by ``actor``: each region that ``compare`` numbers from the side that ``take`` says,
    those that it leaves out from ``rest``.

    ``theirs`` has to be the current one, and becomes the parent; where ``mine`` is pending, it is settled with it.
    Raises NotFound, differences.Unlike for an unknown region, NothingTaken where all is theirs, and Moved.
    """
    with db.write() as session:
        sample = samples.find(session, sample_id)
        ours, other = (revisions.of_this(session, sample, id) for id in (mine, theirs))
        if sample.current_id != theirs or version not in (None, sample.version):
            raise Moved(f"{sample.key} has changed again since; compare once more.", theirs, version)
        given, drawn = _mask(session, other), _mask(session, ours)
        labels, found = differences(given, drawn)
        sides = dict.fromkeys((one.number for one in found), rest) | dict(take)
        result = merged(given, drawn, labels, [number for number, side in sides.items() if side == "mine"])
        return _kept(session, sample, ours, other, result, actor)


def _kept(session: Session, sample: Sample, mine: Revision, theirs: Revision, result: Mask, actor: Actor) -> Edited:
    raster = put(session, sample, result)
    if raster.id == theirs.mask_id:
        raise NothingTaken("Nothing of yours was taken; reject your mask instead, or choose a region.")
    version = datasets.by_id(session, sample.dataset_id).class_version
    proposal = Proposal(sample, raster.id, version, "brush", actor, parent=theirs.id, merged=mine.id)
    (revision,) = revisions.propose(session, [proposal])
    return put_in_force(session, sample, revision, actor)


def _mask(session: Session, revision: Revision) -> Mask:
    return rasters.mask(session, session.get_one(Raster, revision.mask_id))
