"""Pascal VOC segmentation: JPEGImages, SegmentationClass, and lists in ImageSets/Segmentation
(http://host.robots.ox.ac.uk/pascal/VOC/), as VOC itself, CVAT ("Segmentation mask 1.1") and LabelMe write it.

Ids: the numbers in index and palette masks; for RGB masks the line of the colour in ``labelmap.txt``. 255 and the
white border (224, 224, 192) are void. Names come from ``labelmap.txt`` or ``class_names.txt``; without them the 21
standard names where palette or colours are VOC's. Pictures without a mask are unlabelled; where there are lists,
pictures in none of them and without a mask are left out. Boxes in Annotations are ignored.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from app.domain.classes import VOID_ID, ClassList, Role, named
from app.domain.errors import RemaskError
from app.domain.formats.base import Expected, Found, Read, Refused, UnknownColours
from app.domain.formats.colours import Table, in_words_of, read_table
from app.domain.formats.drawn import drawn_sample
from app.domain.formats.frames import Frames, clean, ignored, wrapper
from app.domain.formats.image_files import is_image
from app.domain.formats.index import Rgb, any_index, check_ids, hex_of, open_mask, pack, to_ids
from app.domain.formats.source import Source
from app.domain.formats.splits import split_of
from app.domain.mask import Mask
from app.domain.picture import open_image

NAME = "voc"
_MASKS = ("SegmentationClass", "SegmentationClassPNG", "SegmentationClassRaw")
_BORDER = (224, 224, 192)
_NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
_LOOKED_AT = 64
_NAMED = 64


@dataclass(frozen=True)
class Rules:
    """How masks are read: ``words`` are the source's certain names; ``allowed`` the ids that may occur, any if None."""

    colours: dict[int, int] | None
    words: Table | None
    given: ClassList | None
    allowed: ClassList | None


def voc_colour(id: int) -> Rgb:
    """The colour of a class id in VOC's palette: its bits dealt to red, green and blue in turn, highest first."""
    channels = [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            channels[channel] |= (id >> (3 * bit + channel) & 1) << (7 - bit)
    return channels[0], channels[1], channels[2]


def detect(source: Source) -> bool:
    folders = {part for name in source.names for part in PurePosixPath(name).parts[:-1]}
    lists = source.match("*imagesets/segmentation/*.txt")
    return bool(folders & set(_MASKS) or lists) or {"JPEGImages", "ImageSets"} <= folders


def read(source: Source, classes: ClassList | None) -> Iterator[Read]:
    images = _under(source, ("JPEGImages",))
    masks = _under(source, _MASKS)
    table, refused = read_table(source)
    found, rules = _settle(source, list(masks.values()), table, classes)
    if classes is None and found is not None:
        yield Found(found)
    yield from refused
    splits = _splits(source)
    yield Expected(sum(not splits or stem in splits or stem in masks for stem in images))
    frames = Frames(source)
    ids, meant = partial(to_ids, colours=rules.colours), partial(_meant, rules=rules)
    left_out = 0
    for stem, image in images.items():
        if splits and stem not in splits and stem not in masks:
            left_out += 1
        else:
            yield drawn_sample(frames, image, masks.get(stem), splits.get(stem), ids, meant)
    for stem in sorted((masks.keys() | splits.keys()) - images.keys()):
        yield Refused(masks.get(stem, stem), "its image is not in the source")
    boxes = len(source.match("*annotations/*.xml"))
    yield from ignored(+Counter({"picture in no list of ImageSets/Segmentation": left_out, "file of boxes": boxes}))


def _under(source: Source, folders: tuple[str, ...]) -> dict[str, str]:
    """Image files below one of the folders, by their path there without extension, and before it the root's."""
    depth = wrapper(source.names)
    out: dict[str, str] = {}
    for name in source.names:
        parts = PurePosixPath(name).parts[depth:]
        at = next((n for n, part in enumerate(parts[:-1]) if part in folders), None)
        if at is not None and is_image(name):
            inside = PurePosixPath(*parts[:at], *parts[at + 1 :])
            out.setdefault(str(inside.with_suffix("")), name)
    return out


def _splits(source: Source) -> dict[str, str | None]:
    """Listed pictures and their split; a list such as trainval.txt or default.txt tells none."""
    depth = wrapper(source.names)
    out: dict[str, str | None] = {}
    for name in source.match("*imagesets/segmentation/*.txt"):
        path = PurePosixPath(name)
        root = PurePosixPath(*path.parts[depth:-3])
        for line in clean(source.text(name)).splitlines():
            listed = line.strip()
            if listed and not listed.startswith("#"):
                stem = str(root / listed)
                out[stem] = split_of(path.stem) or out.get(stem)
    return out


def _settle(
    source: Source, masks: list[str], table: Table | None, given: ClassList | None
) -> tuple[ClassList | None, Rules]:
    """The source's classes, and how its masks are read. Raises UnknownColours."""
    seen: set[int] = set()
    void = False
    first = palette = ""
    for name in masks[:: max(1, len(masks) // _LOOKED_AT)]:
        try:
            data = source.read(name)
            drawn = open_mask(data)
        except RemaskError:
            continue  # refused by name when its turn comes
        if drawn.coloured:
            seen |= {int(colour) for colour in np.unique(drawn.values)[:_NAMED]}
            first = first or name
            continue
        void = void or bool((drawn.values == VOID_ID).any())
        palette = palette or (name if _is_voc_palette(data) else "")
    standard = _standard()
    colours = None
    if seen:
        listed = {pack(one.rgb): one.id for one in given.classes} if given is not None else {}
        tables = [table.colours if table else {}, standard.colours, listed]
        whole = [{pack(_BORDER): VOID_ID, **one} for one in tables if one]
        colours = whole[0] if table and table.colours else next((one for one in whole if seen <= one.keys()), None)
        if colours is None and not any_index(source, masks):
            raise UnknownColours([hex_of(colour) for colour in sorted(seen)], first)
    own = table
    if own is None and (palette or (colours or {}).get(pack(voc_colour(1))) == 1):
        own = standard
    if own is None:
        return None, Rules(colours, None, given, given)
    void = void or any(colours is not None and colours.get(colour) == VOID_ID for colour in seen)
    found = own.classes.with_ids([VOID_ID] if void else [])
    own = replace(own, classes=own.classes.with_ids([VOID_ID]))  # 255 may still come in a mask not looked at
    if given is not None:
        return None, Rules(colours, own if table else None, given, given)
    return found, Rules(colours, None, None, own.classes if table else None)


def _standard() -> Table:
    classes = ClassList(tuple(named(id, name, voc_colour(id)) for id, name in enumerate(_NAMES)))
    return Table("", classes, {pack(one.rgb): one.id for one in classes.classes if one.role is not Role.VOID})


def _is_voc_palette(data: bytes) -> bool:
    values = open_image(data).getpalette()
    return values is not None and values[: 3 * len(_NAMES)] == [v for id in range(len(_NAMES)) for v in voc_colour(id)]


def _meant(mask: Mask, rules: Rules) -> Mask:
    if rules.words is not None and rules.given is not None:
        mask = in_words_of(mask, rules.words, rules.given)
    check_ids(mask, rules.allowed)
    return mask
