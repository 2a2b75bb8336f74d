"""The label status of a sample: one value, a pure function of facts.

=============  =====================================================================================
status         the first of these that holds
=============  =====================================================================================
excluded       a person (or a rule of theirs) took the sample out
conflict       a proposed mask and the current one both changed since they parted
at_cvat        the sample lies in a CVAT task that hasn't come back
suggested      a proposed mask waits for a decision
flagged        an open flag is about its picture or its current mask
corrected      a person decided the current mask, and its pixels differ from the imported ones
accepted       a person confirmed the imported pixels
unreviewed     it has a mask that nobody has looked at
unlabeled      it has no mask
=============  =====================================================================================
"""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Ordered by precedence, the strongest first."""

    EXCLUDED = "excluded"
    CONFLICT = "conflict"
    AT_CVAT = "at_cvat"
    SUGGESTED = "suggested"
    FLAGGED = "flagged"
    CORRECTED = "corrected"
    ACCEPTED = "accepted"
    UNREVIEWED = "unreviewed"
    UNLABELED = "unlabeled"


@dataclass(frozen=True)
class Facts:
    """What the status follows from. ``confirmed``: a person decided the current mask; ``changed``: its pixels differ
    from the import's, or there was no import."""

    has_mask: bool
    excluded: bool = False
    conflict: bool = False
    at_cvat: bool = False
    pending: bool = False
    open_flags: int = 0
    confirmed: bool = False
    changed: bool = False


def status_of(facts: Facts) -> Status:
    """The status; see the table above."""
    if facts.excluded:
        return Status.EXCLUDED
    if facts.conflict:
        return Status.CONFLICT
    if facts.at_cvat:
        return Status.AT_CVAT
    if facts.pending:
        return Status.SUGGESTED
    if facts.open_flags:
        return Status.FLAGGED
    if not facts.has_mask:
        return Status.UNLABELED
    if facts.confirmed:
        return Status.CORRECTED if facts.changed else Status.ACCEPTED
    return Status.UNREVIEWED


WHY = {
    Status.EXCLUDED: "A person took it out of the set.",
    Status.CONFLICT: "Its mask was changed here and elsewhere since the two parted.",
    Status.AT_CVAT: "It lies in a CVAT task that hasn't come back.",
    Status.SUGGESTED: "A proposed mask waits for a decision.",
    Status.FLAGGED: "A check found something that nobody has decided yet.",
    Status.CORRECTED: "A person decided its mask, and it differs from the imported one.",
    Status.ACCEPTED: "A person confirmed the imported mask.",
    Status.UNREVIEWED: "It has a mask that nobody has looked at and no check objects to.",
    Status.UNLABELED: "It has no mask.",
}
