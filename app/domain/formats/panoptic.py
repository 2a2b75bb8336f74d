"""COCO panoptic: a PNG of segment ids (R + 256 G + 65536 B) for each picture, and a JSON that says which category
each segment is (https://cocodataset.org/#format-data, panoptic segmentation).

Ids are those of the coco module. Segments never overlap. Pixels of segment 0 belong to none: void by the format's
definition, 255 or the first free id above; a class list without void takes them as background.
"""

from collections import Counter
from collections.abc import Hashable, Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from app.domain.classes import VOID_ID, ClassList, Role
from app.domain.errors import RemaskError
from app.domain.formats.base import Expected, Found, Labelled, Read, Refused
from app.domain.formats.coco import categories_of, hints_of, plain
from app.domain.formats.frames import BadDocument, Frames, clean, ignored, peek, read_json, split_folder, stated_size
from app.domain.formats.image_files import size_mismatch
from app.domain.formats.index import Drawn, open_mask
from app.domain.formats.instances import Category, Legend, NotInClasses, listed
from app.domain.formats.source import Source
from app.domain.mask import Mask, as_mask

NAME = "panoptic"


def detect(source: Source) -> bool:
    return any(b'"segments_info"' in head for head in peek(source, "*.json"))


def read(source: Source, classes: ClassList | None) -> Iterator[Read]:
    names: dict[str, int] = {}
    categories: list[Category] = []
    document: Any = None
    for name in source.match("*.json"):
        try:
            document = None
            document = read_json(source, name)
            if _is_panoptic(document):
                categories.extend(categories_of(document))
                names[name] = len(document["images"])
        except RemaskError as error:
            yield Refused(name, str(error))
    void = Category("void", "void" if all(one.name != "void" for one in categories) else "no segment", None, Role.VOID)
    legend = _with_void(categories, void, classes)
    if classes is None and names:
        yield Found(legend.classes)
    yield Expected(sum(names.values()))
    frames, counts = Frames(source), Counter[str]()
    for name in names:
        document = None
        document = read_json(source, name)
        hints, split = hints_of(name)
        by_image = {plain(one.get("image_id")): one for one in document["annotations"]}
        for image in document["images"]:
            annotation = by_image.pop(plain(image.get("id")), None)
            yield _sample(frames, legend, image, annotation, hints, split)
        counts["annotation of pictures that the file doesn't list"] += len(by_image)
    yield from ignored(+counts)


def _is_panoptic(document: Any) -> bool:
    if not isinstance(document, dict):
        return False
    parts = [document.get(part) for part in ("images", "annotations", "categories")]
    return all(isinstance(part, list) and all(isinstance(one, dict) for one in part) for part in parts) and any(
        "segments_info" in one for one in document["annotations"][:1]
    )


def _with_void(categories: list[Category], void: Category, classes: ClassList | None) -> Legend:
    """The categories' legend with void (by its token) beside them."""
    taken = {one.token for one in categories}
    free = next((id for id in range(VOID_ID, 65536) if id not in taken), VOID_ID)
    plain = listed([*categories, Category(free, void.name, void.rgb, None)], classes)
    fallback = plain.ids.get(free, plain.background)
    ids = {**plain.ids, **({void.token: fallback} if fallback is not None else {})}
    return Legend(plain.classes, ids, plain.background, {**plain.names, void.token: void.name})


def _sample(
    frames: Frames,
    legend: Legend,
    image: dict[str, Any],
    annotation: dict[str, Any] | None,
    hints: list[str],
    split: str | None,
) -> Labelled | Refused:
    wanted = clean(image.get("file_name", ""))
    try:
        name = frames.find(wanted, ["images", *hints[1:]])
        key = frames.claim(name)
        picture = frames.open(name, stated_size(image.get("width"), image.get("height")))
        split = split or split_folder(name)
        if annotation is None:
            return Labelled(key, picture, None, name, split)
        png = frames.find(str(annotation.get("file_name") or f"{PurePosixPath(wanted).stem}.png"), hints)
        if png == name:
            raise BadDocument("its PNG of segments is not in the source")
        segments = _segments(open_mask(frames.source.read(png)))
        if reason := size_mismatch(picture, (segments.shape[0], segments.shape[1]), png):
            raise BadDocument(reason)
        mask = _class_map(segments, annotation, legend, png)
    except RemaskError as error:
        return Refused(wanted, str(error))
    return Labelled(key, picture, mask, name, split)


def _segments(drawn: Drawn) -> npt.NDArray[np.int64]:
    """Segment ids from packed colours ``r << 16 | g << 8 | b``: the format has red lowest. A gray PNG holds ids."""
    values = drawn.values.astype(np.int64)
    return values >> 16 | values & 0xFF00 | (values & 255) << 16 if drawn.coloured else values


def _class_map(segments: npt.NDArray[np.int64], annotation: dict[str, Any], legend: Legend, png: str) -> Mask:
    """Class ids for segment ids. Raises BadDocument for a segment that the JSON lacks, NotInClasses."""
    infos = annotation.get("segments_info")
    if not isinstance(infos, list) or not all(isinstance(one, dict) for one in infos):
        raise BadDocument("segments_info is not a list of segments")
    category: dict[object, Hashable] = {plain(one.get("id")): plain(one.get("category_id")) for one in infos}
    category.setdefault(0, "void")
    seen, where = np.unique(segments, return_inverse=True)
    missing = [int(id) for id in seen if int(id) not in category]
    if missing:
        raise BadDocument(f"segment {missing[0]} of {png} is not in the JSON ({len(missing)} such)")
    try:
        ids = np.array([legend.id_of(category[int(id)]) for id in seen], np.uint16)
    except NotInClasses as error:
        raise NotInClasses(f"{error} ({png})") from None
    return as_mask(ids[where].reshape(segments.shape))
