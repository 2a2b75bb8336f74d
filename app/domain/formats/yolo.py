"""YOLO segmentation: a text file a picture with lines ``class x1 y1 x2 y2 ...`` in shares of its width and height
(https://docs.ultralytics.com/datasets/segment/), and a YAML file with the names.

Ids: class k of the file is k + 1, since 0 is background; a class named background is 0, one named void 255. Large
polygons are painted first. Lines of four numbers (boxes) and keypoints are counted as ignored; the four corners of an
oriented box look like a polygon and are read as one. An empty file means background all over, no file an unlabelled
picture; where no file holds a polygon, all pictures are unlabelled.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from app.domain.classes import ClassList
from app.domain.errors import RemaskError
from app.domain.formats.base import Expected, Found, Read, Refused
from app.domain.formats.frames import BadDocument, Frames, clean, ignored, split_folder
from app.domain.formats.image_files import is_image
from app.domain.formats.instances import Category, Draw, Instance, by_area, numbered, sample
from app.domain.formats.polygon import points_of, polygon_bounds
from app.domain.formats.source import Source
from app.domain.formats.splits import Names, lists_of

NAME = "yolo"
_LINE = re.compile(r"\d+(\s+-?\d*\.?\d+([eE][-+]?\d+)?){4,}\s*")
_PEEKED = 20
Shape = tuple[int, list[float]]


@dataclass
class Settings:
    """What a data.yaml says: class names by id, folders or lists by split, whether lines hold keypoints."""

    names: dict[int, str] = field(default_factory=dict)
    splits: dict[str, list[str]] = field(default_factory=dict)
    keypoints: bool = False


def detect(source: Source) -> bool:
    """Label files that pictures in the source have, with lines of numbers."""
    labels = set(_labels(source).values())
    heads = (source.text(name).splitlines() for name in sorted(labels)[:_PEEKED])
    full = [lines[0] for lines in heads if lines]
    return bool(full) and all(_LINE.fullmatch(line) for line in full)


def read(source: Source, classes: ClassList | None) -> Iterator[Read]:
    settings, labels = _settings(source), _labels(source)
    files = sorted(set(labels.values()))
    names = settings.names or {id: f"class {id}" for id in sorted(_used(source, files))}
    legend = numbered([Category(id, name) for id, name in sorted(names.items())], classes)
    if classes is None:
        yield Found(legend.classes)
    polygons = not settings.keypoints and any(_holds_polygon(source, name) for name in files)
    splits = _splits(source, settings)
    frames, counts = Frames(source), Counter[str]()
    images = [name for name in source.names if is_image(name)]
    yield Expected(len(images))
    for image in images:
        shapes: list[Shape] = []
        file = labels.get(image)
        if file is not None:
            try:
                shapes = _shapes(source.text(file), settings.keypoints, counts)
            except RemaskError as error:
                yield Refused(file, str(error))
                continue
        draw = _drawing(shapes) if polygons and file is not None else None
        yield sample(frames, legend, image, split=splits.get(image) or split_folder(image), draw=draw)
    for name in sorted(set(source.match("*labels/*.txt")) - set(files)):
        yield Refused(name, "its image is not in the source")
    yield from ignored(counts)


def parse_settings(text: str) -> Settings:
    """The keys of a data.yaml that matter here: names (list or map), train, val, test, kpt_shape.

    A small part of YAML: ``key: value``, indented lists and maps, ``[a, b]`` and ``{0: a}``, quotes, comments.
    """
    blocks: dict[str, list[str]] = {}
    key = ""
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).rstrip()
        if match := re.match(r"([\w-]+)\s*:\s*(.*)$", line):
            key = match[1]
            blocks[key] = [match[2]] if match[2] else []
        elif line.strip():
            blocks.setdefault(key, []).append(line.strip())
    items = {key: _items(lines) for key, lines in blocks.items()}
    names: dict[int, str] = {}
    for n, item in enumerate(items.get("names", [])):
        match = re.match(r"(\d{1,5})\s*:\s*(.+)$", item)
        names[int(match[1]) if match else n] = _unquoted(match[2] if match else item)
    splits = {split: items[split] for split in ("train", "val", "test") if items.get(split)}
    return Settings(names, splits, "kpt_shape" in blocks)


def _items(lines: list[str]) -> list[str]:
    """The entries of a block: of a flow list or map, or one a line."""
    text = " ".join(lines).strip()
    if text[:1] in "[{" and text:
        return [_unquoted(part) for part in text.strip("[]{} ").split(",") if part.strip()]
    return [_unquoted(line.removeprefix("- ").strip()) for line in lines]


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _settings(source: Source) -> Settings:
    for name in source.match("*.yaml", "*.yml"):
        settings = parse_settings(clean(source.text(name)))
        if settings.names:
            return settings
    for name in source.match("*obj.names", "*classes.txt"):
        lines = [line.strip() for line in clean(source.text(name)).splitlines() if line.strip()]
        return Settings(dict(enumerate(lines)))
    return Settings()


def _labels(source: Source) -> dict[str, str]:
    """The label file of each picture that has one: ``labels`` in place of ``images``, or beside the picture."""
    found: dict[str, str] = {}
    for name in source.names:
        if not is_image(name):
            continue
        path = PurePosixPath(name)
        parts = list(path.with_suffix(".txt").parts)
        beside = "/".join(parts)
        for n in reversed(range(len(parts) - 1)):
            if parts[n] == "images":
                parts[n] = "labels"
                break
        swapped = "/".join(parts)
        if swapped in source or beside in source:
            found[name] = swapped if swapped in source else beside
    return found


def _splits(source: Source, settings: Settings) -> dict[str, str]:
    """The split of each picture by the lists and folders that data.yaml or ``train.txt`` name."""
    images = [name for name in source.names if is_image(name)]
    known = Names(images)
    out: dict[str, str] = {}
    entries = [(split, text) for split, values in settings.splits.items() for text in values]
    entries += [(split, line[0]) for split, lines in lists_of(source).items() for line in lines]
    for split, text in entries:
        if is_image(text):
            out.update(dict.fromkeys(known.find(text)[:1], split))
        elif not text.endswith(".txt"):
            folder = text.strip("./") + "/"
            out.update({name: split for name in images if f"/{name}".find(f"/{folder}") >= 0})
    return out


def _shapes(text: str, keypoints: bool, counts: Counter[str]) -> list[Shape]:
    """The polygons of a label file; boxes and keypoints are counted. Raises BadDocument naming the line."""
    shapes: list[Shape] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            first, *rest = (float(word) for word in line.split())
        except ValueError:
            raise BadDocument(f"line {number} holds something other than numbers") from None
        if first != first or not 0 <= first < 65536 or int(first) != first:
            raise BadDocument(f"line {number} doesn't begin with a class number")
        if keypoints:
            counts["skeleton"] += 1
        elif len(rest) in (4, 5):
            counts["box"] += 1
        elif len(rest) >= 6 and len(rest) % 2 == 0 and all(math.isfinite(value) for value in rest):
            shapes.append((int(first), rest))
        else:
            raise BadDocument(f"line {number} holds {len(rest)} numbers, which is neither a box nor a polygon")
    return shapes


def _holds_polygon(source: Source, name: str) -> bool:
    try:
        return bool(_shapes(source.text(name), False, Counter()))
    except RemaskError:
        return False


def _used(source: Source, files: list[str]) -> set[int]:
    """The classes that label files use, for sets without a list of names."""
    used: set[int] = set()
    for name in files:
        try:
            used.update(id for id, _ in _shapes(source.text(name), False, Counter()))
        except RemaskError:
            continue
    return used


def _drawing(shapes: list[Shape]) -> Draw:
    def draw(height: int, width: int) -> list[Instance]:
        scale = (width, height)
        return by_area((id, polygon_bounds(points_of(values) * scale, height, width)) for id, values in shapes)

    return draw
