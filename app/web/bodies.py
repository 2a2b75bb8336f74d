"""A mask, or a part of one, as the body of a request: the ids row by row, as mask.bin gives them out."""

import zlib
from typing import Annotated, Any

import numpy as np
from fastapi import Depends, Query, Request
from fastapi.concurrency import run_in_threadpool

from app.domain.errors import Invalid, TooLarge
from app.domain.mask import Mask, as_mask
from app.flows import edit
from app.store import samples
from app.store.db import Database
from app.store.tables import Raster
from app.store.windows import Box
from app.web.deps import Db, Id

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The class ids row by row, little-endian, one byte each, or two each where ids pass 255; "
        "`Content-Encoding: gzip` is understood.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_SLACK = 1024  # bytes that gzip may add to what can't be compressed


_EDGE = 1 << 30
_At = Annotated[int | None, Query(ge=0, le=_EDGE, description="Left or upper edge of the part, in pixels.")]
_Side = Annotated[int | None, Query(ge=1, le=_EDGE, description="Side of the part that the body holds.")]


class BadBody(Invalid):
    """Bytes that can't be the sample's mask."""


class HalfPart(Invalid):
    """A part of which not all is told."""


def _part(x: _At = None, y: _At = None, width: _Side = None, height: _Side = None) -> Box | None:
    if x is None and y is None and width is None and height is None:
        return None
    if x is None or y is None or width is None or height is None:
        raise HalfPart(
            "Say where the part lies by x, y, width and height, or send all of the mask without any of them."
        )
    return Box(x, y, width, height)


Part = Annotated[Box | None, Depends(_part)]


async def _ids(request: Request, db: Db, sample: Id, part: Part) -> Mask:
    width, height = await run_in_threadpool(_size, db, sample, part)
    most = 2 * width * height
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > most + most // 1000 + _SLACK:
            raise TooLarge(f"A mask of {width} x {height} has at most {most:,} bytes; send one or two for each pixel.")
    encoding = request.headers.get("content-encoding", "").strip().lower()
    return await run_in_threadpool(_decoded, bytes(data), encoding, width, height)


MaskBody = Annotated[Mask, Depends(_ids)]


def _size(db: Database, sample: int, part: Box | None) -> tuple[int, int]:
    """Raises NotFound, edit.UnfitMask for a part that doesn't lie in the picture."""
    with db.read() as session:
        image = session.get_one(Raster, samples.find(session, sample).image_id)
        if part is not None:
            edit.check_part(image, part)
            return part.width, part.height
        return image.width, image.height


def _decoded(data: bytes, encoding: str, width: int, height: int) -> Mask:
    """Raises BadBody. However much the bytes would unpack to, no more than a mask's is unpacked."""
    pixels = width * height
    if encoding == "gzip":
        unpack = zlib.decompressobj(wbits=31)
        try:
            data = unpack.decompress(data, 2 * pixels + 1)
        except zlib.error:
            raise BadBody("The body says that it is gzip, but can't be unpacked; send it again.") from None
        if not unpack.eof and len(data) <= 2 * pixels:
            raise BadBody("The gzip body breaks off before its end; send it again.")
    elif encoding not in ("", "identity"):
        raise BadBody("The body can be sent as it is or with Content-Encoding: gzip, nothing else.")
    if len(data) not in (pixels, 2 * pixels):
        have = f"{len(data):,} bytes" if len(data) <= 2 * pixels else "more"
        raise BadBody(
            f"A mask of {width} x {height} has {pixels:,} bytes, or twice that with 16 bits; this has {have}."
        )
    return as_mask(np.frombuffer(data, np.uint8 if len(data) == pixels else "<u2").reshape(height, width))
