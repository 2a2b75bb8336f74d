"""How far a value lies from those of the rest of the set, in a way that the odd ones out don't shape."""

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


def deviation(values: Values, floor: float) -> Values:
    """(value - median) / spread for each value, the spread being the scaled median absolute deviation, at least
    ``floor``. Works on columns of a matrix alike."""
    centre = np.median(values, axis=0)
    spread = 1.4826 * np.median(np.abs(values - centre), axis=0)
    out: Values = (values - centre) / np.maximum(spread, floor)
    return out


def odd(deviations: Values, half: float) -> Values:
    """0 for what is usual or below, 0.5 at ``half`` deviations above, towards 1 beyond."""
    above = np.maximum(deviations, 0.0)
    out: Values = above**3 / (above**3 + half**3)
    return out
