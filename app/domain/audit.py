"""Random checks: every tenth review is of a mask that nothing but chance picked.

Worst first, reviewers would only see what the detector suspects, and nobody would know what it misses. The order of
the random checks is that of a hash of the sample's name, so it is the same for everyone and can't be steered.
"""

import hashlib
from collections.abc import Mapping, Sequence

EVERY = 10


def drawn(keys: Mapping[int, str]) -> list[int]:
    """The ids of ``keys`` (id -> name) in the order in which they are checked."""
    return sorted(keys, key=lambda id: (hashlib.sha256(keys[id].encode()).digest(), id))


def mixed(queue: Sequence[int], checks: Sequence[int], reviewed: int) -> tuple[list[int], set[int]]:
    """``queue`` with every EVERY-th place given to the next of ``checks``, and which places' ids those are.

    ``reviewed``: how many were reviewed before, so that a queue that is begun anew goes on counting. An id that is in
    both comes once, where it comes first.
    """
    place = EVERY - 1 - reviewed % EVERY
    out: dict[int, None] = {}
    random: set[int] = set()
    waiting = iter(checks)
    for id in queue:
        if len(out) % EVERY == place and (check := next((one for one in waiting if one not in out), None)) is not None:
            out[check] = None
            random.add(check)
        out.setdefault(id)
    return list(out), random
