"""Where samples stand: the derived columns status, worst and worst_check, made anew from the rows."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from app.domain.status import Facts, status_of
from app.store import tallies
from app.store.tables import CvatFrame, Flag, Raster, Revision, Sample

CHUNK = 500


def refresh(session: Session, sample_ids: Sequence[int]) -> int:
    """Derive the columns of these samples, and let what is counted of them follow; the number of samples that stood
    otherwise before."""
    session.flush()
    changed = 0
    for start in range(0, len(sample_ids), CHUNK):
        ids = sample_ids[start : start + CHUNK]
        before = tallies.statuses(session, ids)
        values = stale(session, ids)
        if values:
            session.execute(update(Sample), [{"id": id, **stands} for id, stands in values.items()])
            _tell_loaded(session, values)
        tallies.follow(session, ids, before)
        changed += len(values)
    return changed


def stale(session: Session, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Those of at most CHUNK samples whose columns don't say what follows from the rows, and what they should say."""
    flags = _open_flags(session, ids)
    waiting = select(Revision.sample_id).where(Revision.sample_id.in_(ids), Revision.state == "pending")
    pending = set(session.scalars(waiting))
    # What comes from CVAT is decided at once; it waits only where the mask was changed here too. What was drawn waits
    # where somebody else was faster.
    overtaken = (Revision.source == "brush") & Revision.parent_id.is_distinct_from(Sample.current_id)
    torn = waiting.join(Sample, Sample.id == Revision.sample_id).where((Revision.source == "cvat") | overtaken)
    conflicts = set(session.scalars(torn))
    frames = select(CvatFrame.sample_id).where(CvatFrame.sample_id.in_(ids), CvatFrame.state == "out")
    out = set(session.scalars(frames))
    changed_pixels = _changed(session, ids)
    columns = (Sample.id, Sample.current_id, Sample.confirmed_id, Sample.excluded)
    derived = (Sample.status, Sample.worst, Sample.worst_check)
    values = {}
    for id, current, confirmed, excluded, *was in session.execute(select(*columns, *derived).where(Sample.id.in_(ids))):
        count, worst, check = flags.get(id, (0, 0.0, None))
        facts = Facts(
            has_mask=current is not None,
            excluded=excluded,
            conflict=id in conflicts,
            at_cvat=id in out,
            pending=id in pending,
            open_flags=count,
            confirmed=current is not None and confirmed == current,
            changed=id in changed_pixels,
        )
        stands = {"status": str(status_of(facts)), "worst": worst, "worst_check": check}
        if list(stands.values()) != was:
            values[id] = stands
    return values


def _tell_loaded(session: Session, values: dict[int, dict[str, Any]]) -> None:
    """Let the samples that the session holds know of a bulk update, which goes past them."""
    for one in session.identity_map.values():
        if isinstance(one, Sample) and one.id in values:
            for name, value in values[one.id].items():
                set_committed_value(one, name, value)


def _open_flags(session: Session, ids: Sequence[int]) -> dict[int, tuple[int, float, str]]:
    """sample -> (open flags about its picture or current mask, the worst score, that flag's check)."""
    query = (
        select(Flag.sample_id, Flag.score, Flag.check)
        .join(Sample, Sample.id == Flag.sample_id)
        .where(Flag.sample_id.in_(ids), Flag.state == "open")
        .where(Flag.revision_id.is_(None) | (Flag.revision_id == Sample.current_id))
        .order_by(Flag.sample_id, Flag.score.desc(), Flag.id)
    )
    found: dict[int, tuple[int, float, str]] = {}
    for sample_id, score, check in session.execute(query):
        count, worst, worst_check = found.get(sample_id, (0, score, check))
        found[sample_id] = (count + 1, worst, worst_check)
    return found


def _changed(session: Session, ids: Sequence[int]) -> set[int]:
    """Samples whose current mask has other pixels than their first imported one, or no import at all."""
    hash_of = select(Revision.sample_id, Raster.pixel_hash).join(Raster, Raster.id == Revision.mask_id)
    imports = select(func.min(Revision.id)).where(Revision.sample_id.in_(ids), Revision.source == "import")
    imported = dict(session.execute(hash_of.where(Revision.id.in_(imports.group_by(Revision.sample_id)))).all())
    current = session.execute(hash_of.where(Revision.sample_id.in_(ids), Revision.state == "current"))
    return {id for id, hash in current if imported.get(id) != hash}
