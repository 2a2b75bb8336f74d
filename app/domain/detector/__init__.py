"""Finds the imprecise masks of a set, and where and how they are wrong, from a model's out-of-sample probabilities.

``Detector(classes).fit(stream)`` learns from the set itself what an error would look like in it; ``Fitted.score``
says of one sample how likely its mask is wrong, which regions are, and why.
"""

from app.domain.detector.detector import Detector, Fitted, ImageScore
from app.domain.detector.predicted import BadPrediction, Predicted
from app.domain.detector.region import Reason, Region
from app.domain.detector.unaided import Unaided, unaided

__all__ = [
    "BadPrediction", "Detector", "Fitted", "ImageScore", "Predicted", "Reason", "Region", "Unaided", "unaided",
]  # fmt: skip
