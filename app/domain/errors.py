"""Errors a person can cause: one sentence that says what to do, one HTTP status each."""

from typing import Any


class RemaskError(Exception):
    """A user's error. ``str(error)`` is one sentence for the person; ``status`` its HTTP status."""

    status = 400
    title = "Bad request"
    retry_after: int | None = None  # seconds after which the same may go well
    facts: dict[str, Any] | None = None  # what a program may want to know besides the sentence


class NotFound(RemaskError):
    """A dataset, sample, revision, group, batch or job that isn't there."""

    status = 404
    title = "Not found"


class Conflict(RemaskError):
    """The thing has changed since it was read, or a later decision stands in the way."""

    status = 409
    title = "Conflict"


class Invalid(RemaskError):
    """Input that is well-formed but can't be taken as it is."""

    status = 422
    title = "Invalid input"


class TooLarge(RemaskError):
    """Input beyond a stated bound."""

    status = 413
    title = "Too large"
