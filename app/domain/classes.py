"""Classes and their roles: what a pixel's number means, and what counts where.

Each class has a role. ``foreground`` counts everywhere; ``background`` is a real class that the headline
mean IoU leaves out; ``void`` is never a training target and never counts in a metric.
"""

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from app.domain.cells import unquoted
from app.domain.errors import Invalid


class Role(StrEnum):
    FOREGROUND = "foreground"
    BACKGROUND = "background"
    VOID = "void"


@dataclass(frozen=True)
class Class:
    """One class: ``id`` 0..65535 as it stands in the mask, ``colour`` as ``#rrggbb``."""

    id: int
    name: str
    role: Role
    colour: str

    @property
    def rgb(self) -> tuple[int, int, int]:
        value = int(self.colour[1:], 16)
        return value >> 16, value >> 8 & 255, value & 255


@dataclass(frozen=True)
class ClassList:
    """The classes of a dataset, ordered by id. ``guessed``: no person has confirmed the roles yet."""

    classes: tuple[Class, ...]
    guessed: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(sorted(self.classes, key=lambda c: c.id)))
        seen_ids: set[int] = set()
        seen_names: set[str] = set()
        for one in self.classes:
            if not 0 <= one.id <= 65535:
                raise InvalidClasses(f"Class id {one.id} is outside 0..65535.")
            if one.id in seen_ids or one.name in seen_names:
                raise InvalidClasses(f"Class {one.id} ({one.name}) is listed twice; give each id and name once.")
            if re.search("[\0\ud800-\udfff]", one.name):
                raise InvalidClasses(f"The name of class {one.id} holds characters that are not valid; write it again.")
            if not re.fullmatch(r"#[0-9a-f]{6}", one.colour):
                raise InvalidClasses(f"Colour {one.colour!r} of class {one.name} is not of the form #rrggbb.")
            seen_ids.add(one.id)
            seen_names.add(one.name)

    @property
    def ids(self) -> frozenset[int]:
        return frozenset(one.id for one in self.classes)

    @property
    def void_ids(self) -> frozenset[int]:
        return frozenset(one.id for one in self.classes if one.role is Role.VOID)

    def by_id(self, id: int) -> Class | None:
        return next((one for one in self.classes if one.id == id), None)

    def by_name(self, name: str) -> Class | None:
        return next((one for one in self.classes if one.name == name), None)

    def with_ids(self, ids: Iterable[int]) -> "ClassList":
        """This list with a nameless class added for each of ``ids`` that it lacks."""
        missing = sorted(set(ids) - self.ids)
        if not missing:
            return self
        taken = {one.name for one in self.classes}
        added: list[Class] = []
        for one in map(unnamed, missing):
            # A list may call another id "void", or even "class 7".
            names = (one.name, f"class {one.id}", *(f"class {one.id} ({n})" for n in range(2, len(taken) + 4)))
            name = next(name for name in names if name not in taken)
            taken.add(name)
            added.append(replace(one, name=name))
        return replace(self, classes=(*self.classes, *added))

    def as_json(self) -> list[dict[str, str | int]]:
        return [{"id": one.id, "name": one.name, "role": one.role.value, "colour": one.colour} for one in self.classes]


class InvalidClasses(Invalid):
    """A class list that contradicts itself or can't be read."""


# Okabe and Ito's colour-blind safe eight without black, then Tol's light scheme:
# https://jfly.uni-koeln.de/color/ and https://personal.sron.nl/~pault/
PALETTE = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
    "#77aadd", "#ee8866", "#eedd88", "#ffaabb", "#99ddff", "#44bb99", "#bbcc33", "#aaaa00",
)  # fmt: skip
BACKGROUND_COLOUR = "#5b6068"
VOID_COLOUR = "#1b1d20"
_BACKGROUND_NAMES = {"background", "bg", "_background_", "unlabelled_background"}
_VOID_NAMES = {
    "void", "ignore", "ignored", "unlabeled", "unlabelled", "unknown", "dontcare", "don't care",
    "__ignore__", "out of roi", "ego vehicle", "border",
}  # fmt: skip
VOID_ID = 255


def guess_role(id: int, name: str | None) -> Role:
    """The role that a name (or, without one, an id) suggests: 0 is background, 255 is void."""
    if name is not None:
        plain = name.strip().lower()
        if plain in _BACKGROUND_NAMES:
            return Role.BACKGROUND
        return Role.VOID if plain in _VOID_NAMES else Role.FOREGROUND
    if id == VOID_ID:
        return Role.VOID
    return Role.BACKGROUND if id == 0 else Role.FOREGROUND


def colour_for(id: int, role: Role) -> str:
    if role is Role.VOID:
        return VOID_COLOUR
    if role is Role.BACKGROUND:
        return BACKGROUND_COLOUR
    return PALETTE[(id - 1) % len(PALETTE)]


def unnamed(id: int) -> Class:
    role = guess_role(id, None)
    name = {Role.BACKGROUND: "background", Role.VOID: "void"}.get(role, f"class {id}")
    return Class(id, name, role, colour_for(id, role))


def named(id: int, name: str, rgb: tuple[int, int, int] | None = None, role: Role | None = None) -> Class:
    """A class with a name, its role guessed and its colour chosen where they aren't given."""
    role = role or guess_role(id, name)
    colour = "#{:02x}{:02x}{:02x}".format(*rgb) if rgb is not None else colour_for(id, role)
    return Class(id, name, role, colour)


def parse_classes(text: str) -> ClassList:
    """A class list from a CSV (header: id,name,role,colour) or a JSON list of the same fields.

    Role and colour may be left out; a CSV may have semicolons, as European spreadsheets write it. Raises InvalidClasses
    naming the line that can't be read.
    """
    text = text.removeprefix("\ufeff")
    try:
        if text.lstrip().startswith(("[", "{")):
            rows = json.loads(text)
        else:
            rows = [_cells(row) for row in csv.DictReader(io.StringIO(text), delimiter=delimiter_of(text))]
    except csv.Error as error:
        raise InvalidClasses(f"The class list is not valid CSV: {error}.") from error
    except RecursionError:
        raise InvalidClasses("The class list is not valid JSON: nested too deeply.") from None
    except ValueError as error:
        raise InvalidClasses(f"The class list is not valid JSON: {error}.") from error
    if isinstance(rows, dict):
        rows = rows.get("classes", [])
    if not isinstance(rows, list):
        raise InvalidClasses('The class list has to be a list of {"id", "name", "role", "colour"}.')
    classes = [_parse_row(row, line) for line, row in enumerate(rows, start=1)]
    if not classes:
        raise InvalidClasses("The class list is empty; it needs a line of id,name,role,colour for each class.")
    return ClassList(tuple(classes), guessed=False)


def delimiter_of(text: str) -> str:
    """What parts the cells of a CSV, by its header: a semicolon where there is one and no comma."""
    header = text.lstrip().partition("\n")[0]
    return ";" if ";" in header and "," not in header else ","


def _cells(row: dict[str | None, str | list[str] | None]) -> dict[str | None, str | list[str] | None]:
    return {name: unquoted(value) if isinstance(value, str) else value for name, value in row.items()}


def _parse_row(row: object, line: int) -> Class:
    if not isinstance(row, dict):
        raise InvalidClasses(f"Entry {line} of the class list is not an object with id and name.")
    fields = {str(key).strip().lower(): str(value).strip() for key, value in row.items() if key and value is not None}
    try:
        id = int(fields.get("id", ""))
    except ValueError:
        raise InvalidClasses(f"Entry {line} of the class list has no whole number as id.") from None
    if not fields.get("name"):
        raise InvalidClasses(f"Entry {line} of the class list (id {id}) has no name.")
    role_text = fields.get("role", "").lower()
    if role_text and role_text not in set(Role):
        raise InvalidClasses(f"Role {role_text!r} of entry {line} is none of foreground, background, void.")
    role = Role(role_text) if role_text else guess_role(id, fields["name"])
    colour = (fields.get("colour") or fields.get("color") or colour_for(id, role)).lower()
    return Class(id, fields["name"], role, colour)
