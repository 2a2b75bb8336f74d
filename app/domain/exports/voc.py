"""Pascal VOC: ``JPEGImages/``, ``SegmentationClass/``, ``ImageSets/Segmentation/`` and ``labelmap.txt``.

JPEG pictures keep their bytes; any other is PNG there (a PNG keeps its bytes), since packing it as JPEG would change
its pixels. Masks are palette PNG of class ids. ``classes.csv`` says what ``labelmap.txt`` can't: ids and roles.
"""

from collections.abc import Iterable
from pathlib import Path

from app.domain.classes import ClassList
from app.domain.exports.base import About, CantExport, Exported, Lists, Written, check_any, new_folder, put
from app.domain.exports.files import mask_file, picture_file
from app.domain.exports.manifest import Manifest, classes_csv
from app.domain.exports.names import FileNames

_KEPT = frozenset(("jpeg", "mpo", "png"))


def write(out: Path, samples: Iterable[Exported], about: About) -> Written:
    """The samples as the folder ``out``, gone through once; see ``base.Write``. Class ids have to be below 256."""
    names = FileNames()
    lists = Lists()
    other = 0
    with new_folder(out) as root:
        with Manifest(root / "manifest.csv", root / "manifest.json", about) as manifest:
            for sample in samples:
                stem = names.take(sample.key)
                data, suffix = picture_file(sample.picture, _KEPT)
                other += suffix != ".jpg"
                file, mask = f"JPEGImages/{stem}{suffix}", None
                put(root / file, data)
                if sample.mask is not None:
                    mask = f"SegmentationClass/{stem}.png"
                    put(root / mask, mask_file(sample.mask, about.classes))
                lists.add(sample.split or "default", stem)
                manifest.add(sample, file, mask)
                if max(manifest.classes.ids, default=0) > 255:
                    raise CantExport("VOC masks hold class ids up to 255, these go beyond; export to folder instead.")
        check_any(manifest.labelled + manifest.unlabelled)
        (root / "classes.csv").write_text(classes_csv(manifest.classes), encoding="utf-8")
        (root / "labelmap.txt").write_text(_labelmap(manifest.classes), encoding="utf-8")
        lists.write(root / "ImageSets" / "Segmentation")
    notes = (f"Pictures in JPEGImages that are PNG or TIFF, because they came as no JPEG: {other}.",) if other else ()
    return Written(out, manifest.labelled, manifest.unlabelled, notes)


def _labelmap(classes: ClassList) -> str:
    """``name:r,g,b::`` a line, in the order of the ids; a colon or a line break in a name becomes a space."""
    lines = ["# label:color_rgb:parts:actions"]
    for one in classes.classes:
        name = " ".join(one.name.replace(":", " ").split())
        lines.append(f"{name}:{','.join(str(value) for value in one.rgb)}::")
    return "\n".join(lines) + "\n"
