"""Datumaro 1.0: one JSON with masks as RLE and the z-order kept, CVAT's best lossless format
(https://docs.cvat.ai/docs/dataset_management/formats/format-datumaro/)."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from app.cvat.archives.base import (
    Archive,
    ArchiveFrame,
    ArchiveKind,
    BadArchive,
    Outgoing,
    Size,
    box,
    floats,
    rotation,
    size_of,
    stated_size,
    stem,
)
from app.cvat.shapes import Shape
from app.cvat.wire import LabelSpec
from app.domain.formats import rle

PICTURES = "images/default/"


def read(document: Any, sizes: Mapping[str, Size]) -> Archive:
    """Raises BadArchive."""
    try:
        labels = tuple(str(one["name"]) for one in document["categories"]["label"]["labels"])
        items = [(str(one["id"]), one.get("image") or {}, list(one["annotations"])) for one in document["items"]]
    except (AttributeError, KeyError, TypeError):
        raise BadArchive("The Datumaro annotations have no labels or no items.") from None

    def frames() -> Iterator[ArchiveFrame]:
        for number, (name, image, annotations) in enumerate(items):
            stated = image.get("size") if isinstance(image, dict) else None
            height, width = stated if isinstance(stated, list) and len(stated) == 2 else (None, None)
            size = size_of(name, stated_size(width, height), sizes)
            shapes = tuple(_shape(one, number, len(labels), name) for one in annotations)
            yield ArchiveFrame(name, size, shapes)

    return Archive(ArchiveKind.DATUMARO, labels, frames)


def _shape(one: Any, frame: int, labels: int, name: str) -> Shape:
    kind, label = (one.get("type"), one.get("label_id")) if isinstance(one, dict) else (None, None)
    if not isinstance(kind, str) or not isinstance(label, int) or not 0 <= label < labels:
        raise BadArchive(f"{name}: an annotation without a kind, or of a label that the file doesn't list.")
    z = int(*floats([one.get("z_order", 0)], 1))
    if kind == "mask":
        code = one.get("rle")
        mask = rle.coco_decode(code if isinstance(code, dict) else {})
        return Shape("mask", frame, label, rle.cvat_encode(mask), z)
    if kind == "polygon":
        return Shape("polygon", frame, label, floats(one.get("points"), None), z)
    if kind == "bbox":
        return box(one, frame, label, z)
    if kind == "ellipse":  # kept as its box
        x0, y0, x1, y1 = floats(one.get("points"), 4)
        return Shape("ellipse", frame, label, ((x0 + x1) / 2, (y0 + y1) / 2, x1, y0), z, rotation(one))
    return Shape(kind, frame, label, z_order=z)


def entries(frames: Iterable[Outgoing], labels: Sequence[LabelSpec]) -> Iterator[tuple[str, bytes]]:
    """The files that hold the annotations, without pictures."""
    items: list[dict[str, Any]] = []
    for number, frame in enumerate(frames):
        shapes: list[dict[str, Any]] = []
        for label_id, label in enumerate(labels):
            area = frame.mask == label.class_id
            if area.any():
                shapes.append({
                    "id": 0, "type": "mask", "attributes": {"occluded": False}, "group": 0, "label_id": label_id,
                    "rle": rle.coco_encode(area), "z_order": 0,
                })  # fmt: skip
        image = {"path": frame.name, "size": list(frame.mask.shape)}
        items.append({"id": stem(frame.name), "annotations": shapes, "attr": {"frame": number}, "image": image})
    listed = [{"name": one.name, "parent": "", "attributes": []} for one in labels]
    categories = {"label": {"labels": listed, "attributes": ["occluded"]}, "points": {"items": []}}
    document = {"info": {}, "categories": categories, "items": items}
    yield "annotations/default.json", json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
