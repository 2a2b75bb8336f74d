"""What was changed in CVAT, as a picture."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.domain.errors import NotFound
from app.domain.mask import Mask
from app.store import datasets, rasters, receipts, revisions, samples
from app.store.tables import Dataset, Raster
from app.web import drawing
from app.web.deps import Id, Read
from app.web.media import Size, Version, answer, pictures

router = APIRouter(prefix="/media/cvat", tags=["media"], default_response_class=Response)


@router.get("/receipts/{receipt}/{sample}/diff.png", responses=pictures("What a pull changed."))
def diff(request: Request, session: Read, receipt: Id, sample: Id, size: Size = None, v: Version = None) -> Response:
    """Pixels that a pull changed, in the colours of the classes they became, over the picture in a dim grey.

    404 where nothing was changed."""
    line = receipts.line(session, receipt, sample)
    if line.after_id is None:
        raise NotFound(f"Receipt {receipt} tells of no change in this sample.")
    one, after = samples.find(session, sample), line.after_id
    dataset = session.get_one(Dataset, one.dataset_id)

    def draw() -> tuple[bytes, str]:
        before = None if line.before_id is None else _mask(session, line.before_id)
        image = rasters.pixels(session, session.get_one(Raster, one.image_id))
        classes = datasets.classes(session, dataset)
        return drawing.png(drawing.changes(image, before, _mask(session, after), classes, size)), "image/png"

    tag = f"{line.before_id or 0}-{after}.{dataset.class_version}"
    return answer(request, tag, f"change of {one.id}", size, v, draw)


def _mask(session: Session, revision_id: int) -> Mask:
    return rasters.mask(session, session.get_one(Raster, revisions.find(session, revision_id).mask_id))
