"""Suspected regions as pictures."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.flows import predicted
from app.store import datasets, rasters, regions, revisions
from app.store.tables import Dataset, Raster, Sample
from app.web import crops, drawing, region_shapes
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
        seen, classes = predicted.seen(settings.home, row.run_id, one.key), datasets.classes(session, dataset)
        given, inside = rasters.mask(session, mask), regions.pixels_of(session, row)
        return drawing.png(crops.strip(rasters.pixels(session, image), given, seen, inside, classes)), "image/png"

    return answer(request, region_shapes.crop_tag(row, dataset.class_version), "crop", crops.PANE, v, draw)
