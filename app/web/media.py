"""Images and masks as pictures. What a URL with its ``v`` shows never changes, so browsers keep it."""

import gzip
import re
from collections.abc import Callable
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.domain.errors import NotFound
from app.domain.mask import Mask
from app.flows import predicted
from app.store import blobs, datasets, rasters, revisions, samples
from app.store.tables import Dataset, Raster, Revision, Sample
from app.store.windows import Box, inside
from app.web import drawing, windows
from app.web.deps import Config, Id, OneSample, Read
from app.web.drawn import Cache
from app.web.windows import Window

_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_EXTENSIONS = {"jpeg": "jpg", "tiff": "tif"}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
Size = Annotated[int | None, Query(ge=16, le=4096, description="Longest side in pixels; without it, full size.")]
Version = Annotated[str | None, Query(max_length=200, description="The `v` of a media URL that the API gave.")]


def pictures(what: str, *types: str) -> dict[int | str, dict[str, object]]:
    """The answers of a route that gives a picture (or, by ``types``, other bytes), for the schema."""
    return {
        200: {"description": what, "content": dict.fromkeys(types or ("image/png",), _BINARY)},
        304: {"description": "Unchanged: the ETag is the one in If-None-Match."},
        "default": {
            "description": "What went wrong, in a sentence.",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        },
    }


router = APIRouter(prefix="/media", tags=["media"], default_response_class=Response)


@router.get(
    "/samples/{sample}/image.png", responses=pictures("The image, 8 bit.", "image/png", "image/jpeg", "image/webp")
)
def image(request: Request, session: Read, sample: Id, box: Window, size: Size = None, v: Version = None) -> Response:
    """The image to look at, or a window of it: 8-bit PNG, JPEG and WebP as they came, anything else stretched to 8 bit,
    and all windows, as PNG. Of a picture over 4 megapixels a window, or one at a size, costs only the tiles it touches.
    """
    raster = _image_of(session, samples.find(session, sample))

    def draw() -> tuple[bytes, str]:
        if size is None and box is None and raster.blob is not None:
            original = blobs.get(session, raster.blob)
            if drawing.passes_through(original, raster.codec, raster.dtype):
                return original, f"image/{raster.codec}"
        pixels = windows.image(session, raster, box, size, request.app.state.thumbs)
        return drawing.png(drawing.picture(pixels, size)), "image/png"

    return answer(request, raster.pixel_hash[:16], f"image {raster.id}", size, v, draw, box)


@router.get("/samples/{sample}/original", responses=pictures("The file.", "application/octet-stream"))
def original(request: Request, session: Read, sample: Id) -> Response:
    """The bytes of the image as they were uploaded; of one that came in an array, a file without loss."""
    one = samples.find(session, sample)
    raster = _image_of(session, one)
    if raster.blob is None:
        raise NotFound("This image is kept in tiles; its file is not there as one piece.")
    tag = f'"{raster.blob}"'
    name = one.key.rsplit("/", 1)[-1]
    suffix = f".{_EXTENSIONS.get(raster.codec, raster.codec)}"
    headers = _caching(tag, False) | {"Content-Disposition": attachment(name if "." in name else name + suffix)}
    if _unchanged(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(blobs.get(session, raster.blob), media_type="application/octet-stream", headers=headers)


@router.get("/revisions/{revision}/mask.png", responses=pictures("The mask in the colours of its classes."))
def mask_png(
    request: Request, session: Read, revision: Id, box: Window, size: Size = None, v: Version = None
) -> Response:
    """The mask, or a window of it, as a palette PNG: index = class id, colours of the class list in force. RGB where
    ids pass 255."""
    raster, dataset = _mask_of(session, revisions.find(session, revision))

    def draw() -> tuple[bytes, str]:
        classes = datasets.classes(session, dataset)
        return drawing.png(drawing.coloured(windows.mask(session, raster, box, size), classes, size)), "image/png"

    tag = f"{raster.pixel_hash[:16]}.{dataset.class_version}"
    return answer(request, tag, f"mask {raster.id} {dataset.id}", size, v, draw, box)


@router.get("/revisions/{revision}/mask.bin", responses=pictures("The ids.", "application/octet-stream"))
def mask_bin(
    request: Request, session: Read, revision: Id, box: Window, size: Size = None, v: Version = None
) -> Response:
    """The class ids, or those of a window, row by row, little-endian; headers X-Mask-Dtype (uint8 or uint16),
    X-Mask-Width, X-Mask-Height. ``size`` counts over 4 megapixels and in windows: every second, fourth, ... pixel, so
    that the longer side is no less."""
    raster, _ = _mask_of(session, revisions.find(session, revision))
    tag = f'"{raster.pixel_hash}{windows.named(box)}{f"-{size}" if size else ""}"'
    for_good = v is not None and raster.pixel_hash.startswith(v.split(".")[0] or "-")
    return _ids(request, tag, for_good, lambda: windows.mask(session, raster, box, size))


@router.get("/samples/{sample}/suspicion.png", responses=pictures("How likely each pixel of the mask is wrong, grey."))
def suspicion(request: Request, session: Read, one: OneSample, size: Size = None, v: Version = None) -> Response:
    """How likely each pixel of the current mask is wrong by the newest cross-validation: 8-bit grey, 255 = surely.

    404 where none has judged this mask."""
    raster = predicted.suspicion(session, one)

    def draw() -> tuple[bytes, str]:
        return drawing.png(drawing.picture(rasters.pixels(session, raster), size)), "image/png"

    return answer(request, raster.pixel_hash[:16], f"suspicion {raster.id}", size, v, draw)


@router.get("/samples/{sample}/suggestion.png", responses=pictures("The suggestion in the colours of its classes."))
def suggestion_png(
    request: Request, session: Read, settings: Config, one: OneSample, size: Size = None, v: Version = None
) -> Response:
    """The likeliest class of each pixel by the newest cross-validation's model that never saw the sample, as mask.png.

    404 where none has predicted it."""
    dataset = session.get_one(Dataset, one.dataset_id)

    def draw() -> tuple[bytes, str]:
        mask = predicted.suggestion(session, settings.home, one)
        return drawing.png(drawing.coloured(mask, datasets.classes(session, dataset), size)), "image/png"

    run = predicted.prediction_of(session, one).run_id
    return answer(request, f"run{run}.{dataset.class_version}", f"suggestion {one.id}", size, v, draw)


@router.get("/samples/{sample}/suggestion.bin", responses=pictures("The ids.", "application/octet-stream"))
def suggestion_bin(
    request: Request, session: Read, settings: Config, one: OneSample, box: Window, v: Version = None
) -> Response:
    """The class ids of the suggestion, or those of a window, as mask.bin."""
    run = predicted.prediction_of(session, one).run_id

    def read() -> Mask:
        if box is None:
            return predicted.seen(settings.home, run, one.key)
        return predicted.seen_within(settings.home, run, one.key, inside(_image_of(session, one), box), 1)

    return _ids(request, f'"run{run}{windows.named(box)}"', v == f"run{run}", read)


@router.get("/samples/{sample}/overlay.png", responses=pictures("The image under its mask."))
def overlay(
    request: Request,
    session: Read,
    sample: Id,
    opacity: Annotated[float, Query(ge=0, le=1, description="How much the mask covers.")] = 0.5,
    size: Size = None,
    v: Version = None,
) -> Response:
    """The image under its current mask; background classes are left clear."""
    one = samples.find(session, sample)
    raster = _image_of(session, one)
    current = revisions.find(session, one.current_id) if one.current_id is not None else None
    mask, dataset = _mask_of(session, current) if current else (None, session.get_one(Dataset, one.dataset_id))

    def draw() -> tuple[bytes, str]:
        ids = windows.mask(session, mask, None, size) if mask is not None else None
        classes = datasets.classes(session, dataset)
        pixels = windows.image(session, raster, None, size, request.app.state.thumbs)
        return drawing.png(drawing.overlay(pixels, ids, classes, opacity, size)), "image/png"

    over = mask.pixel_hash[:16] if mask is not None else "none"
    tag = f"{raster.pixel_hash[:16]}.{over}.{dataset.class_version}.{round(opacity * 255)}"
    return answer(request, tag, f"overlay {raster.id} {dataset.id}", size, v, draw)


def attachment(name: str) -> str:
    """A Content-Disposition that saves under ``name``, with nothing in it that leads elsewhere (RFC 6266)."""
    safe = _UNSAFE.sub("_", name).strip(". ")[-120:] or "file"
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", safe)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(safe, safe='')}"


def _image_of(session: Session, sample: Sample) -> Raster:
    return session.get_one(Raster, sample.image_id)


def _mask_of(session: Session, revision: Revision) -> tuple[Raster, Dataset]:
    sample = session.get_one(Sample, revision.sample_id)
    return session.get_one(Raster, revision.mask_id), session.get_one(Dataset, sample.dataset_id)


def _ids(request: Request, tag: str, for_good: bool, read: Callable[[], Mask]) -> Response:
    """A mask as plain ids, what it is in headers; ``read`` only where the browser hasn't got it."""
    headers = _caching(tag, for_good) | {"Vary": "Accept-Encoding"}
    if _unchanged(request, tag):
        return Response(status_code=304, headers=headers)
    mask = read()
    headers |= {
        "X-Mask-Dtype": mask.dtype.name,
        "X-Mask-Width": str(mask.shape[1]),
        "X-Mask-Height": str(mask.shape[0]),
    }
    data = mask.astype(mask.dtype.newbyteorder("<"), copy=False).tobytes()
    if "gzip" in request.headers.get("accept-encoding", ""):
        data = gzip.compress(data, compresslevel=3, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(data, media_type="application/octet-stream", headers=headers)


def answer(
    request: Request,
    tag: str,
    key: str,
    size: int | None,
    v: str | None,
    draw: Callable[[], tuple[bytes, str]],
    box: Box | None = None,
) -> Response:
    """``tag`` names the content; ``key``, ``tag``, ``size`` and ``box`` together one drawing of it."""
    etag = f'"{tag}-{size or "full"}{windows.named(box)}"'
    headers = _caching(etag, v == tag)
    if _unchanged(request, etag):
        return Response(status_code=304, headers=headers)
    cache: Cache = request.app.state.thumbs
    data, media_type = cache.get(f"{key} {etag}", draw) if size is not None else draw()
    return Response(data, media_type=media_type, headers=headers)


def _caching(etag: str, for_good: bool) -> dict[str, str]:
    kept = "private, max-age=31536000, immutable" if for_good else "private, no-cache"
    return {"ETag": etag, "Cache-Control": kept}


def _unchanged(request: Request, etag: str) -> bool:
    asked = request.headers.get("if-none-match", "")
    return asked.strip() == "*" or etag in (one.strip().removeprefix("W/") for one in asked.split(","))
