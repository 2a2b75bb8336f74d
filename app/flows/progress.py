"""How a flow tells how far it is, and how it is told to stop."""

from collections.abc import Callable

# done, total (0: not known), what is being done. Raises Cancelled or Lost where the flow has to stop.
Progress = Callable[[int, int, str], None]


class Cancelled(Exception):
    """Somebody cancelled the job; what was committed so far stays, the rest is left."""


class Lost(Exception):
    """The job has gone to another worker, which goes on with it: stop, and leave all that it needs as it is."""


def quiet(_done: int, _total: int, _message: str) -> None:
    """Progress that nobody watches."""


def part(whole: Progress, begin: int, length: int, steps: int, where: str) -> Progress:
    """Progress of a part, told as that of the whole: ``length`` of its ``steps``, from ``begin`` on."""

    def tell(done: int, total: int, message: str) -> None:
        whole(begin + (done * length // total if total else 0), steps, f"{where}: {message}" if message else where)

    return tell
