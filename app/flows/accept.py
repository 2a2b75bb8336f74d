"""Suggestions accepted in bulk by a rule that a person set: all pixels of one class that are sure enough."""

import math

import numpy as np
from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.errors import Conflict, Invalid
from app.domain.mask import Mask, as_mask
from app.flows.review import Outcome, Turned
from app.store import datasets, decisions, rasters, revisions, standing, suggestions
from app.store.db import Database
from app.store.decisions import Wish
from app.store.revisions import Proposal
from app.store.suggestions import Waiting
from app.store.tables import Raster, Revision


class NoRule(Invalid):
    """A rule that can't be followed."""


def accept(db: Database, dataset: str, name: str, above: float, who: Actor) -> Outcome:
    """Put in force, as one batch, the pixels of waiting suggestions that are of class ``name`` and of which at least
    ``above`` (0..1) should be right; the rest of each suggestion waits on.

    The batch's actor is the rule, with the person's name in it. A sample whose mask a person has changed since is left
    alone and named. Raises NoRule, NotFound.
    """
    if not 0 < above <= 1:
        raise NoRule(f"Accept above a share of 0 to 1, not {above}.")
    with db.write() as session:
        row = datasets.find(session, dataset)
        classes = datasets.classes(session, row)
        wanted = classes.by_name(name)
        if wanted is None or wanted.id in classes.void_ids:
            raise NoRule(f"There is no class {name!r} to accept; name one of the data set's that isn't void.")
        rule = Actor("rule", f"{name[:60]} at {above:g} or surer, by {who.name}"[:120])
        batch = decisions.open_batch(session, row.id, "edit", rule)
        outcome = Outcome(batch.id)
        for one in suggestions.waiting(session, row.id):
            try:
                wish = _wish(session, one, wanted.id, above, min(classes.void_ids, default=None), rule)
                if wish is not None:
                    decisions.apply(session, batch, one.sample, wish)
                    outcome.decided.append(one.sample)
            except Conflict as error:
                outcome.refused.append(Turned(one.sample.id, one.sample.key, str(error)))
        if outcome.decided:
            standing.refresh(session, [one.id for one in outcome.decided])
        else:
            session.delete(batch)
            outcome.batch = None
        return outcome


def _wish(session: Session, one: Waiting, id: int, above: float, void: int | None, rule: Actor) -> Wish | None:
    """What is to be done to a sample; None where the rule says nothing. Raises Conflict."""
    proposed = _mask(session, one.revision)
    sure = rasters.mask(session, session.get_one(Raster, one.revision.confidence_id or 0))
    base = _mask(session, session.get(Revision, one.revision.parent_id or 0)) if one.revision.parent_id else None
    now = _mask(session, session.get_one(Revision, one.sample.current_id)) if one.sample.current_id else None
    if now is not None and not _on_the_way(base, now, proposed, void):
        raise Conflict("its mask was changed since this was suggested")
    taken = (proposed == id) & (sure >= math.floor(255 * above))
    if now is None:
        if void is None:
            raise Conflict("it has no mask, and the classes have no void for what isn't accepted")
        now = as_mask(np.full(proposed.shape, void))
    else:
        taken &= now != proposed
    if not taken.any():
        return None
    mask = as_mask(np.where(taken, proposed, now))
    if (mask == proposed).all():
        return Wish("restore", revision=one.revision.id)
    [stored] = rasters.put_masks(session, [(mask, None)])
    proposal = Proposal(one.sample, stored.id, one.revision.class_version, "model", rule)
    [made] = revisions.propose(session, [proposal])
    return Wish("edit", revision=made.id)


def _on_the_way(base: Mask | None, now: Mask, proposed: Mask, void: int | None) -> bool:
    """Whether the mask in force lies between the one that was suggested upon and the suggestion: other rules took parts
    of it, nobody drew."""
    unchanged = now == (void if base is None else base)
    return bool((unchanged | (now == proposed)).all())


def _mask(session: Session, revision: Revision | None) -> Mask:
    assert revision is not None  # noqa: S101  (foreign keys see to it)
    return rasters.mask(session, session.get_one(Raster, revision.mask_id))
