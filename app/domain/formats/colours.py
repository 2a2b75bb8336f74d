"""Class names and colours beside masks: `label_colors.txt`, `labelmap.txt`, CSV and JSON lists, plain names."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import numpy as np

from app.domain.classes import VOID_ID, Class, ClassList, Role, delimiter_of, named, parse_classes, unnamed
from app.domain.errors import Invalid, RemaskError
from app.domain.formats.base import Refused
from app.domain.formats.index import BINARY, Rgb, check_ids, pack, settle_binary
from app.domain.formats.source import Source
from app.domain.mask import BadMask, Mask, as_mask

MAX_TABLE = 4 << 20


class BadTable(Invalid):
    """A file of class names or colours that can't be read."""


@dataclass(frozen=True)
class Table:
    """Classes as a file of the source names them. ``colours``: packed colour to id; ``numbered``: ids are certain."""

    file: str
    classes: ClassList
    colours: dict[int, int] = field(default_factory=dict)
    numbered: bool = True


def read_table(source: Source) -> tuple[Table | None, list[Refused]]:
    """The first class file of the source that can be read, the surest kind first; and those that can't."""
    refused: list[Refused] = []
    for pattern, parse in _KINDS:
        found = [name for name in source.names if pattern.fullmatch(PurePosixPath(name).name.lower())]
        for name in sorted(found, key=lambda one: (one.count("/"), one)):
            try:
                if source.size(name) > MAX_TABLE:
                    raise BadTable("too long for a list of classes")
                return parse(name, source.text(name)), refused
            except RemaskError as error:
                refused.append(Refused(name, str(error)))
    return None, refused


def fitted(table: Table, ids: set[int]) -> Table:
    """``table`` with its ids moved up by one where plain names leave out the background that the masks hold as 0."""
    names = table.classes.classes
    highest = max(ids - {255}, default=0)
    if table.numbered or highest != len(names) or any(one.role is not Role.FOREGROUND for one in names):
        return table
    moved = (named(one.id + 1, one.name) for one in names)
    return replace(table, classes=ClassList((named(0, "background"), *moved)), numbered=True)


def in_words_of(mask: Mask, table: Table, given: ClassList) -> Mask:
    """``mask`` with the table's ids turned into those of the same names in ``given``; as it is, where the two lists
    have no name in common. A class that nobody named ("class 3") is the one of its id. Raises BadMask naming the
    classes that ``given`` lacks."""
    same = {one.id: other.id for one in table.classes.classes if (other := given.by_name(one.name))}
    same |= {
        one.id: one.id for one in table.classes.classes if one.name == unnamed(one.id).name and one.id in given.ids
    }
    if not same or (all(own == other for own, other in same.items()) and table.classes.ids <= same.keys()):
        return mask
    seen, where = np.unique(mask, return_inverse=True)
    names = {one.id: one.name for one in table.classes.classes}
    lacking = [f"{names[int(id)]} ({id})" for id in seen if int(id) in names and int(id) not in same]
    if lacking:
        raise BadMask(f"class {', '.join(lacking)} not in the class list")
    return as_mask(np.array([same.get(int(id), int(id)) for id in seen], np.uint16)[where].reshape(mask.shape))


@dataclass(frozen=True)
class Meaning:
    """What the ids of a source's masks mean; settled once, before the first sample.

    ``found``: the source's own classes. ``allowed``: the classes whose ids may occur, any where None. ``words``: where
    ids are the source's own and ``allowed`` names the same classes otherwise. ``binary``: 255 stands for 1.
    """

    found: ClassList | None
    allowed: ClassList | None
    words: Table | None
    binary: bool

    @classmethod
    def settled(cls, table: Table | None, given: ClassList | None, binary: bool, void: bool) -> "Meaning":
        """``given`` are the person's classes, ``binary`` whether all masks hold 0 and 255 alone, ``void`` whether 255
        was seen; it is allowed beside the classes that the source names."""
        known = given or (table.classes if table else None)
        binary = binary and (known is None or known.ids - {VOID_ID} == BINARY.ids)
        if given is not None:
            return cls(None, given, table, binary)
        if table is None:
            return cls(BINARY if binary else None, None, None, binary)
        found = table.classes.with_ids([VOID_ID] if void and not binary else [])
        return cls(found, table.classes.with_ids([VOID_ID]), None, binary)

    def of(self, mask: Mask) -> Mask:
        """``mask`` in the ids that it means. Raises BadMask naming ids and classes that aren't in the class list."""
        if self.binary:
            mask = settle_binary(mask)
        if self.words is not None and self.allowed is not None:
            mask = in_words_of(mask, self.words, self.allowed)
        check_ids(mask, self.allowed)
        return mask


def _table(file: str, rows: Iterator[tuple[int | None, str, Rgb | None]]) -> Table:
    """A table of (id, name, colour); without ids they count from 0, and a name that comes again keeps its id."""
    ids: dict[str, int] = {}
    classes: list[Class] = []
    colours: dict[int, int] = {}
    numbered = False
    for id, name, rgb in rows:
        if name not in ids:
            ids[name] = len(ids) if id is None else id
            classes.append(named(ids[name], name, rgb))
        if rgb is not None:
            colours.setdefault(pack(rgb), ids[name])
        numbered = numbered or id is not None or rgb is not None
    if not classes:
        raise BadTable("names no class")
    return Table(file, ClassList(tuple(classes)), colours, numbered)


def _listed(file: str, text: str) -> Table:
    """Our own class list: id, name, role, colour as CSV or JSON."""
    classes = parse_classes(text)
    return Table(file, classes, {pack(one.rgb): one.id for one in classes.classes})


def _csv(file: str, text: str) -> Table:
    """A CSV with a header: our own class list, name,r,g,b, or "Pixel Value",Class."""
    try:
        reader = iter(list(csv.reader(io.StringIO(text), delimiter=delimiter_of(text))))
    except csv.Error as error:
        raise BadTable(f"is no CSV that can be read: {error}") from error
    header = [word.strip().lower() for word in next(reader, [])]
    at = {kind: next((i for i, word in enumerate(header) if word in words), None) for kind, words in _COLUMNS.items()}
    if at["name"] is None:
        raise BadTable("has no column called name")
    if at["id"] is not None and at["r"] is None:
        if "id" in header:
            return _listed(file, text)
        return _table(file, ((_number(row[at["id"]]), row[at["name"]].strip(), None) for row in _full(reader, header)))

    def rows() -> Iterator[tuple[int | None, str, Rgb | None]]:
        for row in _full(reader, header):
            cells = {kind: row[i].strip() for kind, i in at.items() if i is not None}
            rgb = _rgb(cells["r"], cells["g"], cells["b"]) if {"r", "g", "b"} <= cells.keys() else None
            yield _number(cells["id"]) if "id" in cells else None, cells["name"], rgb

    return _table(file, rows())


_COLUMNS = {
    "id": {"id", "pixel value", "value", "index", "label id"},
    "name": {"name", "class", "class_name", "classname", "label", "class name"},
    "r": {"r", "red"},
    "g": {"g", "green"},
    "b": {"b", "blue"},
}


def _full(reader: Iterator[list[str]], header: list[str]) -> Iterator[list[str]]:
    for row in reader:
        if any(cell.strip() for cell in row):
            if len(row) < len(header):
                raise BadTable(f"line {row} has fewer cells than the header")
            yield row


def _meta(file: str, text: str) -> Table:
    """Datumaro's dataset_meta.json: label_map of ids to names, segmentation_colors in their order."""
    try:
        meta = json.loads(text)
        names = [(int(id), str(name)) for id, name in meta["label_map"].items()]
        colours: list[Rgb | None] = [_rgb(*map(str, colour)) for colour in meta.get("segmentation_colors", [])]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadTable(f"is no list of classes: {error}") from error
    colours += [None] * (len(names) - len(colours))
    return _table(file, ((id, name, colours[at]) for at, (id, name) in enumerate(names)))


def _voc(file: str, text: str) -> Table:
    """labelmap.txt as VOC tools write it: ``name:r,g,b:parts:actions``, where the colour may be empty."""

    def rows() -> Iterator[tuple[int | None, str, Rgb | None]]:
        for line in _lines(text):
            name, _, rest = line.partition(":")
            colour = [word for word in rest.split(":")[0].split(",") if word.strip()]
            if colour and len(colour) != 3:
                raise BadTable(f"line {line!r} is not of the form name:r,g,b::")
            yield None, name.strip(), _rgb(*colour) if colour else None

    return _table(file, rows())


_NUMBERS = re.compile(r"(?<![\w.])\d+(?:[\s,;:]+\d+){2,3}(?![\w.])")


def _colour_lines(file: str, text: str) -> Table:
    """label_colors.txt: three numbers before or after the name, on each line; a fourth, in front, is the id."""

    def rows() -> Iterator[tuple[int | None, str, Rgb | None]]:
        for line in _lines(text):
            found = _NUMBERS.search(line)
            numbers = re.findall(r"\d+", found[0]) if found else []
            if found is None:
                raise BadTable(f"line {line!r} has no colour of three numbers")
            before, after = line[: found.start()], line[found.end() :]
            id = int(numbers[0]) if len(numbers) == 4 and not before.strip() else None
            if len(numbers) == 4 and id is None:
                before += numbers[0]
            name = (before + after).split("#")[0].strip(" \t,;:=\"'")
            if not name:
                raise BadTable(f"line {line!r} has no name")
            yield id, name, _rgb(*numbers[-3:])

    return _table(file, rows())


def _names(file: str, text: str) -> Table:
    """One name a line, perhaps with its id in front."""
    lines = list(_lines(text))
    numbered = [re.fullmatch(r"(\d+)[\s:,;=]+(.+)", line) for line in lines]
    if all(numbered):
        return _table(file, ((int(found[1]), found[2].strip(), None) for found in numbered if found))
    return _table(file, ((None, line, None) for line in lines))


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))


def _number(text: str) -> int:
    if not re.fullmatch(r"\s*\d{1,5}\s*", text):
        raise BadTable(f"{text!r} is not an id")
    return int(text)


def _rgb(*texts: str) -> Rgb:
    values = [int(text) if text.strip().isdecimal() else -1 for text in texts]
    if len(values) != 3 or not all(0 <= value <= 255 for value in values):
        raise BadTable(f"{', '.join(texts)} is not a colour of three numbers 0..255")
    return values[0], values[1], values[2]


_KINDS: tuple[tuple[re.Pattern[str], Callable[[str, str], Table]], ...] = (
    (re.compile(r"(.+\.)?class(es|list)\.json"), _listed),
    (
        re.compile(
            r"(_|.+\.)?classes\.csv|class_(dict|list|names)[\w-]*\.csv|(label_?)?colou?r(s|map|_?map)\.csv|label_colou?rs\.csv"
        ),
        _csv,
    ),
    (re.compile(r"dataset_meta\.json"), _meta),
    (re.compile(r"labelmap\.txt"), _voc),
    (re.compile(r"(label|class)_?colou?rs?\.txt|colou?r_?map\.txt"), _colour_lines),
    (re.compile(r"class(es|_?names|_?list)\.txt|labels?(_?names)?\.txt"), _names),
)
