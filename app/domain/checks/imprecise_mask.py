"""Masks whose outlines look careless beside those of the set, told from mask and picture alone.

Weak: it ranks, and flags hardly anything. Once models that never saw the masks have judged them, their word stands
instead (see flows.imprecise)."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np

from app.domain.checks.base import Finding, Group, Look, View
from app.domain.checks.robust import deviation, odd
from app.domain.classes import ClassList
from app.domain.detector.unaided import unaided

# Fewer masks than this don't tell what is usual.
FEWEST = 16
# The least spread of a cue over a set, and the deviations at which the score is 0.5.
_SPREAD, _HALF = 0.06, 5.0
# Larger masks are looked at every n-th pixel.
SIDE = 1024
CUES = (
    ("off_edges", "of the outline lies where the picture has no edge"),
    ("specks", "of the outline belongs to specks of a few pixels"),
    ("holes", "of the outline belongs to holes of a few pixels"),
    ("straight", "of the outline runs dead straight where the picture doesn't"),
)


class ImpreciseMask:
    name: ClassVar[str] = "imprecise_mask"
    title: ClassVar[str] = "Imprecise mask"
    subject: ClassVar[Literal["mask", "image"]] = "mask"
    version: ClassVar[int] = 1
    threshold: ClassVar[float] = 0.5

    def __init__(self, classes: ClassList) -> None:  # noqa: ARG002  (cues know no classes)
        self._cues: dict[int, tuple[float, ...]] = {}

    def see(self, view: View) -> None:
        """Keeps five numbers."""
        if view.mask is None:
            return
        step = -(-max(view.mask.shape) // SIDE)
        found = unaided(view.image[::step, ::step], view.mask[::step, ::step])
        self._cues[view.sample] = (found.score, *(getattr(found, name) for name, _ in CUES))

    def notes(self) -> list[Any]:
        return [(sample, *cues) for sample, cues in self._cues.items()]

    def add(self, notes: list[Any]) -> None:
        self._cues.update((sample, tuple(cues)) for sample, *cues in notes)

    def finish(self, look: Look) -> Iterator[Finding | Group]:  # noqa: ARG002  (has no need to look again)
        """A finding for every sample that has a mask; no groups."""
        seen = sorted(self._cues)
        cues = np.array([self._cues[one] for one in seen], np.float64).reshape(len(seen), 1 + len(CUES))
        away = deviation(cues, _SPREAD) if len(seen) >= FEWEST else np.zeros_like(cues)
        for sample, score, values, aways in zip(seen, odd(away[:, 0], _HALF), cues, away, strict=True):
            flagged = bool(score >= self.threshold)
            worst = int(np.argmax(aways[1:]))
            reason = f"Without a model: {100 * values[1 + worst]:.0f} % {CUES[worst][1]}, far more than in the others."
            yield Finding(sample, float(score), flagged, reason if flagged else "")
