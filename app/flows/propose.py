"""Proposed masks: what a model is sure of, as pending revisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.calibrate import Calibration
from app.domain.mask import Mask, as_mask, pixel_hash
from app.domain.picture import Picture
from app.flows.progress import Progress
from app.store import predictions, rasters, revisions, samples, standing, suggestions
from app.store.db import Database
from app.store.revisions import Proposal
from app.store.tables import Sample
from ml.predictions import Predictions
from ml.snapshot import Snapshot

BATCH, PIXELS = 50, 1 << 25  # samples that are written together; fewer of large ones
SMALLEST = 0.01  # of a picture without a mask: less isn't worth a look


@dataclass(frozen=True)
class Proposing:
    """``void``: the id of what isn't proposed, None where the classes have none; ``change``: whether masks that are
    there may be changed."""

    suggesting: int
    actor: Actor
    class_version: int
    void: int | None
    change: bool


@dataclass(frozen=True)
class Proposed:
    """``sure``: (H, W) uint8, share of 255 that pixels like this should be right, 0 where nothing is proposed.
    ``changed``: pixels that differ from the given mask."""

    mask: Mask
    sure: npt.NDArray[np.uint8]
    changed: int


def suggested(
    given: Mask | None,
    seen: npt.NDArray[np.integer[Any]],
    sure: npt.NDArray[np.uint8],
    void: Sequence[int],
    unsaid: int | None,
) -> Proposed | None:
    """The mask to propose; None where there is too little to say.

    A ``given`` mask is changed only where ``seen`` differs and is believed (``sure`` above 0), and never in its void.
    Without one all else is ``unsaid``; where that is None, the likeliest class with no confidence at all.
    """
    believed = sure > 0
    if given is None:
        if believed.mean() < SMALLEST:
            return None
        mask = seen if unsaid is None else np.where(believed, seen, unsaid)
        return Proposed(as_mask(mask), sure, int(believed.sum()))
    differs = believed & (seen != given) & ~np.isin(given, void)
    if not differs.any():
        return None
    mask = np.where(differs, seen, given)
    return Proposed(as_mask(mask), np.where(differs, sure, 0).astype(np.uint8), int(differs.sum()))


def propose(
    db: Database,
    how: Proposing,
    snapshot: Snapshot,
    predicted: Predictions,
    calibration: Calibration,
    keys: Sequence[str],
    progress: Progress,
) -> dict[str, int]:
    """Propose for each sample, and how many were: ``unlabeled`` and ``flagged``. A sample whose mask has changed since
    the snapshot is left alone."""
    rows = {row.key: row for row in snapshot.rows}
    void = [one.id for one in snapshot.classes if one.role == "void"]
    found: dict[str, tuple[Mask | None, Proposed]] = {}
    for done, key in enumerate(keys):
        progress(done, len(keys), "proposing")
        given = snapshot.mask(rows[key]) if rows[key].labelled else None
        if given is not None and not how.change:
            continue
        seen, sure = calibration.read(predicted.bands(key))
        one = suggested(given, seen, sure, void, how.void)
        if one is not None:
            found[key] = given, one
        if len(found) == BATCH or sum(held.sure.size for _, held in found.values()) >= PIXELS:
            _keep(db, how, found)
            found = {}
    _keep(db, how, found)
    with db.read() as session:
        made = suggestions.proposed_for(session, how.suggesting)
    unlabelled = sum(1 for key in made if not rows[key].labelled)
    return {"unlabeled": unlabelled, "flagged": len(made) - unlabelled}


def _keep(db: Database, how: Proposing, found: dict[str, tuple[Mask | None, Proposed]]) -> None:
    if found:
        with db.write() as session:
            _write(session, how, found)


def _write(session: Session, how: Proposing, found: dict[str, tuple[Mask | None, Proposed]]) -> None:
    owner = suggestions.find(session, how.suggesting).dataset_id
    before = suggestions.proposed_for(session, how.suggesting)
    known = [one for one in samples.by_keys(session, owner, list(found)) if one.key not in before]
    stand = [one for one in known if _stands(session, one, found[one.key][0])]
    masks = rasters.put_masks(session, [(found[one.key][1].mask, None) for one in stand])
    sure = rasters.put_pictures(session, [Picture(found[one.key][1].sure) for one in stand])
    made = revisions.propose(
        session,
        [
            Proposal(one, mask.id, how.class_version, "model", how.actor, confidence_id=confidence.id)
            for one, mask, confidence in zip(stand, masks, sure, strict=True)
        ],
    )
    notes = [_note(revision.id, found[one.key][1]) for one, revision in zip(stand, made, strict=True)]
    suggestions.note(session, how.suggesting, notes)
    standing.refresh(session, [one.id for one in stand])


def _stands(session: Session, sample: Sample, given: Mask | None) -> bool:
    """Whether the sample still has the mask that was suggested upon."""
    if sample.excluded or given is None:
        return sample.current_id is None and not sample.excluded
    return predictions.revisions_with(session, [sample.id]).get((sample.id, pixel_hash(given))) == sample.current_id


def _note(revision: int, one: Proposed) -> dict[str, Any]:
    said = one.sure[one.sure > 0]
    return {
        "revision_id": revision,
        "expected": float(said.mean() / 255),
        "share": float(said.size / one.sure.size),
        "changed": one.changed,
    }
