"""Small sources made for tests, and what a format reads from a source, sorted by kind."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.domain.classes import ClassList
from app.domain.formats.base import Expected, Format, Found, Ignored, Labelled, Refused
from app.domain.formats.source import Source, open_source

Files = Mapping[str, Any]
"""Bytes, text, or what becomes JSON, by name."""


def source_of(folder: Path, files: Files) -> Source:
    """A folder source with these files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, (dict, list)):
            content = json.dumps(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_source(folder)


def picture(width: int, height: int) -> bytes:
    return png(np.zeros((height, width), np.uint8))


def png(pixels: npt.NDArray[np.generic], palette: list[int] | None = None) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if palette is not None:
        image.putpalette(palette)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@dataclass
class Outcome:
    classes: ClassList | None = None
    expected: int | None = None
    samples: dict[str, Labelled] = field(default_factory=dict)
    refusals: list[Refused] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def mask(self, key: str) -> list[list[int]]:
        mask = self.samples[key].mask
        assert mask is not None
        rows: list[list[int]] = mask.tolist()
        return rows

    @property
    def counts(self) -> tuple[int, int, int]:
        """Labelled, unlabelled, refused."""
        labelled = sum(one.mask is not None for one in self.samples.values())
        return labelled, len(self.samples) - labelled, len(self.refusals)

    @property
    def refused(self) -> dict[str, str]:
        """The reason by file."""
        return {one.file: one.reason for one in self.refusals}

    def names(self) -> dict[int, str]:
        assert self.classes is not None
        return {one.id: one.name for one in self.classes.classes}


def outcome(format: Format, source: Source, classes: ClassList | None = None) -> Outcome:
    """Everything that a format reads; masks have their pictures' size and keys are unique, always."""
    out = Outcome()
    for one in format.read(source, classes):
        match one:
            case Found(found):
                assert out.classes is None and not out.samples
                out.classes = found
            case Expected(count):
                assert out.expected is None and not out.samples
                out.expected = count
            case Labelled():
                assert one.key not in out.samples
                assert one.mask is None or one.mask.shape == (one.picture.height, one.picture.width)
                out.samples[one.key] = one
            case Refused():
                out.refusals.append(one)
            case Ignored(what):
                out.ignored.append(what)
    return out
