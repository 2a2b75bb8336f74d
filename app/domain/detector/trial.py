"""One mask tried on its scene: all that the learned scores look at, small enough to keep for many images."""

from dataclasses import dataclass, replace

import numpy as np

from app.domain.detector.components import components
from app.domain.detector.disagreements import Disagreements, disagreements_of
from app.domain.detector.expect import Expected
from app.domain.detector.ground import Ground, Laid
from app.domain.detector.overview import laid_over, overview_of
from app.domain.detector.pixels import Sampled
from app.domain.detector.predicted import F32, F64, I64, Bool
from app.domain.detector.segments import Segments, segments_of
from app.domain.detector.sums import total


@dataclass(frozen=True)
class Trial:
    """``overview`` as in the module of that name."""

    laid: Laid
    disagreements: Disagreements
    segments: Segments
    overview: F32


def trial_of(ground: Ground, mask: I64, expected: Expected, void: tuple[bool, ...]) -> Trial:
    laid = laid_over(ground, mask, expected)
    found = components(mask)
    areas = np.bincount(found[0].ravel(), minlength=found[1])
    return Trial(
        laid,
        disagreements_of(ground, laid, found[0], areas.astype(np.float64), expected, void),
        segments_of(ground, laid, found, expected, void),
        overview_of(ground, laid, areas),
    )


@dataclass(frozen=True)
class Record:
    """What is kept of a trial. ``wrong`` and ``segment_wrong``: which rows a practised error covers by half or more
    (none in a mask as given); ``family``: the practised kind, "" as given; ``part`` of the set that the
    image belongs to; ``critic``: log odds of the critic for the whole mask, 0 without one."""

    disagreements: Disagreements
    wrong: Bool
    segments: Segments
    segment_wrong: Bool
    overview: F32
    description: F64
    pixels: Sampled
    family: str
    part: int
    critic: float = 0.0


def record_of(
    trial: Trial, description: F64, spoiled: Bool, family: str, rng: np.random.Generator, pixels: int, part: int
) -> Record:
    some = rng.integers(0, spoiled.size, pixels)
    found, segments = trial.disagreements, trial.segments

    def half(labels: I64, areas: F64) -> Bool:
        return total(labels, areas.size + 1, spoiled)[1:] >= 0.5 * areas

    sampled = Sampled(trial.laid.surprise.ravel()[some], segments.labels.ravel()[some] - 1, spoiled.ravel()[some])
    # The label images are what takes room: a record does without.
    none = np.zeros((0, 0), np.int64)
    return Record(
        replace(found, labels=none),
        half(found.labels, found.pixels),
        replace(segments, labels=none),
        half(segments.labels, segments.pixels),
        trial.overview,
        description,
        sampled,
        family,
        part,
    )
