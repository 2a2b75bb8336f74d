"""Which files of a folder are images, which are their masks, and what key and split each pair has, by names alone.

A folder has a role by the words in its name (`images_train`, `trainannot`, `GT`), the innermost one counting; a file
may have one by its own (`x_mask.png` beside `x.jpg`). An image's key is its path without the words of the role.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from app.domain.formats.image_files import SUFFIXES
from app.domain.formats.splits import Names, split_of


class Role(Enum):
    IMAGE = "image"
    MASK = "mask"
    OTHER = "other"


_ROLES = {
    Role.IMAGE: "image images img imgs jpegimages jpgs rgb leftimg8bit photo photos picture pictures frames "
    "input inputs",
    Role.MASK: "mask masks label labels annotation annotations annot annots anno gt groundtruth ground_truth seg segs "
    "segmentationclass segmentationclasspng segmentationclassraw segmentationclassaug semantic target targets segmaps",
    Role.OTHER: "instance instances panoptic polygons depth disparity parts segmentationobject segmentationobjectpng "
    "segmentationclassvisualization overlay overlays visualization visualisation prediction predictions",
}
_WORDS = {word: role for role, words in _ROLES.items() for word in words.split()}
# Words of a folder that tell of its making, not of what lies in it; and folders that only tell variants of masks apart.
_FILLER = {"prepped", "png", "jpg"}
_VARIANT = re.compile(r"colou?r(ed|s)?|gr[ae]y(scale)?|index|raw|v?\d+(\.\d+)+")
_GLUED = re.compile(r"(train|training|val|valid|validation|test)(annot|annotations?|masks?|labels?|images?|imgs?|gt)")
_YEAR = re.compile(r"(train|val|test)\d{4}")
_MASK_NAME = re.compile(
    r"(?P<a>.+?)[_\-. ](masks?|labels?|seg|segmentation|gt|annot|annotation|L)|(masks?|labels?|gt|seg)[_\-. ](?P<b>.+)"
)
_IMAGE_NAME = re.compile(r"(?P<a>.+?)[_\-. ](image|img|sat|rgb|leftImg8bit)|(image|img|rgb)[_\-. ](?P<b>.+)")


@dataclass(frozen=True)
class Pair:
    key: str
    image: str
    mask: str | None
    split: str | None


@dataclass(frozen=True)
class Layout:
    """Pairs in the order of their image files; ``ignored`` counts the files of a folder that are no part of it."""

    pairs: list[Pair] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Folder:
    """A folder as names tell it: ``kept`` is what stays of its path in a key, ``short`` what is surely needed."""

    role: Role | None
    split: str | None
    kept: tuple[str, ...]
    short: tuple[str, ...]


@dataclass(frozen=True)
class _File:
    """An image file, by the parts of its name."""

    name: str
    parent: str
    stem: str
    folder: _Folder

    @property
    def key(self) -> str:
        return "/".join((*self.folder.kept, self.stem))

    def ids(self, affix: re.Pattern[str]) -> tuple[tuple[str, ...], ...]:
        """What the file goes by, the surest first; ``affix`` is the word in its name that tells its role."""
        kept, short, bare = self.folder.kept, self.folder.short, _bare(self.stem, affix)
        return (*kept, self.stem), (*kept, bare), (*short, self.stem), (*short, bare)


def lay_out(names: Iterable[str], lists: dict[str, list[list[str]]]) -> Layout:
    """Pairs of the image files ``names`` (sorted); ``lists`` as from ``splits.lists_of``."""
    files = _files(list(names))
    splits, given = _listed([file.name for file in files], lists)
    masks = _mask_names(files, given)
    images = [file for file in files if file.name not in masks and file.folder.role in (Role.IMAGE, None)]
    listed = set(given.values())
    left = [file for file in files if file.name in masks and file.name not in listed]
    layout = Layout()
    matched = _match(images, left, given, layout)
    told = any(file.folder.role or file.folder.split for file in images)
    used = {file.parent for file in images if file.name in matched}
    keys: dict[str, str] = {}
    for file in files:
        if file.name in masks:
            continue
        plain = not (file.folder.role or file.folder.split)
        if file.folder.role is Role.OTHER or (told and plain and file.parent not in used):
            layout.ignored[file.parent or "."] += 1
        elif file.key in keys:
            layout.refused.append((file.name, f"duplicate key: {keys[file.key]} has the same name"))
        else:
            keys[file.key] = file.name
            split = splits.get(file.name) or file.folder.split
            layout.pairs.append(Pair(file.key, file.name, matched.get(file.name), split))
    return layout


def _files(names: list[str]) -> list[_File]:
    split = [name.rpartition("/") for name in names]
    parents = {parent: tuple(parent.split("/")) if parent else () for parent, _, _ in split}
    wrapper = _wrapper(set(parents.values()))
    folders = {parent: _folder(parts[wrapper:]) for parent, parts in parents.items()}
    return [
        _File(name, parent, base.rpartition(".")[0], folders[parent])
        for name, (parent, _, base) in zip(names, split, strict=True)
    ]


def _wrapper(parents: set[tuple[str, ...]]) -> int:
    """How many leading folders hold everything and say nothing, as a zip of a folder has one."""
    depth = 0
    while all(len(parts) > depth for parts in parents) and len({parts[depth] for parts in parents}) == 1:
        (first,) = {parts[depth] for parts in parents}
        deeper = (_folder((part,)) for parts in parents for part in parts[depth + 1 :])
        if split_of(first) or not any(one.role or one.split for one in deeper):
            break
        depth += 1
    return depth


def _words(part: str) -> list[str]:
    lower = part.lower()
    if glued := _GLUED.fullmatch(lower):
        return [glued[1], glued[2]]
    return [lower] if lower in _WORDS else [word for word in re.split(r"[_\-\s]+", lower) if word]


def _role(words: list[str]) -> Role | None:
    roles = [_WORDS[word] for word in words if word in _WORDS]
    return Role.OTHER if Role.OTHER in roles else roles[-1] if roles else None


def _folder(parts: tuple[str, ...]) -> _Folder:
    roles = [_role(_words(part)) for part in parts]
    role = next((one for one in reversed(roles) if one), None)
    split: str | None = None
    kept: list[str] = []
    short: list[str] = []
    for part, own in zip(parts, roles, strict=True):
        words = _words(part)
        if own:
            rest = [word for word in words if word not in _WORDS and word not in _FILLER]
            split = next((s for word in rest if (s := split_of(word))), split)
            kept += ["_".join(rest)] if rest else []
            short += [word for word in rest if split_of(word)]
            continue
        year = _YEAR.fullmatch(part.lower())
        split = split_of(year[1] if year else part) or split
        kept.append(part)
        short += [] if role is Role.MASK and _VARIANT.fullmatch(part.lower()) else [part]
    return _Folder(role, split, tuple(kept), tuple(short))


def _listed(names: list[str], lists: dict[str, list[list[str]]]) -> tuple[dict[str, str], dict[str, str]]:
    """From lists: the split of each file, and the mask of each image whose line names two files."""
    splits: dict[str, str] = {}
    pairs: dict[str, str] = {}
    if lists:
        known = Names(names)
        for split, lines in lists.items():
            for line in lines:
                found, masks = known.find(line[0]), known.find(line[1]) if len(line) > 1 else []
                if len(found) == len(masks) == 1 and found != masks:
                    pairs[found[0]] = masks[0]
                elif len(line) > 1:  # one name with spaces in it
                    found = known.find(" ".join(line))
                for name in found:
                    splits.setdefault(name, split)
    return splits, pairs


def _mask_names(files: list[_File], given: dict[str, str]) -> set[str]:
    """Files that are masks: by a list, by their folder, or by their name beside an image of that name."""
    by_parent: dict[str, list[_File]] = defaultdict(list)
    for file in files:
        by_parent[file.parent].append(file)
    masks = set(given.values())
    for inside in by_parent.values():
        role = inside[0].folder.role
        if role is Role.MASK:
            masks.update(file.name for file in inside if file.name not in given)
        elif role is not Role.OTHER:
            stems = {file.stem for file in inside}
            stems |= {_bare(stem, _IMAGE_NAME) for stem in stems if not _MASK_NAME.fullmatch(stem)}
            bare = {file: _bare(file.stem, _MASK_NAME) for file in inside}
            affixes = {file: file.stem.replace(stem, "\0", 1) for file, stem in bare.items() if stem != file.stem}
            paired = {affix for file, affix in affixes.items() if bare[file] in stems}
            masks.update(file.name for file, affix in affixes.items() if affix in paired)
    return masks


def _match(images: list[_File], masks: list[_File], given: dict[str, str], layout: Layout) -> dict[str, str]:
    """Image to mask, surest names first. Into ``layout`` go masks of no image, and a second set of masks."""
    matched = dict(given)
    known: list[dict[tuple[str, ...], _File | None]] = [{}, {}, {}, {}]
    for image in images:
        for level, id in enumerate(image.ids(_IMAGE_NAME)):
            first = known[level].setdefault(id, image)
            if level > 1 and first and first.folder.kept != image.folder.kept:
                known[level][id] = None  # images of two folders: which one is meant can't be told
    parents = {file.name: file.parent for file in masks}
    seconds: dict[str, str] = {}
    taken: set[str] = set()
    ids = [mask.ids(_MASK_NAME) for mask in masks]
    for level in range(4):
        for mask, names in zip(masks, ids, strict=True):
            found = next((one for by_id in known if (one := by_id.get(names[level]))), None)
            if mask.name in taken or found is None:
                continue
            if found.name in matched:
                seconds[mask.name] = found.name
            else:
                matched[found.name] = mask.name
                taken.add(mask.name)
    for mask in masks:
        if mask.name in taken:
            continue
        image_name = seconds.get(mask.name)
        if image_name is None:
            layout.refused.append((mask.name, "no image of that name"))
        elif parents.get(matched[image_name]) == mask.parent:
            said = f"duplicate key: a second mask of {image_name}, beside {matched[image_name]}"
            layout.refused.append((mask.name, said))
        else:
            layout.ignored[mask.parent or "."] += 1
    return matched


def _bare(stem: str, affix: re.Pattern[str]) -> str:
    """A stem without the word that tells its role and without an image suffix inside (`x.jpg.png`)."""
    found = affix.fullmatch(stem)
    if found:
        stem = found["a"] or found["b"]
    for suffix in SUFFIXES:
        if stem.lower().endswith(suffix):
            return stem[: -len(suffix)]
    return stem
