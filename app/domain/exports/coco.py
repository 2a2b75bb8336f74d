"""COCO instances: ``images/`` and ``annotations/``, one JSON a split (https://cocodataset.org/#format-data).

Each class of a mask is one annotation with a compressed RLE, void and background too, so every pixel is told. Category
ids are class ids; ``role`` and ``color`` of a category are ours. Unlabelled pictures stand in a file of their own,
``image_info_<split>.json``, because beside annotated ones they would be taken for empty.
"""

import json
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app.domain.classes import ClassList
from app.domain.exports.base import About, Exported, Written, check_any, new_folder, put
from app.domain.exports.files import picture_file
from app.domain.exports.manifest import Manifest, classes_csv
from app.domain.exports.names import FileNames
from app.domain.formats import rle
from app.domain.mask import Mask, class_counts


def write(out: Path, samples: Iterable[Exported], about: About) -> Written:
    """The samples as the folder ``out``, gone through once; see ``base.Write``."""
    names = FileNames()
    documents: dict[str, _Document] = {}
    with new_folder(out) as root:
        with ExitStack() as stack:
            manifest = stack.enter_context(Manifest(root / "manifest.csv", root / "manifest.json", about))
            for number, sample in enumerate(samples, start=1):
                data, suffix = picture_file(sample.picture)
                file = f"{names.take(sample.key)}{suffix}"
                put(root / "images" / file, data)
                kind = "image_info" if sample.mask is None else "instances"
                name = f"annotations/{kind}_{sample.split or 'default'}.json"
                if name not in documents:
                    documents[name] = _Document(root / name, stack)
                documents[name].add(number, file, sample)
                manifest.add(sample, f"images/{file}", None if sample.mask is None else name)
            for document in documents.values():
                document.finish(about, manifest.classes)
        check_any(manifest.labelled + manifest.unlabelled)
        (root / "classes.csv").write_text(classes_csv(manifest.classes), encoding="utf-8")
    return Written(out, manifest.labelled, manifest.unlabelled)


class _Document:
    """One JSON file, written as the samples come; annotations wait in a second file until the images are told."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        path.parent.mkdir(exist_ok=True)
        self._waiting = path.with_suffix(".annotations")
        self._images = stack.enter_context(path.open("w", encoding="ascii"))
        self._annotations = stack.enter_context(self._waiting.open("w", encoding="ascii"))
        self._images.write('{"images": [')
        self._first = True
        self._count = 0

    def add(self, number: int, file: str, sample: Exported) -> None:
        picture = sample.picture
        image = {"id": number, "file_name": file, "width": picture.width, "height": picture.height}
        self._images.write(("\n" if self._first else ",\n") + json.dumps(image))
        self._first = False
        if sample.mask is None:
            return
        for id, area in class_counts(sample.mask).items():
            self._annotations.write(",\n" if self._count else "\n")
            self._count += 1
            self._annotations.write(json.dumps(_annotation(self._count, number, id, area, sample.mask)))

    def finish(self, about: About, classes: ClassList) -> None:
        self._images.write('\n],\n"annotations": [')
        self._annotations.flush()
        with self._waiting.open(encoding="ascii") as waiting:
            shutil.copyfileobj(waiting, self._images)
        self._waiting.unlink()
        categories = [
            {"id": one.id, "name": one.name, "supercategory": "", "color": list(one.rgb), "role": one.role.value}
            for one in classes.classes
        ]
        info = {"description": about.dataset, "version": str(about.version)}
        self._images.write(f'\n],\n"categories": {json.dumps(categories)},\n"info": {json.dumps(info)}}}\n')


def _annotation(number: int, image: int, id: int, area: int, mask: Mask) -> dict[str, Any]:
    bounds = rle.bounds_of(mask, id)
    return {
        "id": number,
        "image_id": image,
        "category_id": id,
        "iscrowd": 0,
        "area": area,
        "bbox": list(rle.box_of(bounds, mask.shape[0])),
        "segmentation": {"size": list(mask.shape), "counts": rle.compress(rle.runs_of(bounds, mask.size))},
    }
