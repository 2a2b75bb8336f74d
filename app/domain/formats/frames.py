"""The pictures that annotation files speak of: found by the name a file gives them, opened once, and compared
with what the file says. Also the annotation files themselves, as JSON from strangers."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from app.domain.errors import Invalid, RemaskError
from app.domain.formats.base import Ignored
from app.domain.formats.image_files import is_image, read_picture
from app.domain.formats.source import Source
from app.domain.formats.splits import split_of
from app.domain.picture import Picture

# Folders that hold pictures and say nothing about them; they are left out of a sample's key.
_HOLDERS = frozenset(
    ("images", "image", "imgs", "img", "jpegimages", "leftimg8bit", "imgsfine", "input_images", "data", "default")
)
_PLURALS = {"box": "boxes"}
# Annotation files are held whole while they are read, and parsed they take about ten times their size.
MAX_DOCUMENT = 512 << 20
_PEEKED = 20


class BadDocument(Invalid):
    """An annotation file that can't be read, or that contradicts the pictures."""


def read_json(source: Source, name: str) -> Any:
    """What a JSON file holds. Raises BadDocument, or BadSource where the bytes can't be had."""
    if source.size(name) > MAX_DOCUMENT:
        raise BadDocument(f"unreadable JSON: over {MAX_DOCUMENT >> 20} MiB")
    try:
        return json.loads(source.read(name).decode("utf-8-sig"))
    except RecursionError:
        raise BadDocument("unreadable JSON: nested too deeply") from None
    except ValueError as error:  # also bad UTF-8 and numbers of thousands of digits
        raise BadDocument(f"unreadable JSON: {error}") from None


def documents(source: Source) -> list[str]:
    """The JSON files of a source, but for the manifest of our own exports."""
    return [name for name in source.match("*.json") if not _is_manifest(source, name)]


def _is_manifest(source: Source, name: str) -> bool:
    if PurePosixPath(name).name != "manifest.json":
        return False
    try:
        document = read_json(source, name)
    except RemaskError:
        return False
    return isinstance(document, dict) and {"class_list_version", "samples"} <= document.keys()


def peek(source: Source, pattern: str) -> Iterator[bytes]:
    """The bytes of the likeliest annotation files, to tell a format by: those nearest to the root, a few at most."""
    for name in sorted(source.match(pattern), key=lambda name: (name.count("/"), name))[:_PEEKED]:
        try:
            yield source.read(name)
        except RemaskError:
            continue


def wrapper(names: Sequence[str]) -> int:
    """How many folders all names lie in, as in a zip of one folder."""
    parents = [PurePosixPath(name).parts[:-1] for name in (*names[:1], *names[-1:])]  # sorted: the ends differ most
    return next(
        (n for n, pair in enumerate(zip(*parents, strict=False)) if len(set(pair)) > 1),
        min(map(len, parents), default=0),
    )


def clean(text: object) -> str:
    """A text of a file as one that can be stored and shown: JSON can hold half characters and zeros. What stands for
    them keeps a name from being taken for that of another file."""
    return re.sub("[\0\ud800-\udfff]", "\ufffd", str(text))


class Frames:
    """The pictures of a source by name; remembers which keys were taken."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._wrapper = wrapper(source.names)
        self._by_stem: dict[str, list[str]] = {}
        self._taken: set[str] = set()
        for name in source.names:
            if is_image(name):
                self._by_stem.setdefault(PurePosixPath(name).stem.lower(), []).append(name)

    def find(self, wanted: str, hints: Sequence[str] = ()) -> str:
        """The name in the source of the picture that a file calls ``wanted``.

        The longest tail of the path that matches decides, so absolute and foreign paths are found too; a name without
        extension means any. Among several, those whose folders hold one of ``hints`` (a split) come first.
        Raises BadDocument where there is none, or where it could be several.
        """
        parts = [part for part in wanted.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        if not parts:
            raise BadDocument("the image has no name")
        if "/".join(parts) in self.source:  # also names without any extension
            return "/".join(parts)
        last = parts[-1].lower()
        found = self._by_stem.get(PurePosixPath(last).stem if is_image(last) else last, [])
        if is_image(last):
            found = [name for name in found if PurePosixPath(name).name.lower() == last]
        found = [name for name in found if name.endswith("/" + "/".join(parts))] or found
        for hint in hints:
            found = [name for name in found if hint in PurePosixPath(name).parts[:-1]] or found
        found = _same_folder(found, parts[:-1])
        if not found:
            raise BadDocument("the image is not in the source")
        if len(found) > 1:
            raise BadDocument(f"the image could be any of {', '.join(found[:3])}")
        return found[0]

    def claim(self, name: str) -> str:
        """The key of a file: its path without the folders that wrap all or only hold pictures, and without a picture's
        extension. Raises BadDocument where another file has it."""
        path = PurePosixPath(name)
        parents = [part for part in path.parts[self._wrapper : -1] if part.lower() not in _HOLDERS]
        key = "/".join([*parents, path.stem if is_image(name) else path.name])
        if key in self._taken:
            raise BadDocument(f"a second picture with the key {key}")
        self._taken.add(key)
        return key

    def open(self, name: str, size: tuple[int, int] | None) -> Picture:
        """The decoded picture; ``size`` is the width and height that the annotations say, or None.

        Raises BadPicture, or BadDocument with both sizes where they differ.
        """
        picture = read_picture(self.source, name)
        if size is not None and size != (picture.width, picture.height):
            raise BadDocument(
                f"the annotations say {size[0]} x {size[1]} pixels, the picture has {picture.width} x {picture.height}"
            )
        return picture


def split_in(name: str) -> str | None:
    """The split that an annotation file's path speaks of: a word of its name (``instances_train2017``), or a folder."""
    words = re.split(r"[^a-z]+", PurePosixPath(name).stem.lower())
    return next((split for word in words if (split := split_of(word))), split_folder(name))


def split_folder(name: str) -> str | None:
    """The split that the innermost folder of its kind gives a file: ``train``, ``val2017``, ``train_extra``. Words
    inside a folder's name or the file's own say nothing: ``training_set/test_07.png`` is of no split."""
    for folder in reversed(PurePosixPath(name).parts[:-1]):
        found = re.fullmatch(r"([a-z]+)(?:\d{4}|_extra)?", folder.lower())
        if found and (split := split_of(found[1])):
            return split
    return None


def ignored(counts: Counter[str]) -> Iterator[Ignored]:
    """What was counted by its name in the singular, most frequent first."""
    for what, count in counts.most_common():
        noun, joint, rest = re.split(r"( of | in |$)", what, maxsplit=1)
        yield Ignored(f"{count} {noun if count == 1 else _PLURALS.get(noun, noun + 's')}{joint}{rest}")


def stated_size(width: object, height: object) -> tuple[int, int] | None:
    """The size that annotations state, or None where they state none that is a size."""
    if isinstance(width, (int, float)) and isinstance(height, (int, float)) and width > 0 and height > 0:
        return int(min(width, 1e9)), int(min(height, 1e9))
    return None


def _same_folder(found: list[str], parents: list[str]) -> list[str]:
    """Those of ``found`` that share the longest tail of folders with ``parents``."""

    def shared(name: str) -> int:
        ours = PurePosixPath(name).parts[-2::-1]
        count = 0
        for mine, theirs in zip(ours, reversed(parents), strict=False):
            if mine != theirs:
                break
            count += 1
        return count

    best = max((shared(name) for name in found), default=0)
    return [name for name in found if shared(name) == best]
