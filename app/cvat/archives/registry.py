"""All archive formats: which one a file is, and a zip of one with the manifest that ties its frames to revisions."""

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.cvat.archives import coco, datumaro, images, masks
from app.cvat.archives.base import Archive, ArchiveKind, BadArchive, Outgoing, Size, stem
from app.cvat.wire import LabelSpec
from app.domain.cells import line, unquoted
from app.domain.formats.coco import check_document
from app.domain.formats.frames import read_json
from app.domain.formats.source import Source
from app.domain.mask import pixel_hash

# No JSON and no XML, so that no importer takes it for annotations
MANIFEST = "remask-manifest.csv"
_COLUMNS = ("frame", "revision", "sample", "width", "height", "pixels")
_EPOCH = (1980, 1, 1, 0, 0, 0)
Entries = Callable[[Iterable[Outgoing], Sequence[LabelSpec]], Iterator[tuple[str, bytes]]]
_WRITERS: dict[ArchiveKind, tuple[Entries, str]] = {
    ArchiveKind.IMAGES: (images.entries, images.PICTURES),
    ArchiveKind.MASKS: (masks.entries, masks.PICTURES),
    ArchiveKind.COCO: (coco.entries, coco.PICTURES),
    ArchiveKind.DATUMARO: (datumaro.entries, datumaro.PICTURES),
}


@dataclass(frozen=True)
class Tie:
    """What a manifest says of a frame: the revision that was sent, and the hash of its pixels."""

    revision: int
    sample: str
    size: Size
    pixels: str


def read_archive(source: Source, sizes: Mapping[str, Size]) -> Archive:
    """The export in ``source``. ``sizes``: frame name -> size, as known here; a file that says another is refused.

    Raises BadArchive.
    """
    if source.match("*labelmap.txt") and source.match("*ImageSets/Segmentation/*.txt"):
        return masks.read(source, sizes)
    for name in source.match("*.xml"):
        data = source.read(name)
        if b"<annotations" in data[:4096]:
            return images.read(data, sizes)
    for name in source.match("*.json"):
        head = source.read(name)
        if b'"items"' in head and b'"categories"' in head:
            return datumaro.read(read_json(source, name), sizes)
        if b'"images"' in head and b'"annotations"' in head:
            return coco.read(check_document(read_json(source, name)), sizes)
    raise BadArchive(
        f"{source.label} is none of CVAT's exports; choose one of {', '.join(ArchiveKind)} in CVAT's Export dataset."
    )


def write_archive(path: Path, kind: ArchiveKind, frames: Iterable[Outgoing], labels: Sequence[LabelSpec]) -> None:
    """A zip that CVAT imports into a task with pictures of those names; pictures go along where frames have them.

    Raises CantPush where the format can't hold a label.
    """
    entries, folder = _WRITERS[kind]
    rows: list[tuple[str | int, ...]] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:

        def passing() -> Iterator[Outgoing]:
            for frame in frames:
                height, width = frame.mask.shape
                rows.append((frame.name, frame.revision, frame.sample, width, height, pixel_hash(frame.mask)))
                if frame.picture is not None:
                    out.writestr(zipfile.ZipInfo(folder + frame.name, _EPOCH), frame.picture)
                yield frame

        for name, data in entries(passing(), labels):
            out.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
        table = "".join(line(row) for row in (_COLUMNS, *rows))
        out.writestr(zipfile.ZipInfo(MANIFEST, _EPOCH), table, zipfile.ZIP_DEFLATED)


def read_manifest(source: Source) -> dict[str, Tie]:
    """Frame name without extension -> what was sent. CVAT's own exports have none; ours do. Raises BadArchive."""
    if MANIFEST not in source:
        raise BadArchive(f"{source.label} has no {MANIFEST}; it isn't an archive from here.")
    out = {}
    for row in csv.DictReader(io.StringIO(source.text(MANIFEST))):
        try:
            size = (int(row["width"]), int(row["height"]))
            key = unquoted(row["sample"])
            out[stem(unquoted(row["frame"]))] = Tie(int(row["revision"]), key, size, row["pixels"])
        except (KeyError, TypeError, ValueError):
            raise BadArchive(f"{MANIFEST} of {source.label} can't be read; take it as it was written.") from None
    return out
