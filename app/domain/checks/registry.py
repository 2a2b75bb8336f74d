"""The checks, in the order in which they are run and shown."""

from collections.abc import Mapping

from app.domain.checks.base import Check, CheckFactory
from app.domain.checks.duplicate_image import DuplicateImage
from app.domain.checks.shared_mask import SharedMask
from app.domain.errors import Invalid

CHECKS: tuple[CheckFactory, ...] = (SharedMask,)


class UnknownCheck(Invalid):
    """A name that is no check's."""


def by_name(name: str) -> CheckFactory:
    """The check of that name. Raises UnknownCheck."""
    for check in CHECKS:
        if name == check.name:
            return check
    raise UnknownCheck(f"There is no check {name!r}; choose of {', '.join(check.name for check in CHECKS)}.")


def content_groups(check: Check) -> Mapping[int, int] | None:
    """sample -> content group, from the check that finds them once it has finished; None from the others."""
    return check.content_groups() if isinstance(check, DuplicateImage) else None
