"""COCO 1.0 as CVAT writes it: masks and ellipses as RLE, polygons as polygons, rectangles as boxes with a rotation
(https://docs.cvat.ai/docs/dataset_management/formats/format-coco/). It keeps no z-order: annotations lie in painting
order. Extensions of names may differ from the picture's."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from app.cvat.archives.base import (
    Archive,
    ArchiveFrame,
    ArchiveKind,
    BadArchive,
    Outgoing,
    Size,
    box,
    size_of,
    stated_size,
    stem,
)
from app.cvat.shapes import Shape
from app.cvat.wire import LabelSpec
from app.domain.formats import rle
from app.domain.formats.coco import plain, segmentation_bounds

PICTURES = "images/default/"


def read(document: dict[str, Any], sizes: Mapping[str, Size]) -> Archive:
    """``document`` is checked already (``check_document``). Raises BadArchive."""
    categories = [(plain(one.get("id")), str(one.get("name", ""))) for one in document["categories"]]
    index = {token: number for number, (token, _) in enumerate(categories)}
    by_image: dict[Any, list[dict[str, Any]]] = {}
    for one in document["annotations"]:
        by_image.setdefault(plain(one.get("image_id")), []).append(one)

    def frames() -> Iterator[ArchiveFrame]:
        for number, image in enumerate(document["images"]):
            name = stem(str(image.get("file_name", "")))
            size = size_of(name, stated_size(image.get("width"), image.get("height")), sizes)
            here = by_image.get(plain(image.get("id")), [])
            shapes = tuple(_shape(one, number, index, name, size) for one in here)
            yield ArchiveFrame(name, size, shapes)

    return Archive(ArchiveKind.COCO, tuple(name for _, name in categories), frames)


def _shape(one: dict[str, Any], frame: int, labels: Mapping[Any, int], name: str, size: Size | None) -> Shape:
    label = labels.get(plain(one.get("category_id")))
    if label is None:
        raise BadArchive(f"{name}: an annotation of a category that the file doesn't list.")
    if one.get("segmentation"):
        if size is None:
            raise BadArchive(f"{name}: the file doesn't say how large the picture is.")
        bounds = segmentation_bounds(one["segmentation"], size[1], size[0])
        return Shape("mask", frame, label, rle.cvat_encode(rle.mask_of(bounds, size[1], size[0])))
    if one.get("keypoints"):
        return Shape("skeleton", frame, label)
    return box(one, frame, label, 0)


def entries(frames: Iterable[Outgoing], labels: Sequence[LabelSpec]) -> Iterator[tuple[str, bytes]]:
    """The files that hold the annotations, without pictures."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, frame in enumerate(frames, start=1):
        height, width = frame.mask.shape
        images.append({"id": number, "width": width, "height": height, "file_name": frame.name})
        for category, label in enumerate(labels, start=1):
            area = frame.mask == label.class_id
            if area.any():
                rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
                left, top = int(columns[0]), int(rows[0])
                annotations.append({
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": category,
                    "segmentation": {"counts": rle.coco_counts(area), "size": [height, width]},
                    "area": int(area.sum()),
                    "bbox": [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1],
                    "iscrowd": 1,
                })  # fmt: skip
    categories = [{"id": id, "name": one.name, "supercategory": ""} for id, one in enumerate(labels, start=1)]
    document = {"categories": categories, "images": images, "annotations": annotations}
    yield "annotations/instances_default.json", json.dumps(document, separators=(",", ":")).encode()
