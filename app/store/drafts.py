"""Drafts: one for each reviewer, sample and base revision, written over by each save."""

import zlib

import numpy as np
from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from app.domain.errors import Conflict
from app.domain.mask import Mask, as_mask, pixel_hash
from app.store.blobs import Damaged
from app.store.tables import Draft, now
from app.store.windows import Box

NO_BASE = 0


class SavedElsewhere(Conflict):
    """The draft was saved from another window since this one read it."""


class OtherPart(Conflict):
    """There is a draft already, of another part of the picture."""


def newest(session: Session, sample_id: int, reviewer: str) -> Draft | None:
    """The draft that this reviewer saved last on the sample, whatever it was begun on."""
    query = select(Draft).where(Draft.sample_id == sample_id, Draft.reviewer == reviewer)
    return session.scalar(query.order_by(Draft.at.desc(), Draft.id.desc()).limit(1))


def part_of(draft: Draft) -> Box | None:
    """The part of the picture that it is of; None where it is of all of it."""
    return None if draft.x is None or draft.y is None else Box(draft.x, draft.y, draft.width, draft.height)


def save(
    session: Session,
    sample_id: int,
    reviewer: str,
    base: int | None,
    mask: Mask,
    counter: int,
    part: Box | None = None,
) -> Draft:
    """Put ``mask``, of all of the picture or of a part, in the place of the draft that has the number before
    ``counter`` (0: there is none yet).

    The same number with the same pixels again changes nothing. Raises OtherPart where the draft is of another part,
    and SavedElsewhere for any other number.
    """
    hash = pixel_hash(mask)
    row = session.scalar(_mine(sample_id, reviewer, base))
    if row is not None and part_of(row) != part:
        raise OtherPart("You have a draft of another part of this picture; finish or discard it before you go on here.")
    if row is not None and (row.counter, row.pixel_hash) == (counter, hash):
        return row
    have = row.counter if row is not None else 0
    if counter != have + 1:
        raise SavedElsewhere(
            f"This draft was saved from another window (number {have}, yours is {counter}); "
            "load the sample again to go on with that one."
        )
    if row is None:
        row = Draft(sample_id=sample_id, reviewer=reviewer, base_id=base or NO_BASE)
        session.add(row)
    row.x, row.y = (None, None) if part is None else (part.x, part.y)
    row.height, row.width = mask.shape
    row.dtype, row.pixel_hash = mask.dtype.name, hash
    row.data = zlib.compress(mask.astype(mask.dtype.newbyteorder("<"), copy=False).tobytes(), 1)
    row.counter, row.at = counter, now()
    session.flush()
    return row


def mask(draft: Draft) -> Mask:
    """(H, W) uint8 or uint16, verified. Raises blobs.Damaged."""
    try:
        values = np.frombuffer(zlib.decompress(draft.data), np.dtype(draft.dtype).newbyteorder("<"))
        found = as_mask(values.reshape(draft.height, draft.width))
    except (zlib.error, ValueError):
        raise Damaged(f"draft {draft.id} is damaged") from None
    if pixel_hash(found) != draft.pixel_hash:
        raise Damaged(f"draft {draft.id} is damaged")
    return found


def drop(session: Session, sample_id: int, reviewer: str, base: int | None) -> int:
    """Remove the draft on ``base``, where there is one; how many that were."""
    rows = session.scalars(_mine(sample_id, reviewer, base)).all()
    session.execute(delete(Draft).where(Draft.id.in_([row.id for row in rows])))
    return len(rows)


def _mine(sample_id: int, reviewer: str, base: int | None) -> Select[Draft]:
    return select(Draft).where(
        Draft.sample_id == sample_id, Draft.reviewer == reviewer, Draft.base_id == (base or NO_BASE)
    )
