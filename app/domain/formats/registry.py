"""The annotation formats, in the order in which they are tried; image and mask pairs are what is left."""

from app.domain.errors import Invalid
from app.domain.formats import (
    cityscapes,
    coco,
    cvat_images,
    datumaro,
    labelme,
    npz,
    pairs,
    panoptic,
    voc,
    yolo,
)
from app.domain.formats.base import Format
from app.domain.formats.source import Source

FORMATS: tuple[Format, ...] = (npz, coco, panoptic, cvat_images, datumaro, labelme, yolo, voc, cityscapes, pairs)


class UnknownFormat(Invalid):
    """A source that no format knows, or a format name that isn't one."""


def detect(source: Source) -> Format:
    """The first format that says the source is its own. Raises UnknownFormat."""
    for one in FORMATS:
        if one.detect(source):
            return one
    left_out = "".join(f" {name}: {reason}." for name, reason in source.refused[:1])
    raise UnknownFormat(
        f"There is nothing in {source.label} that can be imported; give an .npz, a folder or zip of images (masks "
        f"beside them), or a dataset in one of these formats: {', '.join(one.NAME for one in FORMATS)}.{left_out}"
    )


def by_name(name: str) -> Format:
    """The format of that ``NAME``. Raises UnknownFormat."""
    for one in FORMATS:
        if name == one.NAME:
            return one
    raise UnknownFormat(f"There is no format {name!r}; choose one of {', '.join(one.NAME for one in FORMATS)}.")
