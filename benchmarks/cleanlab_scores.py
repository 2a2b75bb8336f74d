"""cleanlab's scores of a prepared file, in whatever Python has cleanlab: IN.npz OUT.npz.

IN holds ``labels`` (N, H, W) and ``chances`` (N, K, H, W). OUT gets ``softmin`` (N,), ``pixels`` (N, H, W) pixel
scores (small is bad), ``issues`` (N, H, W) booleans, and the processor seconds of the two calls.
"""

import sys
import time
from importlib import import_module

import numpy as np


def main(source: str, target: str) -> None:
    # by name: cleanlab is no dependency, and this file is read by tools that don't have it
    find_label_issues = import_module("cleanlab.segmentation.filter").find_label_issues
    get_label_quality_scores = import_module("cleanlab.segmentation.rank").get_label_quality_scores
    with np.load(source) as data:
        labels, chances = data["labels"], data["chances"]
    start = time.process_time()
    softmin, pixels = get_label_quality_scores(labels, chances, verbose=False)
    middle = time.process_time()
    issues = find_label_issues(labels, chances, n_jobs=1, verbose=False)
    seconds = (middle - start, time.process_time() - middle)
    np.savez(target, softmin=softmin, pixels=pixels.astype(np.float32), issues=issues, seconds=seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
