"""One rank of the images out of several scores, each trusted as far as it finds practised errors in this very set.

A score's weight is (AUROC - 1/2)^3, its AUROC for practised against given masks, the mean over the families of errors:
a score that says nothing on this set (reading, on binary sets) gets no say. Where the masks of a set are plainly drawn
in two manners, the plainer one is ranked as worse (see ``manner_of``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture

from app.domain.detector.learned import FEWEST
from app.domain.detector.predicted import F64

# Families that any score finds tell nothing about a score.
_EASY = {"foreign"}
_SOFT = 0.03
# Practice overstates what was learned from it: most of all the scores that are made of features, which largely find the
# same and take what is cruder than practised for given; less the critic, and not at all softmin, the last score.
_CRITIC, _SOFTMIN = 3.0, 6.0
_APART, _RARE, _GAIN, _ALIKE = 2.0, 0.15, 10.0, 2.0


@dataclass(frozen=True)
class Ranking:
    """``reference`` (n, scores): each column sorted, of masks as given; ``plain``: sorted plainness of the same."""

    reference: F64
    weights: F64
    plain: F64
    manner: float

    def trust(self, score: int) -> float:
        """In [0, 1]: 0 where the score finds no practised error, 1 from an AUROC of 3/4 on."""
        return float(min(1.0, 4 * np.cbrt(self.weights[score])))

    def of(self, scores: F64, plainness: float) -> float:
        """In [0, 1], 1 = worst: from the places that the scores take among those of the set, as in Fisher's method: the
        weighed mean of -log(share of the set that is as bad or worse), so that one very bad score counts most."""
        places = [_place(column, value) for column, value in zip(self.reference.T, scores, strict=True)]
        ranked = np.array([*places, _place(self.plain, plainness)])
        stretched = np.log((1 + _SOFT) / (1 + _SOFT - ranked)) / np.log((1 + _SOFT) / _SOFT)
        return float(np.average(stretched, weights=np.append(self.weights, self.manner)))


def _place(ordered: F64, value: float) -> float:
    if not ordered.size or np.isnan(value):
        return 0.5
    return float(np.searchsorted(ordered, value, "left") + np.searchsorted(ordered, value, "right")) / (
        2 * ordered.size
    )


def manner_of(plainness: F64) -> float:
    """From 0 (one manner of drawing, or no telling) to 1 (two, far apart).

    Plainness is log(boundary that the model sees / boundary that is given). Two normal distributions are fitted; how
    far apart their means lie in units of their mean spread (Ashman's D, Astronomical Journal 1994) decides, as long as
    the rarer one isn't just a tail, both are about as wide, and two fit clearly better than one (Schwarz's BIC).
    """
    plainness = plainness[np.isfinite(plainness)]
    if plainness.size < 2 * FEWEST or np.ptp(plainness) < 1e-6:
        return 0.0
    values = plainness[:, None]
    two = GaussianMixture(2, random_state=0, n_init=3).fit(values)
    apart = abs(float(np.diff(two.means_.ravel())[0])) / np.sqrt(float(two.covariances_.mean()))
    gain = GaussianMixture(1).fit(values).bic(values) - two.bic(values)
    spreads = np.sqrt(two.covariances_.ravel())
    if two.weights_.min() < _RARE or gain < _GAIN or spreads.max() > _ALIKE * spreads.min():
        return 0.0
    return float(np.clip(apart - _APART, 0.0, 1.0))


def ranking_of(given: F64, practised: F64, families: Sequence[str], plainness: F64) -> Ranking:
    """``given`` (n, scores) and ``practised`` (m, scores), cross-fitted, of which ``families`` (m) names the kinds."""
    kinds = sorted(set(families) - _EASY) or sorted(set(families))
    of_kind = np.array(families, dtype=str)
    weights = np.zeros(given.shape[1])
    for column in range(given.shape[1]):
        powers = []
        for kind in kinds:
            spoiled = practised[of_kind == kind, column]
            truth = np.concatenate([np.zeros(len(given)), np.ones(len(spoiled))])
            powers.append(float(roc_auc_score(truth, np.concatenate([given[:, column], spoiled]))))
        weights[column] = max(0.0, float(np.mean(powers)) - 0.5) ** 3 if powers and len(given) else 0.0
    weights[-2:] *= _CRITIC, _SOFTMIN
    if weights.sum() < 1e-9:
        weights[-1] = 1.0
    return Ranking(
        np.sort(given, axis=0),
        weights,
        np.sort(plainness[np.isfinite(plainness)]),
        2 * float(weights.sum()) * manner_of(plainness),
    )
