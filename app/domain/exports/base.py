"""What every export takes and gives, and the way it puts files in place: whole or not at all."""

import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.domain.classes import ClassList
from app.domain.errors import Conflict, Invalid
from app.domain.mask import Mask
from app.domain.picture import Picture


@dataclass(frozen=True)
class Exported:
    """One sample to write: its current mask (None: unlabelled), in the picture's height and width, and where that
    came from."""

    key: str
    picture: Picture
    mask: Mask | None
    split: str | None = None
    revision: int | None = None
    author: str | None = None
    source: str | None = None
    status: str | None = None


@dataclass(frozen=True)
class About:
    """The data set that the samples are of; ``version`` is that of its class list."""

    dataset: str
    classes: ClassList
    version: int = 1


@dataclass(frozen=True)
class Written:
    """What was written: ``path``, how many samples with and without a mask, and what a person should know of it."""

    path: Path
    labelled: int
    unlabelled: int
    notes: tuple[str, ...] = ()


class Write(Protocol):
    """An export. ``samples`` are gone through more than once where a format needs that, so an iterator won't do.

    Raises CantExport where the samples don't fit the format, Taken where ``out`` is there already.
    """

    def __call__(self, out: Path, samples: Iterable[Exported], about: About) -> Written: ...


class CantExport(Invalid):
    """Samples that a format can't hold, or a place that can't be written to."""


class Taken(Conflict):
    """A file or folder stands where the export should go."""


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to fill that becomes ``out`` at the end; nothing is left of it after an error.

    ``out`` may be an empty folder. Raises Taken for anything else that is there, CantExport where it can't be written.
    """
    out = out.resolve()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise Taken(f"{out} is there already; give the export a new folder or an empty one.")
    with _beside(out) as partial:
        yield partial
        if out.exists():
            out.rmdir()
        partial.rename(out)


@contextmanager
def new_files(*outs: Path) -> Iterator[tuple[Path, ...]]:
    """Files to write that become ``outs`` (all in one folder) at the end, the first of them last.

    Raises Taken where one is there already, CantExport where they can't be written.
    """
    for out in outs:
        if out.exists():
            raise Taken(f"{out} is there already; give the export another name.")
    with _beside(outs[0].resolve()) as partial:
        yield tuple(partial / out.name for out in outs)
        for out in reversed(outs):
            (partial / out.name).rename(out)
        partial.rmdir()


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    partial = out.parent / f".remask-{secrets.token_hex(6)}.partial"
    try:
        partial.mkdir(parents=True)
        yield partial
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, OSError):
            raise CantExport(f"{out} can't be written: {error.strerror or error}.") from error
        raise


def check_any(count: int) -> None:
    """Raises CantExport where no sample was given."""
    if not count:
        raise CantExport("There is nothing to export: no sample is left in.")


def put(path: Path, data: bytes) -> None:
    """Write a file and the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


class Lists:
    """Which names belong to which split: one text file a split, one name a line, in the order of the samples."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def add(self, split: str | None, name: str) -> None:
        if split is not None:
            self._names.setdefault(split, []).append(name)

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for split, names in self._names.items():
            (folder / f"{split}.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
