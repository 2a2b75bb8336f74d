"""Where samples stand: the derived columns status, worst and worst_check, made anew from the rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, bindparam, case, exists, func, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from app.domain.status import Facts, status_of
from app.store import tallies
from app.store.tables import CvatFrame, Flag, Raster, Revision, Sample
from app.store.tallies import Moved

CHUNK = 500

# Every decision asks these, so they are built once, and on the tables themselves, past the mapper.
_sample, _revision, _raster = Sample.__table__, Revision.__table__, Raster.__table__
_flag, _frame = Flag.__table__, CvatFrame.__table__
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)


def refresh(session: Session, sample_ids: Sequence[int]) -> int:
    """Derive the columns of these samples, and let what is counted of them follow; the number of samples that stood
    otherwise before."""
    session.flush()
    changed = 0
    for start in range(0, len(sample_ids), CHUNK):
        stood = list(_derived(session, sample_ids[start : start + CHUNK]))
        values = {one.id: one.columns for one in stood if one.columns != one.was}
        if values:
            session.execute(update(Sample), [{"id": id, **columns} for id, columns in values.items()])
            _tell_loaded(session, values)
        moved = [Moved(one.id, one.dataset, one.was["status"], one.columns["status"]) for one in stood]
        tallies.follow(session, moved)
        changed += len(values)
    return changed


def stale(session: Session, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Those of at most CHUNK samples whose columns don't say what follows from the rows, and what they should say."""
    return {one.id: one.columns for one in _derived(session, ids) if one.columns != one.was}


@dataclass(frozen=True)
class _Stood:
    """The derived columns of a sample: as they were, and as they follow from the rows."""

    id: int
    dataset: int
    was: dict[str, Any]
    columns: dict[str, Any]


def _derived(session: Session, ids: Sequence[int]) -> Iterator[_Stood]:
    flags = _open_flags(session, ids)
    for row in session.execute(_FACTS, {"ids": ids}):
        count, worst, check = flags.get(row.id, (0, 0.0, None))
        facts = Facts(
            has_mask=row.current_id is not None,
            excluded=row.excluded,
            conflict=row.waiting == _TORN,
            at_cvat=row.at_cvat,
            pending=row.waiting is not None,
            open_flags=count,
            confirmed=row.current_id is not None and row.confirmed_id == row.current_id,
            # it has other pixels than its first imported mask, or there was no import at all
            changed=row.hash is not None and row.hash != row.imported,
        )
        was = {"status": row.status, "worst": row.worst, "worst_check": row.worst_check}
        now = {"status": str(status_of(facts)), "worst": worst, "worst_check": check}
        yield _Stood(row.id, row.dataset_id, was, now)


def _open_flags(session: Session, ids: Sequence[int]) -> dict[int, tuple[int, float, str]]:
    """sample -> (open flags about its picture or current mask, the worst score, that flag's check)."""
    found: dict[int, tuple[int, float, str]] = {}
    for sample_id, score, check in session.execute(_FLAGS, {"ids": ids}):
        count, worst, worst_check = found.get(sample_id, (0, score, check))
        found[sample_id] = (count + 1, worst, worst_check)
    return found


def _tell_loaded(session: Session, values: dict[int, dict[str, Any]]) -> None:
    """Let the samples that the session holds know of a bulk update, which goes past them."""
    for one in session.identity_map.values():
        if isinstance(one, Sample) and one.id in values:
            for name, value in values[one.id].items():
                set_committed_value(one, name, value)


_FLAGS = (
    select(_flag.c.sample_id, _flag.c.score, _flag.c.check)
    .join(_sample, _sample.c.id == _flag.c.sample_id)
    .where(_flag.c.sample_id.in_(_IDS), _flag.c.state == "open")
    .where(_flag.c.revision_id.is_(None) | (_flag.c.revision_id == _sample.c.current_id))
    .order_by(_flag.c.sample_id, _flag.c.score.desc(), _flag.c.id)
)

_WAITS, _TORN = 1, 2
# What comes from CVAT is decided at once; it waits only where the mask was changed here too. What was drawn waits where
# somebody else was faster.
_overtaken = (_revision.c.source == "brush") & _revision.c.parent_id.is_distinct_from(_sample.c.current_id)
_waiting = select(func.max(case((_overtaken | (_revision.c.source == "cvat"), _TORN), else_=_WAITS))).where(
    _revision.c.sample_id == _sample.c.id, _revision.c.state == "pending"
)
_out = exists().where(_frame.c.sample_id == _sample.c.id, _frame.c.state == "out")
_first = _revision.alias("first")
_import = select(func.min(_first.c.id)).where(_first.c.sample_id == _sample.c.id, _first.c.source == "import")
_hash = select(_raster.c.pixel_hash).join(_revision, _revision.c.mask_id == _raster.c.id)
_FACTS = select(
    *(_sample.c[name] for name in ("id", "dataset_id", "current_id", "confirmed_id", "excluded")),
    *(_sample.c[name] for name in ("status", "worst", "worst_check")),
    _waiting.correlate(_sample).scalar_subquery().label("waiting"),
    _out.correlate(_sample).label("at_cvat"),
    _hash.where(_revision.c.id == _sample.c.current_id).correlate(_sample).scalar_subquery().label("hash"),
    _hash.where(_revision.c.id == _import.correlate(_sample).scalar_subquery())
    .correlate(_sample)
    .scalar_subquery()
    .label("imported"),
).where(_sample.c.id.in_(_IDS))
