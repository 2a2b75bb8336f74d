"""Connected components of an image of many values, four-connected, by runs: one pass whatever the number of values."""

import numpy as np
import numpy.typing as npt

from app.domain.detector.predicted import I64


def components(values: npt.NDArray[np.generic]) -> tuple[I64, int]:
    """Labels 0..n-1 of the connected components of equal value in (H, W) ``values``, and n."""
    from scipy.sparse import coo_matrix, csgraph  # a fifth of a second to load, for every start of the program

    height, width = values.shape
    starts = np.ones((height, width), np.bool_)
    starts[:, 1:] = values[:, 1:] != values[:, :-1]
    runs = np.cumsum(starts.ravel()).reshape(height, width) - 1
    count = int(runs[-1, -1]) + 1
    touching = values[1:] == values[:-1]
    # One link for each stretch over which two runs touch.
    first = touching.copy()
    first[:, 1:] &= starts[1:, 1:] | starts[:-1, 1:] | ~touching[:, :-1]
    above, below = runs[:-1][first], runs[1:][first]
    links = coo_matrix((np.ones(above.size, np.bool_), (above, below)), shape=(count, count))
    found, of_run = csgraph.connected_components(links, directed=False)
    return of_run.astype(np.int64)[runs], int(found)
