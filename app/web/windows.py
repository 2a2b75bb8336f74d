"""A window of a picture or a mask, as a query asks for it, and what is read of it for an answer of some size."""

import struct
from typing import Annotated

from fastapi import Depends, Query
from sqlalchemy.orm import Session

from app.domain.mask import Mask
from app.domain.picture import Pixels, to_display
from app.store import rasters, windows
from app.store.tables import Raster
from app.store.windows import Box
from app.web.drawn import Cache

_EDGE = 1 << 30
At = Annotated[int, Query(ge=0, le=_EDGE, description="Left or upper edge of the window, in pixels of the picture.")]
Side = Annotated[int | None, Query(ge=1, le=_EDGE, description="Side of the window; without it, up to the edge.")]


def read_box(x: At = 0, y: At = 0, width: Side = None, height: Side = None) -> Box | None:
    """The window that the query asks for; None where it asks for all of the picture."""
    if (x, y, width, height) == (0, 0, None, None):
        return None
    return Box(x, y, width or _EDGE, height or _EDGE)


Window = Annotated[Box | None, Depends(read_box)]


def image(session: Session, raster: Raster, box: Box | None, size: int | None, cache: Cache) -> Pixels:
    """What of a picture is shown at ``size``: of a large one its window as 8 bit, reduced to no less than ``size``, and
    stretched like all of its windows; of any other one the pixels in the window. Raises windows.Outside."""
    if not windows.is_large(raster) or (box is None and size is None):
        pixels = rasters.pixels(session, raster)
        if box is None:
            return pixels
        box = windows.inside(raster, box)
        return to_display(pixels)[box.y : box.y + box.height, box.x : box.x + box.width]
    box = windows.inside(raster, box or windows.whole(raster))
    span = None if raster.dtype == "uint8" else _span(session, raster, cache)
    return to_display(windows.read(session, raster, box, windows.step_for(box, size), mean=True), span)


def mask(session: Session, raster: Raster, box: Box | None, size: int | None) -> Mask:
    """The ids of a mask in the window; of a large one, reduced by nearest neighbour to no less than ``size``. Raises
    windows.Outside."""
    if box is None and (size is None or not windows.is_large(raster)):
        return rasters.mask(session, raster)
    box = windows.inside(raster, box or windows.whole(raster))
    return rasters.as_ids(windows.read(session, raster, box, windows.step_for(box, size)), raster)


def named(box: Box | None) -> str:
    """The window as part of a cache's key and of an ETag."""
    return "" if box is None else f"-{box.x}.{box.y}.{box.width}.{box.height}"


def _span(session: Session, raster: Raster, cache: Cache) -> tuple[float, float]:
    def find() -> tuple[bytes, str]:
        return struct.pack("<2d", *windows.span(session, raster)), ""

    low, high = struct.unpack("<2d", cache.get(f"span {raster.id}", find)[0])
    return low, high
