"""LabelMe JSON: one file a picture, with the picture beside it or inside (https://github.com/wkentaro/labelme).

Ids: labels are 1, 2, ... in the order of a ``labels.txt`` or ``class_names.txt`` in the source, else by name;
``_background_`` is 0, ``__ignore__`` 255. Shapes are drawn as LabelMe's own export draws them: polygons with their
outline, circles, rectangles and masks, in the file's order, later over earlier. Lines and points are counted as
ignored, flags are not looked at. A picture without a JSON beside those that have one is unlabelled. The XML of the
old LabelMe web tool is refused.
"""

import base64
import binascii
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from app.domain.classes import ClassList
from app.domain.errors import RemaskError
from app.domain.formats import rle
from app.domain.formats.base import Expected, Found, Labelled, Read, Refused
from app.domain.formats.frames import BadDocument, Frames, clean, ignored, peek, read_json, split_folder, stated_size
from app.domain.formats.image_files import is_image
from app.domain.formats.instances import Category, Legend, composed, numbered
from app.domain.formats.polygon import BadPolygon, Points, points_of
from app.domain.formats.source import Source
from app.domain.picture import Picture, decode, open_image, pixels_of

NAME = "labelme"
_AREAS = ("polygon", "rectangle", "circle", "mask", "oriented_rectangle")
_OTHERS = {"linestrip": "polyline", "line": "polyline", "point": "point", "points": "point set"}
# Pillow draws an outline pixel by pixel, also outside of the picture.
_FAR = 100_000


def detect(source: Source) -> bool:
    if any(
        b'"shapes"' in head and (b'"imagePath"' in head or b'"imageData"' in head) for head in peek(source, "*.json")
    ):
        return True
    return any(b"<pt>" in head for head in peek(source, "*.xml"))


def read(source: Source, classes: ClassList | None) -> Iterator[Read]:
    for name in source.match("*.xml"):
        if "<pt>" in source.text(name):
            yield Refused(name, "XML of the old LabelMe web tool; open it there and export JSON, or convert it first")
    names: list[str] = []
    labels: set[str] = set()
    for name in source.match("*.json"):
        try:
            shapes = _shapes(read_json(source, name))
            labels.update(_label(shape) for shape in shapes if _kind(shape) in _AREAS)
            names.append(name)
        except RemaskError as error:
            yield Refused(name, str(error))
    legend = numbered([Category(label, label) for label in _in_order(source, labels)], classes)
    if classes is None and names:
        yield Found(legend.classes)
    yield Expected(len(names))
    frames, counts = Frames(source), Counter[str]()
    used: set[str] = set()
    for name in names:
        try:
            yield _sample(frames, legend, name, used, counts)
        except RemaskError as error:
            yield Refused(name, str(error))
    folders = {str(PurePosixPath(name).parent) for name in names}
    for name in source.names:
        if is_image(name) and name not in used and str(PurePosixPath(name).parent) in folders:
            try:
                yield Labelled(frames.claim(name), frames.open(name, None), None, name, split_folder(name))
            except RemaskError as error:
                yield Refused(name, str(error))
    yield from ignored(counts)


def _shapes(document: Any) -> list[dict[str, Any]]:
    """The shapes of a document. Raises BadDocument where it is no LabelMe file."""
    shapes = document.get("shapes") if isinstance(document, dict) else None
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise BadDocument("no LabelMe annotations: it has no list of shapes")
    return shapes


def _label(shape: dict[str, Any]) -> str:
    return clean(shape.get("label") or "").strip()


def _kind(shape: dict[str, Any]) -> str:
    return clean(shape.get("shape_type") or "polygon")


def _in_order(source: Source, labels: set[str]) -> list[str]:
    """Labels in the order of a list in the source, those it lacks by name."""
    listed: list[str] = []
    for name in source.match("*labels.txt", "*class_names.txt"):
        lines = [line.strip() for line in clean(source.text(name)).splitlines()]
        if labels & set(lines):
            listed = [line for line in lines if line]
            break
    return [*listed, *sorted(label for label in labels - set(listed) if label)]


def _sample(frames: Frames, legend: Legend, name: str, used: set[str], counts: Counter[str]) -> Labelled:
    """The sample of one JSON. Raises RemaskError with the reason that it isn't taken."""
    document = read_json(frames.source, name)
    shapes = _shapes(document)
    picture, file = _picture(frames, document, name)
    used.add(file)
    key = frames.claim(str(PurePosixPath(name).with_suffix("")))
    size = stated_size(document.get("imageWidth"), document.get("imageHeight"))
    if size is not None and size != (picture.width, picture.height):
        raise BadDocument(
            f"the annotations say {size[0]} x {size[1]} pixels, the picture has {picture.width} x {picture.height}"
        )
    painted: list[tuple[int, rle.Bounds]] = []
    for shape in shapes:
        kind = _kind(shape)
        if kind in _AREAS:
            painted.append((legend.id_of(_label(shape)), _bounds(shape, kind, picture.height, picture.width)))
        else:
            counts[_OTHERS.get(kind, f"shape of type {kind[:20]}")] += 1
    mask, overlapped = composed(painted, picture.height, picture.width, legend.background)
    return Labelled(key, picture, mask, name, split_folder(name), overlapped=overlapped)


def _picture(frames: Frames, document: dict[str, Any], name: str) -> tuple[Picture, str]:
    """The picture beside the JSON, or the one inside it, and the name of the file it came from."""
    folder = PurePosixPath(name).parent
    stated = clean(document.get("imagePath") or "").replace("\\", "/")
    for wanted in (stated, PurePosixPath(name).stem):
        try:
            file = frames.find(str(folder / PurePosixPath(wanted).name))
            if is_image(file):
                return frames.open(file, None), file
        except BadDocument:
            continue
    if not isinstance(document.get("imageData"), str):
        raise BadDocument(f"the image {stated} is not in the source, nor inside the JSON")
    return decode(_unpacked(document["imageData"], "imageData")), name


def _unpacked(text: object, what: str) -> bytes:
    try:
        return base64.b64decode(str(text), validate=False)
    except (binascii.Error, ValueError):
        raise BadDocument(f"{what} is not valid base64") from None


def _bounds(shape: dict[str, Any], kind: str, height: int, width: int) -> rle.Bounds:
    """The pixels of a shape. Raises BadPolygon, BadPicture or BadDocument."""
    if kind == "mask":
        return _mask_bounds(shape, height, width)
    points = _points(shape, {"rectangle": 2, "circle": 2}.get(kind, 3))
    canvas = Image.new("1", (width, height))
    draw = ImageDraw.Draw(canvas)
    if kind == "circle":
        (x, y), edge = points[0], points[1]
        radius = math.dist((x, y), edge)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=1, fill=1)
    elif kind == "rectangle" and len(points) == 2:
        draw.rectangle((*points.min(axis=0), *points.max(axis=0)), outline=1, fill=1)
    else:
        draw.polygon([(x, y) for x, y in points.tolist()], outline=1, fill=1)
    return rle.bounds_of(np.asarray(canvas))


def _points(shape: dict[str, Any], least: int) -> Points:
    points = shape.get("points")
    if least == 2 and isinstance(points, list) and len(points) == 2:
        corners = points_of([*points, points[0]])[:2]  # two points are enough here
    else:
        corners = points_of(points)
    if np.abs(corners).max() > _FAR:
        raise BadPolygon("a shape with a coordinate beyond any picture")
    return corners


def _mask_bounds(shape: dict[str, Any], height: int, width: int) -> rle.Bounds:
    """A mask shape: a small picture of the pixels that are set, at its first point."""
    corners = _points(shape, 2)
    left, top = (math.floor(value) for value in corners.min(axis=0))
    image = open_image(_unpacked(shape.get("mask"), "the mask of a shape"))
    if left < 0 or top < 0 or left + image.width > width or top + image.height > height:
        raise BadDocument(
            f"a mask at {left}, {top} of {image.width} x {image.height} in a picture of {width} x {height}"
        )
    pixels = pixels_of(image).astype(np.uint8)
    mask = np.zeros((height, width), np.bool_)
    mask[top : top + image.height, left : left + image.width] = (
        pixels.reshape(image.height, image.width, -1)[:, :, 0] > 0
    )
    return rle.bounds_of(mask)
