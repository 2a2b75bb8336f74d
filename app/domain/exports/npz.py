"""NPZ in the course's layout, written row by row (format: numpy enhancement proposal 1, in a zip).

Gray pictures: ``training_set`` (N, 2, H, W), picture and mask. Colour: ``images`` (N, H, W, C) and ``masks`` (N, H, W).
Unlabelled ones: ``test_set`` (M, H, W[, C]). Beside the file lie ``<name>.manifest.csv``, ``<name>.manifest.json`` and
``<name>.classes.csv``. The same samples give the same bytes.
"""

import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.domain.exports.base import About, CantExport, Exported, Written, check_any, new_files
from app.domain.exports.manifest import Manifest, classes_csv
from app.domain.picture import Pixels

_EPOCH = (1980, 1, 1, 0, 0, 0)
Array = npt.NDArray[np.generic]
DType = np.dtype[np.generic]


@dataclass
class _Facts:
    """What the samples have in common, gathered in the first pass."""

    shape: tuple[int, ...] | None = None
    first: str = ""
    labelled: int = 0
    unlabelled: int = 0
    image: dict[bool, DType] = field(default_factory=dict)  # by whether labelled
    mask: DType = field(default_factory=lambda: np.dtype(np.uint8))

    def see(self, sample: Exported) -> None:
        pixels = _plain(sample.picture.pixels)
        if self.shape is None:
            self.shape, self.first = pixels.shape, sample.key
        elif pixels.shape != self.shape:
            raise CantExport(
                f"An NPZ holds pictures of one size and channel count, but {self.first} is {_said(self.shape)} and "
                f"{sample.key} is {_said(pixels.shape)}; export to folder, coco or voc instead."
            )
        labelled = sample.mask is not None
        known = self.image.get(labelled, pixels.dtype)
        self.image[labelled] = np.result_type(known, pixels.dtype)
        if sample.mask is None:
            self.unlabelled += 1
        else:
            self.labelled += 1
            self.mask = np.result_type(self.mask, sample.mask.dtype)


def write(out: Path, samples: Iterable[Exported], about: About) -> Written:
    """The samples as the file ``out`` (in a folder that is there: ``<dataset>.npz``); see ``base.Write``.

    ``samples`` is gone through once to learn the sizes and once for each array; it has to be the same each time.
    A row's number goes up in the order of the samples. dtype: the smallest that holds all of an array exactly.
    """
    if out.is_dir():
        out = out / f"{about.dataset.replace('/', '_')}.npz"
    stem = out.name.removesuffix(".npz")
    facts = _Facts()
    beside = [out.with_name(f"{stem}.{name}") for name in ("manifest.csv", "manifest.json", "classes.csv")]
    with new_files(out, *beside) as (archive, table, document, classes):
        with Manifest(table, document, about) as manifest:
            for sample in samples:
                facts.see(sample)
                manifest.add(sample, *_rows_of(sample, facts))
        check_any(facts.labelled + facts.unlabelled)
        classes.write_text(classes_csv(manifest.classes), encoding="utf-8")
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as zip:
            for name, shape, dtype, row in _arrays(facts):
                _write_array(
                    zip, name, shape, dtype, (row(s) for s in samples if (s.mask is None) == (name == "test_set"))
                )
    return Written(out, facts.labelled, facts.unlabelled)


def _rows_of(sample: Exported, facts: _Facts) -> tuple[str, str | None]:
    """The keys that an import gives the sample: those of its picture's row and its mask's."""
    if sample.mask is None:
        return f"test_set/{facts.unlabelled - 1:05d}", None
    row = f"{facts.labelled - 1:05d}"
    if len(facts.shape or ()) == 2:
        return f"training_set/{row}", f"training_set/{row}"
    return f"images/{row}", f"masks/{row}"


def _arrays(facts: _Facts) -> list[tuple[str, tuple[int, ...], DType, Callable[[Exported], Array]]]:
    """Name, shape, dtype and the row that a sample gives, for each array of the file."""
    shape = facts.shape or ()
    out: list[tuple[str, tuple[int, ...], DType, Callable[[Exported], Array]]] = []
    if facts.labelled and len(shape) == 2:
        both = np.result_type(facts.image[True], facts.mask)
        out.append(("training_set", (facts.labelled, 2, *shape), both, _stacked(both)))
    elif facts.labelled:
        out.append(("images", (facts.labelled, *shape), facts.image[True], _pixels))
        out.append(("masks", (facts.labelled, *shape[:2]), facts.mask, _mask))
    if facts.unlabelled:
        out.append(("test_set", (facts.unlabelled, *shape), facts.image[False], _pixels))
    return out


def _write_array(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: DType, rows: Iterable[Array]
) -> None:
    little = dtype.newbyteorder("<")
    entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    left = shape[0]
    with archive.open(entry, "w", force_zip64=True) as stream:
        header = {"descr": np.lib.format.dtype_to_descr(little), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for row in rows:
            stream.write(np.ascontiguousarray(row, dtype=little).tobytes())
            left -= 1
    if left:
        raise CantExport("The samples changed while they were being exported; export them again.")


def _plain(pixels: Pixels) -> Pixels:
    return pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels


def _pixels(sample: Exported) -> Array:
    return _plain(sample.picture.pixels)


def _mask(sample: Exported) -> Array:
    return np.asarray(sample.mask)


def _stacked(dtype: DType) -> Callable[[Exported], Array]:
    return lambda sample: np.stack((_pixels(sample).astype(dtype), _mask(sample).astype(dtype)))


def _said(shape: tuple[int, ...]) -> str:
    channels = "gray" if len(shape) == 2 else f"{shape[2]} channels"
    return f"{shape[1]} x {shape[0]} ({channels})"
