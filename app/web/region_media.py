"""Suspected regions as pictures."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.flows import predicted
from app.store import datasets, rasters, regions, revisions, windows
from app.store.tables import Dataset, Raster, Sample
from app.store.windows import Box
from app.web import crops, drawing, region_shapes
from app.web import windows as media_windows
from app.web.deps import Config, Id, Read
from app.web.media import Version, answer, pictures

router = APIRouter(prefix="/media/regions", tags=["media"], default_response_class=Response)


@router.get("/{region}/crop.png", responses=pictures("Three squares side by side."))
def crop(request: Request, session: Read, settings: Config, region: Id, v: Version = None) -> Response:
    """A suspected region, outlined, in its surroundings: the picture, what is given, what the model sees there."""
    row = regions.find(session, region)
    one, revision = session.get_one(Sample, row.sample_id), revisions.find(session, row.revision_id)
    dataset = session.get_one(Dataset, row.dataset_id)

    def draw() -> tuple[bytes, str]:
        image, mask = session.get_one(Raster, one.image_id), session.get_one(Raster, revision.mask_id)
        square = crops.around(Box(row.x, row.y, row.width, row.height), (mask.height, mask.width))
        # Of a large picture only what is shown of it is read, as coarse as it is shown.
        step = windows.step_for(square, crops.PANE) if windows.is_large(mask) else 1
        box = windows.inside(mask, windows.aligned(square, step))
        size = -(-max(box.width, box.height) // step)
        pixels = media_windows.image(session, image, box, size, request.app.state.thumbs)
        given = rasters.as_ids(windows.read(session, mask, box, step), mask)
        seen = predicted.seen_within(settings.home, row.run_id, one.key, box, step)
        inside = regions.pixels_within(session, row, box, step)
        left, top = (square.x - box.x) // step, (square.y - box.y) // step
        shown = (left, top, left + square.width // step, top + square.height // step)
        classes = datasets.classes(session, dataset)
        return drawing.png(crops.strip(pixels, given, seen, inside, classes, shown)), "image/png"

    return answer(request, region_shapes.crop_tag(row, dataset.class_version), "crop", crops.PANE, v, draw)
