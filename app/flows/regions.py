"""Deciding suspected regions: take the model's word in one, or keep what is given there."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.detector.region import Reason
from app.domain.errors import Conflict, Invalid, NotFound, RemaskError
from app.domain.mask import Mask
from app.domain.picture import strips
from app.flows import edit, predicted
from app.flows.review import Outcome, each_of
from app.store import (
    datasets,
    decisions,
    patches,
    rasters,
    region_browse,
    region_decisions,
    regions,
    revisions,
    samples,
    windows,
)
from app.store.db import Database
from app.store.decisions import Wish
from app.store.region_browse import Filter
from app.store.revisions import Proposal
from app.store.tables import Batch, Raster, Region, Sample
from app.store.windows import Box

MOST = 500  # regions that a filter takes at once, so that nobody waits long for the writer
Chosen = Sequence[int] | Filter
See = Callable[[int, Box], Mask]  # a run, and where: what its model sees there of the sample at hand
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
        given = session.get_one(Raster, current.mask_id)
        see = partial(_seen, home, sample.key)
        raster = _with_suggestions(session, see, given, rows)
        edit.check_ids(session, sample, raster)
        if raster.id == current.mask_id:
            raise Conflict("the model sees there what is given; keep it instead")
        version = datasets.by_id(session, sample.dataset_id).class_version
        run = max(one.run_id for one in rows)
        proposal = Proposal(sample, raster.id, version, "model", actor, parent=current.id, run=run)
        (revision,) = revisions.propose(session, [proposal])
        ids = {one.id for one in rows} | _settled(session, see, sample, (given, raster), rows)
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


def _seen(home: Path, key: str, run: int, where: Box) -> Mask:
    return predicted.seen_within(home, run, key, where, 1)


def _with_suggestions(session: Session, see: See, given: Raster, rows: Sequence[Region]) -> Raster:
    """``given`` with the regions' pixels as the runs that found them see them."""

    def paint(where: Box, now: Mask) -> Mask:
        for one in rows:
            if _meet(_box(one), where):
                inside = regions.pixels_within(session, one, where)
                now = np.where(inside, see(one.run_id, where), now)
        return now

    left, top = min(one.x for one in rows), min(one.y for one in rows)
    right, bottom = max(one.x + one.width for one in rows), max(one.y + one.height for one in rows)
    return patches.changed(session, given, Box(left, top, right - left, bottom - top), paint)


def _settled(
    session: Session, see: See, sample: Sample, masks: tuple[Raster, Raster], rows: Sequence[Region]
) -> set[int]:
    """Other open regions that taking ``rows`` changes, from the first mask to the second, and that have nothing left to
    suggest."""
    taken = [_box(one) for one in rows]
    before, after = (_reader(session, one) for one in masks)

    def settled(one: Region) -> bool:
        changed = False
        for part in strips((one.height, one.width)):
            where = Box(one.x, one.y + part.start, one.width, part.stop - part.start)
            inside, now = regions.pixels_within(session, one, where), after(where)
            if (see(one.run_id, where)[inside] != now[inside]).any():
                return False
            changed = changed or bool((before(where)[inside] != now[inside]).any())
        return changed

    others = (one for one in region_decisions.left(session, sample) if one not in rows)
    return {one.id for one in others if any(_meet(_box(one), box) for box in taken) and settled(one)}


def _reader(session: Session, mask: Raster) -> Callable[[Box], Mask]:
    """What of a mask lies in a box: of a large one read each time."""
    if windows.is_large(mask):
        return lambda box: rasters.as_ids(windows.read(session, mask, box), mask)
    whole = rasters.mask(session, mask)
    return lambda box: whole[box.y : box.y + box.height, box.x : box.x + box.width]


def _box(region: Region) -> Box:
    return Box(region.x, region.y, region.width, region.height)


def _meet(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )
