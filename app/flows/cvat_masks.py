"""Masks on their way to CVAT and back: what was pushed of a sample."""

import numpy as np
from sqlalchemy.orm import Session

from app.domain.classes import ClassList, Role
from app.domain.mask import Mask, as_mask
from app.store import rasters, revisions, samples
from app.store.tables import CvatFrame, Raster


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
