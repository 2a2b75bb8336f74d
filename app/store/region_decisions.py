"""What people decide of suspected regions: kept as given, or replaced by what the model saw.

Regions belong to a revision. Where taking a suggestion makes a new one, they follow to it, so that those still open can
be gone through; an undo brings them back.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.checks.imprecise_mask import ImpreciseMask
from app.domain.errors import Conflict
from app.store import datasets, regions
from app.store.tables import Flag, Raster, Region, Sample, Score

CHECK = ImpreciseMask.name


def left(session: Session, sample: Sample) -> list[Region]:
    """The open regions of the sample's current mask, the likeliest first."""
    return [one for one in regions.of_sample(session, sample) if one.state == "open"]


def check_open(sample: Sample, chosen: Sequence[Region]) -> None:
    """Raises Conflict where one of the regions isn't of the current mask any more, or was decided before."""
    for one in chosen:
        if one.revision_id != sample.current_id:
            raise Conflict(f"its mask has changed since region {one.id} was found")
        if one.state != "open":
            raise Conflict(f"region {one.id} was {one.state} already")


def accept(session: Session, sample: Sample, revision_id: int, ids: Collection[int], before: dict[str, Any]) -> None:
    """Let the regions of the current mask follow to ``revision_id``, made from it with ``ids`` taken; to be called
    before that becomes current. An open flag of the check goes along while a region is open."""
    rows = regions.of_sample(session, sample)
    before["regions"] = _states(rows)
    for one in rows:
        one.revision_id = revision_id
        if one.id in ids:
            one.state = "accepted"
    still = [one for one in rows if one.state == "open"]
    if still and (flag := _flag(session, sample)) is not None:
        _go_along(session, sample, flag, still[0])
    session.flush()


def keep(session: Session, sample: Sample, ids: Collection[int] | None, before: dict[str, Any]) -> bool:
    """Keep these open regions of the current mask as given (None: all of them); whether none is left open.

    With the last one the check's flag closes.
    """
    rows = left(session, sample)
    taken = [one for one in rows if ids is None or one.id in ids]
    before["regions"] = _states(taken)
    for one in taken:
        one.state = "kept"
    if len(taken) < len(rows):
        return False
    if (flag := _flag(session, sample)) is not None:
        before.setdefault("flags", {})[str(flag.id)] = flag.state
        flag.state = "kept"
    return True


def put_back(session: Session, stood: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """Let regions stand as a ``before`` has them; how they stood until now."""
    rows = list(session.scalars(select(Region).where(Region.id.in_([int(id) for id in stood]))))
    now = _states(rows)
    for one in rows:
        one.revision_id, one.state = stood[str(one.id)]
    return now


def _states(rows: Sequence[Region]) -> dict[str, list[Any]]:
    return {str(one.id): [one.revision_id, one.state] for one in rows}


def _flag(session: Session, sample: Sample) -> Flag | None:
    query = select(Flag).where(Flag.sample_id == sample.id, Flag.check == CHECK, Flag.state == "open")
    return session.scalar(query.where(Flag.revision_id == sample.current_id))


def _go_along(session: Session, sample: Sample, flag: Flag, worst: Region) -> None:
    """The check's flag and score for the mask that the regions went to, by the worst that is left. They are about that
    mask alone, so an undo has nothing to do with them."""
    owner = datasets.by_id(session, sample.dataset_id)
    image = session.get_one(Raster, sample.image_id)
    about = {"dataset_id": owner.id, "sample_id": sample.id, "revision_id": worst.revision_id, "check": CHECK}
    told = regions.told(worst, (image.height, image.width), datasets.classes(session, owner))
    session.add(Flag(**about, version=flag.version, score=worst.probability, reason=told, state="open"))
    query = select(Score.fold).where(Score.revision_id == flag.revision_id, Score.check == CHECK)
    fold = session.scalar(query.where(Score.run_id == worst.run_id).limit(1))
    session.add(Score(**about, version=flag.version, value=worst.probability, run_id=worst.run_id, fold=fold))
