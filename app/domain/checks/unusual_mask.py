"""Masks unlike the others of the set: unknown ids, constant ones where that is rare, specks, pinholes, ragged
borders, a class at a place or of a size where it never is. The worst cue makes the score and the sentence."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np

from app.domain.checks.base import Finding, Group, Look, View
from app.domain.checks.robust import Values, deviation, odd
from app.domain.checks.shapes import Shape, shape
from app.domain.classes import ClassList, Role

# Fewer masks than this don't tell what is usual; fewer of one class neither.
FEWEST = 16
_OF_CLASS = 30
# Constant masks are rare up to this share of the set.
_RARE = 0.05
# A class is out of place where less than this share of the others that have it touch its cells.
_NEVER = 0.02
# Deviations at which a cue scores 0.5.
_SPECKS, _FRAYED, _LARGE = 6.0, 5.0, 4.0


class UnusualMask:
    name: ClassVar[str] = "unusual_mask"
    title: ClassVar[str] = "Mask unlike the others"
    subject: ClassVar[Literal["mask", "image"]] = "mask"
    version: ClassVar[int] = 1
    threshold: ClassVar[float] = 0.5

    def __init__(self, classes: ClassList) -> None:
        self._classes = classes
        self._hollow = frozenset(one.id for one in classes.classes if one.role is not Role.FOREGROUND)
        self._shapes: dict[int, Shape] = {}

    def see(self, view: View) -> None:
        """Keeps about 100 bytes and 100 more for each class that occurs."""
        if view.mask is not None:
            self._shapes[view.sample] = shape(view.mask, self._hollow)

    def notes(self) -> list[Any]:
        return [
            (sample, list(one.areas.items()), list(one.places.items()), one.specks, one.pinholes, one.ragged)
            for sample, one in self._shapes.items()
        ]

    def add(self, notes: list[Any]) -> None:
        for sample, areas, places, specks, pinholes, ragged in notes:
            self._shapes[sample] = Shape(dict(areas), dict(places), specks, pinholes, ragged)

    def finish(self, look: Look) -> Iterator[Finding | Group]:  # noqa: ARG002  (has no need to look again)
        """A finding for every sample that has a mask, told by its worst cue; no groups."""
        samples = sorted(self._shapes)
        shapes = [self._shapes[sample] for sample in samples]
        worst = [(0.0, "")] * len(shapes)
        for cue in (self._unknown, self._constant, self._small, self._ragged, self._placed):
            worst = [max(had, new, key=lambda one: one[0]) for had, new in zip(worst, cue(shapes), strict=True)]
        for sample, (score, reason) in zip(samples, worst, strict=True):
            flagged = score >= self.threshold
            yield Finding(sample, score, flagged, reason if flagged else "")

    def _name(self, id: int) -> str:
        known = self._classes.by_id(id)
        return known.name if known else f"id {id}"

    def _unknown(self, shapes: list[Shape]) -> list[tuple[float, str]]:
        out = []
        for one in shapes:
            unknown = sorted(set(one.areas) - self._classes.ids)
            share = sum(one.areas[id] for id in unknown)
            ids = ", ".join(map(str, unknown[:5]))
            out.append(
                (1.0, f"{_percent(share)} of the mask has ids outside the class list: {ids}.") if unknown else (0.0, "")
            )
        return out

    def _constant(self, shapes: list[Shape]) -> list[tuple[float, str]]:
        constant = [len(one.areas) == 1 for one in shapes]
        rate = sum(constant) / max(len(shapes), 1)
        if len(shapes) < FEWEST or rate > _RARE:
            return [(0.0, "")] * len(shapes)
        score = 1 - 0.5 * rate / _RARE
        said = f"only {_percent(rate)} of the masks hold a single class."
        return [
            (score, f"The mask is all {self._name(min(one.areas))}; {said}") if same else (0.0, "")
            for one, same in zip(shapes, constant, strict=True)
        ]

    def _small(self, shapes: list[Shape]) -> list[tuple[float, str]]:
        if len(shapes) < FEWEST:
            return [(0.0, "")] * len(shapes)
        out = [(0.0, "")] * len(shapes)
        for what, counts in (
            ("stray specks of a few pixels", [one.specks for one in shapes]),
            ("pinholes", [one.pinholes for one in shapes]),
        ):
            scores = odd(deviation(np.log1p(np.array(counts, np.float64)), 0.4), _SPECKS)
            said = [f"The mask has {count} {what}, far more than the others." for count in counts]
            out = [
                max(had, (float(s), text), key=lambda one: one[0])
                for had, s, text in zip(out, scores, said, strict=True)
            ]
        return out

    def _ragged(self, shapes: list[Shape]) -> list[tuple[float, str]]:
        if len(shapes) < FEWEST:
            return [(0.0, "")] * len(shapes)
        # Masks without an outline can't be ragged and don't tell what is usual.
        drawn = np.array([len(one.areas) > 1 for one in shapes])
        values = np.array([one.ragged for one in shapes])
        scores = np.zeros(len(shapes))
        if drawn.sum() >= FEWEST:
            scores[drawn] = odd(deviation(values[drawn], 0.02), _FRAYED)
        return [
            (float(score), f"{_percent(value)} of the outline is frayed, far more than in the others.")
            for score, value in zip(scores, values, strict=True)
        ]

    def _placed(self, shapes: list[Shape]) -> list[tuple[float, str]]:
        """Place and size of each class beside those of the same class in the other masks."""
        out = [(0.0, "")] * len(shapes)
        having: dict[int, list[int]] = defaultdict(list)
        for i, one in enumerate(shapes):
            for id in one.areas:
                having[id].append(i)
        for id, rows in sorted(having.items()):
            if len(rows) < _OF_CLASS:
                continue
            areas = np.array([shapes[i].areas[id] for i in rows])
            away = _away([shapes[i].places[id] for i in rows]) * np.minimum(1.0, areas / 0.005)
            # Tiny areas are specks' business; here a class is much larger than it ever is.
            size = odd(deviation(np.log(areas), 0.5), _LARGE)
            for k, i in enumerate(rows):
                where = f"{self._name(id)} lies where it is in almost no other mask."
                large = f"{self._name(id)} covers {_percent(float(areas[k]))} of the mask, far more than in the others."
                out[i] = max(out[i], (float(away[k]), where), (float(size[k]), large), key=lambda one: one[0])
        return out


def _away(places: list[int]) -> Values:
    """For each mask: the share of a class's cells that almost no other mask has; half of them count 0.5."""
    cells = np.array(places, "<u8").view(np.uint8).reshape(len(places), -1)
    bits = np.unpackbits(cells, axis=1, bitorder="little").astype(bool)
    others = bits.sum(axis=0, dtype=np.int32) - bits
    never = bits & (others < max(1.0, _NEVER * (len(places) - 1)))
    out: Values = never.sum(axis=1) / np.maximum(bits.sum(axis=1), 1)
    return out


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.2g} %"
