"""Arrays of an NPZ archive, one row at a time: the .npy header is checked against its zip entry, nothing is held whole.

The format is numpy's enhancement proposal 1.
"""

import math
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt

from app.domain.errors import Invalid
from app.domain.formats.source import BROKEN, BadArchive, BadSource, Source, ZipSource
from app.domain.picture import MAX_PIXELS

# An array is streamed, so it may be far bigger than a file that is read whole.
_MAX_ARRAY = 1 << 40
Row = npt.NDArray[np.generic]


class BadArray(Invalid):
    """An array of an NPZ that can't be read, with the reason."""


@dataclass(frozen=True)
class Array:
    """One array of the archive: ``shape`` (N, ...), ``offset`` where its first row starts in the entry."""

    entry: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    offset: int

    @property
    def name(self) -> str:
        return self.entry.removesuffix(".npy")

    @property
    def row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def key(self, row: int) -> str:
        return f"{self.name}/{row:0{max(5, len(str(self.shape[0] - 1)))}d}"


def open_archive(source: Source, file: str, stack: ExitStack) -> ZipSource:
    """The .npz as an archive, closed with ``stack``. Raises BadSource."""
    try:
        archive = ZipSource(_seekable(source, file, stack), file, _MAX_ARRAY)
    except BadArchive as error:
        raise BadSource(error.reason) from error
    stack.callback(archive.close)
    return archive


def _seekable(source: Source, file: str, stack: ExitStack) -> IO[bytes]:
    """The .npz as a stream that can be sought in; one that lies in a zip is first copied to a nameless file."""
    stream = stack.enter_context(source.open(file))
    if not isinstance(stream, zipfile.ZipExtFile):
        return stream
    copy: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    try:
        while chunk := stream.read(1 << 20):
            copy.write(chunk)
    except BROKEN as error:
        raise BadSource(f"can't be unpacked: {error}") from error
    return copy


def read_header(archive: ZipSource, entry: str) -> Array:
    """What the .npy header of an entry declares, checked against the entry's size. Raises BadArray."""
    try:
        with archive.open(entry) as stream:
            version = np.lib.format.read_magic(stream)
            if version not in ((1, 0), (2, 0)):
                raise BadArray("holds structured records, not numbers")
            one, two = np.lib.format.read_array_header_1_0, np.lib.format.read_array_header_2_0
            header = one if version == (1, 0) else two
            shape, fortran, dtype = header(stream)
            offset = stream.tell()
    except (*BROKEN, BadSource, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise BadArray(f"is no array that can be read: {error}") from error
    if dtype.hasobject:
        raise BadArray("holds pickled Python objects, which can run code; save plain numbers")
    if dtype.kind not in "buif":
        raise BadArray(f"holds {dtype}, not numbers")
    if any(side < 0 for side in shape) or math.prod(shape[1:]) == 0:
        raise BadArray(f"declares the shape {shape}, rows of nothing")
    if math.prod(shape[1:]) > MAX_PIXELS:
        raise BadArray(f"has rows of more than {MAX_PIXELS:,} values")
    declared, held = offset + math.prod(shape) * dtype.itemsize, archive.size(entry)
    if declared != held:
        raise BadArray(f"declares {shape} of {dtype}, {declared:,} bytes, but its entry holds {held:,}")
    if fortran and len(shape) > 1:
        raise BadArray("is stored in Fortran order, rows are not together; save it through np.ascontiguousarray")
    return Array(entry, shape, dtype, offset)


def check_sound(archive: ZipSource, array: Array) -> None:
    """Unpack all of an entry, a piece at a time, against its checksum and length, before any row of it is believed.

    Raises BadArray. zipfile compares the CRC-32 at the very end of an entry alone.
    """
    held = 0
    try:
        with archive.open(array.entry) as stream:
            while piece := stream.read(1 << 20):
                held += len(piece)
    except BROKEN as error:
        why = "bad CRC-32" if "CRC" in str(error) else str(error)
        raise BadArray(f"is damaged ({why}); get the file again") from error
    if held != archive.size(array.entry):
        raise BadArray("is damaged (shorter than the archive says); get the file again")


def rows_of(archive: ZipSource, array: Array) -> Iterator[Row]:
    """The rows of an array in the machine's byte order. Raises BadArray where the entry is broken."""
    native = array.dtype.newbyteorder("=")
    try:
        with archive.open(array.entry) as stream:
            stream.read(array.offset)
            for _ in range(array.shape[0]):
                data = stream.read(array.row_bytes)
                yield np.frombuffer(data, array.dtype).reshape(array.shape[1:]).astype(native)
    except BROKEN as error:
        raise BadArray(f"can't be read on: {error}") from error
