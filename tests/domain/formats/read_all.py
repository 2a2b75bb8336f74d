"""Reads every path given on the command line within a bound of memory; prints what came of each as a line of JSON.

A process of its own, so that the bound and the peak are those of reading alone.
"""

import json
import resource
import sys
import time
from pathlib import Path

from app.domain.errors import RemaskError
from app.domain.formats import registry
from app.domain.formats.base import Labelled, Refused
from app.domain.formats.source import open_source


def read(path: Path) -> dict[str, object]:
    samples, refused = 0, []
    try:
        source = open_source(path)
        refused += [list(one) for one in source.refused]
        for one in registry.detect(source).read(source, None):
            samples += isinstance(one, Labelled)
            if isinstance(one, Refused):
                refused.append([one.file, one.reason])
        source.close()
    except RemaskError as error:
        refused.append([path.name, str(error)])
    return {"samples": samples, "refused": refused}


def main() -> None:
    bound = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    for name in sys.argv[2:]:
        started = time.monotonic()
        outcome = read(Path(name))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        print(json.dumps(outcome | {"seconds": time.monotonic() - started, "peak": peak}), flush=True)


if __name__ == "__main__":
    main()
