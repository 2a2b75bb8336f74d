"""What can go wrong with a CVAT server, one class a cause. No message ever holds a password or a token."""

from app.domain.errors import RemaskError


class CvatError(RemaskError):
    """Any failure on the way to CVAT or in its answer."""

    status = 502
    title = "CVAT"


class BadServer(CvatError):
    """A configured server that can't be used as it is written down."""

    status = 422


class Unreachable(CvatError):
    """Nobody answers: a wrong address, a server that is down, an answer that breaks off or takes too long."""


class TlsFailed(CvatError):
    """The certificate isn't trusted, or there is no TLS on that port."""


class NotCvat(CvatError):
    """Something answers that isn't CVAT."""


class Redirected(CvatError):
    """The address leads elsewhere. It isn't followed: credentials go to the configured address alone."""


class WrongVersion(CvatError):
    """A server that is too old or too new."""


class WrongLogin(CvatError):
    """Wrong user, password or token, or none."""


class Forbidden(CvatError):
    """The login is good, the right is missing."""


class Missing(CvatError):
    """A project, task, job or organization that isn't there any more."""

    status = 404


class Rejected(CvatError):
    """The server understood and refuses, with its reason."""


class Busy(CvatError):
    """The server is at that already, or wants fewer requests."""

    status = 409


class ServerFailed(CvatError):
    """The server broke on it, again and again."""


class ImportFailed(CvatError):
    """The pictures were uploaded and CVAT could make no task of them."""


class CountDiffers(CvatError):
    """CVAT holds other shapes than were sent: it drops what it doesn't like without a word."""
