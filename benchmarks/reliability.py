"""Whether probabilities mean what they say: of what was told with about p, how much was wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 5
FEWEST = 10  # in a bin, to say something of it


@dataclass(frozen=True)
class Bin:
    """``told``: mean probability of the ``count`` cases; ``wrong``: the share of them that was."""

    told: float
    wrong: float
    count: int


def reliability(told: npt.NDArray[np.float64], wrong: npt.NDArray[np.bool_]) -> list[Bin]:
    """Bins of equal width over probabilities ``told`` (n,); those of fewer than FEWEST cases are left out."""
    place = np.minimum((told * BINS).astype(np.int64), BINS - 1)
    chosen = [place == one for one in range(BINS)]
    return [
        Bin(float(told[one].mean()), float(wrong[one].mean()), int(one.sum())) for one in chosen if one.sum() >= FEWEST
    ]


def sentence(bins: Sequence[Bin]) -> str:
    """Each bin, and how far the worst of them lies off the diagonal."""
    if not bins:
        return "too few to tell"
    worst = max(abs(one.told - one.wrong) for one in bins)
    told = ", ".join(f"{one.told:.2f} -> {one.wrong:.2f} ({one.count})" for one in bins)
    return f"{told}; at most {worst:.2f} off"
