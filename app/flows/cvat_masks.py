"""Masks on their way to CVAT and back: what was pushed of a sample, and the shapes that it becomes."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from sqlalchemy.orm import Session

from app.cvat import wire
from app.domain.classes import ClassList, Role
from app.domain.differences import Labels, differences
from app.domain.mask import Mask, as_mask
from app.flows.progress import Progress
from app.store import cvat, datasets, rasters, revisions, samples
from app.store.cvat import SUGGESTION
from app.store.tables import CvatBatch, CvatFrame, Raster

# Smaller regions of a suggestion are not shown beside the mask: a thousand specks help nobody.
LEAST_REGION = 16
CHUNK = 100
_NO_CLASS = np.uint16(65535)


def fill_of(classes: ClassList) -> int | None:
    """What an unpainted pixel of a sample without a mask is: background, else void, None where there is neither."""
    roles = (Role.BACKGROUND, Role.VOID)
    return next((one.id for role in roles for one in classes.classes if one.role is role), None)


def mask_of(session: Session, revision_id: int) -> Mask:
    """(H, W). Raises NotFound, blobs.Damaged."""
    return rasters.mask(session, session.get_one(Raster, revisions.find(session, revision_id).mask_id))


def pushed_mask(session: Session, frame: CvatFrame, fill: int | None) -> Mask:
    """What CVAT was given for a frame, (H, W); for a sample without a mask all of ``fill`` (see ``fill_of``)."""
    if frame.revision_id is not None:
        return mask_of(session, frame.revision_id)
    image = session.get_one(Raster, samples.find(session, frame.sample_id).image_id)
    return as_mask(np.full((image.height, image.width), fill or 0, np.uint16))


def encoded_frames(
    session: Session, batch: CvatBatch, frames: Sequence[CvatFrame], numbers: Mapping[str, int], progress: Progress
) -> Iterator[tuple[int, list[bytes]]]:
    """(frame number, its shapes as JSON), frame by frame; ``numbers``: a frame's name -> its number there.

    Raises wire.CantPush, also for a mask of another size than its picture.
    """
    sizes = cvat.sizes(session, batch.id)
    classes = datasets.classes(session, datasets.by_id(session, batch.dataset_id), batch.class_version)
    ids, fill = wire.pushed_ids(classes, batch.background), fill_of(classes)
    labels, beside = cvat.labels(session, batch.id), cvat.labels(session, batch.id, SUGGESTION)
    source = "auto" if batch.source == "suggestion" else "file"
    for start in range(0, len(frames), CHUNK):
        progress(start, batch.size, "drawing masks")
        some = frames[start : start + CHUNK]
        with cvat.warm(session, some):
            for frame in some:
                number = numbers[frame.name]
                mask = pushed_mask(session, frame, fill)
                if mask.shape[::-1] != sizes[frame.sample_id]:
                    raise wire.CantPush(f"The mask of {frame.name} hasn't its picture's size; run remask doctor.")
                shapes = wire.encode(mask, labels, ids, number, source) if frame.revision_id is not None else []
                if frame.suggestion_id is not None:
                    regions, shown = _beside(mask, mask_of(session, frame.suggestion_id), beside)
                    shapes += wire.encode_regions(regions, shown, number)
                yield number, shapes


def _beside(mask: Mask, suggestion: Mask, labels: Mapping[int, int]) -> tuple[Labels, dict[int, int]]:
    """Regions where a suggestion differs from the mask, whatever that says there, and the label of each that is shown:
    those of classes that have a label, and not too small."""
    regions, found = differences(np.where(mask == suggestion, suggestion, _NO_CLASS), suggestion)
    shown = [one for one in found if one.becomes in labels and one.pixels >= LEAST_REGION]
    return regions, {one.number: labels[one.becomes] for one in shown}
