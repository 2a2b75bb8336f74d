"""How many bad masks remain, and how many the next reviews should find: by the detector's probabilities, corrected by
what reviewers have decided.

The detector's log-odds are laid anew (logistic recalibration: Cox, Biometrika 45, 1958; Platt 1999) with a shift, a
slope above the mean probability and one below it, and a random effect of each fifth of the masks (a hierarchical model
as in Gelman and Hill 2007). Their priors are centred on the detector being right and wide enough for one that is
useless, so that its word weighs little against decisions. Which masks were decided depends on their probability, on
other flags, and on a hash of their name (see ``audit``), all of which the model knows, so they need not be a random
sample (ignorable selection: Rubin 1976). The posterior is taken by importance sampling from a multivariate t around its
mode; what remains is then drawn mask by mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

LEVEL = 0.95
UNDECIDED, GOOD, BAD = -1, 0, 1
DRAWS = 1000
POINTS = 40
# Standard deviations of the priors, on log-odds: of the shift, a slope, a fifth's effect, that of masks otherwise told.
_SHIFT, _SLOPE, _EFFECT, _TOLD = 1.0, 0.6, 1.0, 2.0
_FIFTHS = 5
# A detector that is surer than this is not believed to be.
_SUREST = 0.997
_STEP = 0.05  # of log-odds; masks nearer than this are counted as equal
_FREEDOM = 5


@dataclass(frozen=True)
class Span:
    """An expected number and the interval that holds the true one with probability LEVEL."""

    mean: float
    low: int
    high: int


@dataclass(frozen=True)
class Expected:
    """What the next ``reviews`` masks of the queue should hold, together."""

    reviews: int
    found: Span


@dataclass(frozen=True)
class Remaining:
    """``bad``: among all undecided masks; ``curve``: by growing numbers of reviews, up to all of them."""

    bad: Span
    curve: tuple[Expected, ...]


def estimate(
    chance: F64, outcome: I64, told: npt.NDArray[np.bool_], order: I64, wanted: Sequence[int] = ()
) -> Remaining:
    """Estimate from N masks: ``chance`` (N,) in [0, 1] of being bad, ``outcome`` (N,) UNDECIDED, GOOD or BAD, ``told``
    (N,) whether something else than the detector speaks against the mask, ``order``: indices of all undecided ones as
    they will be reviewed. ``wanted``: numbers of reviews that the curve shall have beside its own POINTS. The same
    input gives the same answer."""
    ends = _ends(order.size, wanted)
    if not order.size:
        return Remaining(Span(0.0, 0, 0), ())
    surest = np.log(_SUREST / (1 - _SUREST))
    mean = np.clip(chance.mean(), 1 - _SUREST, _SUREST)
    odds = np.clip(np.log(np.maximum(chance, 1e-9) / np.maximum(1 - chance, 1e-9)), -surest, surest)
    odds = np.round(odds / _STEP) * _STEP
    fifth = np.where(told, _FIFTHS, _fifths(chance))
    from_mean = odds - np.log(mean / (1 - mean))
    sides = np.maximum(from_mean, 0), np.minimum(from_mean, 0)
    design = np.column_stack([np.ones(odds.size), *sides, np.eye(_FIFTHS + 1)[fifth]])
    spread = np.array([_SHIFT, _SLOPE, _SLOPE, *[_EFFECT] * _FIFTHS, _TOLD])
    kinds, kind = np.unique(np.column_stack([odds, fifth]), axis=0, return_inverse=True)
    first = np.unique(kind, return_index=True)[1]
    decided = outcome != UNDECIDED
    seen = np.bincount(kind[decided], minlength=len(kinds)).astype(np.float64)
    bad = np.bincount(kind[outcome == BAD], minlength=len(kinds)).astype(np.float64)
    rng = np.random.default_rng(0)
    drawn = _posterior(design[first], odds[first], seen, bad, spread, rng)
    return _counted(_probability(drawn @ design[first].T + odds[first]), kind.ravel()[order], ends, rng)


def _ends(left: int, wanted: Sequence[int]) -> list[int]:
    own = np.linspace(0, left, min(left, POINTS) + 1).round().astype(int)[1:]
    return sorted({int(one) for one in own} | {one for one in wanted if 0 < one < left})


def _fifths(chance: F64) -> I64:
    rank = np.searchsorted(np.sort(chance), chance)  # equal ones are of one fifth
    fifth: I64 = rank * _FIFTHS // max(1, chance.size)
    return fifth


def _probability(odds: F64) -> F64:
    chance: F64 = 1 / (1 + np.exp(-odds))
    return chance


def _log_posterior(theta: F64, design: F64, odds: F64, seen: F64, bad: F64, spread: F64) -> F64:
    """(draws,) of (draws, D) parameters, but for a constant."""
    predicted = theta @ design.T + odds
    likelihood: F64 = predicted @ bad - np.logaddexp(0, predicted) @ seen - ((theta / spread) ** 2).sum(1) / 2
    return likelihood


def _posterior(design: F64, odds: F64, seen: F64, bad: F64, spread: F64, rng: np.random.Generator) -> F64:
    """(DRAWS, D) parameters."""
    theta = np.zeros(spread.size)
    for _ in range(50):
        chance = _probability(design @ theta + odds)
        curvature = (design * (seen * chance * (1 - chance))[:, None]).T @ design + np.diag(spread**-2)
        step = np.linalg.solve(curvature, design.T @ (bad - seen * chance) - theta / spread**2)
        theta += step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-6:
            break
    root = np.linalg.cholesky(np.linalg.inv(curvature))
    normal = rng.standard_normal((2 * DRAWS, spread.size))
    heavy = np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, 2 * DRAWS))
    proposed = theta + (normal * heavy[:, None]) @ root.T
    distance = (normal**2).sum(1) * heavy**2
    proposal = -(_FREEDOM + spread.size) / 2 * np.log1p(distance / _FREEDOM)
    weight = _log_posterior(proposed, design, odds, seen, bad, spread) - proposal
    share = np.exp(weight - weight.max())
    return proposed[rng.choice(2 * DRAWS, DRAWS, p=share / share.sum())]


def _counted(chance: F64, kind: I64, ends: Sequence[int], rng: np.random.Generator) -> Remaining:
    """Draw the bad ones among masks of these kinds, in order; ``chance`` (DRAWS, kinds)."""
    total = np.zeros(len(chance), np.int64)
    mean, start, curve = 0.0, 0, []
    for end in ends:
        kinds, counts = np.unique(kind[start:end], return_counts=True)
        total = total + rng.binomial(counts, chance[:, kinds]).sum(1)
        mean += float((chance[:, kinds].mean(0) * counts).sum())
        low, high = np.quantile(total, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        curve.append(Expected(end, Span(mean, int(np.floor(low)), int(np.ceil(high)))))
        start = end
    return Remaining(curve[-1].found, tuple(curve))
