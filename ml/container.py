"""One file of raw arrays and a JSON index, hashed as a whole: written as a stream, read through a memory map.

Layout: 64 bytes of magic | arrays, each padded to a multiple of 64 bytes | the index as JSON | its offset and length as
two little-endian 64-bit integers | SHA-256 of everything before it. The same arrays and index in the same order give
the same bytes. An array is named in the index by ``[offset, dtype, shape]``.
"""

import hashlib
import json
import math
import mmap
import os
import struct
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from ml.errors import Refused

ALIGN = 64
DTYPES = ("bool", "uint8", "uint16", "int16", "float16", "float32")
_TAIL = struct.Struct("<QQ")
_DIGEST = 32
_PART = 1 << 20  # bytes that are copied or hashed at a time, or wait in memory

Ref = list[Any]


class Writer:
    """Writes to a hidden neighbour of the target; ``close`` makes it durable and moves it into place."""

    def __init__(self, folder: Path, magic: bytes) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._temporary = folder / f".{uuid.uuid4().hex}.part"
        self._file: BinaryIO = self._temporary.open("wb")
        self._hash = hashlib.sha256()
        self._at = 0
        self._put(_magic(magic))

    def _put(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._hash.update(data)
        self._at += len(data)

    def add(self, array: NDArray[Any]) -> Ref:
        """Appends ``array`` and returns its reference. Raises Refused for a dtype outside ``DTYPES``."""
        if array.dtype.name not in DTYPES:
            raise Refused(f"Arrays of {array.dtype.name} are not stored; convert to one of {', '.join(DTYPES)}.")
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        at = self._at
        if little.size:
            self._put(little.reshape(-1).view(np.uint8).data)
        self._put(bytes(-self._at % ALIGN))
        return [at, array.dtype.name, list(array.shape)]

    def add_bands(self, bands: Iterable[NDArray[Any]]) -> Ref:
        """As ``add``, of the (n, H, W) array of which ``bands`` (n, rows, W), at least one, are the rows from top to
        bottom; one of them in memory at a time, while the others wait in a file for each plane that is large."""
        with ExitStack() as stack:
            planes: list[Any] = []
            folder = str(self._temporary.parent)
            height, shape, dtype = 0, (0, 0), ""
            for band in bands:
                height, shape, dtype = height + band.shape[1], (band.shape[0], band.shape[2]), band.dtype.name
                while len(planes) < len(band):
                    planes.append(stack.enter_context(tempfile.SpooledTemporaryFile(_PART, dir=folder)))
                for plane, rows in zip(planes, band, strict=True):
                    plane.write(np.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder("<")).view(np.uint8).data)
            ref = [self._at, dtype, [shape[0], height, shape[1]]]
            for plane in planes:
                plane.seek(0)
                for part in _parts(plane):
                    self._put(part)
        self._put(bytes(-self._at % ALIGN))
        return ref

    def close(self, index: dict[str, Any], target: Path | None = None, suffix: str = "") -> tuple[str, Path]:
        """Ends the file with ``index``; returns its hash and its path (``HASH + suffix`` without a target)."""
        text = json.dumps(index, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        at = self._at
        self._put(text)
        self._put(_TAIL.pack(at, len(text)))
        digest = self._hash.digest()
        self._file.write(digest)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        path = target or self._temporary.parent / (digest.hex() + suffix)
        self._temporary.replace(path)
        return digest.hex(), path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)


class Reader:
    """A container, open for reading. ``hash`` as written; arrays are views of the memory map, read-only."""

    def __init__(self, path: Path, magic: bytes, *, verify: bool = True) -> None:
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < ALIGN + _TAIL.size + _DIGEST:
                    raise Refused(f"{path} is too short to be a whole file of this kind; write it again.")
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                whole = not verify or _hashed(file, size - _DIGEST) == self._map[size - _DIGEST :]
        except OSError as error:
            raise Refused(f"{path} can't be read: {error.strerror or error}.") from error
        view = memoryview(self._map)
        body = size - _DIGEST
        if bytes(view[: len(_magic(magic))]) != _magic(magic):
            raise Refused(f"{path} is no {magic.decode().replace('-', ' ')} file.")
        if not whole:
            raise Refused(f"{path} is damaged: its content doesn't match its hash; write or copy it again.")
        at, length = _TAIL.unpack(view[body - _TAIL.size : body])
        self.hash = bytes(view[body:]).hex()
        self.index: dict[str, Any] = json.loads(bytes(view[at : at + length]))

    def array(self, ref: Sequence[Any]) -> NDArray[Any]:
        at, dtype, shape = ref
        kind = np.dtype(dtype).newbyteorder("<")
        return np.frombuffer(self._map, dtype=kind, count=math.prod(shape), offset=at).reshape(shape)


def _magic(name: bytes) -> bytes:
    return b"\x89" + name.ljust(ALIGN - 2, b"\0") + b"\n"


def _parts(file: BinaryIO) -> Iterator[bytes]:
    while part := file.read(_PART):
        yield part


def _hashed(file: BinaryIO, size: int) -> bytes:
    """SHA-256 of the first ``size`` bytes, read rather than mapped: what was mapped and touched counts as memory."""
    digest = hashlib.sha256()
    while size and (part := file.read(min(_PART, size))):
        digest.update(part)
        size -= len(part)
    return digest.digest()
