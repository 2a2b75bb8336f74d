"""Train, validation and test as files tell them: names of folders, and lists such as `train.txt`."""

import re
from pathlib import PurePosixPath

from app.domain.formats.source import Source

_NAMES = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_LIST = re.compile(
    r"(?:list[_-]?)?(train|training|val|valid|validation|test|testing)(?:[_-]?(?:list|files|ids|images))?\.txt"
)
# A list of names is small; anything longer is not one.
MAX_LIST = 64 << 20


def split_of(word: str) -> str | None:
    """ "train", "val" or "test" where a word (of a folder or an array) says so, else None."""
    return _NAMES.get(word.lower())


def lists_of(source: Source) -> dict[str, list[list[str]]]:
    """The split lists in a source: split -> lines, each the one or more names on it."""
    found: dict[str, list[list[str]]] = {}
    for name in source.match("*.txt"):
        match = _LIST.fullmatch(PurePosixPath(name).name.lower())
        if match and source.size(name) <= MAX_LIST:
            lines = [line.split() for line in source.text(name).splitlines() if line.strip()]
            found.setdefault(_NAMES[match[1]], []).extend(lines)
    return found


class Names:
    """Looks up names as lists write them: a full path, the tail of one, or with no suffix."""

    def __init__(self, names: list[str]) -> None:
        self._by_tail: dict[str, list[str]] = {}
        for name in names:
            folders, _, base = name.rpartition("/")
            tails = [base]
            for folder in reversed(folders.split("/") if folders else []):
                tails.append(f"{folder}/{tails[-1]}")
            for tail in tails:
                self._by_tail.setdefault(tail, []).append(name)
                self._by_tail.setdefault(tail.rpartition(".")[0] or tail, []).append(name)

    def find(self, text: str) -> list[str]:
        """The names that ``text`` means: those of its longest tail that any name ends with."""
        parts = [part for part in text.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        for start in range(len(parts)):
            if found := self._by_tail.get("/".join(parts[start:])):
                return found
        return []
