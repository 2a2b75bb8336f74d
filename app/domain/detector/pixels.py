"""How likely each single pixel is wrong: what the model, its segment and its image say, added up."""

from dataclasses import dataclass

import numpy as np
from scipy import special
from sklearn.linear_model import LogisticRegression

from app.domain.detector.learned import FEWEST
from app.domain.detector.predicted import F32, F64, I64, Bool

_READING = 0.75  # a segment that was read wrong is wrong all over: its say is less than the pixel's own
_SURE = 0.02


@dataclass(frozen=True)
class Sampled:
    """Some pixels of a trial: their surprise, the row of their segment (-1: none), and whether they were spoiled."""

    surprise: F32
    segment: I64
    spoiled: Bool


def evidence_of(
    surprise: F32, segment: I64, reading: F64, trust: tuple[float, float], practised: float, rank: float
) -> F32:
    """Surprise + the reading of the pixel's segment (-1: none) + the image's log odds, all in nats: (n,).

    Those of the image are the mean of what practice says and of those of its rank in [0, 1], which other scores have a
    say in. ``trust``: what the last two are multiplied by, each in [0, 1].
    """
    of_segment = np.append(np.clip(reading, -3, 6), 0.0).astype(np.float32)[segment]
    of_image = (practised + float(special.logit(np.clip(rank, _SURE, 1 - _SURE)))) / 2
    return surprise + np.float32(_READING * trust[0]) * of_segment + np.float32(trust[1] * of_image)


@dataclass(frozen=True)
class PixelCurve:
    """Evidence -> probability, strictly rising (Platt's sigmoid)."""

    slope: float
    bias: float
    share: float

    def chance(self, evidence: F32) -> F32:
        out: F32 = (self.share * special.expit(self.slope * evidence + self.bias)).astype(np.float32)
        return out


def pixel_curve(evidence: F64, spoiled: Bool, share: float) -> PixelCurve:
    """From sampled pixels of spoiled masks; ``share`` of the masks are thought to have an error. Chance 0 where there
    is too little to learn from, or where evidence speaks against itself."""
    if int(spoiled.sum()) < FEWEST or int((~spoiled).sum()) < FEWEST:
        return PixelCurve(1.0, 0.0, 0.0)
    model = LogisticRegression(C=100.0).fit(evidence[:, None], spoiled)
    return PixelCurve(max(0.0, float(model.coef_[0, 0])), float(model.intercept_[0]), share)
