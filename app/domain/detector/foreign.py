"""Images that don't belong: the picture is unlike the others', and the model sees in it other things than are given."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.covariance import LedoitWolf

from app.domain.detector.ground import Ground
from app.domain.detector.learned import FEWEST
from app.domain.detector.predicted import F64, I64

_FAR, _APART, _CLIP = 4.0, 3.0, 6.0
_KIN = 0.5  # kappa from which a mask is of its picture, however badly drawn or seen


def describe(ground: Ground) -> F64:
    """What a picture looks like: colours and their spread, brightness quantiles, roughness, what the model sees."""
    image, scene = ground.scene.image, ground.scene
    grey = image.mean(axis=2)
    steps = [float(np.abs(np.diff(grey, axis=axis)).mean()) if grey.shape[axis] > 1 else 0.0 for axis in (0, 1)]
    return np.concatenate(
        [
            image.mean(axis=(0, 1)),
            image.std(axis=(0, 1)),
            [np.log((steps[0] + 0.002) * (steps[1] + 0.002)), float(ground.entropy.mean())],
            [np.log(float(ground.part_areas.size))],
            np.quantile(grey, (0.05, 0.25, 0.5, 0.75, 0.95)),
            scene.chance.mean(axis=(0, 1)),
        ]
    ).astype(np.float64)


def kappa_of(seen: I64, mask: I64, channels: int) -> float:
    """Cohen's kappa (Educational and Psychological Measurement, 1960) of what the model sees and what is given, (H, W)
    places each: 1 where they are the same, 0 where they agree as much as chance would have it."""
    shares = [np.bincount(one.ravel(), minlength=channels) / one.size for one in (seen, mask)]
    by_chance = float(shares[0] @ shares[1])
    agree = float((seen == mask).mean())
    return (agree - by_chance) / (1 - by_chance) if by_chance < 1 else 1.0


@dataclass(frozen=True)
class Belonging:
    """``centre`` and ``spread`` (median, 1.48 MAD) and the inverse covariance of what the set's pictures look like;
    the same of the share of pixels in which model and mask differ."""

    centre: F64
    spread: F64
    inverse: F64
    disagreement: tuple[float, float]
    odd: float

    def score(self, description: F64, disagreement: float, kappa: float) -> tuple[float, bool]:
        """log of the Mahalanobis distance + log(1 + robust z of the disagreement); and whether both are far out and
        mask and model hardly akin: a picture of another kind with a mask of its own is none that doesn't belong."""
        away = np.clip((description - self.centre) / self.spread, -2 * _CLIP, 2 * _CLIP)
        distance = float(np.sqrt(max(1e-12, float(away @ self.inverse @ away))))
        z = max(0.0, (disagreement - self.disagreement[0]) / self.disagreement[1])
        foreign = distance > self.odd and z > _APART and kappa < _KIN
        return float(np.log(distance + 1e-3) + np.log1p(z)), foreign


def belonging_of(descriptions: Sequence[F64], disagreements: Sequence[float]) -> Belonging:
    """With fewer than FEWEST pictures, none is called foreign."""
    table, values = np.array(descriptions), np.array(disagreements)
    centre, spread = _robust(table)
    middle, around = _robust(values[:, None])
    judged = (float(middle[0]), float(around[0]))
    if len(table) < FEWEST:
        return Belonging(centre, spread, np.eye(table.shape[1]), judged, np.inf)
    scaled = np.clip((table - centre) / spread, -_CLIP, _CLIP)
    inverse = LedoitWolf(assume_centered=True).fit(scaled).precision_
    distances = np.sqrt(np.einsum("ij,jk,ik->i", scaled, inverse, scaled))
    usual, wide = _robust(distances[:, None])
    return Belonging(centre, spread, inverse, judged, float(usual[0] + _FAR * wide[0]))


def _robust(table: F64) -> tuple[F64, F64]:
    centre = np.median(table, axis=0)
    return centre, 1.4826 * np.median(np.abs(table - centre), axis=0) + 1e-3
