"""NPZ: the course file (`training_set`, `test_set`) and plain `images`/`masks` or `X`/`y` arrays, row by row.

Image and mask arrays are read side by side; memory holds one row of each.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np

from app.domain.classes import VOID_ID, ClassList
from app.domain.formats.base import Expected, Found, Ignored, Labelled, Read, Refused
from app.domain.formats.colours import Meaning, read_table
from app.domain.formats.image_files import is_image
from app.domain.formats.npy import Array, BadArray, Row, check_sound, open_archive, read_header, rows_of
from app.domain.formats.source import BadSource, Source, ZipSource
from app.domain.formats.splits import split_of
from app.domain.mask import BadMask, as_mask
from app.domain.picture import Picture

NAME = "npz"
_IMAGES = {"images", "image", "imgs", "img", "x", "data", "inputs"}
_MASKS = {"masks", "mask", "y", "labels", "label", "annotations", "gt", "targets"}
_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class Part:
    """What becomes samples: ``masks`` is None for unlabelled images; ``stacked`` rows are (2, H, W), image and mask."""

    images: Array
    masks: Array | None
    stacked: bool
    channels_first: bool
    split: str | None


def detect(source: Source) -> bool:
    """One .npz, alone or without pictures beside it. What its arrays are is told by ``read``."""
    files = source.match("*.npz")
    return len(files) == 1 and not any(is_image(name) for name in source.names)


def read(source: Source, classes: ClassList | None) -> Iterator[Read]:
    """Every row of every array of a known name; row i of `training_set` has the key ``training_set/00062``.

    Arrays of unknown names are reported as ignored; damaged ones, pickles, Fortran order and headers that lie are
    refused by name.
    """
    (file,) = source.match("*.npz")
    with ExitStack() as stack:
        try:
            archive = open_archive(source, file, stack)
        except BadSource as error:
            yield Refused(file, str(error))
            return
        for entry, reason in archive.refused:
            yield Refused(f"{file}/{entry}", reason)
        arrays: list[Array] = []
        for entry in archive.names:
            try:
                arrays.append(read_header(archive, entry))
            except BadArray as error:
                yield Refused(f"{file}/{entry.removesuffix('.npy')}", str(error))
        parts: list[Part] = []
        damaged: list[Refused] = []
        for found in _parts(file, arrays):
            if isinstance(found, Part):
                parts += _sound(archive, file, found, damaged)
            else:
                yield found
        yield from damaged
        if not parts and damaged:
            return
        if not parts:
            held = ", ".join(f"{one.name} {one.shape}" for one in arrays) or "no array that can be read"
            yield Refused(file, f"holds no training_set, images or X array of rows of images; it holds {held}")
            return
        parts.sort(key=lambda part: not part.stacked and part.masks is None)
        table, unread = read_table(source)
        yield from unread
        binary, void = _looked_at(archive, parts)
        meaning = Meaning.settled(table, classes, binary, void)
        if meaning.found is not None:
            yield Found(meaning.found)
        yield Expected(sum(part.images.shape[0] for part in parts))
        for part in parts:
            yield from _samples(archive, file, part, meaning)


def _sound(archive: ZipSource, file: str, part: Part, damaged: list[Refused]) -> list[Part]:
    """``part`` without what is damaged, which goes into ``damaged``: images whose masks are broken are unlabelled."""
    whole: list[Array] = []
    for array in (part.images, *([part.masks] if part.masks else [])):
        try:
            check_sound(archive, array)
            whole.append(array)
        except BadArray as error:
            damaged.append(Refused(f"{file}/{array.name}", str(error)))
    if part.images not in whole:
        return []
    return [part if part.masks is None or part.masks in whole else replace(part, masks=None)]


def _role(name: str) -> tuple[str, str | None]:
    """Role ("set", "image", "mask" or "") and split that an array's name tells: `X_train` is image, train."""
    words = name.lower().split("/")[-1].split("_")
    splits = [split for word in words if (split := split_of(word))]
    rest = "_".join(word for word in words if not split_of(word))
    role = "set" if rest == "set" else "image" if rest in _IMAGES else "mask" if rest in _MASKS else ""
    return role, splits[0] if splits and role != "set" else None


def _parts(file: str, arrays: list[Array]) -> Iterator[Part | Refused | Ignored]:
    """The arrays put together as images and masks, what is left over named."""
    images: dict[str | None, list[Array]] = {}
    masks: dict[str | None, list[Array]] = {}
    for one in arrays:
        role, split = _role(one.name)
        if role == "mask":
            masks.setdefault(split, []).append(one)
        elif role:
            images.setdefault(split, []).append(one)
        else:
            yield Ignored(f"array {one.name} of shape {one.shape}")
    for split, found in images.items():
        for one in found:
            mask = _partner(one, masks.get(split, []))
            stacked = mask is None and len(one.shape) == 4 and one.shape[1] == 2
            try:
                yield Part(one, mask, stacked, not stacked and _channels_first(one, mask), split)
            except BadArray as error:
                yield Refused(f"{file}/{one.name}", str(error))
    for left in masks.values():
        for one in left:
            yield Refused(f"{file}/{one.name}", "there are no images of that name beside these masks")


def _partner(images: Array, masks: list[Array]) -> Array | None:
    """The mask array that goes with an image array, taken from ``masks``: `y` with `X`, the others with `images`."""
    letter = images.name.lower().split("_")[0] == "x" or images.name.lower().endswith("_x")
    if "set" in images.name.lower().split("_"):
        return None
    for one in masks:
        if letter == (one.name.lower().split("_")[0] == "y" or one.name.lower().endswith("_y")) or len(masks) == 1:
            masks.remove(one)
            return one
    return None


def _channels_first(images: Array, masks: Array | None) -> bool:
    """Whether rows are (C, H, W). Raises BadArray where shapes don't fit or don't tell."""
    shape = images.shape
    if masks is not None:
        sides = masks.shape[1:-1] if len(masks.shape) == 4 and masks.shape[3] == 1 else masks.shape[1:]
        if len(sides) != 2 or masks.shape[0] != shape[0]:
            raise BadArray(f"has shape {shape}, its masks {masks.name} {masks.shape}; masks have to be (N, H, W)")
        last = shape[1:3] == sides and (len(shape) == 3 or shape[3:] in [(c,) for c in _CHANNELS])
        first = len(shape) == 4 and shape[2:] == sides and shape[1] in _CHANNELS
        if not last and not first:
            raise BadArray(f"has shape {shape}, its masks {masks.name} {masks.shape}: the sizes differ")
    else:
        last = len(shape) == 3 or (len(shape) == 4 and shape[3] in _CHANNELS)
        first = len(shape) == 4 and shape[1] in _CHANNELS
        if not last and not first:
            raise BadArray(f"has shape {shape}; images have to be (N, H, W), (N, H, W, C) or (N, C, H, W), C 1, 3 or 4")
    if last and first:
        raise BadArray(f"has shape {shape}, where channels could come first or last; save it as (N, H, W, C)")
    return first


def _mask_rows(archive: ZipSource, part: Part) -> Iterator[Row]:
    if part.stacked:
        return (row[1] for row in rows_of(archive, part.images))
    return rows_of(archive, part.masks) if part.masks else iter(())


def _looked_at(archive: ZipSource, parts: list[Part]) -> tuple[bool, bool]:
    """Whether all masks hold 0 and 255 alone, as far as the first other value; and whether 255 was seen until there."""
    seen = False
    for part in parts:
        try:
            for row in _mask_rows(archive, part):
                high = row == VOID_ID
                seen = seen or bool(high.any())
                if not (high | (row == 0)).all():
                    return False, seen
        except BadArray:
            continue  # told by name when the samples are read
    return seen, seen


def _samples(archive: ZipSource, file: str, part: Part, meaning: Meaning) -> Iterator[Labelled | Refused]:
    images = rows_of(archive, part.images)
    masks = rows_of(archive, part.masks) if part.masks else None
    for index in range(part.images.shape[0]):
        key = part.images.key(index)
        try:
            image = next(images)
            mask = next(masks) if masks else None
        except BadArray as error:
            yield Refused(f"{file}/{key}", f"the array {error}")
            return
        if part.stacked:
            image, mask = image[0], image[1]
        try:
            taken = None if mask is None else meaning.of(as_mask(mask))
            yield Labelled(key, Picture(_pixels(image, part.channels_first)), taken, f"{file}/{key}", part.split)
        except (BadArray, BadMask) as error:
            yield Refused(f"{file}/{key}", str(error))


def _pixels(row: Row, channels_first: bool) -> Row:
    if row.dtype.kind == "f" and not np.isfinite(row).all():
        raise BadArray("the image holds NaN or infinity")
    if channels_first:
        row = np.ascontiguousarray(np.moveaxis(row, 0, -1))
    if row.ndim == 3 and row.shape[2] == 1:
        row = row[:, :, 0]
    return row.astype(np.uint8) if row.dtype == np.bool_ else row
