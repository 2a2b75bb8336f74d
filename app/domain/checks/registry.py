"""All checks, in the order in which they are run and shown."""

from app.domain.checks.bad_image import BadImage
from app.domain.checks.base import Check, CheckFactory, Divisible
from app.domain.checks.duplicate_image import DuplicateImage
from app.domain.checks.foreign_image import ForeignImage
from app.domain.checks.imprecise_mask import ImpreciseMask
from app.domain.checks.shared_mask import SharedMask
from app.domain.checks.unusual_mask import UnusualMask
from app.domain.errors import NotFound

CHECKS: tuple[CheckFactory, ...] = (SharedMask, DuplicateImage, ForeignImage, UnusualMask, BadImage, ImpreciseMask)
# Those whose work lies in looking at each sample; that of the others lies in comparing samples.
DIVISIBLE: tuple[type[Divisible], ...] = (ForeignImage, UnusualMask, BadImage, ImpreciseMask)


class UnknownCheck(NotFound):
    """A name that no check has."""


def by_name(name: str) -> CheckFactory:
    """The factory of the check called ``name``. Raises UnknownCheck with the names there are."""
    for one in CHECKS:
        if one.name == name:
            return one
    raise UnknownCheck(f"There is no check {name!r}; choose from {', '.join(one.name for one in CHECKS)}.")


def content_groups(check: Check) -> dict[int, int] | None:
    """After ``finish``: sample -> its content group, of the check that tells them; None of any other."""
    return check.content_groups() if isinstance(check, DuplicateImage) else None
