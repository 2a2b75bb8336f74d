"""A folder of pictures and index masks: ``images/``, ``masks/``, ``classes.csv``, split lists and the manifest.

A key's sub-folders become sub-folders. Pictures keep their original bytes where there are any; masks are PNG of
class ids (see ``files.mask_file``). ``train.txt``, ``val.txt`` and ``test.txt`` list names without suffix.
"""

from collections.abc import Iterable
from pathlib import Path

from app.domain.exports.base import About, Exported, Lists, Written, check_any, new_folder, put
from app.domain.exports.files import mask_file, picture_file
from app.domain.exports.manifest import Manifest, classes_csv
from app.domain.exports.names import FileNames


def write(out: Path, samples: Iterable[Exported], about: About) -> Written:
    """The samples as the folder ``out``, gone through once; see ``base.Write``."""
    names = FileNames()
    lists = Lists()
    with new_folder(out) as root:
        with Manifest(root / "manifest.csv", root / "manifest.json", about) as manifest:
            for sample in samples:
                stem = names.take(sample.key)
                data, suffix = picture_file(sample.picture)
                file, mask = f"images/{stem}{suffix}", None
                put(root / file, data)
                if sample.mask is not None:
                    mask = f"masks/{stem}.png"
                    put(root / mask, mask_file(sample.mask, about.classes))
                lists.add(sample.split, stem)
                manifest.add(sample, file, mask)
        check_any(manifest.labelled + manifest.unlabelled)
        (root / "classes.csv").write_text(classes_csv(manifest.classes), encoding="utf-8")
        lists.write(root)
    return Written(out, manifest.labelled, manifest.unlabelled)
