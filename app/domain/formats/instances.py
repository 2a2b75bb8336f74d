"""Instances to one class map: which id each category gets, who is painted over whom, and the sample they make."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from app.domain.classes import VOID_ID, Class, ClassList, Role, guess_role, named
from app.domain.errors import Invalid, RemaskError
from app.domain.formats import rle
from app.domain.formats.base import Labelled, Refused
from app.domain.formats.frames import Frames
from app.domain.mask import Mask, as_mask

Rgb = tuple[int, int, int]
# A drawn region: the category as the file calls it, and its pixels as bounds (see rle).
Instance = tuple[Hashable, rle.Bounds]
# Height and width of the decoded picture -> instances in painting order.
Draw = Callable[[int, int], Sequence[Instance]]


class NotInClasses(Invalid):
    """A category that the class list lacks."""


@dataclass(frozen=True)
class Category:
    """A category of a file: what annotations call it (an id or a name), its name and colour."""

    token: Hashable
    name: str
    rgb: Rgb | None = None
    role: Role | None = None


@dataclass(frozen=True)
class Legend:
    """Categories to class ids. ``background`` is the id of pixels that no instance covers, None where the class
    list has no background class."""

    classes: ClassList
    ids: dict[Hashable, int]
    background: int | None
    names: dict[Hashable, str]

    def id_of(self, token: Hashable) -> int:
        """The class id of a category. Raises NotInClasses."""
        if token in self.ids:
            return self.ids[token]
        if token in self.names:
            raise NotInClasses(f"class {self.names[token]} is not in the class list")
        raise NotInClasses(f"category {token!r} is not one that the file lists")


def numbered(categories: Iterable[Category], given: ClassList | None) -> Legend:
    """A legend for formats that know names only: background 0, then 1, 2, ... in order; a class named void (or
    the like) gets 255 as long as that is free."""
    distinct = _distinct(categories)
    wanted = [category for category in distinct if _role(category) is Role.FOREGROUND]
    classes: list[tuple[Category, int]] = [(category, n) for n, category in enumerate(wanted, start=1)]
    free = {Role.BACKGROUND: 0, Role.VOID: VOID_ID} if len(wanted) < VOID_ID else {Role.BACKGROUND: 0}
    following = max(len(wanted), VOID_ID) + 1
    for category in distinct:
        role = _role(category)
        if role is not Role.FOREGROUND:
            id = free.pop(role, following)
            following += id == following
            classes.append((category, id))
    return _legend(classes, given)


def listed(categories: Iterable[Category], given: ClassList | None) -> Legend:
    """A legend for formats with ids (the tokens): kept where all are distinct and lie in 1..65535, or 0 for a
    background; otherwise 1, 2, ... in their order. A file that states roles (our own export) keeps every id."""
    distinct = _distinct(categories)
    kept = all(
        isinstance(category.token, int)
        and (0 if category.role or _role(category) is Role.BACKGROUND else 1) <= category.token <= 65535
        for category in distinct
    )
    if not kept:
        return numbered(distinct, given)
    return _legend([(category, int(str(category.token))) for category in distinct], given)


def compose(painted: Iterable[tuple[int, rle.Bounds]], height: int, width: int, background: int) -> tuple[Mask, int]:
    """One class map (height, width) from (id, bounds) in painting order, later over earlier, and how many pixels
    were claimed by instances of different ids. Uncovered pixels are ``background``."""
    ids = np.full(height * width, background, np.uint16)
    covered = np.zeros(height * width, np.bool_)
    contested = np.zeros(height * width, np.bool_)
    for id, bounds in painted:
        if not bounds.size:
            continue
        start, end = int(bounds[0]), int(bounds[-1])
        inside = rle.filled(bounds, start, end)
        part = slice(start, end)
        contested[part] |= inside & covered[part] & (ids[part] != id)
        covered[part] |= inside
        ids[part][inside] = id
    mask = as_mask(np.ascontiguousarray(ids.reshape(width, height).T))
    return mask, int(np.count_nonzero(contested))


def by_area(instances: Iterable[Instance]) -> list[Instance]:
    """Large first, so that small instances end on top; in the file's order where areas are equal."""
    return sorted(instances, key=lambda instance: -rle.area(instance[1]))


def sample(
    frames: Frames,
    legend: Legend,
    wanted: str,
    *,
    size: tuple[int, int] | None = None,
    split: str | None = None,
    hints: Sequence[str] = (),
    draw: Draw | None,
) -> Labelled | Refused:
    """One picture with the class map that ``draw`` gives it (None: unlabelled), or why it isn't taken."""
    try:
        name = frames.find(wanted, hints)
        key = frames.claim(name)
        picture = frames.open(name, size)
        if draw is None:
            return Labelled(key, picture, None, name, split)
        painted = [(legend.id_of(token), bounds) for token, bounds in draw(picture.height, picture.width)]
        mask, overlapped = composed(painted, picture.height, picture.width, legend.background)
    except RemaskError as error:
        return Refused(wanted, str(error))
    return Labelled(key, picture, mask, name, split, overlapped=overlapped)


def composed(
    painted: Sequence[tuple[int, rle.Bounds]], height: int, width: int, background: int | None
) -> tuple[Mask, int]:
    """``compose``, for class lists that may have no background. Raises NotInClasses where pixels need one."""
    if background is None:
        left = height * width - rle.area(rle.union([bounds for _, bounds in painted]))
        if left:
            raise NotInClasses(f"{left} pixels are in no instance and the class list has no background class")
    return compose(painted, height, width, background or 0)


def _distinct(categories: Iterable[Category]) -> list[Category]:
    """Categories with distinct tokens and names; a repeated name gets its token behind it."""
    out: dict[Hashable, Category] = {}
    names: set[str] = set()
    for category in categories:
        if category.token in out:
            continue
        name = category.name.strip() or f"class {category.token}"
        if name in names:
            name = f"{name} ({category.token})"
        names.add(name)
        out[category.token] = Category(category.token, name, category.rgb, category.role)
    return list(out.values())


def _role(category: Category) -> Role:
    return category.role or guess_role(1, category.name)


def _legend(pairs: Sequence[tuple[Category, int]], given: ClassList | None) -> Legend:
    names = {category.token: category.name for category, _ in pairs}
    own: list[Class] = [named(id, category.name, category.rgb, category.role) for category, id in pairs]
    if not any(one.role is Role.BACKGROUND for one in own) and not any(one.id == 0 for one in own):
        own.append(named(0, "background", role=Role.BACKGROUND))
    classes = given if given is not None else ClassList(tuple(own))
    ids: dict[Hashable, int] = {}
    for category, id in pairs:
        known = _match(given, category) if given is not None else None
        if given is None:
            ids[category.token] = id
        elif known is not None:
            ids[category.token] = known.id
    background = next((one.id for one in classes.classes if one.role is Role.BACKGROUND), None)
    return Legend(classes, ids, background, names)


def _match(given: ClassList, category: Category) -> Class | None:
    """The class of that name; background and void mean one thing everywhere, so those match by role as well."""
    role = _role(category)
    same_role = (one for one in given.classes if one.role is role and role is not Role.FOREGROUND)
    return given.by_name(category.name) or next(same_role, None)
