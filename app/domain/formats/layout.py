"""Which files of a folder are images, which are their masks, and what key and split each pair has, by names alone.

A folder has a role by the words in its name (`images_train`, `trainannot`, `GT`), the innermost one counting; a file
may have one by its own (`x_mask.png` beside `x.jpg`). An image's key is its path without the words of the role.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePosixPath

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
    ignored: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Folder:
    """A folder as names tell it: ``kept`` is what stays of its path in a key, ``short`` what is surely needed."""

    role: Role | None
    split: str | None
    kept: tuple[str, ...]
    short: tuple[str, ...]


def lay_out(names: Iterable[str], lists: dict[str, list[list[str]]]) -> Layout:
    """Pairs of the image files ``names`` (sorted); ``lists`` as from ``splits.lists_of``."""
    paths = {name: PurePosixPath(name) for name in names}
    wrapper = _wrapper(paths.values())
    folders = {path.parent: _folder(path.parent.parts[wrapper:]) for path in paths.values()}
    splits, given = _listed(list(paths), lists)
    masks = _mask_files(paths, folders, given)
    images = [n for n in paths if n not in masks and folders[paths[n].parent].role in (Role.IMAGE, None)]
    matched, refused, extra = _match(images, [m for m in masks if m not in given.values()], paths, folders, given)
    told = any(folders[paths[n].parent].role or folders[paths[n].parent].split for n in images)
    used = {paths[name].parent for name in matched}
    layout = Layout(refused=refused)
    ignored: Counter[str] = Counter(extra)
    keys: dict[str, str] = {}
    for name in paths:
        folder = folders[paths[name].parent]
        if name in masks:
            continue
        if folder.role is Role.OTHER or (told and not (folder.role or folder.split) and paths[name].parent not in used):
            ignored[str(paths[name].parent)] += 1
            continue
        if folder.role is Role.MASK:
            continue
        key = "/".join((*folder.kept, paths[name].stem))
        if key in keys:
            refused.append((name, f"duplicate key: {keys[key]} has the same name"))
            continue
        keys[key] = name
        layout.pairs.append(Pair(key, name, matched.get(name), splits.get(name) or folder.split))
    layout.ignored.update(ignored)
    return layout


def _wrapper(paths: Iterable[PurePosixPath]) -> int:
    """How many leading folders hold everything and say nothing, as a zip of a folder has one."""
    parents = {path.parent.parts for path in paths}
    depth = 0
    while len({parts[depth : depth + 1] for parts in parents}) == 1 and all(len(parts) > depth for parts in parents):
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


def _mask_files(
    paths: dict[str, PurePosixPath], folders: dict[PurePosixPath, _Folder], given: dict[str, str]
) -> dict[str, None]:
    """Files that are masks: by a list, by their folder, or by their name beside an image of that name; in order."""
    by_folder: dict[PurePosixPath, list[str]] = defaultdict(list)
    for name, path in paths.items():
        by_folder[path.parent].append(name)
    masks = set(given.values())
    for parent, files in by_folder.items():
        if folders[parent].role is Role.MASK:
            masks.update(name for name in files if name not in given)
        elif folders[parent].role is not Role.OTHER:
            stems = {paths[name].stem for name in files}
            stems |= {_bare(stem, _IMAGE_NAME) for stem in stems if not _MASK_NAME.fullmatch(stem)}
            named = {name: _bare(paths[name].stem, _MASK_NAME) for name in files}
            named = {name: bare for name, bare in named.items() if bare != paths[name].stem}
            affixes = {paths[name].stem.replace(bare, "\0", 1) for name, bare in named.items() if bare in stems}
            masks.update(name for name, bare in named.items() if paths[name].stem.replace(bare, "\0", 1) in affixes)
    return {name: None for name in paths if name in masks}


def _match(
    images: list[str],
    masks: list[str],
    paths: dict[str, PurePosixPath],
    folders: dict[PurePosixPath, _Folder],
    given: dict[str, str],
) -> tuple[dict[str, str], list[tuple[str, str]], Counter[str]]:
    """Image to mask, surest names first; masks of no image, refused; masks of another set than the first, by folder."""
    matched = dict(given)
    known: list[dict[tuple[str, ...], str]] = [{}, {}, {}, {}]
    for name in images:
        for level, id in enumerate(_ids(paths[name], folders[paths[name].parent], _IMAGE_NAME)):
            known[level].setdefault(id, name)
    taken = set(given.values())
    seconds: dict[str, str] = {}
    for level in range(4):
        for mask in masks:
            if mask in taken:
                continue
            id = _ids(paths[mask], folders[paths[mask].parent], _MASK_NAME)[level]
            image = next((one[id] for one in known if id in one), None)
            if image is not None and image not in matched:
                matched[image] = mask
                taken.add(mask)
            elif image is not None:
                seconds[mask] = image
    refused: list[tuple[str, str]] = []
    extra: Counter[str] = Counter()
    for mask in masks:
        if mask in taken:
            continue
        if mask not in seconds:
            refused.append((mask, "no image of that name"))
        elif paths[matched[seconds[mask]]].parent == paths[mask].parent:
            refused.append((mask, f"duplicate key: a second mask of {seconds[mask]}, beside {matched[seconds[mask]]}"))
        else:
            extra[str(paths[mask].parent)] += 1
    return matched, refused, extra


def _ids(path: PurePosixPath, folder: _Folder, affix: re.Pattern[str]) -> list[tuple[str, ...]]:
    bare = _bare(path.stem, affix)
    return [(*dirs, stem) for dirs in (folder.kept, folder.short) for stem in (path.stem, bare)]


def _bare(stem: str, affix: re.Pattern[str]) -> str:
    """A stem without the word that tells its role and without an image suffix inside (`x.jpg.png`)."""
    found = affix.fullmatch(stem)
    if found:
        stem = found["a"] or found["b"]
    for suffix in SUFFIXES:
        if stem.lower().endswith(suffix):
            return stem[: -len(suffix)]
    return stem
