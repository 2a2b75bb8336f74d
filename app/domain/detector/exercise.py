"""What the detector takes from two readings of a set: what is usual in it, and masks that are spoilt for practice."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from app.domain.classes import ClassList
from app.domain.detector import critic, overview
from app.domain.detector.critic import Layers, Lesson, Teach, grid_of, lessons_of, on_grid, view_of
from app.domain.detector.expect import Expected, Tally
from app.domain.detector.foreign import describe
from app.domain.detector.ground import ground_of
from app.domain.detector.judge import PARTS
from app.domain.detector.practice import drawn, spoil
from app.domain.detector.predicted import I64, BadPrediction, Channels, Predicted, channels_of, places_of, scene_of
from app.domain.detector.reduced import reduced
from app.domain.detector.trial import Record, record_of, trial_of

PIXELS = 120  # sampled of each trial
LEAST_SPOILED = 12.0
SOFTMIN = overview.NAMES.index("softmin")
FEW = 400  # masks of practice that a small set gets by more copies of each

Stream = Callable[[], Iterable[Predicted]]


@dataclass(frozen=True)
class Known:
    """Of a set: its channels, commonest given class first so that their numbering says nothing; what is usual; how
    many samples it has; the critics' grid, of the mean aspect."""

    channels: Channels
    expected: Expected
    count: int
    grid: tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """See ``Detector``."""

    copies: int
    images: int
    seed: int
    without: frozenset[str]
    teach: Teach | None


@dataclass(frozen=True)
class Practised:
    """The records of a sample, the mask as given first; ``lesson``, where critics are to learn: its masks begin with
    those of the records."""

    records: list[Record]
    lesson: Lesson | None

    @property
    def part(self) -> int:
        return self.records[0].part

    def criticised(self, critics: tuple[Layers, Layers] | None) -> list[Record]:
        if critics is None or self.lesson is None:
            return self.records
        odds = critic.score(critics[self.part % 2], self.lesson.view, self.lesson.masks[: len(self.records)])
        return [replace(one, critic=float(own)) for one, own in zip(self.records, odds, strict=True)]


def part_of(predicted: Predicted) -> int:
    """Which part of the set a sample is in: by fold where it is known, so that folds' content groups stay together."""
    return (predicted.fold if predicted.fold is not None else crc32(predicted.key.encode())) % PARTS


def known(stream: Stream, classes: ClassList) -> Known:
    """Raises BadPrediction where there is nothing to read."""
    channels: Channels | None = None
    tally, count, aspect = Tally(0), 0, 0.0
    for predicted in stream():
        if channels is None:
            channels = channels_of(classes, predicted.probabilities.shape[-1])
            tally = Tally(channels.count)
        seen = reduced(predicted)
        tally.add(scene_of(seen, channels), places_of(seen.given, channels))
        count += 1
        aspect += float(np.log(predicted.given.shape[1] / predicted.given.shape[0]))
    if channels is None:
        raise BadPrediction("There are no predictions to learn from; train or import some first.")
    order = np.lexsort((-tally.predicted, -tally.given))
    return Known(channels.reordered(order), tally.expected(order), count, grid_of(float(np.exp(aspect / count))))


def practised(stream: Stream, of: Known, plan: Plan) -> Iterator[Practised]:
    """Of each chosen sample: its mask as given, and copies with an error made on purpose."""
    void = of.channels.void
    other: I64 | None = None
    for predicted in stream():
        own = crc32(f"{plan.seed} {predicted.key}".encode())
        if own >= 2**32 * plan.images / of.count:
            continue
        rng = np.random.default_rng(own)
        seen = reduced(predicted)
        ground = ground_of(scene_of(seen, of.channels))
        description, part = describe(ground), part_of(seen)
        mask = places_of(seen.given, of.channels)
        if other is not None and other.shape != mask.shape:
            rows, columns = (np.arange(n) * m // n for n, m in zip(mask.shape, other.shape, strict=True))
            other = other[np.ix_(rows, columns)]
        trial = trial_of(ground, mask, of.expected, void)
        records = [record_of(trial, description, np.zeros(mask.shape, np.bool_), "", rng, PIXELS, part)]
        masks = [mask]
        drawing = drawn(mask, void, other)
        for _ in range(max(plan.copies, min(6, -(-FEW // of.count)))):
            changed, family = spoil(drawing, rng, plan.without)
            spoiled = changed != mask
            if spoiled.sum() >= LEAST_SPOILED * ground.unit**2:
                trial = trial_of(ground, changed, of.expected, void)
                records.append(record_of(trial, description, spoiled, family, rng, PIXELS, part))
                masks.append(changed)
        follows = rng.random() < 0.3  # not the neighbour: frames of one film share their masks
        lesson = None
        if plan.teach is not None:
            masks += [spoil(drawing, rng, plan.without)[0] for _ in range(1 + critic.COPIES - len(masks))]
            lesson = Lesson(view_of(ground.scene, of.grid), np.stack([on_grid(one, of.grid) for one in masks]))
        yield Practised(records, lesson)
        if follows:
            other = mask


def critics_of(practised: Sequence[Practised], teach: Teach | None) -> tuple[Layers, Layers] | None:
    """None where there is nobody to teach them, or too little to learn from.

    The masks that softmin doubts most teach nothing: those that are wrong, and cruder than what is practised, would
    teach that what is crude is as given (reliable negatives first: Liu et al., ICDM 2003).
    """
    if teach is None or not practised:
        return None
    softmin = np.array([one.records[0].overview[SOFTMIN] for one in practised])
    most = np.quantile(softmin, 1 - critic.DOUBTED)
    taught = [one for one, own in zip(practised, softmin, strict=True) if own <= most]
    lessons = [one.lesson for one in taught if one.lesson is not None]
    if len(lessons) < critic.FEWEST or len({one.part % 2 for one in taught}) < 2:
        return None
    return teach(lessons_of(lessons, [one.part for one in taught]))
