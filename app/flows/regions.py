"""Deciding suspected regions: take the model's word in one, or keep what is given there."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.detector.region import Reason
from app.domain.errors import Conflict, Invalid, NotFound, RemaskError
from app.domain.mask import Mask, as_mask
from app.flows import edit, predicted
from app.flows.review import Outcome, each_of
from app.store import (
    datasets,
    decisions,
    rasters,
    region_browse,
    region_decisions,
    regions,
    revisions,
    samples,
)
from app.store.db import Database
from app.store.decisions import Wish
from app.store.region_browse import Filter
from app.store.revisions import Proposal
from app.store.tables import Batch, Raster, Region, Sample

MOST = 500  # regions that a filter takes at once, so that nobody waits long for the writer
Chosen = Sequence[int] | Filter
See = Callable[[int], Mask]  # of a run: what its model sees of the sample at hand
Versions = Mapping[int, int]  # sample -> the version that the reviewer saw


class NotBelievable(Invalid):
    """Suggestions of models that are too weak to be taken unseen."""


def accept(
    db: Database, home: Path, dataset: str, chosen: Chosen, actor: Actor, expected: Versions | None = None
) -> Outcome:
    """In the pixels of these regions, and nowhere else, let the mask be what the model saw that never learned from it.

    ``chosen``: ids, or a filter, of whose regions the likeliest MOST are taken. Each sample gets one new revision of
    source ``model`` with the run, decided by ``actor``; all are one batch. What doesn't fit is refused per sample: a
    mask or version that has moved on, a region decided before, a suggestion equal to what is given, a picture that
    doesn't belong. Raises NotFound, and NotBelievable where a filter meets models too weak to be believed.
    """

    def take(session: Session, batch: Batch, sample: Sample, rows: Sequence[Region]) -> None:
        if any(one.reason == Reason.FOREIGN for one in rows):
            raise Conflict("the picture probably doesn't belong to the set; exclude it, or keep what is given")
        current = revisions.of_this(session, sample, sample.current_id or 0)
        given = rasters.mask(session, session.get_one(Raster, current.mask_id))
        see = cache(lambda run: predicted.seen(home, run, sample.key))
        result = _with_suggestions(session, see, given, rows)
        raster = edit.put(session, sample, result)
        if raster.id == current.mask_id:
            raise Conflict("the model sees there what is given; keep it instead")
        version = datasets.by_id(session, sample.dataset_id).class_version
        run = max(one.run_id for one in rows)
        proposal = Proposal(sample, raster.id, version, "model", actor, parent=current.id, run=run)
        (revision,) = revisions.propose(session, [proposal])
        ids = {one.id for one in rows} | _settled(session, see, sample, given, result)
        decisions.apply(session, batch, sample, Wish("accept", revision=revision.id, regions=frozenset(ids)))

    with db.write() as session:
        return _each(session, dataset, "accept", chosen, actor, expected or {}, take)


def keep(db: Database, dataset: str, chosen: Chosen, actor: Actor, expected: Versions | None = None) -> Outcome:
    """Keep what is given in these regions; remembered on the revision, where they aren't raised again.

    With a mask's last open region its flag closes, and the mask is confirmed. Refuses and raises as ``accept``, but for
    what it says of models.
    """

    def take(session: Session, batch: Batch, sample: Sample, rows: Sequence[Region]) -> None:
        ids = frozenset(one.id for one in rows)
        decisions.apply(session, batch, sample, Wish("keep_regions", regions=ids))

    with db.write() as session:
        return _each(session, dataset, "keep_regions", chosen, actor, expected or {}, take)


def _each(
    session: Session,
    dataset: str,
    verb: decisions.Verb,
    chosen: Chosen,
    actor: Actor,
    expected: Versions,
    take: Callable[[Session, Batch, Sample, Sequence[Region]], None],
) -> Outcome:
    """``take`` for every sample of which regions are chosen, as one batch."""
    owner = datasets.find(session, dataset)
    by_sample = _by_sample(session, owner.id, chosen, unseen=verb == "accept")

    def settle(batch: Batch, sample: Sample) -> None:
        region_decisions.check_open(sample, by_sample[sample.id])
        take(session, batch, sample, by_sample[sample.id])

    found = samples.by_ids(session, owner.id, list(by_sample))
    return each_of(session, owner.id, verb, found, actor, expected, settle, (RemaskError,))


def _by_sample(session: Session, dataset_id: int, chosen: Chosen, unseen: bool) -> dict[int, list[Region]]:
    ids = region_browse.ids(session, dataset_id, chosen, MOST) if isinstance(chosen, Filter) else chosen
    by_sample: dict[int, list[Region]] = {}
    for id in dict.fromkeys(ids):
        one = regions.find(session, id)
        if one.dataset_id != dataset_id:
            raise NotFound(f"There is no region {id} in this dataset.")
        by_sample.setdefault(one.sample_id, []).append(one)
    if unseen and isinstance(chosen, Filter):
        runs = {one.run_id for rows in by_sample.values() for one in rows}
        if weak := region_browse.weak_runs(session, list(runs)):
            raise NotBelievable(
                f"The models of run {max(weak)} are too weak to be taken at their word unseen; "
                "look at the regions one by one, or train better models first."
            )
    return by_sample


def _with_suggestions(session: Session, see: See, given: Mask, rows: Sequence[Region]) -> Mask:
    """``given`` with the regions' pixels as the runs that found them see them."""
    result = given
    for one in rows:
        result = as_mask(np.where(regions.pixels_of(session, one), see(one.run_id), result))
    return result


def _settled(session: Session, see: See, sample: Sample, given: Mask, result: Mask) -> set[int]:
    """Other open regions that the change touches and that have nothing left to suggest."""
    changed = given != result
    settled = set()
    for one in region_decisions.left(session, sample):
        inside = regions.pixels_of(session, one)
        if (changed & inside).any() and (see(one.run_id)[inside] == result[inside]).all():
            settled.add(one.id)
    return settled
