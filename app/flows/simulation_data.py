"""The set that a simulation reviews: right masks, some of them spoilt, in a folder that is imported like any other."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy.orm import Session

from app.domain import demo
from app.domain.actor import person
from app.domain.classes import ClassList, Role
from app.domain.demo.faults import IMPRECISE
from app.domain.errors import Invalid
from app.domain.mask import Mask
from app.domain.spoiling import spoilt
from app.flows import ingest
from app.flows.progress import Progress
from app.store import browse, datasets, rasters, samples
from app.store.browse import Filter
from app.store.db import Database, open_database
from app.store.tables import Raster, Revision, Sample

NAME = "simulation"
ORACLE = person("oracle")
TEST, VAL = 0.3, 0.15


class NothingToSpoil(Invalid):
    """A source without labelled samples."""


@dataclass(frozen=True)
class Wanted:
    """``source``: a set of right masks, None: the demo generator's. With ``truth``, a set of the same keys, its masks
    are reviewed as they are; else ``share`` of those that are reviewed is spoilt. ``classes`` of the source's masks,
    None: what its files say of them."""

    source: Path | None
    truth: Path | None
    samples: int
    share: float
    seed: int
    classes: ClassList | None = None


@dataclass(frozen=True)
class Item:
    """``given`` is None where it is to be made from the right mask, ``right``."""

    image: np.ndarray[Any, np.dtype[Any]]
    right: Mask
    given: Mask | None


def prepare(home: Path, wanted: Wanted, test: bool, progress: Progress) -> None:
    """Make the set and import it into the data folder ``home``, once; ``truth/`` there holds the right masks. ``test``:
    whether some right samples are held out to judge networks by."""
    note = home / "set.json"
    if note.exists():
        return
    home.mkdir(parents=True, exist_ok=True)
    (home / "remask.sqlite").unlink(missing_ok=True)
    with TemporaryDirectory(dir=home, prefix=".set-") as folder:
        classes, items = _items(Path(folder), wanted, progress)
        kinds = _written(Path(folder) / "given", home / "truth", items, wanted, test)
        if not kinds:
            raise NothingToSpoil("The source holds no labelled samples; give one that does.")
        db = open_database(home / "remask.sqlite")
        try:
            ingest.run(db, Path(folder) / "given", NAME, ORACLE, classes=classes, progress=progress)
            with db.write() as session:
                owner = datasets.find(session, NAME)
                known = samples.by_ids(session, owner.id, browse.ids(session, owner.id, Filter()))
                samples.set_splits(session, {one.id: kinds[stem(one)]["split"] for one in known})
        finally:
            db.close()
    note.write_text(json.dumps(kinds, indent=1), encoding="utf-8")


def stem(sample: Sample) -> str:
    return Path(sample.key).stem


def right_mask(home: Path, sample: Sample) -> Mask:
    mask: Mask = np.load(home / "truth" / f"{stem(sample)}.npy")
    return mask


def wrong_pixels(home: Path, sample: Sample, given: Mask, classes: ClassList) -> int:
    """Pixels whose class is another than the right one; the right mask's void doesn't count."""
    right = right_mask(home, sample)
    void = [one.id for one in classes.classes if one.role is Role.VOID]
    return int(((given != right) & ~np.isin(right, void)).sum())


def _items(folder: Path, wanted: Wanted, progress: Progress) -> tuple[ClassList, Iterator[Item]]:
    if wanted.source is None:
        # Of the demo's pictures those that are good; their right masks are known.
        good = {"clean", *IMPRECISE}
        made = demo.generate(wanted.seed, 2 * wanted.samples)
        return demo.CLASSES, (Item(one.image, one.truth_mask, None) for one in made if one.kind in good)
    db = open_database(folder / "source.sqlite")
    ingest.run(db, wanted.source, "source", ORACLE, classes=wanted.classes, progress=progress)
    if wanted.truth is not None:
        ingest.run(db, wanted.truth, "truth", ORACLE, classes=wanted.classes, progress=progress)
    with db.read() as session:
        classes = datasets.classes(session, datasets.find(session, "source"))
    return classes, _read(db, wanted)


def _read(db: Database, wanted: Wanted) -> Iterator[Item]:
    """The source's labelled samples, in an order of the seed's."""
    with db.read() as session:
        source = datasets.find(session, "source")
        ids = browse.ids(session, source.id, Filter(sort="key"))
        for id in np.random.default_rng(wanted.seed).permutation(ids):
            sample = samples.find(session, int(id))
            if sample.current_id is None:
                continue
            image = rasters.pixels(session, session.get_one(Raster, sample.image_id))
            given = _mask(session, sample)
            if wanted.truth is None:
                yield Item(image, given, None)
                continue
            found = samples.by_keys(session, datasets.find(session, "truth").id, [sample.key])
            if found and found[0].current_id is not None:
                yield Item(image, _mask(session, found[0]), given)
    db.close()


def _mask(session: Session, sample: Sample) -> Mask:
    revision = session.get_one(Revision, sample.current_id)
    return rasters.mask(session, session.get_one(Raster, revision.mask_id))


def _written(given: Path, truth: Path, items: Iterator[Item], wanted: Wanted, test: bool) -> dict[str, dict[str, str]]:
    """name -> its split and in which way its mask was spoilt, of the files that were written."""
    rng = np.random.default_rng([wanted.seed, 1])
    for folder in (given / "images", given / "masks", truth):
        folder.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, dict[str, str]] = {}
    for place, item in zip(range(wanted.samples), items, strict=False):
        chance, name = rng.random(), f"{place:05}"
        split = "val" if chance > 1 - VAL else "test" if test and chance < TEST else "train"
        mask, kind = (item.right, "") if item.given is None else (item.given, "as given")
        if item.given is None and split != "test" and rng.random() < wanted.share:
            mask, kind = spoilt(item.right, rng)
        image = item.image[:, :, :3] if item.image.ndim == 3 else item.image
        Image.fromarray(image).save(given / "images" / f"{name}.png")
        Image.fromarray(mask).save(given / "masks" / f"{name}.png")
        np.save(truth / f"{name}.npy", item.right)
        kinds[name] = {"split": split, "kind": kind}
    return kinds
