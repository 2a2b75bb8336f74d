"""COCO instances and stuff: polygons, compressed and uncompressed RLE (https://cocodataset.org/#format-data).

Ids: category ids are kept where they lie in 1..65535 (0 for a category named background); otherwise categories get
1, 2, ... in their order. Pixels in no annotation are background, 0. COCO has no z-order: large areas are painted
first. In a file with masks a picture without any is background; in a file without masks pictures are unlabelled.
A picture that several files list is taken once: from instances files first, then others, stuff, keypoints.
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from app.domain.classes import ClassList, Role
from app.domain.errors import RemaskError
from app.domain.formats import rle
from app.domain.formats.base import Expected, Found, Read, Refused
from app.domain.formats.frames import (
    BadDocument,
    Frames,
    clean,
    documents,
    ignored,
    peek,
    read_json,
    split_folder,
    split_in,
    stated_size,
)
from app.domain.formats.instances import Category, Draw, Instance, Legend, by_area, listed, sample
from app.domain.formats.polygon import BadPolygon, points_of, polygon_bounds
from app.domain.formats.source import Source

NAME = "coco"
_ORDER = ("instances", "", "stuff", "person_keypoints", "labels", "captions", "image_info")


def detect(source: Source) -> bool:
    return any(
        _is_results(head) or (b'"images"' in head and b'"annotations"' in head and b'"segments_info"' not in head)
        for head in peek(source, "*.json")
    )


@dataclass(frozen=True)
class _Summary:
    """What is remembered of a file between the two passes."""

    name: str
    categories: dict[Hashable, Category]
    masks: bool
    pictures: int


class _Documents:
    """Reads one file at a time and holds the last one, so that a source of one file is read once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._name = ""
        self._document: dict[str, Any] = {}

    def get(self, name: str) -> dict[str, Any]:
        if name != self._name:
            self._name, self._document = "", {}
            self._document = check_document(read_json(self._source, name))
            self._name = name
        return self._document


def read(source: Source, classes: ClassList | None) -> Iterator[Read]:
    files = _Documents(source)
    summaries: list[_Summary] = []
    for name in documents(source):
        try:
            document = files.get(name)
            masks = any(_has_mask(one) for one in document["annotations"])
            categories = {one.token: one for one in categories_of(document)}
            summaries.append(_Summary(name, categories, masks, len(document["images"])))
        except RemaskError as error:
            yield Refused(name, str(error))
    summaries.sort(key=lambda one: (not one.masks, _rank(one.name)))
    known: dict[Hashable, Category] = {}
    for one in list(summaries):
        if reason := _other_meaning(one, known):
            yield Refused(one.name, reason)
            summaries.remove(one)
        else:
            known.update(one.categories)
    legend = listed(known.values(), classes)
    if classes is None and summaries:
        yield Found(legend.classes)
    yield Expected(sum(one.pictures for one in summaries))
    frames, counts = Frames(source), Counter[str]()
    seen: dict[str, str] = {}
    for one in summaries:
        yield from _samples(frames, legend, files.get(one.name), one, seen, counts)
    yield from ignored(+counts)


def _other_meaning(one: _Summary, known: dict[Hashable, Category]) -> str | None:
    for token, category in one.categories.items():
        if token in known and known[token].name != category.name:
            return (
                f"its category {token} is {category.name}, in the other files {known[token].name}; "
                "import it as a dataset of its own"
            )
    return None


def _samples(
    frames: Frames, legend: Legend, document: dict[str, Any], file: _Summary, seen: dict[str, str], counts: Counter[str]
) -> Iterator[Read]:
    """The pictures of one file; ``seen`` says which file a picture came with."""
    annotations = index(document, counts)
    hints, split = hints_of(file.name)
    untold = PurePosixPath(file.name).stem.endswith("_default")  # what our exports and CVAT call no split at all
    again = 0
    for image in document["images"]:
        wanted = clean(image.get("file_name", ""))
        shapes = annotations.pop(plain(image.get("id")), [])
        if seen.setdefault(f"{split}/{wanted}", file.name) != file.name:
            again += 1
            continue
        yield sample(
            frames,
            legend,
            wanted,
            size=stated_size(image.get("width"), image.get("height")),
            split=split or (None if untold else split_folder(wanted)),
            hints=hints,
            draw=_drawing(shapes) if file.masks else None,
        )
    if again and file.masks:
        yield Refused(file.name, f"{again} of its pictures came with another file; import it as a dataset of its own")
    counts["annotation of pictures that the file doesn't list"] += sum(map(len, annotations.values()))


def check_document(document: Any) -> dict[str, Any]:
    """A COCO document with its lists checked. Raises BadDocument naming what is missing."""
    if isinstance(document, list) and any(isinstance(one, dict) and "image_id" in one for one in document[:1]):
        raise BadDocument("a list of results without the list of images; import it with the annotation file")
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        raise BadDocument("no COCO annotations: it has no list of images")
    annotations = document.setdefault("annotations", [])
    parts = (document["images"], annotations, document.setdefault("categories", []))
    if not all(isinstance(part, list) and all(isinstance(one, dict) for one in part) for part in parts):
        raise BadDocument("no COCO annotations: images, annotations and categories have to be lists of objects")
    if any("segments_info" in one for one in annotations[:1]):
        raise BadDocument("panoptic annotations; import them with the format panoptic")
    return document


def categories_of(document: dict[str, Any]) -> Iterator[Category]:
    """Categories with name, colour (panoptic files have one) and role (our own exports state it)."""
    for one in document["categories"]:
        token, colour, role = one.get("id"), one.get("color"), one.get("role")
        if isinstance(token, bool) or not isinstance(token, int):
            raise BadDocument(f"a category whose id is not a whole number: {token!r:.40}")
        rgb = tuple(colour) if isinstance(colour, list) and len(colour) == 3 else None
        valid = rgb is not None and all(type(value) is int and 0 <= value <= 255 for value in rgb)
        yield Category(
            token, clean(one.get("name", "")), rgb if valid else None, Role(role) if role in list(Role) else None
        )


def plain(id: object) -> Hashable:
    """An id as a file states it, or None where it is neither a number nor a text."""
    return id if isinstance(id, (int, str)) else None


def index(document: dict[str, Any], counts: Counter[str]) -> dict[Hashable, list[dict[str, Any]]]:
    """Annotations with a mask by image; the others are counted by what they are."""
    out: dict[Hashable, list[dict[str, Any]]] = {}
    for one in document["annotations"]:
        if "keypoints" in one:
            counts["skeleton"] += 1
        if _has_mask(one):
            if _without_slivers(one, counts):
                out.setdefault(plain(one.get("image_id")), []).append(one)
        elif "keypoints" not in one:
            counts["caption" if "caption" in one else "box" if one.get("bbox") else "label"] += 1
    return out


def hints_of(name: str) -> tuple[list[str], str | None]:
    """Folders that a file's pictures may lie in (``instances_train2017`` -> train2017, train), and its split."""
    path, split = PurePosixPath(name), split_in(name)
    hints = [path.stem, path.stem.rpartition("_")[2], split or "", *reversed(path.parts[:-1]), "images"]
    return [hint for hint in hints if hint], split


def segmentation_bounds(segmentation: object, height: int, width: int) -> rle.Bounds:
    """The pixels of one annotation: a list of polygons (any of them counts) or an RLE. Raises BadRle, BadPolygon."""
    if isinstance(segmentation, dict):
        return rle.coco_bounds(segmentation, height, width)
    if not isinstance(segmentation, list):
        raise BadPolygon("a segmentation that is neither polygons nor an RLE")
    parts = segmentation if isinstance(segmentation[0], list) else [segmentation]
    return rle.union([polygon_bounds(points_of(part), height, width) for part in parts])


def _drawing(shapes: Sequence[dict[str, Any]]) -> Draw:
    def draw(height: int, width: int) -> list[Instance]:
        return by_area(
            (plain(one.get("category_id")), segmentation_bounds(one["segmentation"], height, width)) for one in shapes
        )

    return draw


def _has_mask(annotation: dict[str, Any]) -> bool:
    return bool(annotation.get("segmentation"))


def _without_slivers(annotation: dict[str, Any], counts: Counter[str]) -> bool:
    """Drops polygons of one or two points, which have no area; whether any mask is left."""
    parts = annotation["segmentation"]
    if isinstance(parts, list) and isinstance(parts[0], list):
        kept = [part for part in parts if not isinstance(part, list) or len(part) >= 6]
        counts["polygon of fewer than three points"] += len(parts) - len(kept)
        annotation["segmentation"] = kept
    return bool(annotation["segmentation"])


def _is_results(head: bytes) -> bool:
    return head[:64].lstrip().startswith(b"[") and b'"image_id"' in head[:4096]


def _rank(name: str) -> tuple[int, str]:
    stem = PurePosixPath(name).stem.lower()
    prefix = next((prefix for prefix in _ORDER if prefix and stem.startswith(prefix)), "")
    return _ORDER.index(prefix), name
