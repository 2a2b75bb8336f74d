"""Segmentation mask 1.1: PNG in the colours of labelmap.txt
(https://docs.cvat.ai/docs/dataset_management/formats/format-smask/).

The labelmap is alphabetical and belongs to its zip alone. What has the colour of ``background`` is unlabelled, whatever
else has that colour. On import CVAT wants a labelmap with background, class and object PNG, and the switch "Convert
masks to polygons" off.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

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
from app.cvat.wire import CantPush, LabelSpec, points_by_class
from app.domain.formats.index import open_mask
from app.domain.formats.source import Source
from app.domain.formats.voc import voc_colour
from app.domain.mask import encode_png

PICTURES = "JPEGImages/"
_UNLABELLED = "background"


def read(source: Source, sizes: Mapping[str, Size]) -> Archive:
    """Raises BadArchive."""
    colours: dict[int, str] = {}
    doubled: dict[int, str] = {}
    labels: list[str] = []
    for line in source.text(source.match("*labelmap.txt")[0]).splitlines():
        name, _, rest = line.partition(":")
        if not line.strip() or line.startswith("#"):
            continue
        parts = numbers(rest.split(":")[0].split(","))
        if len(parts) != 3:
            raise BadArchive(f"labelmap.txt has no colour for {name}.")
        packed = int(parts[0]) << 16 | int(parts[1]) << 8 | int(parts[2])
        if name != _UNLABELLED:
            labels.append(name)
        if packed in colours and colours[packed] != _UNLABELLED:
            doubled[packed] = f"{colours[packed]} and {name}"
        elif colours.get(packed) != _UNLABELLED:  # what has the colour of unlabelled is unlabelled
            colours[packed] = name
    index = {name: number for number, name in enumerate(labels)}
    drawn = {
        name.rpartition("SegmentationClass/")[2].removesuffix(".png"): name
        for name in source.match("*SegmentationClass/*.png")
    }
    lists = source.match("*ImageSets/Segmentation/*.txt")
    names = dict.fromkeys(line.strip() for one in lists for line in source.text(one).splitlines() if line.strip())

    def frames() -> Iterator[ArchiveFrame]:
        for number, name in enumerate(names):
            file = drawn.get(name)
            if file is None:
                yield ArchiveFrame(name, sizes.get(name), ())
                continue
            values = open_mask(source.read(file)).values
            shapes = []
            for packed, points in points_by_class(values):
                if packed in doubled:
                    raise BadArchive(f"{name}: labels {doubled[packed]} have one colour; give them two in CVAT.")
                if packed not in colours:
                    raise BadArchive(f"{name}: colour #{packed:06x} is not in labelmap.txt.")
                if colours[packed] != _UNLABELLED:
                    shapes.append(Shape("mask", number, index[colours[packed]], points))
            size = (values.shape[1], values.shape[0])
            yield ArchiveFrame(name, size_of(name, size, sizes), tuple(shapes))

    return Archive(ArchiveKind.MASKS, tuple(labels), frames)


def entries(frames: Iterable[Outgoing], labels: Sequence[LabelSpec]) -> Iterator[tuple[str, bytes]]:
    """The files that hold the annotations, without pictures. Raises CantPush for a name that labelmap can't hold, and
    for a label called background, which this format takes for unlabelled."""
    for one in labels:
        if one.name == _UNLABELLED or any(mark in one.name for mark in ":\n\r#"):
            raise CantPush(f"{ArchiveKind.MASKS} can't hold a label called {one.name!r}; choose another format.")
    ordered = sorted(labels, key=lambda one: one.name)
    lines = ["# label:color_rgb:parts:actions", f"{_UNLABELLED}:0,0,0::"]
    lines += [f"{one.name}:{','.join(map(str, bytes.fromhex(one.colour[1:])))}::" for one in ordered]
    names = []
    table = np.zeros((65536, 3), np.uint8)
    objects = np.zeros((65536, 3), np.uint8)
    for instance, one in enumerate(labels, start=1):
        table[one.class_id] = list(bytes.fromhex(one.colour[1:]))
        objects[one.class_id] = voc_colour(instance)
    for frame in frames:
        name = stem(frame.name)
        names.append(name)
        if table[np.unique(frame.mask)].any():  # CVAT writes no PNG for a frame without shapes
            yield f"SegmentationClass/{name}.png", encode_png(table[frame.mask])
            yield f"SegmentationObject/{name}.png", encode_png(objects[frame.mask])
    yield "ImageSets/Segmentation/default.txt", "".join(f"{name}\n" for name in names).encode()
    yield "labelmap.txt", "\n".join([*lines, ""]).encode()
