"""What critics learn from, and what they have learned, each in one file. Free of torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.container import Reader, Writer

LESSONS, CRITICS = b"remask-lessons", b"remask-critics"
_STEPS, _FEWEST, _A_LESSON = 700, 60, 2.5


@dataclass(frozen=True)
class Lessons:
    """``pictures`` (n, 3, h, w); ``chances`` (n, channels, h / 2, w / 2), log p; ``masks`` (n, 1 + copies, h, w), the
    first of each as given, the others spoilt; ``halves`` (n,), 0 or 1. ``hash`` of their file, where they have one."""

    pictures: NDArray[np.uint8]
    chances: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    halves: NDArray[np.uint8]
    hash: str = ""


_NAMES = ("pictures", "chances", "masks", "halves")


def steps_for(lessons: int) -> int:
    """Of each critic. Few lessons are learned by heart when they are gone through too often."""
    return int(min(_STEPS, max(_FEWEST, _A_LESSON * lessons)))


def write_lessons(path: Path, lessons: Lessons) -> str:
    """Returns the file's hash."""
    with Writer(path.parent, LESSONS) as writer:
        return writer.close({name: writer.add(getattr(lessons, name)) for name in _NAMES}, path)[0]


def read_lessons(path: Path) -> Lessons:
    """Raises Refused where it is no such file, or damaged."""
    reader = Reader(path, LESSONS)
    pictures, chances, masks, halves = (reader.array(reader.index[name]) for name in _NAMES)
    return Lessons(pictures, chances, masks, halves, reader.hash)


def write_critics(path: Path, critics: Sequence[Sequence[NDArray[np.float32]]], lessons: str) -> None:
    """The layers of each critic; ``lessons``: the hash of what they learned from."""
    with Writer(path.parent, CRITICS) as writer:
        writer.close({"lessons": lessons, "critics": [[writer.add(one) for one in layers] for layers in critics]}, path)


def read_critics(path: Path) -> tuple[str, list[list[NDArray[np.float32]]]]:
    """The hash of what they learned from, and the layers of each. Raises Refused as ``read_lessons`` does."""
    reader = Reader(path, CRITICS)
    layers = [[reader.array(ref) for ref in refs] for refs in reader.index["critics"]]
    return reader.index["lessons"], layers
