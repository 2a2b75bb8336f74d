"""One frame that was read from CVAT, turned into what it means for its sample: confirmed, changed, in conflict."""

from collections.abc import Callable

import numpy as np
from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.errors import Conflict
from app.domain.mask import Mask
from app.flows.cvat_masks import mask_of
from app.flows.cvat_read import Found
from app.store import datasets, decisions, rasters, revisions, samples
from app.store.decisions import Wish
from app.store.revisions import Proposal
from app.store.tables import Batch, CvatBatch, CvatFrame, CvatLine, CvatPull, Raster, Revision, Sample

Deciding = Callable[[str], Batch]
"""The batch of decisions of this pull that an annotator's go into."""


def settle(
    session: Session, pull: CvatPull, batch: CvatBatch, frame: CvatFrame, found: Found, deciding: Deciding
) -> CvatLine:
    """Take one frame and write its line. Pixels as they were last known to CVAT are confirmed where the job is finished
    (or the pull says so); others become a revision, in force where the sample's mask is still what it was, else one
    that waits as a conflict. Nothing of anybody's is overwritten."""
    annotator = (found.job.assignee or "")[:120] or None if found.job is not None else None
    line = CvatLine(pull_id=pull.id, sample_id=frame.sample_id, outcome="skipped", annotator=annotator, moves=[])
    line.before_id, line.pixels, line.confirmed = frame.base_id, 0, False
    finished = found.job is not None and found.job.state == "completed"
    vouched = finished or pull.confirm or pull.which == "samples"
    if found.job is not None:
        frame.job = found.job.id
    if found.mask is None:
        line.reason = found.reason
        if finished and not found.unknown and found.job is not None:
            frame.state = "back"
        session.add(line)
        return line
    sample = samples.find(session, frame.sample_id)
    who = Actor("cvat", annotator or batch.server)
    last = frame.pulled_hash or _hash(session, frame.base_id)
    if found.hash == last or (last is None and not found.drawn):
        _unchanged(session, frame, sample, found, line, vouched, lambda: deciding(who.name))
    else:
        _changed(session, frame, sample, found, line, who, lambda: deciding(who.name))
    frame.pulled_hash = found.hash if last is not None or found.drawn else None
    frame.state = "back" if vouched or batch.state == "file" else "out"
    line.reason = "; ".join([*([line.reason] if line.reason else []), *found.notes])
    session.add(line)
    return line


def _unchanged(
    session: Session,
    frame: CvatFrame,
    sample: Sample,
    found: Found,
    line: CvatLine,
    vouched: bool,
    deciding: Callable[[], Batch],
) -> None:
    line.outcome = "unchanged"
    base = revisions.find(session, frame.base_id) if frame.base_id is not None else None
    current = _hash(session, sample.current_id)
    if found.refused:
        line.outcome = "skipped"  # somebody meant something by them, so the rest isn't confirmed as it is
    elif base is None:
        line.outcome, line.reason = "skipped", "nothing was drawn on it"
    elif not vouched:
        line.reason = "its job isn't finished, so nobody says yet that it is right"
    elif current == found.hash:
        _decide(session, sample, sample.current_id, False, line, deciding)
    elif base.state == "pending" and base.source == "cvat":
        line.reason = "as at the last pull; its conflict waits for a decision"
    elif sample.current_id == frame.ours_id and base.state == "pending":
        _decide(session, sample, base.id, False, line, deciding)
        frame.ours_id = base.id
    else:
        line.reason = "nothing new in CVAT; its mask was decided here since"


def _changed(
    session: Session,
    frame: CvatFrame,
    sample: Sample,
    found: Found,
    line: CvatLine,
    who: Actor,
    deciding: Callable[[], Batch],
) -> None:
    assert found.mask is not None  # noqa: S101  (settle sees to it)
    if _hash(session, sample.current_id) == found.hash:
        line.outcome, line.reason = "unchanged", "the same mask as here"
        frame.base_id = frame.ours_id = sample.current_id
        _decide(session, sample, sample.current_id, False, line, deciding)
        return
    before = mask_of(session, frame.base_id) if frame.base_id is not None else None
    line.pixels, line.moves = moves(before, found.mask)
    (raster,) = rasters.put_masks(session, [(found.mask, None)])
    version = datasets.by_id(session, sample.dataset_id).class_version
    proposal = Proposal(sample, raster.id, version, "cvat", who, parent=frame.base_id)
    (revision,) = revisions.propose(session, [proposal])
    clear = sample.current_id in (frame.ours_id, revision.id)
    earlier = revisions.find(session, frame.base_id) if frame.base_id is not None else None
    if earlier is not None and earlier.source == "cvat" and earlier.state == "pending":
        earlier.state = "superseded"  # an older state of the same conflict
    line.after_id = frame.base_id = frame.ours_id = revision.id
    if clear:
        line.outcome = "changed"
        _decide(session, sample, revision.id, True, line, deciding)
    else:
        line.outcome, line.reason = "conflict", "its mask was changed here as well; choose which counts"
        sample.version += 1


def moves(before: Mask | None, after: Mask) -> tuple[int, list[list[int | None]]]:
    """(pixels that differ, [class before, class after, pixels], the most first) between two (H, W) masks; all of a
    sample that had none before is new."""
    if before is None:
        counts = np.bincount(after.ravel())
        pairs: list[list[int | None]] = [[None, int(id), int(counts[id])] for id in np.flatnonzero(counts)]
        return after.size, sorted(pairs, key=lambda one: -(one[2] or 0))
    differ = before != after
    joined = before[differ].astype(np.int64) << 16 | after[differ]
    kinds, counts = np.unique(joined, return_counts=True)
    found: list[list[int | None]] = [
        [kind >> 16, kind & 0xFFFF, count] for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True)
    ]
    return int(differ.sum()), sorted(found, key=lambda one: -(one[2] or 0))


def _decide(
    session: Session, sample: Sample, revision: int | None, fresh: bool, line: CvatLine, deciding: Callable[[], Batch]
) -> None:
    """Let ``revision`` be the sample's mask, confirmed."""
    line.confirmed = True
    batch = deciding()
    try:
        decisions.apply(session, batch, sample, Wish("cvat", revision=revision, fresh=fresh))
        line.decided_id = batch.id
    except Conflict:  # it is already
        return


def _hash(session: Session, revision_id: int | None) -> str | None:
    """The pixel hash of a revision's mask."""
    if revision_id is None:
        return None
    return session.get_one(Raster, session.get_one(Revision, revision_id).mask_id).pixel_hash
