"""What the seed of a training does to a figure: learned from trainings that were repeated, lent to the others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from app.domain.bootstrap import LEVEL


@dataclass(frozen=True)
class Luck:
    """``deviation``: standard deviation of a figure over seeds, pooled; ``freedom``: of how many degrees of freedom."""

    deviation: float
    freedom: int

    def widened(self, difference: float, low: float, high: float) -> tuple[float, float]:
        """The interval of the ``difference`` of two single trainings, with what their seeds may have done to it.

        Each side grows as independent errors add: by the root of the summed squares.
        """
        # Student's t; scipy.stats, which takes long to load, asks the same function.
        reach = float(stdtrit(self.freedom, (1 + LEVEL) / 2)) * self.deviation * 2**0.5
        return difference - float(np.hypot(difference - low, reach)), difference + float(
            np.hypot(high - difference, reach)
        )


def pooled(repeated: Iterable[Sequence[float]]) -> Luck | None:
    """From the values of each experiment over its seeds; None where none has two. Equal spread is taken for granted."""
    several = [np.asarray(values) for values in repeated if len(values) > 1]
    freedom = sum(len(values) - 1 for values in several)
    if not freedom:
        return None
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in several)
    return Luck((squares / freedom) ** 0.5, freedom)
