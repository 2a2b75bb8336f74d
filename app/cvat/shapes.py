"""CVAT's shapes to one class map, composed as CVAT's own exports do it.

Painting order is a stable sort by z_order over the order of the server's answer. That order isn't the order of ids:
a shape that was edited moves to the end and keeps its id.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

import numpy as np

from app.cvat import ellipse
from app.domain.errors import Invalid
from app.domain.formats import rle
from app.domain.formats.instances import compose as paint
from app.domain.formats.polygon import BadPolygon, Points, points_of, polygon_bounds
from app.domain.mask import Mask
from app.domain.picture import MAX_PIXELS

# CVAT keeps coordinates exactly, its exports round them to this many decimals before they draw.
_DECIMALS = 2
_FAR = 1e8
_AREAS = frozenset(("mask", "polygon", "rectangle", "ellipse"))
_WORDS = {"points": "point set"}


class UnknownLabels(Invalid):
    """Labels that nobody has said the class of; ``labels`` are CVAT's label ids."""

    def __init__(self, labels: frozenset[int]) -> None:
        super().__init__(
            f"CVAT labels {', '.join(map(str, sorted(labels)))} are no class here; map, create or ignore each of them."
        )
        self.labels = labels


class EllipseRule(StrEnum):
    """How a server's exports draw ellipses (see ``ellipse``)."""

    DRAWN = "drawn"
    OUTLINED = "outlined"


def ellipse_rule(version: tuple[int, int]) -> EllipseRule:
    """The rule of a server version. Recorded are 2.17 and 2.54; versions between them count as the older one."""
    return EllipseRule.OUTLINED if version >= (2, 54) else EllipseRule.DRAWN


@dataclass(frozen=True)
class Shape:
    """One shape as CVAT answers it. ``kind``: mask, polygon, rectangle, ellipse, or what a class map can't hold
    (points, polyline, cuboid, skeleton, tag, track). ``frame`` counts from the task's start, in jobs too."""

    kind: str
    frame: int
    label: int
    points: Sequence[float] = ()
    z_order: int = 0
    rotation: float = 0.0
    id: int | None = None


@dataclass(frozen=True)
class Composed:
    """A frame's class map, (H, W). ``mask`` holds 0 where ``painted`` is False; what stands there, the pushed
    revision says (``wire.settled``).

    ``contested``: pixels where shapes of different classes lie over each other at one z_order, so that their order in
    the list decided. ``ellipses``: how many were drawn, by a rule that differs between servers. ``refused``: shapes
    that a class map can't hold, by name.
    """

    mask: Mask
    painted: rle.Bool
    contested: int
    ellipses: int
    refused: tuple[str, ...]


def compose(
    shapes: Iterable[Shape], ids: Mapping[int, int | None], height: int, width: int, rule: EllipseRule
) -> Composed:
    """The class map of one frame. ``ids``: CVAT label id -> class id, None for a label to be ignored.

    Raises UnknownLabels, and BadRle or BadPolygon for a shape that can't be drawn.
    """
    if not 0 < height * width <= MAX_PIXELS:
        raise rle.BadRle(f"a picture of {width} x {height} can't be held")
    ordered = sorted(shapes, key=lambda shape: shape.z_order)
    areas = [shape for shape in ordered if shape.kind in _AREAS]
    unknown = frozenset(shape.label for shape in areas) - ids.keys()
    if unknown:
        raise UnknownLabels(unknown)
    layers: list[tuple[int, int, rle.Bounds]] = []
    for shape in areas:
        class_id = ids[shape.label]
        if class_id is not None:
            layers.append((shape.z_order, class_id, bounds_of(shape, height, width, rule)))
    painted = [(class_id, bounds) for _, class_id, bounds in layers]
    mask, overlapped = paint(painted, height, width, 0)
    return Composed(
        mask,
        rle.mask_of(rle.union([bounds for _, bounds in painted]), height, width),
        _contested(layers, height, width) if overlapped else 0,
        sum(shape.kind == "ellipse" and ids[shape.label] is not None for shape in areas),
        _named([shape.kind for shape in ordered if shape.kind not in _AREAS]),
    )


def bounds_of(shape: Shape, height: int, width: int, rule: EllipseRule) -> rle.Bounds:
    """The pixels of a mask, polygon, rectangle or ellipse. Raises BadRle or BadPolygon."""
    if shape.kind == "mask":
        return rle.bounds_of(rle.cvat_decode(shape.points, height, width))
    if shape.kind == "polygon":
        return polygon_bounds(np.around(points_of(list(shape.points)), _DECIMALS), height, width)
    x, y, right, top = _four(shape)
    if shape.kind == "rectangle":
        return polygon_bounds(_rectangle(x, y, right, top, shape.rotation), height, width)
    if rule is EllipseRule.DRAWN:
        return ellipse.drawn(x, y, right - x, y - top, shape.rotation, height, width)
    # What is kept of an ellipse there is its box
    low_x, low_y, high_x, high_y = np.around([2 * x - right, top, right, 2 * y - top], _DECIMALS).tolist()
    middle = ((low_x + high_x) / 2, (low_y + high_y) / 2)
    return ellipse.outlined(*middle, (high_x - low_x) / 2, (high_y - low_y) / 2, height, width)


def _four(shape: Shape) -> tuple[float, float, float, float]:
    try:
        values = np.array([*shape.points, shape.rotation], np.float64)
    except (TypeError, ValueError, OverflowError):
        values = np.zeros(0)
    if values.size != 5 or not (np.abs(values) < _FAR).all():  # NaN too
        raise BadPolygon(f"a {shape.kind} that isn't four numbers within reach of a picture")
    x0, y0, x1, y1 = values[:4].tolist()
    return x0, y0, x1, y1


def _rectangle(x0: float, y0: float, x1: float, y1: float, degrees: float) -> Points:
    """Corners of a rectangle, turned around its middle."""
    x0, y0, x1, y1 = np.around([x0, y0, x1, y1], _DECIMALS).tolist()
    corners = points_of([x0, y0, x1, y0, x1, y1, x0, y1])
    if degrees == 0:
        return corners
    angle, middle = np.radians(degrees), np.array((x0 + (x1 - x0) / 2, y0 + (y1 - y0) / 2))
    x, y = (corners - middle).T
    turned = np.stack((np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y), axis=1)
    around: Points = np.around(turned + middle, _DECIMALS)
    return around


def _contested(layers: Sequence[tuple[int, int, rle.Bounds]], height: int, width: int) -> int:
    return sum(
        paint([(class_id, bounds) for _, class_id, bounds in level], height, width, 0)[1]
        for _, level in groupby(layers, key=lambda layer: layer[0])
    )


def _named(kinds: Sequence[str]) -> tuple[str, ...]:
    """Kinds of shapes with their number: "2 skeletons"."""
    out = []
    for kind in sorted(set(kinds)):
        count = kinds.count(kind)
        word = _WORDS.get(kind, kind)
        out.append(f"{count} {word}" if count == 1 else f"{count} {word}s")
    return tuple(out)
