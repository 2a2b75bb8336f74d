"""Image and mask pairs in a folder or zip, and images alone: the format of whatever isn't a format.

Masks are index images (gray, palette: the number is the id) or RGB ones, whose colours a file of the source or the
person's class list explains. Masks of 0 and 255 alone are background and foreground, 0 and 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.domain.classes import VOID_ID, ClassList
from app.domain.errors import RemaskError
from app.domain.formats.base import Expected, Found, Ignored, Labelled, Read, Refused, UnknownColours
from app.domain.formats.colours import Meaning, Table, fitted, read_table
from app.domain.formats.image_files import is_image, read_picture, size_mismatch
from app.domain.formats.index import Colours, any_index, hex_of, open_mask, pack, to_ids
from app.domain.formats.layout import Pair, lay_out
from app.domain.formats.source import Source
from app.domain.formats.splits import lists_of
from app.domain.mask import Mask, distinct

NAME = "pairs"
# Masks looked at before the first sample is given, spread over the set, and colours named to a person.
_LOOKED_AT = 64
_NAMED = 256
# Colours of one mask that are looked at; a mask with more is a photo.
_SEEN = 1 << 16


@dataclass(frozen=True)
class Rules:
    """How the masks of this source are read; settled once, before the first sample."""

    colours: Colours | None
    meaning: Meaning

    def read(self, data: bytes) -> tuple[Mask, bytes | None]:
        """A mask file's ids, and the file itself where it is a PNG of just these. Raises BadMask or BadPicture."""
        drawn = open_mask(data)
        mask = self.meaning.of(to_ids(drawn, self.colours))
        return mask, data if drawn.exact and (mask is drawn.values or np.array_equal(mask, drawn.values)) else None


def detect(source: Source) -> bool:
    """Any image file at all; this format is tried last."""
    return any(is_image(name) for name in source.names)


def read(source: Source, classes: ClassList | None) -> Iterator[Read]:
    """Every image with its mask, or without one; masks of no image, and pairs that don't fit, are refused by name.

    Raises UnknownColours before the first sample where all masks are coloured and nothing says what the colours mean;
    beside index masks coloured ones are refused by name.
    """
    layout = lay_out([name for name in source.names if is_image(name)], lists_of(source))
    table, unread = read_table(source)
    rules = _settle(source, [pair.mask for pair in layout.pairs if pair.mask], table, classes)
    if rules.meaning.found is not None:
        yield Found(rules.meaning.found)
    yield Expected(len(layout.pairs))
    yield from unread
    for name, reason in layout.refused:
        yield Refused(name, reason)
    for folder, count in layout.ignored.items():
        yield Ignored(f"{count} file{'s' if count > 1 else ''} in {folder}/")
    for pair in layout.pairs:
        yield _sample(source, pair, rules)


def _sample(source: Source, pair: Pair, rules: Rules) -> Labelled | Refused:
    try:
        picture = read_picture(source, pair.image)
    except RemaskError as error:
        return Refused(pair.image, str(error))
    if pair.mask is None:
        return Labelled(pair.key, picture, None, pair.image, pair.split)
    try:
        mask, original = rules.read(source.read(pair.mask))
    except RemaskError as error:
        return Refused(pair.mask, str(error))
    if reason := size_mismatch(picture, (mask.shape[0], mask.shape[1]), pair.image):
        return Refused(pair.mask, reason)
    return Labelled(pair.key, picture, mask, pair.image, pair.split, original)


def _settle(source: Source, masks: list[str], table: Table | None, given: ClassList | None) -> Rules:
    """What a look at some of the masks says of all. Raises UnknownColours."""
    step = max(1, len(masks) // _LOOKED_AT)
    ids: set[int] = set()
    coloured: list[tuple[str, set[int]]] = []
    gray = True
    for name in masks[::step]:
        try:
            drawn = open_mask(source.read(name))
        except RemaskError:
            continue  # refused by name when its turn comes
        seen = {int(value) for value in distinct(drawn.values)[:_SEEN]}
        if drawn.coloured:
            coloured.append((name, seen))
            gray = gray and drawn.gray
            seen = {value & 255 for value in seen} if drawn.gray else set()
        ids |= seen
    try:
        colours = _colours(coloured, gray, table, given)
    except UnknownColours:
        if not any_index(source, masks):
            raise
        colours = None
    if table is not None:
        table = fitted(table, ids)
        if given is not None and colours is not None and not table.colours:
            table = None  # the colours give the ids of the given list, not the table's
    binary = colours is None and ids == {0, VOID_ID}
    return Rules(colours, Meaning.settled(table, given, binary, VOID_ID in ids))


def _colours(
    coloured: list[tuple[str, set[int]]], gray: bool, table: Table | None, given: ClassList | None
) -> Colours | None:
    """The colour map that RGB masks go by; None where they hold ids. ``coloured``: the colours of each one seen."""
    own = table.colours if table else {}
    listed = {pack(one.rgb): one.id for one in given.classes} if given else {}
    colours = own or listed
    seen = set().union(*(colours for _, colours in coloured))
    if not coloured or (gray and not seen <= colours.keys()):
        return None
    if not own and not any(one <= listed.keys() for _, one in coloured):
        raise UnknownColours([hex_of(colour) for colour in sorted(seen)[:_NAMED]], coloured[0][0])
    return colours
