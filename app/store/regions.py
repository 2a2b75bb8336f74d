"""Suspected regions of masks: written by a run, told once the run has ended, kept or accepted by people."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from app.domain.classes import ClassList
from app.domain.detector.region import Reason
from app.domain.detector.region import Region as Found
from app.domain.detector.sentence import sentence
from app.domain.errors import NotFound
from app.domain.formats import rle
from app.domain.formats.rle import Bool, Bounds
from app.store.tables import Prediction, Raster, Region, Revision, Sample
from app.store.windows import Box

# A region that a person kept isn't raised again where the same reason covers it by so much (intersection over union).
SAME = 0.5


def drop(session: Session, run_id: int) -> None:
    """Forget what a run that was interrupted has written, but what people decided."""
    session.execute(delete(Region).where(Region.run_id == run_id, Region.state.in_(("withdrawn", "open"))))


def add(session: Session, run_id: int, sample: Sample, revision_id: int, found: Sequence[Found]) -> None:
    """Write regions of a mask, withdrawn until ``open_of_run``."""
    subject = {"dataset_id": sample.dataset_id, "sample_id": sample.id, "revision_id": revision_id, "run_id": run_id}
    if found:
        session.execute(insert(Region), [{**subject, "state": "withdrawn", **_columns(one)} for one in found])


def open_of_run(session: Session, run_id: int) -> None:
    """Tell the regions of a run that has judged.

    On every mask that it judged, its regions become open and those of earlier runs that are still open are withdrawn.
    One that lies on a kept region of the same mask and reason isn't raised again.
    """
    judged = select(Prediction.revision_id).where(Prediction.run_id == run_id)
    earlier = (Region.revision_id.in_(judged), Region.state == "open", Region.run_id != run_id)
    session.execute(update(Region).where(*earlier).values(state="withdrawn"))
    own = (Region.run_id == run_id, Region.state == "withdrawn")
    session.execute(update(Region).where(*own).values(state="open"))
    kept: dict[tuple[int, str], list[Bounds]] = {}
    for one, frame in _framed(session, Region.revision_id.in_(judged), Region.state == "kept"):
        kept.setdefault((one.revision_id, one.reason), []).append(_bounds(one, frame))
    raised = (
        Region.run_id == run_id,
        Region.state == "open",
        Region.revision_id.in_({revision for revision, _ in kept}),
    )
    for one, frame in _framed(session, *raised):
        here = _bounds(one, frame)
        if any(rle.iou(here, there) >= SAME for there in kept.get((one.revision_id, one.reason), ())):
            one.state = "withdrawn"
    session.flush()


def worst_of_run(session: Session, run_id: int) -> dict[int, Region]:
    """sample -> its likeliest open region of a run."""
    query = select(Region).where(Region.run_id == run_id, Region.state == "open")
    return {one.sample_id: one for one in session.scalars(query.order_by(Region.probability, Region.id.desc()))}


def of_sample(session: Session, sample: Sample) -> list[Region]:
    """Regions of the sample's current mask that are open, kept or accepted; the likeliest first."""
    query = (
        select(Region)
        .where(Region.sample_id == sample.id, Region.revision_id == sample.current_id, Region.state != "withdrawn")
        .order_by(Region.probability.desc(), Region.id)
    )
    return list(session.scalars(query))


def are_of(session: Session, run_id: int, sample: Sample) -> bool:
    """Whether the current mask has regions of the run, found on it or come along to it."""
    query = select(Region.id).where(Region.sample_id == sample.id, Region.revision_id == sample.current_id)
    return session.scalar(query.where(Region.run_id == run_id).limit(1)) is not None


def find(session: Session, id: int) -> Region:
    """Raises NotFound."""
    region = session.get(Region, id)
    if region is None:
        raise NotFound(f"There is no region {id}.")
    return region


def told(region: Region, frame: tuple[int, int], classes: ClassList) -> str:
    """What seems wrong there, in a sentence; ``frame``: height and width of the mask."""

    def name(id: int | None) -> str:
        known = classes.by_id(id) if id is not None else None
        return known.name if known else "another class"

    given, seen = name(region.from_class), name(region.to_class)
    box = (region.x, region.y, region.width, region.height)
    return sentence(Reason(region.reason), given, seen, region.pixels, box, frame, region.probability)


def pixels_of(session: Session, region: Region) -> Bool:
    """(H, W) bool: the pixels of a region in the frame of its mask."""
    mask_id = session.get_one(Revision, region.revision_id).mask_id
    frame = session.get_one(Raster, mask_id)
    return rle.mask_of(_bounds(region, frame), frame.height, frame.width)


def pixels_within(session: Session, region: Region, box: Box, step: int = 1) -> Bool:
    """As ``pixels_of``, in ``box``, of each ``step`` x ``step`` pixels the first: (height / step, width / step)."""
    frame = session.get_one(Raster, session.get_one(Revision, region.revision_id).mask_id)
    corner, size = (box.y, box.x), (box.height, box.width)
    return rle.mask_within(_bounds(region, frame), frame.height, corner, size, step)


def _columns(found: Found) -> dict[str, Any]:
    x, y, width, height = found.box
    return {
        "reason": found.reason.value,
        "from_class": found.given,
        "to_class": found.seen,
        "pixels": found.pixels,
        "x": x,
        "y": y,
        "width": width,
        "height": height,
        "rle": rle.compress(found.counts),
        "probability": found.probability,
    }


def _framed(session: Session, *where: Any) -> list[tuple[Region, Raster]]:
    """Regions with the masks that they lie in."""
    query = select(Region, Raster).join(Revision, Revision.id == Region.revision_id).join(Raster)
    return [(region, mask) for region, mask in session.execute(query.where(*where))]


def _bounds(region: Region, frame: Raster) -> Bounds:
    return rle.coco_bounds({"size": [frame.height, frame.width], "counts": region.rle}, frame.height, frame.width)
