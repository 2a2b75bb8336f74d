"""Finds the imprecise masks of a set, and where and how they are wrong, from a model's out-of-sample probabilities.

``Detector(classes).fit(stream)`` learns from the set itself what an error would look like in it; ``Fitted.score``
says of one sample how likely its mask is wrong, which regions are, and why.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.domain.detector.detector import Detector, Fitted, ImageScore
    from app.domain.detector.predicted import BadPrediction, Predicted
    from app.domain.detector.region import Reason, Region

__all__ = ["BadPrediction", "Detector", "Fitted", "ImageScore", "Predicted", "Reason", "Region"]
_MODULES = {"BadPrediction": "predicted", "Predicted": "predicted", "Reason": "region", "Region": "region"}


def __getattr__(name: str) -> Any:
    """What learns takes a second to load, and the store and the pages need no more than what a region is."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'detector')}"), name)
