"""A class map to CVAT's mask shapes as raw JSON, and what comes back to a class map again.

One shape for each class that occurs, disjoint, all at z-order 0. Background isn't a shape unless asked for: what is
left unpainted in CVAT is background. Void is a shape like any class, so that people see what is left out and can
change it. Points are CVAT's: row-major runs in the bounding box, then left, top, right, bottom (included).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.cvat.shapes import Composed
from app.domain.classes import ClassList, Role
from app.domain.errors import Invalid
from app.domain.mask import Mask, as_mask

_MAX_NAME = 64
_SUGGESTED = "suggested "
_START = b'{"version":0,"tags":[],"tracks":[],"shapes":['
_END = b"]}"


class CantPush(Invalid):
    """A mask or class list that CVAT can't hold."""


@dataclass(frozen=True)
class LabelSpec:
    """A label as CVAT should have it; ``colour`` as ``#rrggbb``, never black and never one that another label has,
    since CVAT's mask exports take black for unlabelled and can't tell equal colours apart."""

    name: str
    colour: str
    class_id: int


@dataclass(frozen=True)
class Settled:
    """A class map with every pixel told. ``erased``: pixels of a class that was taken away and became background (or
    void); ``kept``: erased pixels of a class list without either, which keep their class."""

    mask: Mask
    erased: int
    kept: int


def pushed_ids(classes: ClassList, background: bool = False) -> frozenset[int]:
    """Ids of the classes that become shapes; ``background``: whether background does, too."""
    return frozenset(one.id for one in classes.classes if background or one.role is not Role.BACKGROUND)


def label_specs(classes: ClassList, background: bool = False) -> tuple[LabelSpec, ...]:
    """The labels of a CVAT project, in the order of the class ids. Raises CantPush for names that CVAT can't hold."""
    ids, names, colours = pushed_ids(classes, background), set[str](), {"#000000"}
    out = []
    for one in classes.classes:
        if one.id not in ids:
            continue
        name = one.name.strip()
        if not 0 < len(name) <= _MAX_NAME:
            raise CantPush(
                f"Class {one.id} needs a name of at most {_MAX_NAME} characters; CVAT's labels have no more."
            )
        if name in names:
            raise CantPush(f"Two classes are called {name}; CVAT leaves out spaces around a name, so rename one.")
        names.add(name)
        colour = _free_colour(one.colour, colours)
        colours.add(colour)
        out.append(LabelSpec(name, colour, one.id))
    if not out:
        raise CantPush("There is no class to draw in CVAT besides background; push with background or add a class.")
    return tuple(out)


def suggestion_specs(classes: ClassList, background: bool = False) -> tuple[LabelSpec, ...]:
    """Labels for what a model suggests beside the given mask, one for each of ``label_specs``, of the same colours made
    lighter. Raises CantPush for a name that leaves no room."""
    specs = label_specs(classes, background)
    names, colours = {one.name for one in specs}, {one.colour for one in specs}
    out = []
    for one in specs:
        name = _SUGGESTED + one.name
        if len(name) > _MAX_NAME or name in names:
            raise CantPush(f"Class {one.class_id} needs a shorter name for suggestions to be shown.")
        light = (int(one.colour[1:], 16) >> 1 & 0x7F7F7F) + 0x808080
        colour = _free_colour(f"#{light:06x}", colours)
        colours.add(colour)
        out.append(LabelSpec(name, colour, one.class_id))
    return tuple(out)


def encode(mask: Mask, labels: Mapping[int, int], ids: frozenset[int], frame: int, source: str = "file") -> list[bytes]:
    """The shapes of one frame as JSON objects, by class id. ``mask`` (H, W); ``labels``: class id -> CVAT label id;
    ``ids``: classes that become shapes (``pushed_ids``). Raises CantPush for a pushed class without a label."""
    out = []
    for class_id, points in points_by_class(mask):
        if class_id not in ids:
            continue
        if class_id not in labels:
            raise CantPush(f"Class {class_id} has no label in the CVAT project; push the class list first.")
        _check(points, mask.shape[0], mask.shape[1], frame)
        out.append(_shape(points, labels[class_id], frame, 0, source))
    return out


def encode_regions(regions: npt.NDArray[np.int32], labels: Mapping[int, int], frame: int) -> list[bytes]:
    """Shapes that are shown over those of ``encode``, one for each number of ``regions`` (H, W) that ``labels`` gives a
    label. They lie at z-order 1, so that one which a person gives a class's own label counts."""
    found = points_by_class(regions)
    return [_shape(points, labels[number], frame, 1, "auto") for number, points in found if number in labels]


def body(shapes: Iterable[bytes]) -> bytes:
    """The request body that puts these shapes into a task."""
    return _START + b",".join(shapes) + _END


def points_by_class(mask: npt.NDArray[np.generic]) -> Iterator[tuple[int, list[int]]]:
    """For each id in ``mask`` (H, W), in rising order: CVAT's points of its pixels. One pass over the mask."""
    width = mask.shape[1]
    flat = mask.ravel()
    new = np.empty(flat.size, np.bool_)
    new[1:] = flat[1:] != flat[:-1]
    new[::width] = True
    starts = np.flatnonzero(new)
    ends = np.append(starts[1:], flat.size)
    ids = flat[starts]
    order = np.argsort(ids, kind="stable")
    found, first = np.unique(ids[order], return_index=True)
    for class_id, runs in zip(found.tolist(), np.split(order, first[1:]), strict=True):
        yield class_id, _points(starts[runs], ends[runs], width)


def settled(composed: Composed, pushed: Mask, classes: ClassList, ids: frozenset[int]) -> Settled:
    """What a pulled frame means. Painted pixels are what was painted. An unpainted pixel keeps what the pushed
    revision had there, unless that was a pushed class, which a person has erased: then it is background, or void where
    the class list has no background. ``ids``: classes that were pushed as shapes."""
    open_pixels = ~composed.painted
    was_shape = np.isin(pushed, np.fromiter(ids, np.int64)) & open_pixels
    result = np.where(composed.painted, composed.mask.astype(np.uint16), pushed.astype(np.uint16))
    count = int(np.count_nonzero(was_shape))
    fill = next((one.id for role in (Role.BACKGROUND, Role.VOID) for one in classes.classes if one.role is role), None)
    if fill is not None:
        result[was_shape] = fill
    mask = as_mask(result)
    if pushed.dtype != mask.dtype and pushed.dtype == np.uint16:
        mask = mask.astype(np.uint16)  # a mask nobody changed keeps its type, too
    return Settled(mask, count if fill is not None else 0, count if fill is None else 0)


def _shape(points: list[int], label: int, frame: int, z_order: int, source: str) -> bytes:
    return (
        b'{"type":"mask","frame":%d,"label_id":%d,"points":[%s],"z_order":%d,"group":null,"source":"%s",'
        b'"occluded":false,"attributes":[]}'
        % (frame, label, str(points)[1:-1].replace(" ", "").encode(), z_order, source.encode())
    )


def _check(points: list[int], height: int, width: int, frame: int) -> None:
    """CVAT takes runs that don't fill their box and boxes beyond the picture without a word, and then fails on every
    export of the task; so nothing goes there that wasn't looked at. Raises CantPush."""
    *runs, left, top, right, bottom = points
    inside = 0 <= left <= right < width and 0 <= top <= bottom < height
    if not inside or sum(runs) != (right - left + 1) * (bottom - top + 1) or min(runs[1:]) < 1:
        raise CantPush(f"The mask of frame {frame} became a shape that CVAT can't read, and was not sent; report this.")


def _points(starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], width: int) -> list[int]:
    """Points of runs that each lie in one row of the frame, in reading order."""
    rows, columns = np.divmod(starts, width)
    lengths = ends - starts
    left, right = int(columns.min()), int((columns + lengths).max()) - 1
    top, bottom = int(rows[0]), int(rows[-1])
    box_width = right - left + 1
    begin = (rows - top) * box_width + columns - left
    end = begin + lengths
    apart = begin[1:] != end[:-1]  # runs that meet across a row's end are one
    begin, end = begin[np.append(True, apart)], end[np.append(apart, True)]
    edges = np.empty(2 * begin.size + 1, np.int64)
    edges[0], edges[1::2], edges[2::2] = 0, begin, end
    points: list[int] = np.diff(edges).tolist()
    rest = box_width * (bottom - top + 1) - int(end[-1])
    return [*points, *([rest] if rest else []), left, top, right, bottom]


def _free_colour(colour: str, taken: set[str]) -> str:
    """``colour``, or the next one that is free."""
    value = int(colour[1:], 16)
    while f"#{value:06x}" in taken:
        value = (value + 1) % (1 << 24)
    return f"#{value:06x}"
