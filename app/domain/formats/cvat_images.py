"""CVAT for images 1.1: one XML with masks (RLE), polygons and ellipses for each picture
(https://docs.cvat.ai/docs/manual/advanced/xml_format/).

Ids: labels in the order of <meta> are 1, 2, ...; a label named background is 0, one named void 255. Shapes are
painted by z_order, in the file's order where it is equal, as CVAT's own exports do. Tags, boxes, points, polylines,
cuboids and skeletons are counted as ignored. A picture without a shape is background all over, unless no picture in
the file has one (tags only): then all are unlabelled.
"""

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from app.domain.classes import ClassList
from app.domain.errors import RemaskError
from app.domain.formats import rle
from app.domain.formats.base import Expected, Found, Labelled, Read, Refused
from app.domain.formats.frames import BadDocument, Frames, ignored, peek, split_in, stated_size
from app.domain.formats.instances import Category, Draw, Instance, Legend, Rgb, numbered, sample
from app.domain.formats.polygon import ellipse_points, points_of, polygon_bounds
from app.domain.formats.source import Source

NAME = "cvat_images"
_AREAS = ("mask", "polygon", "ellipse")
_OTHERS = {
    "tag": "tag", "box": "box", "points": "point set", "polyline": "polyline", "cuboid": "cuboid",
    "skeleton": "skeleton",
}  # fmt: skip
# Labels of these types never have an area.
_NO_AREA = frozenset(("tag", "skeleton", "points", "polyline", "cuboid"))


@dataclass
class _Contents:
    """What a first pass over a file sees."""

    labels: dict[str, Rgb | None] = field(default_factory=dict)
    shapes: bool = False
    tracks: int = 0
    pictures: int = 0
    subset: str | None = None


def detect(source: Source) -> bool:
    return any(b"<annotations" in head[:4096] for head in peek(source, "*.xml"))


def read(source: Source, classes: ClassList | None) -> Iterator[Read]:
    contents: dict[str, _Contents] = {}
    for name in source.match("*.xml"):
        try:
            data = source.read(name)
            if b"<annotations" in data[:4096]:
                contents[name] = _survey(data)
        except RemaskError as error:
            yield Refused(name, str(error))
    for name in [name for name, one in contents.items() if one.tracks]:
        tracks = contents.pop(name).tracks
        yield Refused(name, f"{tracks} tracks of 'CVAT for video'; export it from CVAT as 'CVAT for images 1.1'")
    labels = {label: rgb for one in contents.values() for label, rgb in one.labels.items()}
    legend = numbered([Category(label, label, rgb) for label, rgb in labels.items()], classes)
    if classes is None and contents:
        yield Found(legend.classes)
    yield Expected(sum(one.pictures for one in contents.values()))
    frames, counts = Frames(source), Counter[str]()
    for name, one in contents.items():
        for image in _images(source.read(name)):
            yield _sample(frames, legend, one, image, counts)
    yield from ignored(counts)


def _elements(data: bytes) -> Iterator[Element]:
    """Elements as they close; DTDs and entities are refused. Raises BadDocument."""
    try:
        for _, element in iterparse(io.BytesIO(data), events=("end",), forbid_dtd=True):
            yield element
    except ParseError as error:
        raise BadDocument(f"unreadable XML: {error}") from None
    except DefusedXmlException:
        raise BadDocument("unreadable XML: it declares entities, which can be made to grow without end") from None


def _images(data: bytes) -> Iterator[Element]:
    for element in _elements(data):
        if element.tag == "image":
            yield element
            element.clear()  # its shapes are done with


def _survey(data: bytes) -> _Contents:
    """Labels, and whether there are shapes or tracks. Raises BadDocument."""
    seen = _Contents()
    for element in _elements(data):
        if element.tag == "label" and element.find("name") is not None:
            name = (element.findtext("name") or "").strip()
            if (element.findtext("type") or "any") not in _NO_AREA and element.find("parent") is None and name:
                seen.labels.setdefault(name, _rgb(element.findtext("color")))
        elif element.tag in _AREAS and element.get("frame") is None:
            seen.shapes = True
            if label := (element.get("label") or "").strip():
                seen.labels.setdefault(label, None)
        elif element.tag == "track":
            seen.tracks += 1
        elif element.tag == "subset":
            seen.subset = element.text
        if element.tag in ("image", "track"):
            seen.pictures += element.tag == "image"
            element.clear()
    return seen


def _sample(frames: Frames, legend: Legend, one: _Contents, image: Element, counts: Counter[str]) -> Labelled | Refused:
    for child in image:
        if child.tag in _OTHERS:
            counts[_OTHERS[child.tag]] += 1
    subset = image.get("subset") or one.subset or ""
    try:
        size = stated_size(_number(image, "width"), _number(image, "height"))
    except BadDocument as error:
        return Refused(image.get("name", ""), str(error))
    return sample(
        frames,
        legend,
        image.get("name", ""),
        size=size,
        split=split_in(subset) if subset else None,
        hints=["images", subset],
        draw=_drawing([child for child in image if child.tag in _AREAS]) if one.shapes else None,
    )


def _drawing(shapes: list[Element]) -> Draw:
    def draw(height: int, width: int) -> list[Instance]:
        ordered = sorted(shapes, key=lambda shape: _number(shape, "z_order"))
        return [(_label(shape), _bounds(shape, height, width)) for shape in ordered]

    return draw


def _label(shape: Element) -> str:
    label = (shape.get("label") or "").strip()
    if not label:
        raise BadDocument(f"a {shape.tag} without a label")
    return label


def _bounds(shape: Element, height: int, width: int) -> rle.Bounds:
    """The pixels of a shape. Raises BadRle, BadPolygon or BadDocument."""
    if shape.tag == "mask":
        runs = (shape.get("rle") or "").split(",")
        left, top, box_width, box_height = (int(_number(shape, side)) for side in ("left", "top", "width", "height"))
        return rle.bounds_of(rle.cvat_box(runs, left, top, box_width, box_height, height, width))
    if shape.tag == "ellipse":
        # CVAT's exports round centre and radii to pixels and draw the outline as well
        x, y, radius_x, radius_y = (round(_number(shape, name)) + 0.5 for name in ("cx", "cy", "rx", "ry"))
        points = ellipse_points(x, y, radius_x, radius_y, _number(shape, "rotation"))
        return polygon_bounds(points, height, width)
    pairs = [point.split(",") for point in (shape.get("points") or "").split(";")]
    return polygon_bounds(points_of([[_value(part) for part in pair] for pair in pairs]), height, width)


def _number(element: Element, name: str) -> float:
    return _value(element.get(name) or "0")


def _value(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise BadDocument(f"{text.strip()[:40]!r} stands where a number should be") from None
    if not abs(value) < 1e15:  # NaN too
        raise BadDocument(f"{text.strip()[:40]!r} stands where a coordinate should be")
    return value


def _rgb(text: str | None) -> Rgb | None:
    try:
        value = int((text or "").strip().removeprefix("#"), 16)
    except ValueError:
        return None
    return (value >> 16 & 255, value >> 8 & 255, value & 255)
