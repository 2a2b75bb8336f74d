"""The detector: two passes over a set to learn from it, then one sample at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.domain.classes import ClassList
from app.domain.detector import critic, overview
from app.domain.detector.critic import Layers, Teach, on_grid, view_of
from app.domain.detector.exercise import Plan, Stream, critics_of, known, part_of, practised
from app.domain.detector.expect import Expected
from app.domain.detector.foreign import Belonging, belonging_of, describe, kappa_of
from app.domain.detector.ground import ground_of
from app.domain.detector.judge import SCORES, Judges, Verdict, learn_judges
from app.domain.detector.learned import ONE_THREAD, Curve, curve_of_odds, curve_within
from app.domain.detector.naming import regions_of
from app.domain.detector.pixels import PixelCurve, evidence_of, pixel_curve
from app.domain.detector.predicted import F32, F64, Bool, Channels, Predicted, places_of, scene_of
from app.domain.detector.rank import Ranking, ranking_of
from app.domain.detector.reduced import enlarged, reduced
from app.domain.detector.region import Reason, Region, whole_of
from app.domain.detector.trial import Record, trial_of

PRACTISED = SCORES.index("practised")
PLAIN, DRAWN, DISAGREEMENT = (overview.NAMES.index(name) for name in ("plainness", "given_boundary", "disagreement"))
LEAST_DRAWN = 0.02  # a mask with less boundary says nothing of the hand that drew it
MOSTLY = 0.6  # a mask from which the model differs in more than this is wrong as a whole


@dataclass(frozen=True)
class ImageScore:
    """``score`` in [0, 1], 1 = worst: the one rank over all reasons; ``probability`` that the mask has an error;
    ``regions`` likeliest first; ``pixel_map`` (H, W) float32: probability that a pixel's class is wrong, or that those
    of a cell are where the picture is so large that it was looked at in cells (see ``reduced``).

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
    critics: tuple[Layers, Layers] | None
    grid: tuple[int, int]
    least: float

    def score(self, predicted: Predicted) -> ImageScore:
        """Judged by what the other half of the set has taught. Raises BadPrediction as ``scene_of`` does."""
        seen = reduced(predicted)
        ground = ground_of(scene_of(seen, self.channels))
        mask, part = places_of(seen.given, self.channels), part_of(seen)
        trial = trial_of(ground, mask, self.expected, self.channels.void)
        with ONE_THREAD.limit(limits=1):
            odds = 0.0
            if self.critics is not None:
                view = view_of(ground.scene, self.grid)
                odds = float(critic.score(self.critics[part % 2], view, on_grid(mask, self.grid)[None])[0])
            verdict = self.judges.verdict(part, trial.disagreements, trial.segments, trial.overview, odds)
        rank = score = self.ranking.of(verdict.scores, plainness_of(trial.overview))
        differs = float(trial.overview[DISAGREEMENT])
        kappa = kappa_of(ground.scene.top, mask, self.channels.count)
        oddness, foreign = self.belonging.score(describe(ground), differs, kappa)
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
            regions = [whole_of(seen.given.shape, reason, probability), *regions]
        practised = float(verdict.scores[PRACTISED])
        evidence = evidence_of(
            trial.laid.surprise, trial.segments.labels - 1, verdict.reading, self.trust, practised, rank
        )
        parts = dict(zip(SCORES, verdict.scores.tolist(), strict=True)) | {
            "plainness": float(trial.overview[PLAIN]),
            "foreign": oddness,
        }
        told = tuple(enlarged(one, predicted, seen.given) for one in regions)
        return ImageScore(score, probability, told, self.pixels.chance(evidence), parts)


def plainness_of(row: F32) -> float:
    """NaN where there is too little boundary to tell."""
    return float(row[PLAIN]) if row[DRAWN] > LEAST_DRAWN else float("nan")


class Detector:
    """Learns from a set of masks with out-of-sample predictions.

    ``copies`` practice copies are made of each of at most ``images`` masks (chosen by key); ``least``: regions of a
    lower probability aren't told; ``without``: families of errors (see ``practice.FAMILIES``) not to practise;
    ``teach`` trains critics, without it there are none.
    """

    def __init__(
        self, classes: ClassList, *, copies: int = 2, images: int = 1500, least: float = 0.1, seed: int = 0,
        without: frozenset[str] = frozenset(), teach: Teach | None = None,
    ) -> None:  # fmt: skip
        self.classes, self.least = classes, least
        self.plan = Plan(copies, images, seed, without, teach)

    def fit(self, stream: Stream) -> Fitted:
        """Reads the stream twice; keeps features of at most ``images`` samples. Raises BadPrediction if it is empty."""
        seen = known(stream, self.classes)
        practice = list(practised(stream, seen, self.plan))
        critics = critics_of(practice, self.plan.teach)
        with ONE_THREAD.limit(limits=1):
            records = [record for one in practice for record in one.criticised(critics)]
            del practice
            judges = learn_judges(records, self.plan.seed)
            verdicts = [
                (one, judges.verdict(one.part, one.disagreements, one.segments, one.overview, one.critic))
                for one in records
            ]
        given = [(record, verdict) for record, verdict in verdicts if not record.family]
        spoiled = [(record, verdict) for record, verdict in verdicts if record.family]
        ranking = ranking_of(
            _table([verdict.scores for _, verdict in given]), _table([verdict.scores for _, verdict in spoiled]),
            [record.family for record, _ in spoiled], np.array([plainness_of(record.overview) for record, _ in given]),
        )  # fmt: skip

        def ranks(of: list[tuple[Record, Verdict]]) -> F64:
            return np.array([ranking.of(verdict.scores, plainness_of(record.overview)) for record, verdict in of])

        spoiled_ranks = ranks(spoiled)
        images, share = curve_of_odds(ranks(given), spoiled_ranks)
        trust = ranking.trust(SCORES.index("reading")), ranking.trust(PRACTISED)
        evidence = [
            evidence_of(
                record.pixels.surprise, record.pixels.segment, verdict.reading, trust, verdict.scores[PRACTISED], rank
            )
            for (record, verdict), rank in zip(spoiled, spoiled_ranks, strict=True)
        ]
        return Fitted(
            seen.channels,
            seen.expected,
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
            critics,
            seen.grid,
            self.least,
        )


def _table(rows: list[F64]) -> F64:
    return np.stack(rows) if rows else np.zeros((0, len(SCORES)))


def _joined(parts: Sequence[F64 | F32]) -> F64:
    return np.concatenate(parts).astype(np.float64) if parts else np.zeros(0)


def _all(parts: list[Bool]) -> Bool:
    return np.concatenate(parts) if parts else np.zeros(0, np.bool_)
