"""What every annotation format answers: does this source hold me, and what does it hold, one sample at a time.

A format is a module with ``NAME`` (as in ``--format``), ``detect(source)`` and ``read(source, classes)``. It
yields what it finds in the order of the files, holding one decoded sample at a time; what it can't read it
names with the reason and goes on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from app.domain.classes import ClassList
from app.domain.errors import Invalid
from app.domain.formats.source import Source, escaped
from app.domain.mask import Mask
from app.domain.picture import Picture

_LONGEST = 300  # characters of a refused file's name


@dataclass(frozen=True)
class Found:
    """The classes that the source itself names; yielded before the samples, at most once."""

    classes: ClassList


@dataclass(frozen=True)
class Expected:
    """About how many samples will come, for a progress bar; yielded before the samples, at most once."""

    count: int


@dataclass(frozen=True)
class Labelled:
    """One sample. ``mask`` has the picture's height and width, or is None for an unlabelled picture.

    ``key`` is unique in the source and keeps its sub-folders; ``original`` is the mask file's bytes where one
    file holds just this mask; ``overlapped`` counts pixels that more than one instance claimed.
    """

    key: str
    picture: Picture
    mask: Mask | None
    file: str
    split: str | None = None
    original: bytes | None = None
    overlapped: int = 0


@dataclass(frozen=True)
class Refused:
    """A file that wasn't taken, and why, in words that make sense to the person who has the file."""

    file: str
    reason: str

    def __post_init__(self) -> None:
        """Any text from a file fits in: what can't be stored is escaped, a name without end is shortened."""
        file = escaped(self.file)
        object.__setattr__(self, "file", file if len(file) <= _LONGEST else f"{file[: _LONGEST - 1]}…")
        object.__setattr__(self, "reason", escaped(self.reason))


@dataclass(frozen=True)
class Ignored:
    """Annotations that a class map can't hold (tags, boxes, points), counted: ``what`` is "12 boxes"."""

    what: str


Read = Found | Expected | Labelled | Refused | Ignored


class UnknownColours(Invalid):
    """RGB masks without a colour map; ``colours``, in ``facts`` too, are those seen (``#rrggbb``), to be named."""

    def __init__(self, colours: list[str], file: str) -> None:
        shown = ", ".join(colours[:12]) + (", ..." if len(colours) > 12 else "")
        super().__init__(
            f"The masks are colour-coded ({file}: {shown}) and no label_colors.txt, labelmap.txt or --classes file "
            "says which class each colour is; give a --classes file with the columns id,name,role,colour."
        )
        self.colours = colours
        self.facts = {"colours": colours}


class Format(Protocol):
    """A module of this package."""

    NAME: str

    def detect(self, source: Source) -> bool:
        """Whether this format is what the source holds, by content; cheap."""
        ...

    def read(self, source: Source, classes: ClassList | None) -> Iterator[Read]:
        """Everything in the source. ``classes``: what the person gave, or the dataset has; ids outside are refused
        by name, and names are mapped to its ids. None: the source's own, or ids as they come."""
        ...
