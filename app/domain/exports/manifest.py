"""The manifest of an export: which key each file has, whose mask it is, and the hashes of what was written."""

import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from app.domain.cells import line
from app.domain.classes import ClassList
from app.domain.exports.base import About, Exported
from app.domain.mask import class_counts, pixel_hash

COLUMNS = (
    "key", "file", "mask_file", "revision", "author", "source", "split", "status", "image_hash", "mask_hash",
)  # fmt: skip


class Manifest:
    """Writes ``manifest.csv`` and ``manifest.json`` side by side, a sample at a time.

    ``classes`` is the class list, with a nameless class for each id of a mask that it lacks. Hashes are those of
    ``mask.pixel_hash``: over the decoded pixels, their dtype and shape. What a spreadsheet would
    take for a formula has a ``'`` before it in the CSV (``domain.cells``); the JSON has every key as it is.
    """

    def __init__(self, table: Path, document: Path, about: About) -> None:
        self._stack = ExitStack()
        stream = self._stack.enter_context(table.open("w", newline="", encoding="utf-8", errors="backslashreplace"))
        self._table = stream
        self._table.write(line(COLUMNS))
        self._document = self._stack.enter_context(document.open("w", encoding="ascii"))
        head = {"dataset": about.dataset, "class_list_version": about.version}
        self._document.write(json.dumps(head, indent=1).removesuffix("\n}") + ',\n "samples": [')
        self._separator = "\n"
        self.classes = about.classes
        self.labelled = self.unlabelled = 0

    def add(self, sample: Exported, file: str, mask_file: str | None) -> None:
        """Note a sample; ``file`` and ``mask_file`` are paths in the export, or rows such as ``training_set/00062``."""
        values: tuple[str | int | None, ...] = (
            sample.key, file, mask_file, sample.revision, sample.author, sample.source, sample.split, sample.status,
            pixel_hash(sample.picture.pixels), None if sample.mask is None else pixel_hash(sample.mask),
        )  # fmt: skip
        self._table.write(line(values))
        self._document.write(self._separator + "  " + json.dumps(dict(zip(COLUMNS, values, strict=True))))
        self._separator = ",\n"
        if sample.mask is None:
            self.unlabelled += 1
        else:
            self.labelled += 1
            self.classes = self.classes.with_ids(class_counts(sample.mask))

    def __enter__(self) -> "Manifest":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._document.write(f'\n ],\n "classes": {json.dumps(self.classes.as_json())}\n}}\n')
        self._stack.close()


def classes_csv(classes: ClassList) -> str:
    """The class list as a CSV of id, name, role, colour, which ``parse_classes`` reads."""
    fields = ("id", "name", "role", "colour")
    return "".join(line(row) for row in (fields, *([one[field] for field in fields] for one in classes.as_json())))
