"""Learned scores, and what they are worth: boosted trees told apart practised errors from what was given.

The given masks hold real errors too, so the trees learn from practised (positive) and *unlabelled* rows. With f1 the
density of practised and fu of unlabelled rows, their calibrated odds are f1/fu; with a share pi of the unlabelled rows
wrong like the practised ones, p(wrong | row) = pi f1/fu. pi is the least ratio of the two tails (Elkan and Noto, KDD
2008, for the setting; Blanchard, Lee and Scott, JMLR 2010, for the share).
"""

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from app.domain.detector.predicted import F32, F64, Bool

FEWEST = 20
_MOST_ROWS = 24_000
# Two threads that wait for each other on busy cores are many times slower than one.
ONE_THREAD = ThreadpoolController()


@dataclass(frozen=True)
class Trees:
    """Log odds that a row is a practised error rather than a given one, were there as many of both.

    0 where there was too little to learn from.
    """

    model: HistGradientBoostingClassifier | None
    prior: float = 0.0

    def score(self, rows: F32) -> F64:
        if self.model is None or not len(rows):
            return np.zeros(len(rows))
        out: F64 = self.model.decision_function(rows) - self.prior
        return out


def grow_trees(unlabelled: F32, practised: F32, rounds: int, seed: int) -> Trees:
    if len(unlabelled) < FEWEST or len(practised) < FEWEST:
        return Trees(None)
    rng = np.random.default_rng(seed)
    if len(unlabelled) > _MOST_ROWS:
        unlabelled = unlabelled[rng.choice(len(unlabelled), _MOST_ROWS, replace=False)]
    if len(practised) > _MOST_ROWS:
        practised = practised[rng.choice(len(practised), _MOST_ROWS, replace=False)]
    rows = np.concatenate([unlabelled, practised])
    rows[:, np.isnan(rows).all(axis=0)] = 0  # what nowhere could be measured, the learner can't bin
    target = np.concatenate([np.zeros(len(unlabelled)), np.ones(len(practised))])
    model = HistGradientBoostingClassifier(
        max_iter=rounds, learning_rate=0.08, max_leaf_nodes=12, min_samples_leaf=20, l2_regularization=2.0,
        early_stopping=False, random_state=seed,
    )  # fmt: skip
    return Trees(model.fit(rows, target), float(np.log(len(practised) / len(unlabelled))))


@dataclass(frozen=True)
class Curve:
    """Score -> probability, monotone."""

    scores: F64
    chances: F64

    def chance(self, scores: F64) -> F64:
        return np.interp(scores, self.scores, self.chances)


_NEVER = Curve(np.zeros(1), np.zeros(1))


def share_of(unlabelled: F64, practised: F64) -> float:
    """The estimated share pi of the unlabelled that are wrong; 0 where there is too little to tell."""
    if len(unlabelled) < FEWEST or len(practised) < FEWEST:
        return 0.0
    # Tails of at least a quarter of the practised: further out only the crudest of them are left.
    ordered = np.sort(practised)
    cuts = ordered[: max(1, len(ordered) - max(10, len(ordered) // 4))]
    tail_practised = 1 - np.searchsorted(ordered, cuts) / len(ordered)
    above = len(unlabelled) - np.searchsorted(np.sort(unlabelled), cuts)
    return float(min(1.0, ((above + 1) / (len(unlabelled) + 1) / tail_practised).min()))


def curve_of_odds(unlabelled: F64, practised: F64) -> tuple[Curve, float]:
    """p(wrong | score) = pi f1/fu from cross-fitted scores of both, and pi."""
    share = share_of(unlabelled, practised)
    if not share:
        return _NEVER, 0.0
    scores = np.concatenate([unlabelled, practised])
    target = np.concatenate([np.zeros(len(unlabelled)), np.ones(len(practised))])
    weight = np.where(target > 0, 1 / len(practised), 1 / len(unlabelled))
    at, balanced = _isotonic(scores, target, weight)
    balanced = balanced.clip(1e-4, 1 - 1e-3)
    return Curve(at, np.minimum(share * balanced / (1 - balanced), 1.0)), share


def curve_within(scores: F64, wrong: Bool) -> Curve:
    """p(wrong | score) among rows that are known to be wrong or not."""
    if int(wrong.sum()) < FEWEST or int((~wrong).sum()) < FEWEST:
        return _NEVER
    return Curve(*_isotonic(scores, wrong.astype(np.float64), np.ones(len(scores))))


def _isotonic(scores: F64, target: F64, weight: F64) -> tuple[F64, F64]:
    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, target, sample_weight=weight)
    at = np.unique(np.quantile(scores, np.concatenate([np.linspace(0, 0.9, 128), np.linspace(0.9, 1, 128)])))
    return at, fitted.predict(at)
