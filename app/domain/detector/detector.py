"""The detector: two passes over a set to learn from it, then one sample at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from app.domain.classes import ClassList
from app.domain.detector import overview
from app.domain.detector.expect import Expected, Tally
from app.domain.detector.foreign import Belonging, belonging_of, describe
from app.domain.detector.ground import ground_of
from app.domain.detector.judge import PARTS, SCORES, Judges, Verdict, learn_judges
from app.domain.detector.learned import ONE_THREAD, Curve, curve_of_odds, curve_within
from app.domain.detector.naming import regions_of
from app.domain.detector.pixels import PixelCurve, evidence_of, pixel_curve
from app.domain.detector.practice import drawn, spoil
from app.domain.detector.predicted import (
    F32,
    F64,
    I64,
    BadPrediction,
    Bool,
    Channels,
    Predicted,
    channels_of,
    places_of,
    scene_of,
)
from app.domain.detector.rank import Ranking, ranking_of
from app.domain.detector.region import Reason, Region, region_of
from app.domain.detector.trial import Record, record_of, trial_of

PIXELS = 120  # sampled of each trial
LEAST_SPOILED = 12.0
FEW = 400  # masks of practice that a small set gets by more copies of each
PRACTISED = SCORES.index("practised")
PLAIN, DRAWN, DISAGREEMENT = (overview.NAMES.index(name) for name in ("plainness", "given_boundary", "disagreement"))
LEAST_DRAWN = 0.02  # a mask with less boundary says nothing of the hand that drew it
MOSTLY = 0.6  # a mask from which the model differs in more than this is wrong as a whole

Stream = Callable[[], Iterable[Predicted]]


@dataclass(frozen=True)
class ImageScore:
    """``score`` in [0, 1], 1 = worst: the one rank over all reasons; ``probability`` that the mask has an error;
    ``regions`` likeliest first; ``pixel_map`` (H, W) float32: probability that a pixel's class is wrong.

    ``parts``: the scores that the rank is made of, by name, in their own units (larger is worse).
    """

    score: float
    probability: float
    regions: tuple[Region, ...]
    pixel_map: F32
    parts: dict[str, float]


@dataclass(frozen=True)
class Fitted:
    """What a set has taught; ``score`` needs no state, so samples may come in any order and number.

    ``share``: the estimated share of masks with an error of a practised kind. The curves turn scores into
    probabilities: of an image; of a disagreement, a segment, a pixel, given that the image has an error.
    """

    channels: Channels
    expected: Expected
    judges: Judges
    ranking: Ranking
    share: float
    images: Curve
    disagreements: Curve
    segments: Curve
    pixels: PixelCurve
    trust: tuple[float, float]
    belonging: Belonging
    least: float

    def score(self, predicted: Predicted) -> ImageScore:
        """Judged by what the other half of the set has taught. Raises BadPrediction as ``scene_of`` does."""
        ground = ground_of(scene_of(predicted, self.channels))
        trial = trial_of(ground, places_of(predicted.given, self.channels), self.expected, self.channels.void)
        with ONE_THREAD.limit(limits=1):
            verdict = self.judges.verdict(part_of(predicted), trial.disagreements, trial.segments, trial.overview)
        score = self.ranking.of(verdict.scores, plainness_of(trial.overview))
        differs = float(trial.overview[DISAGREEMENT])
        oddness, foreign = self.belonging.score(describe(ground), differs)
        if foreign:
            score = 1 - (1 - score) / 4
        probability = float(self.images.chance(np.array([score]))[0])
        # A region is wrong if its mask is, and then if it is the region.
        chances = (
            probability * self.disagreements.chance(verdict.disagreements),
            probability * self.segments.chance(verdict.segments),
        )
        regions = regions_of(ground, trial, chances, self.channels, self.least)
        if probability >= self.least and (foreign or differs > MOSTLY):
            reason = Reason.FOREIGN if foreign else Reason.WHOLE
            whole = region_of(np.ones(predicted.given.shape, np.bool_), reason, None, None, probability)
            regions = [whole, *regions]
        image = float(verdict.scores[PRACTISED])
        evidence = evidence_of(trial.laid.surprise, trial.segments.labels - 1, verdict.reading, self.trust, image)
        parts = dict(zip(SCORES, verdict.scores.tolist(), strict=True)) | {
            "plainness": float(trial.overview[PLAIN]),
            "foreign": oddness,
        }
        return ImageScore(score, probability, tuple(regions), self.pixels.chance(evidence), parts)


def plainness_of(row: F32) -> float:
    """NaN where there is too little boundary to tell."""
    return float(row[PLAIN]) if row[DRAWN] > LEAST_DRAWN else float("nan")


def part_of(predicted: Predicted) -> int:
    """Which part of the set a sample is in: by fold where it is known, so that folds' content groups stay together."""
    return (predicted.fold if predicted.fold is not None else crc32(predicted.key.encode())) % PARTS


class Detector:
    """Learns from a set of masks with out-of-sample predictions.

    ``copies`` practice copies are made of each of at most ``images`` masks (chosen by key); ``least``: regions of a
    lower probability aren't told; ``without``: families of errors (see ``practice.FAMILIES``) not to practise.
    """

    def __init__(
        self, classes: ClassList, *, copies: int = 2, images: int = 1500, least: float = 0.1, seed: int = 0,
        without: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self.classes, self.copies, self.images, self.least = classes, copies, images, least
        self.seed, self.without = seed, without

    def fit(self, stream: Stream) -> Fitted:
        """Reads the stream twice; keeps features of at most ``images`` samples. Raises BadPrediction if it is empty."""
        channels, expected, count = self._tally(stream)
        records = list(self._practise(stream, channels, expected, count))
        with ONE_THREAD.limit(limits=1):
            judges = learn_judges(records, self.seed)
            verdicts = [
                (record, judges.verdict(record.part, record.disagreements, record.segments, record.overview))
                for record in records
            ]
        given = [(record, verdict) for record, verdict in verdicts if not record.family]
        spoiled = [(record, verdict) for record, verdict in verdicts if record.family]
        ranking = ranking_of(
            _table([verdict.scores for _, verdict in given]), _table([verdict.scores for _, verdict in spoiled]),
            [record.family for record, _ in spoiled], np.array([plainness_of(record.overview) for record, _ in given]),
        )  # fmt: skip

        def ranks(of: list[tuple[Record, Verdict]]) -> F64:
            return np.array([ranking.of(verdict.scores, plainness_of(record.overview)) for record, verdict in of])

        images, share = curve_of_odds(ranks(given), ranks(spoiled))
        trust = ranking.trust(SCORES.index("reading")), ranking.trust(PRACTISED)
        evidence = [
            evidence_of(
                record.pixels.surprise, record.pixels.segment, verdict.reading, trust, verdict.scores[PRACTISED]
            )
            for record, verdict in spoiled
        ]
        return Fitted(
            channels,
            expected,
            judges,
            ranking,
            share,
            images,
            curve_within(
                _joined([verdict.disagreements for _, verdict in spoiled]),
                _all([record.wrong for record, _ in spoiled]),
            ),
            curve_within(
                _joined([verdict.segments for _, verdict in spoiled]),
                _all([record.segment_wrong for record, _ in spoiled]),
            ),
            pixel_curve(_joined(evidence), _all([record.pixels.spoiled for record, _ in spoiled]), share),
            trust,
            belonging_of(
                [record.description for record, _ in given],
                [float(record.overview[DISAGREEMENT]) for record, _ in given],
            ),
            self.least,
        )

    def _tally(self, stream: Stream) -> tuple[Channels, Expected, int]:
        """The channels, commonest given class first so that their numbering says nothing, and what is usual."""
        channels: Channels | None = None
        tally, count = Tally(0), 0
        for predicted in stream():
            if channels is None:
                channels = channels_of(self.classes, predicted.probabilities.shape[-1])
                tally = Tally(channels.count)
            tally.add(scene_of(predicted, channels), places_of(predicted.given, channels))
            count += 1
        if channels is None:
            raise BadPrediction("There are no predictions to learn from; train or import some first.")
        order = np.lexsort((-tally.predicted, -tally.given))
        return channels.reordered(order), tally.expected(order), count

    def _practise(self, stream: Stream, channels: Channels, expected: Expected, count: int) -> Iterator[Record]:
        """Of each chosen sample: the record of its mask as given, and of copies with an error made on purpose."""
        other: I64 | None = None
        for predicted in stream():
            own = crc32(f"{self.seed} {predicted.key}".encode())
            if own >= 2**32 * self.images / count:
                continue
            rng = np.random.default_rng(own)
            ground = ground_of(scene_of(predicted, channels))
            description = describe(ground)
            mask = places_of(predicted.given, channels)
            if other is not None and other.shape != mask.shape:
                rows, columns = (np.arange(n) * m // n for n, m in zip(mask.shape, other.shape, strict=True))
                other = other[np.ix_(rows, columns)]
            trial = trial_of(ground, mask, expected, channels.void)
            yield record_of(trial, description, np.zeros(mask.shape, np.bool_), "", rng, PIXELS, part_of(predicted))
            plan = drawn(mask, channels.void, other)
            for _ in range(max(self.copies, min(6, -(-FEW // count)))):
                changed, family = spoil(plan, rng, self.without)
                spoiled = changed != mask
                if spoiled.sum() >= LEAST_SPOILED * ground.unit**2:
                    trial = trial_of(ground, changed, expected, channels.void)
                    yield record_of(trial, description, spoiled, family, rng, PIXELS, part_of(predicted))
            if rng.random() < 0.3:  # not the neighbour: frames of one film share their masks
                other = mask


def _table(rows: list[F64]) -> F64:
    return np.stack(rows) if rows else np.zeros((0, len(SCORES)))


def _joined(parts: Sequence[F64 | F32]) -> F64:
    return np.concatenate(parts).astype(np.float64) if parts else np.zeros(0)


def _all(parts: list[Bool]) -> Bool:
    return np.concatenate(parts) if parts else np.zeros(0, np.bool_)
