"""What a doctor may find: one kind of thing that isn't as it should be, in a sentence that says how to mend it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.flows.progress import Progress, quiet
from app.settings import Settings
from app.store.db import Database

SHOWN = 5


@dataclass(frozen=True)
class Ailment:
    """``name``: one word for programs. ``grave``: something is lost or wrong, not just untidy. ``mendable``: ``--mend``
    can; ``mended``: it has. ``examples``: some of the ``count`` things that it is about."""

    name: str
    sentence: str
    count: int = 1
    grave: bool = False
    mendable: bool = False
    mended: bool = False
    examples: Sequence[str] = ()


@dataclass(frozen=True)
class Patient:
    """What is looked at, and whether to mend it."""

    db: Database
    settings: Settings
    mend: bool = False
    progress: Progress = quiet

    @property
    def home(self) -> Path:
        return self.settings.home


@dataclass
class Report:
    """``looked``: what was gone through, by name, with how many there were."""

    ailments: list[Ailment] = field(default_factory=list)
    looked: dict[str, int] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether nothing grave is left."""
        return not any(one.grave and not one.mended for one in self.ailments)


def shown(things: Sequence[object]) -> tuple[str, ...]:
    """The first few of ``things`` as text."""
    return tuple(str(one) for one in things[:SHOWN])


def count_of(number: int, noun: str) -> str:
    """``1 sample``, ``2 samples``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
