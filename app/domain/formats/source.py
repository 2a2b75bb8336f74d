"""Where files come from: a folder, a zip, or one file, read by name and never written or unpacked.

Files from strangers are hostile: names can't climb out, links aren't followed, and nothing is read past a bound.
"""

import fnmatch
import io
import stat
import zipfile
import zlib
from abc import ABC, abstractmethod
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO

from app.domain.errors import Invalid, NotFound, TooLarge

# A file bigger than this isn't read whole; a zip entry that grows past RATIO times its packed size is a bomb.
MAX_FILE = 2 << 30
MAX_RATIO = 1000
_RATIO_FREE = 64 << 20
# What the standard library raises on an archive that is broken, encrypted or packed in a way it doesn't know.
BROKEN = (zipfile.BadZipFile, zlib.error, LZMAError, OSError, EOFError, RuntimeError, NotImplementedError, ValueError)
_HIDDEN = ("__MACOSX", ".DS_Store", "Thumbs.db", ".git", ".ipynb_checkpoints")


class BadSource(Invalid):
    """A path or archive that can't be read at all."""


class BadArchive(BadSource):
    """A file that should be a zip and isn't; ``reason`` is the same without the file's name."""

    def __init__(self, label: str, error: Exception) -> None:
        why = "one of its names is not valid Unicode" if isinstance(error, UnicodeError) else str(error).rstrip(".")
        self.reason = f"not a zip that can be read ({why})"
        super().__init__(f"{escaped(label)} is {self.reason}.")


def escaped(text: str) -> str:
    """``text`` as one that can be stored and shown: half characters and zeros become ``\\udcff`` and ``\\x00``."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


class Source(ABC):
    """A tree of files with POSIX names, sorted. ``refused`` names entries that were left out, with the reason."""

    def __init__(self, label: str, names: list[str], refused: list[tuple[str, str]]) -> None:
        self.label = escaped(label)
        bad = [name for name in names if escaped(name) != name]
        self.names = sorted(name for name in set(names).difference(bad) if not _hidden(name))
        self.refused = [(escaped(name), reason) for name, reason in refused]
        self.refused += [(escaped(name), "a name that is not valid Unicode") for name in bad]
        self._set = frozenset(self.names)

    def __contains__(self, name: str) -> bool:
        return name in self._set

    def match(self, *patterns: str) -> list[str]:
        """Names that match one of the glob patterns, case ignored; ``*`` crosses folders."""
        lowered = [pattern.lower() for pattern in patterns]
        return [n for n in self.names if any(fnmatch.fnmatchcase(n.lower(), p) for p in lowered)]

    @abstractmethod
    def size(self, name: str) -> int:
        """Bytes of one file, unpacked."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The bytes of one file. Raises BadSource or TooLarge with the reason."""

    @abstractmethod
    def open(self, name: str) -> IO[bytes]:
        """A stream of one file, for what is too big to be read whole; several may be open at once.

        Raises BadSource; reading from it may raise one of BROKEN, and never gives more than ``size`` bytes.
        """

    def text(self, name: str) -> str:
        return self.read(name).decode("utf-8-sig", errors="replace")

    def close(self) -> None:  # noqa: B027  (a folder has nothing to let go of)
        """Let go of the archive, where there is one."""


class FolderSource(Source):
    """A folder, or just the files ``only`` of it; ``root`` is the folder."""

    def __init__(self, root: Path, *only: str) -> None:
        self.root = root
        refused: list[tuple[str, str]] = []
        names: list[str] = []
        for path in [root / name for name in only] or root.rglob("*"):
            name = path.relative_to(root).as_posix()
            if not only and path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
                refused.append((name, "a link that leads out of the folder"))
            elif path.is_file() and not only and path.suffix.lower() == ".zip":
                refused.append((name, "a zip among other files isn't opened; import it by itself"))
            elif path.is_file():
                names.append(name)
        super().__init__(only[0] if only else root.name, names, refused)

    def size(self, name: str) -> int:
        return (self.root / name).stat().st_size

    def read(self, name: str) -> bytes:
        if name not in self:
            raise BadSource(f"{name} is not there")
        if self.size(name) > MAX_FILE:
            raise TooLarge(f"{name} is over {MAX_FILE >> 30} GiB")
        with self.open(name) as stream:
            try:
                return stream.read()
            except OSError as error:
                raise BadSource(f"{name} can't be read: {error.strerror}") from error

    def open(self, name: str) -> IO[bytes]:
        if name not in self:
            raise BadSource(f"{name} is not there")
        try:
            return (self.root / name).open("rb")
        except OSError as error:
            raise BadSource(f"{name} can't be read: {error.strerror}") from error


class ZipSource(Source):
    """A zip archive, read entry by entry; ``path`` may be an open file of that ``label``.

    Entries that unpack to more than ``limit`` bytes are left out.
    """

    def __init__(self, path: Path | IO[bytes], label: str = "", limit: int = MAX_FILE) -> None:
        label = label or (path.name if isinstance(path, Path) else "archive")
        try:
            self._zip = zipfile.ZipFile(path)
        except BROKEN as error:
            raise BadArchive(label, error) from error
        refused: list[tuple[str, str]] = []
        self._entries: dict[str, zipfile.ZipInfo] = {}
        for entry in self._zip.infolist():
            reason = _unsafe(entry, self._entries, limit)
            if reason:
                refused.append((entry.filename, reason))
            elif not entry.is_dir():
                self._entries[entry.filename] = entry
        super().__init__(label, list(self._entries), refused)

    def size(self, name: str) -> int:
        return self._entries[name].file_size

    def read(self, name: str) -> bytes:
        if name not in self:
            raise BadSource(f"{name} is not there")
        entry = self._entries[name]
        if entry.file_size > MAX_FILE:
            raise TooLarge(f"{name} is over {MAX_FILE >> 30} GiB")
        out = io.BytesIO()
        try:
            with self._zip.open(entry) as stream:
                while chunk := stream.read(1 << 20):
                    out.write(chunk)
                    if out.tell() > entry.file_size:
                        raise BadSource(f"{name} is longer than the archive says")
        except BROKEN as error:
            raise BadSource(f"{name} can't be unpacked: {error}") from error
        if out.tell() != entry.file_size:
            raise BadSource(f"{name} is shorter than the archive says")
        return out.getvalue()

    def open(self, name: str) -> IO[bytes]:
        if name not in self:
            raise BadSource(f"{name} is not there")
        try:
            return self._zip.open(self._entries[name])
        except BROKEN as error:
            raise BadSource(f"{name} can't be unpacked: {error}") from error

    def close(self) -> None:
        self._zip.close()


def open_source(path: Path) -> Source:
    """The source at a path: a folder, a zip, or a single file (an NPZ is a single file).

    Raises NotFound, and BadArchive for a file called .zip that isn't one.
    """
    if path.is_dir():
        return FolderSource(path)
    if not path.is_file():
        raise NotFound(f"There is no file or folder at {escaped(str(path))}.")
    suffix = path.suffix.lower()
    if suffix == ".zip" or (suffix != ".npz" and zipfile.is_zipfile(path)):
        return ZipSource(path)
    classes = path.with_suffix(".classes.csv")  # what our own export lays beside an .npz
    return FolderSource(path.parent, path.name, *([classes.name] if classes.is_file() else []))


def _hidden(name: str) -> bool:
    return any(part in _HIDDEN or part.startswith("._") for part in PurePosixPath(name).parts)


def _unsafe(entry: zipfile.ZipInfo, taken: dict[str, zipfile.ZipInfo], limit: int) -> str | None:
    """Why an archive entry is left out, or None."""
    name = entry.filename
    if not name:
        return "no name"
    if "\\" in name or "\0" in name or name.startswith("/") or ".." in PurePosixPath(name).parts or ":" in name[:3]:
        return "a name that leads out of the archive"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "a link"
    if entry.flag_bits & 1:
        return "encrypted"
    if entry.file_size > limit:
        return f"over {limit >> 30} GiB unpacked"
    if entry.file_size > _RATIO_FREE and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        return "unpacks to over a thousand times its size"
    if name in taken:
        return "a second entry of the same name"
    return None
