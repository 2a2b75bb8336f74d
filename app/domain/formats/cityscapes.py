"""Cityscapes: ``leftImg8bit/<split>/<city>/*_leftImg8bit.png`` with ``gtFine/<split>/<city>/*_gtFine_labelIds.png``
(https://www.cityscapes-dataset.com), or train ids, instance ids (id * 1000 + n) or colours in their place.

Ids: the 34 label ids, or the 19 train ids where only those are there; one kind for the whole source. Classes that the
benchmark ignores are void, and so is 255 (license plate, ignored). There is no background class. Keys keep split
and city; the folder is the split. Pictures without annotation are unlabelled.
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from app.domain.classes import Class, ClassList, Role, named
from app.domain.formats.base import Expected, Found, Read, Refused
from app.domain.formats.colours import Table, in_words_of
from app.domain.formats.drawn import drawn_sample
from app.domain.formats.frames import Frames, ignored, split_folder
from app.domain.formats.image_files import is_image
from app.domain.formats.index import Drawn, check_ids, pack, to_ids
from app.domain.formats.source import Source
from app.domain.mask import Mask, as_mask

NAME = "cityscapes"
_PICTURE = "_leftimg8bit"
_FINE, _COARSE = "_gtfine_", "_gtcoarse_"
_KINDS = ("labelids", "labeltrainids", "instanceids", "color")
_PER_CLASS = 1000
# id, name, train id (255: ignored by the benchmark), colour
_LABELS = (
    (0, "unlabeled", 255, "000000"),
    (1, "ego vehicle", 255, "000000"),
    (2, "rectification border", 255, "000000"),
    (3, "out of roi", 255, "000000"),
    (4, "static", 255, "000000"),
    (5, "dynamic", 255, "6f4a00"),
    (6, "ground", 255, "510051"),
    (7, "road", 0, "804080"),
    (8, "sidewalk", 1, "f423e8"),
    (9, "parking", 255, "faaaa0"),
    (10, "rail track", 255, "e6968c"),
    (11, "building", 2, "464646"),
    (12, "wall", 3, "66669c"),
    (13, "fence", 4, "be9999"),
    (14, "guard rail", 255, "b4a5b4"),
    (15, "bridge", 255, "966464"),
    (16, "tunnel", 255, "96785a"),
    (17, "pole", 5, "999999"),
    (18, "polegroup", 255, "999999"),
    (19, "traffic light", 6, "faaa1e"),
    (20, "traffic sign", 7, "dcdc00"),
    (21, "vegetation", 8, "6b8e23"),
    (22, "terrain", 9, "98fb98"),
    (23, "sky", 10, "4682b4"),
    (24, "person", 11, "dc143c"),
    (25, "rider", 12, "ff0000"),
    (26, "car", 13, "00008e"),
    (27, "truck", 14, "000046"),
    (28, "bus", 15, "003c64"),
    (29, "caravan", 255, "00005a"),
    (30, "trailer", 255, "00006e"),
    (31, "train", 16, "005064"),
    (32, "motorcycle", 17, "0000e6"),
    (33, "bicycle", 18, "770b20"),
)


def detect(source: Source) -> bool:
    names = [PurePosixPath(name).name.lower() for name in source.names]
    return any(_PICTURE in name for name in names) and any(_FINE in name or _COARSE in name for name in names)


def read(source: Source, classes: ClassList | None) -> Iterator[Read]:
    annotations: dict[str, dict[str, str]] = {}
    for name in source.names:
        stem = PurePosixPath(name).stem.lower()
        for mark in (_COARSE, _FINE):  # fine ones replace coarse ones
            base, found, form = stem.partition(mark)
            if found and is_image(name) and form in _KINDS:
                annotations.setdefault(base, {})[form] = name
    kind = next((kind for kind in _KINDS if any(kind in one for one in annotations.values())), None)
    own = _table(trained=kind == "labeltrainids")
    if classes is None and kind is not None:
        yield Found(own.classes)
    stems = {name: PurePosixPath(name).stem.lower() for name in source.names if is_image(name)}
    images = {name: stem.removesuffix(_PICTURE) for name, stem in stems.items() if stem.endswith(_PICTURE)}
    yield Expected(len(images))
    frames = Frames(source)
    ids, meant = partial(_ids, kind=kind, own=own), partial(_meant, own=own, given=classes)
    others = 0
    for image, stem in images.items():
        files = annotations.pop(stem, {})
        others += len(files.keys() - {kind})
        yield drawn_sample(frames, image, files.get(kind or ""), split_folder(image), ids, meant, "_leftImg8bit")
    for files in annotations.values():
        yield Refused(min(files.values()), "its image is not in the source")
    yield from ignored(+Counter({f"annotation of a form other than {kind}": others}))


def _table(trained: bool) -> Table:
    """The classes of label ids or train ids, and the colours of label ids (the first class of a colour has it)."""
    classes: list[Class] = []
    colours: dict[int, int] = {}
    for id, name, train_id, colour in _LABELS:
        rgb = tuple(bytes.fromhex(colour))
        void = train_id == 255
        colours.setdefault(pack((rgb[0], rgb[1], rgb[2])), id)
        if not (trained and void):
            role = Role.VOID if void else Role.FOREGROUND
            classes.append(named(train_id if trained else id, name, (rgb[0], rgb[1], rgb[2]), role))
    classes.append(named(255, "ignored" if trained else "license plate", None, Role.VOID))
    return Table("", ClassList(tuple(classes), guessed=False), colours)


def _meant(mask: Mask, own: Table, given: ClassList | None) -> Mask:
    if given is not None:
        mask = in_words_of(mask, own, given)
    check_ids(mask, given or own.classes)
    return mask


def _ids(drawn: Drawn, kind: str | None, own: Table) -> Mask:
    mask = to_ids(drawn, own.colours if kind == "color" else None)
    if kind != "instanceids":
        return mask
    return as_mask(np.where(mask >= _PER_CLASS, mask // _PER_CLASS, mask))
