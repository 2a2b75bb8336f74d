"""What every archive format gives and takes, and the checks on what it reads.

A frame is known by its name without extension, since that is what all formats keep. Labels are known by name; a shape's
label is the index into ``Archive.labels``. Frames in no list (deleted ones) don't come; listed ones without any shape
come empty. This isn't how ``app.domain.formats`` reads data sets: that has its own rules for what lies over what, and
wants pictures.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from app.cvat.shapes import Shape
from app.domain.errors import Invalid
from app.domain.mask import Mask

Size = tuple[int, int]
"""Width and height."""


class ArchiveKind(StrEnum):
    """CVAT's names of its formats."""

    IMAGES = "CVAT for images 1.1"
    MASKS = "Segmentation mask 1.1"
    COCO = "COCO 1.0"
    DATUMARO = "Datumaro 1.0"


class BadArchive(Invalid):
    """A file that is none of CVAT's exports, or is broken."""


@dataclass(frozen=True)
class ArchiveFrame:
    """``name`` without extension; ``size`` where the file or the caller knows it."""

    name: str
    size: Size | None
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Archive:
    """``frames`` reads on; it may be called again, and raises BadArchive, BadRle or BadPolygon at what is broken."""

    kind: ArchiveKind
    labels: tuple[str, ...]
    frames: Callable[[], Iterator[ArchiveFrame]]


@dataclass(frozen=True)
class Outgoing:
    """A frame to write: ``name`` as CVAT knows the picture, with its extension; ``picture`` its file's bytes where
    they go along; ``revision`` and ``sample`` are ours and go to the manifest."""

    name: str
    mask: Mask
    revision: int
    sample: str
    picture: bytes | None = None


def size_of(name: str, stated: Size | None, sizes: Mapping[str, Size]) -> Size | None:
    """A frame's size by the file, or else by the caller. Raises BadArchive where they differ."""
    known = sizes.get(name)
    if stated is not None and known is not None and stated != known:
        raise BadArchive(f"{name} is {stated[0]} x {stated[1]} in the file and {known[0]} x {known[1]} here.")
    return stated or known


def stated_size(width: object, height: object) -> Size | None:
    if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
        return width, height
    return None


def stem(name: str) -> str:
    """A name without its extension; only the last dot counts."""
    folder, slash, last = name.rpartition("/")
    base, dot, _ = last.rpartition(".")
    return folder + slash + (base if dot and base else last)


def numbers(texts: list[str]) -> list[float]:
    """Raises BadArchive for anything but finite numbers that a picture could have."""
    try:
        values = [float(text) for text in texts]
    except ValueError:
        raise BadArchive("Something other than a number stands where a number should be.") from None
    if not np.isfinite(values).all() or max(map(abs, values), default=0) > 1e15:
        raise BadArchive("A number that no picture has stands where a coordinate should be.")
    return values


def floats(values: object, count: int | None) -> tuple[float, ...]:
    """A JSON list as numbers, ``count`` of them. Raises BadArchive."""
    found = values if isinstance(values, list) else []
    if not all(isinstance(one, (int, float)) for one in found) or (count is not None and len(found) != count):
        raise BadArchive("Coordinates that aren't the numbers they should be.")
    return tuple(numbers([str(one) for one in found]))


def box(one: dict[str, Any], frame: int, label: int, z: int) -> Shape:
    """The rectangle of a JSON annotation: ``bbox`` is x, y, width, height. Raises BadArchive."""
    x, y, width, height = floats(one.get("bbox"), 4)
    return Shape("rectangle", frame, label, (x, y, x + width, y + height), z, rotation(one))


def rotation(one: dict[str, Any]) -> float:
    attributes = one.get("attributes")
    (turn,) = floats([attributes.get("rotation", 0.0)] if isinstance(attributes, dict) else [0.0], 1)
    return turn
