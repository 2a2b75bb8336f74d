"""Keys to file names that every file system takes, each its own also where case doesn't count."""

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath

# Most file systems hold 255 bytes a name; the rest is left for a suffix such as `.tiff` and the mark below.
_LONGEST_NAME = 200
_LONGEST_PATH = 700
# Marks of direction are among them: a name may not read as another than it is.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\\\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_FILE_LIKE = re.compile(r"\.(png|jpe?g|tiff?|webp|bmp|gif|ppm|pgm|json|csv|txt)$", re.IGNORECASE)


class FileNames:
    """Gives each key a relative POSIX path without a suffix; a key that is safe as it is keeps its own.

    A changed one carries ``~`` and eight digits of the key's SHA-256, so it doesn't depend on the others. The manifest
    says which key each file has.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, key: str) -> str:
        """The path for a key, which has not been given before."""
        parts = [_safe(part, folder=True) for part in key.split("/")[:-1]]
        path = "/".join([*parts, _safe(key.split("/")[-1], folder=False)])
        if len(path.encode()) > _LONGEST_PATH:
            path = _short(PurePosixPath(path).name)
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        choices = [f"{path}~{digest[:8]}", f"{path}~{digest[:32]}"]
        if path == key:
            choices.insert(0, path)
        free = next(choice for choice in choices if _folded(choice) not in self._taken)
        self._taken.add(_folded(free))
        return free


def _safe(part: str, folder: bool) -> str:
    """One part of a key as a name. A folder's never looks like a file's, so that the two can't meet."""
    name = _FORBIDDEN.sub("_", part)
    if (
        name.startswith((".", "__MACOSX", "Thumbs.db"))
        or name.endswith((".", " "))
        or not name
        or _RESERVED.fullmatch(name)
    ):
        name = f"_{name.strip('. ')}_"
    if folder and _FILE_LIKE.search(name):
        name += "_"
    return _short(name)


def _short(name: str) -> str:
    return name.encode()[:_LONGEST_NAME].decode("utf-8", "ignore") if len(name.encode()) > _LONGEST_NAME else name


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
