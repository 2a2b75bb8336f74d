"""Pictures that don't belong: far from all the others in light, colour and grain.

Each picture leaves 27 numbers. They are put on one scale robustly, and the distance is Mahalanobis' with the
covariance of the middle nine tenths (a few steps of Rousseeuw's concentration), shrunk towards independence. What
counts is how far that distance lies above those of the set.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from app.domain.checks.base import Finding, Group, Look, View
from app.domain.checks.features import features
from app.domain.checks.robust import Values, deviation, odd
from app.domain.classes import ClassList

# Fewer pictures than this don't tell what belongs.
FEWEST = 16
_HALF = 4.6
# No single number counts for more deviations than this.
_BOUND = 8.0
_KEPT = 0.9
_SHRINK = 0.1
_TOLD = (
    "its darkest parts", "its darker parts", "its middle brightness", "its brighter parts", "its brightest parts",
    "its contrast", "how its brightness leans", "how extreme its brightness is", "its finest grain", "its fine grain",
    "its coarse grain", "its coarsest grain", "its edges", "its strongest edges", "the direction of its edges",
    "one very bright place", "one very dark place", "one very busy place", "one very smooth place",
    "how uneven its grain is", "how much of it is white", "how much of it is black",
    "how much of it is far brighter than the rest", "how much of it is far darker than the rest",
    "its redness", "its blueness", "its colourfulness",
)  # fmt: skip


class ForeignImage:
    name: ClassVar[str] = "foreign_image"
    title: ClassVar[str] = "Picture that does not belong"
    subject: ClassVar[Literal["mask", "image"]] = "image"
    version: ClassVar[int] = 1
    threshold: ClassVar[float] = 0.5

    def __init__(self, _classes: ClassList) -> None:
        self._rows: dict[int, npt.NDArray[np.float32]] = {}

    def see(self, view: View) -> None:
        """Keeps 100 bytes."""
        self._rows[view.sample] = features(view.image)

    def notes(self) -> list[Any]:
        return [(sample, row.tolist()) for sample, row in self._rows.items()]

    def add(self, notes: list[Any]) -> None:
        self._rows.update((sample, np.array(row, np.float32)) for sample, row in notes)

    def finish(self, look: Look) -> Iterator[Finding | Group]:  # noqa: ARG002  (has no need to look again)
        """A finding for every sample; no groups."""
        samples = sorted(self._rows)
        if len(samples) < FEWEST:
            yield from (Finding(sample, 0.0, False) for sample in samples)
            return
        scaled = np.clip(_scaled(np.array([self._rows[sample] for sample in samples], np.float64)), -_BOUND, _BOUND)
        distance = _distances(scaled)
        far = deviation(np.log(distance + 1e-9), 0.1)
        scores = odd(far, _HALF)
        for sample, score, row in zip(samples, scores, scaled, strict=True):
            flagged = bool(score >= self.threshold)
            what = _TOLD[int(np.abs(row).argmax())]
            reason = f"This picture looks unlike the others of the set, most of all in {what}." if flagged else ""
            yield Finding(sample, float(score), flagged, reason)


def _scaled(rows: Values) -> Values:
    """Deviations by column; a column that hardly varies counts by its mean absolute deviation, or not at all."""
    floor = np.maximum(0.2 * np.abs(rows - np.median(rows, axis=0)).mean(axis=0), 1e-3)
    centre = np.median(rows, axis=0)
    spread = np.maximum(1.4826 * np.median(np.abs(rows - centre), axis=0), floor)
    out: Values = (rows - centre) / spread
    return out


def _distances(rows: Values) -> Values:
    """Mahalanobis distance of each row to the bulk of the rows."""
    distance = np.sqrt((rows**2).mean(axis=1))
    for _ in range(4):
        kept = rows[distance <= np.quantile(distance, _KEPT)]
        centre = kept.mean(axis=0)
        spread = np.atleast_2d(np.cov(kept, rowvar=False))
        spread = (1 - _SHRINK) * spread + _SHRINK * np.eye(len(spread)) * max(
            float(np.trace(spread)) / len(spread), 1e-6
        )
        apart = rows - centre
        squared = (apart * np.linalg.solve(spread, apart.T).T).sum(axis=1)
        distance = np.sqrt(np.maximum(squared, 0.0))
    return np.asarray(distance, np.float64)
