"""Work that several workers do together: a flow says what its parts are, and whoever runs it sees to them."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from app.domain.errors import Conflict
from app.flows.progress import Progress
from app.store.parts import Wanted


class PartFailed(Conflict):
    """A part ended without what was asked of it; the sentence is its own."""


class Share(Protocol):
    """Has parts done, here and by other workers; (kind, result) of each comes in the order of ``wanted``, read when it
    is asked for.

    Tells how far they are together, as ``message``. ``side_by_side``: several may run at once on one machine, as
    programs of one thread each do. Where the work goes on after a kill, its parts are those of the first time. Raises
    PartFailed, and what ``progress`` raises.
    """

    def __call__(
        self, wanted: Sequence[Wanted], progress: Progress, message: str, *, side_by_side: bool = False
    ) -> Iterator[tuple[str, dict[str, Any]]]: ...
