"""Uploads: a multipart body written straight to disk, file by file, under names that stay in their folder."""

import json
import shutil
import unicodedata
from collections.abc import AsyncIterable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, BinaryIO

from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.domain.errors import Invalid, TooLarge

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FIELDS = 32 << 20
MAX_FILES = 500_000
MAX_DEPTH = 32


class BadUpload(Invalid):
    """A body that is not an upload, or names files that can't be kept."""


@dataclass
class Upload:
    """What came: ``path`` is the one file, or the folder that holds all; ``fields`` the other form fields as text."""

    folder: Path
    path: Path = field(default_factory=Path)
    label: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def parts(self) -> Path:
        """Where the files are until all names are known."""
        return self.folder.with_name(f"{self.folder.name}.parts")

    def discard(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.parts, ignore_errors=True)


async def receive(content_type: str, body: AsyncIterable[bytes], uploads: Path, limit: int) -> Upload:
    """Write the files named ``files`` of a multipart body into a fresh folder under ``uploads``.

    Field ``paths`` may give each file's relative path as a JSON list, in order. Raises BadUpload, and TooLarge past
    ``limit`` bytes; nothing is left behind then.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise BadUpload("An upload has to be multipart/form-data with the files in the field `files`.")
    uploads.mkdir(parents=True, exist_ok=True)
    upload = Upload(Path(mkdtemp(dir=uploads, prefix="upload-")))
    upload.parts.mkdir()
    parts = _Parts(upload)
    received = 0
    try:
        parser = MultipartParser(options[b"boundary"], parts.callbacks())
        async for chunk in body:
            received += len(chunk)
            if received > limit:
                raise TooLarge(f"The upload is over the limit of {limit:,} bytes; use `remask import` instead.")
            await run_in_threadpool(parser.write, chunk)
        parser.finalize()
        await run_in_threadpool(parts.settle)
    except MultipartParseError:
        upload.discard()
        raise BadUpload("The upload broke off, or its multipart body can't be read.") from None
    except BaseException:
        upload.discard()
        raise
    finally:
        parts.close()
    return upload


def sweep(uploads: Path, wanted: Collection[Path]) -> None:
    """Remove what broken uploads and failed imports left under ``uploads``; a path in ``wanted`` stays."""
    needed = {path if path.parent == uploads else path.parent for path in wanted}
    for folder in uploads.iterdir() if uploads.is_dir() else ():
        if folder not in needed:
            shutil.rmtree(folder, ignore_errors=True)


class _Parts:
    """Takes the parser's events: files go to numbered files on disk, other fields into memory."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._names: list[str] = []
        self._header = bytearray()
        self._value = bytearray()
        self._disposition: dict[bytes, bytes] = {}
        self._file: BinaryIO | None = None
        self._text = bytearray()
        self._in_memory = 0
        self._ended = False

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def settle(self) -> None:
        """Give the files their names. Raises BadUpload."""
        if not self._ended:
            raise BadUpload("The upload broke off before its end.")
        if not self._names:
            raise BadUpload("The upload holds no file; put them in the field `files`.")
        paths = [clean_path(name) for name in self._said_paths()]
        if len(set(paths)) < len(paths):
            twice = next(path for path in paths if paths.count(path) > 1)
            raise BadUpload(f"Two files have the same path {twice.as_posix()!r}.")
        root = self._upload.folder
        for index, path in enumerate(paths):
            target = root / path
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                (self._upload.parts / str(index)).rename(target)
            except OSError:
                raise BadUpload(f"The path {path.as_posix()!r} can't be kept beside the others.") from None
        self._upload.parts.rmdir()
        alone = len(paths) == 1 and len(paths[0].parts) == 1
        self._upload.path = root / paths[0] if alone else root
        tops = {path.parts[0] for path in paths if len(path.parts) > 1}
        self._upload.label = paths[0].name if alone else tops.pop() if len(tops) == 1 else f"{len(paths):,} files"

    def _said_paths(self) -> list[str]:
        said = self._upload.fields.pop("paths", None)
        if not said:
            return self._names
        try:
            paths = json.loads(said)
        except (ValueError, RecursionError):
            paths = None
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise BadUpload("The field `paths` has to be a JSON list of relative paths.")
        if len(paths) != len(self._names):
            raise BadUpload(f"There are {len(paths)} paths for {len(self._names)} files; give one for each, in order.")
        return paths

    def _begin(self) -> None:
        self._disposition = {}

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = parse_options_header(bytes(self._value))[1]
        self._header, self._value = bytearray(), bytearray()

    def _open(self) -> None:
        self._text = bytearray()
        if self._disposition.get(b"name") != b"files":
            return
        if len(self._names) >= MAX_FILES:
            raise TooLarge(f"More than {MAX_FILES:,} files at once; upload a zip instead.")
        self._file = (self._upload.parts / str(len(self._names))).open("wb")
        self._names.append(self._disposition.get(b"filename", b"file").decode(errors="replace"))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])
            return
        self._text += data[start:end]
        self._in_memory += end - start
        if self._in_memory > MAX_FIELDS:
            raise TooLarge("The fields of the form, files left out, are too large.")

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        elif name := self._disposition.get(b"name"):
            self._upload.fields[name.decode(errors="replace")] = self._text.decode(errors="replace")

    def _finish(self) -> None:
        self._ended = True


def clean_path(said: str) -> Path:
    """The relative path that a browser or a program says, made safe: no root, drive, ``..`` or control character.
    Raises BadUpload where it is too long or too deep, or nothing is left."""
    steps = []
    for step in said.replace("\\", "/").split("/"):
        plain = "".join("_" if unicodedata.category(c) in ("Cc", "Cs") or c in ':*?"<>|' else c for c in step).strip()
        if plain.strip("."):
            steps.append(plain)
    if not steps or len(steps) > MAX_DEPTH or any(len(step.encode()) > 255 for step in steps):
        raise BadUpload(f"{said[:80]!r} can't be the path of a file.")
    return Path(*steps)
