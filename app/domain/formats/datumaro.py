"""Datumaro JSON: ``annotations/<subset>.json`` with polygons and RLE masks, pictures in ``images/<subset>``
(https://docs.cvat.ai/docs/dataset_management/formats/format-datumaro/).

Ids: labels in their order are 1, 2, ...; a label named background is 0, one named void 255. Shapes are painted by
z_order, in the file's order where it is equal. Boxes, labels, points, captions and the like are counted as ignored.
In a file with masks or polygons a picture without any is background; in a file without them pictures are unlabelled.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from app.domain.classes import ClassList
from app.domain.errors import RemaskError
from app.domain.formats import rle
from app.domain.formats.base import Expected, Found, Labelled, Read, Refused
from app.domain.formats.frames import BadDocument, Frames, clean, ignored, peek, read_json, split_in, stated_size
from app.domain.formats.instances import Category, Draw, Instance, Legend, NotInClasses, Rgb, numbered, sample
from app.domain.formats.polygon import points_of, polygon_bounds
from app.domain.formats.source import Source

NAME = "datumaro"
_WORDS = {
    "bbox": "box", "rotated_bbox": "box", "label": "label", "points": "point set", "caption": "caption",
    "polyline": "polyline", "ellipse": "ellipse", "skeleton": "skeleton", "cuboid_3d": "cuboid",
}  # fmt: skip


def detect(source: Source) -> bool:
    return any(
        b'"items"' in head and b'"categories"' in head and b'"images"' not in head for head in peek(source, "*.json")
    )


def read(source: Source, classes: ClassList | None) -> Iterator[Read]:
    names: dict[str, int] = {}
    labels: dict[str, Category] = {}
    for name in source.match("*.json"):
        try:
            document = _checked(read_json(source, name))
            for category in _categories(document):
                labels.setdefault(category.name, category)
            names[name] = len(document["items"])
        except RemaskError as error:
            yield Refused(name, str(error))
    legend = numbered(labels.values(), classes)
    if classes is None and names:
        yield Found(legend.classes)
    yield Expected(sum(names.values()))
    frames, counts = Frames(source), Counter[str]()
    for name in names:
        document = _checked(read_json(source, name))
        own = [category.name for category in _categories(document)]
        masks = any(_is_area(one) for item in document["items"] for one in _annotations(item))
        subset = PurePosixPath(name).stem
        for item in document["items"]:
            yield _sample(frames, legend, item, own, subset, masks, counts)
    yield from ignored(counts)


def _checked(document: Any) -> dict[str, Any]:
    """A Datumaro document with its lists checked. Raises BadDocument."""
    if isinstance(document, dict):
        items = document.get("items")
        if isinstance(items, list) and all(isinstance(item, dict) for item in items):
            return document
    raise BadDocument("no Datumaro annotations: it has no list of items")


def _categories(document: dict[str, Any]) -> list[Category]:
    """The labels in the order of their ids, with the colours of the mask colour map. Raises BadDocument."""
    try:
        categories = document.get("categories") or {}
        labels = [clean(one["name"]) for one in (categories.get("label") or {}).get("labels", [])]
        colours: dict[int, Rgb] = {
            one["label_id"]: (int(one["r"]) & 255, int(one["g"]) & 255, int(one["b"]) & 255)
            for one in (categories.get("mask") or {}).get("colormap", [])
        }
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise BadDocument("categories that can't be read") from None
    return [Category(name, name, colours.get(n)) for n, name in enumerate(labels)]


def _annotations(item: dict[str, Any]) -> list[dict[str, Any]]:
    found = item.get("annotations")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _is_area(annotation: dict[str, Any]) -> bool:
    return annotation.get("type") in ("polygon", "mask")


def _sample(
    frames: Frames,
    legend: Legend,
    item: dict[str, Any],
    labels: list[str],
    subset: str,
    masks: bool,
    counts: Counter[str],
) -> Labelled | Refused:
    shapes: list[dict[str, Any]] = []
    for one in _annotations(item):
        if _is_area(one):
            shapes.append(one)
        else:
            kind = clean(one.get("type"))
            counts[_WORDS.get(kind, f"annotation of type {kind[:20]}")] += 1
    stated = item.get("image")
    image = stated if isinstance(stated, dict) else {}
    size = image.get("size")
    height, width = size if isinstance(size, list) and len(size) == 2 else (None, None)
    return sample(
        frames,
        legend,
        _picture(frames, clean(image.get("path") or item.get("id", "")), subset),
        size=stated_size(width, height),
        split=split_in(subset),
        hints=[subset, "images"],
        draw=_drawing(shapes, labels) if masks else None,
    )


def _picture(frames: Frames, wanted: str, subset: str) -> str:
    """The picture's name; some exports write ``a/x.png`` as ``a_x.png``."""
    for name in (wanted, wanted.replace("/", "_")):
        try:
            return frames.find(name, [subset, "images"])
        except BadDocument:
            continue
    return wanted


def _drawing(shapes: list[dict[str, Any]], labels: list[str]) -> Draw:
    def draw(height: int, width: int) -> list[Instance]:
        ordered = sorted(shapes, key=_z_order)
        return [(_label(one, labels), _bounds(one, height, width)) for one in ordered]

    return draw


def _z_order(annotation: dict[str, Any]) -> float:
    value = annotation.get("z_order", 0)
    return value if isinstance(value, (int, float)) and value == value else 0


def _label(annotation: dict[str, Any], labels: list[str]) -> str:
    id = annotation.get("label_id")
    if type(id) is not int or not 0 <= id < len(labels):
        raise NotInClasses(f"a {annotation.get('type')} whose label_id is {id!r:.20}, which is none of the labels")
    return labels[id]


def _bounds(annotation: dict[str, Any], height: int, width: int) -> rle.Bounds:
    if annotation["type"] == "mask":
        return rle.coco_bounds(annotation.get("rle"), height, width)
    return polygon_bounds(points_of(annotation.get("points")), height, width)
