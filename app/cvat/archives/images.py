"""CVAT for images 1.1: one annotations.xml with every shape as it was drawn, coordinates to two decimals
(https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/)."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import quoteattr

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from app.cvat.archives.base import (
    Archive,
    ArchiveFrame,
    ArchiveKind,
    BadArchive,
    Outgoing,
    Size,
    numbers,
    size_of,
    stem,
)
from app.cvat.shapes import Shape
from app.cvat.wire import LabelSpec, points_by_class

PICTURES = "images/"


def read(data: bytes, sizes: Mapping[str, Size]) -> Archive:
    """``data``: annotations.xml. Raises BadArchive."""
    labels = [
        (element.findtext("name") or "").strip()
        for element in _elements(data, "label")
        if element.find("parent") is None
    ]
    index = {label: number for number, label in enumerate(labels)}

    def frames() -> Iterator[ArchiveFrame]:
        for number, image in enumerate(_elements(data, "image")):
            name = stem(image.get("name", ""))
            stated = (int(_number(image, "width")), int(_number(image, "height")))
            shapes = tuple(_shape(child, number, index) for child in image)
            yield ArchiveFrame(name, size_of(name, stated, sizes), shapes)

    return Archive(ArchiveKind.IMAGES, tuple(labels), frames)


def _elements(data: bytes, tag: str) -> Iterator[Element]:
    try:
        for _, element in iterparse(io.BytesIO(data), events=("end",), forbid_dtd=True):
            if element.tag == tag:
                yield element
            if element.tag == "image":
                element.clear()
    except (ParseError, DefusedXmlException) as error:
        raise BadArchive(f"annotations.xml can't be read: {error}.") from None


def _shape(element: Element, frame: int, labels: Mapping[str, int]) -> Shape:
    label = labels.get((element.get("label") or "").strip())
    if label is None:
        raise BadArchive(
            f"annotations.xml has a {element.tag} of label {element.get('label')!r}, which it doesn't list."
        )
    z, turn = int(_number(element, "z_order")), _number(element, "rotation")

    def made(kind: str, *points: float) -> Shape:
        return Shape(kind, frame, label, points, z, turn)

    match element.tag:
        case "mask":
            left, top, width, height = (_number(element, side) for side in ("left", "top", "width", "height"))
            runs = numbers((element.get("rle") or "").split(","))
            return made("mask", *runs, left, top, left + width - 1, top + height - 1)
        case "polygon":
            return made("polygon", *numbers((element.get("points") or "").replace(";", ",").split(",")))
        case "box":
            return made("rectangle", *(_number(element, side) for side in ("xtl", "ytl", "xbr", "ybr")))
        case "ellipse":
            x, y, radius_x, radius_y = (_number(element, name) for name in ("cx", "cy", "rx", "ry"))
            return made("ellipse", x, y, x + radius_x, y - radius_y)
    return made(element.tag)


def _number(element: Element, name: str) -> float:
    return numbers([element.get(name) or "0"])[0]


def entries(frames: Iterable[Outgoing], labels: Sequence[LabelSpec]) -> Iterator[tuple[str, bytes]]:
    """The files that hold the annotations, without pictures."""
    names = {one.class_id: quoteattr(one.name) for one in labels}
    listed = "".join(
        f"<label><name>{quoteattr(one.name)[1:-1]}</name><color>{one.colour}</color><type>mask</type></label>"
        for one in labels
    )
    parts = [
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta><task><labels>'
        f"{listed}</labels></task></meta>\n"
    ]
    for number, frame in enumerate(frames):
        height, width = frame.mask.shape
        parts.append(f'<image id="{number}" name={quoteattr(frame.name)} width="{width}" height="{height}">\n')
        for class_id, points in points_by_class(frame.mask):
            if class_id in names:
                *runs, left, top, right, bottom = points
                parts.append(
                    f'<mask label={names[class_id]} source="file" occluded="0" rle="{str(runs)[1:-1]}" left="{left}" '
                    f'top="{top}" width="{right - left + 1}" height="{bottom - top + 1}" z_order="0"></mask>\n'
                )
        parts.append("</image>\n")
    yield "annotations.xml", "".join([*parts, "</annotations>\n"]).encode()
