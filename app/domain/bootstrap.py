"""Is one way of training better than another on this test set: a paired bootstrap over content groups.

Both arms are judged on the same samples. A draw takes content groups with replacement, the same ones for both arms and
for every seed, so what is hard about a picture cancels out (the paired bootstrap: Efron and Tibshirani 1993, An
Introduction to the Bootstrap, chapters 8 and 13; over groups, since relatives of a picture are no news of each other).
What the seed of a training does to the difference is added as Student's t with the seeds' own standard error, since the
question is about the masks and not about these few networks (the sources of variance: Bouthillier et al. 2021,
arXiv 2103.03098). One seed says nothing of that: its interval is of the test set alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

LEVEL, POWER = 0.95, 0.8
DRAWS = 2000
_STEP = 200  # draws at once: what bounds the memory

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure of two arms and what lies between them; shares of 1, None where no given pixel lets it be measured.

    ``before``, ``after``: one value a seed. ``difference``: mean of after minus mean of before, its 95 % interval from
    ``low`` to ``high``. ``spread``: standard deviation of the seeds' differences, None for one seed. ``smallest``: the
    true difference that would be told from none four times in five.
    """

    before: tuple[float | None, ...]
    after: tuple[float | None, ...]
    difference: float | None
    low: float | None
    high: float | None
    spread: float | None
    smallest: float | None

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Paired:
    """``overall``: mean IoU over the foreground classes; ``classes``: IoU of each class, in the matrices' order."""

    overall: Estimate
    classes: tuple[Estimate, ...]
    samples: int
    groups: int


def paired(
    before: NDArray[np.integer],
    after: NDArray[np.integer],
    groups: Sequence[str],
    foreground: Sequence[int],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Paired:
    """Compare two arms by the confusion of each test sample.

    ``before``, ``after``: (seeds, samples, classes, classes) pixels by truth (row) and prediction, the samples in one
    order, at least one of each. ``groups``: the content group of each sample. ``foreground``: the classes that the
    mean is taken over. A class without a given pixel, in all of the test or in a draw, is left out of both arms.
    Raises ValueError where shapes differ or the arms were not judged on the same masks.
    """
    if before.shape != after.shape or before.ndim != 4 or before.shape[1] != len(groups) or not before.size:
        raise ValueError("Both arms need the same seeds and samples, and a group for each sample.")
    if (before.sum(3) != before[:1].sum(3)).any() or (after.sum(3) != before[:1].sum(3)).any():
        raise ValueError("The arms were judged on different masks.")
    names, at = np.unique(np.asarray(groups), return_inverse=True)
    arms = np.stack([_counts(one, at, len(names)) for one in (before, after)], axis=1)
    weights = np.ones((1, len(names)))
    observed = _figures(weights, arms, foreground)[0]
    rng = np.random.default_rng(seed)
    drawn = []
    for start in range(0, draws, _STEP):
        chosen = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), min(_STEP, draws - start))
        drawn.append(_figures(chosen.astype(np.float64), arms, foreground))
    seeds = len(before)
    noise = rng.standard_t(seeds - 1, draws) if seeds > 1 else np.zeros(draws)
    gaps = np.concatenate(drawn)
    found = [_estimate(observed[..., one], gaps[..., one], noise) for one in range(observed.shape[-1])]
    return Paired(found[0], tuple(found[1:]), len(groups), len(names))


def _counts(confusion: NDArray[np.integer], at: NDArray[np.intp], groups: int) -> Floats:
    """(groups, seeds, 3, classes): pixels right, given and predicted of each class."""
    right = np.diagonal(confusion, axis1=2, axis2=3)
    counts = np.stack([right, confusion.sum(3), confusion.sum(2)], axis=2).astype(np.float64)
    summed = np.zeros((groups, *counts.shape[:1], *counts.shape[2:]))
    np.add.at(summed, at, counts.swapaxes(0, 1))
    return summed


def _figures(weights: Floats, arms: Floats, foreground: Sequence[int]) -> Floats:
    """(draws, 2, seeds, 1 + classes): mean IoU and each class's, of (draws, groups) ``weights``; NaN: no figure."""
    summed = (weights @ arms.reshape(len(arms), -1)).reshape(len(weights), *arms.shape[1:])
    right, given, said = summed[..., 0, :], summed[..., 1, :], summed[..., 2, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        iou = np.where(given > 0, right / (given + said - right), np.nan)
        chosen = iou[..., list(foreground)]
        mean = np.nansum(chosen, -1) / np.isfinite(chosen).sum(-1)
    return np.concatenate([mean[..., None], iou], axis=-1)


def _estimate(observed: Floats, drawn: Floats, noise: Floats) -> Estimate:
    """From (2, seeds) values as observed, and (draws, 2, seeds) as drawn."""
    before, after = (tuple(_known(one) for one in arm) for arm in observed)
    by_seed = observed[1] - observed[0]
    if not np.isfinite(by_seed).all():
        return Estimate(before, after, None, None, None, None, None)
    spread = float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None
    gaps = (drawn[:, 1] - drawn[:, 0]).mean(1)
    shift = noise * ((spread or 0.0) / len(by_seed) ** 0.5)
    # Both signs of each shift: the arms the other way round then give the same interval the other way round.
    both = np.concatenate([gaps + shift, gaps - shift])
    low, high = np.nanquantile(both, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    reach = 1 + ndtri(POWER) / ndtri((1 + LEVEL) / 2)
    return Estimate(
        before,
        after,
        float(by_seed.mean()),
        float(low),
        float(high),
        spread,
        float(reach * (high - low) / 2),
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
