import json
from pathlib import Path

import numpy as np
import pytest

from app.domain.actor import person
from app.domain.classes import parse_classes
from app.domain.exports.base import CantExport, Taken
from app.flows import export, ingest, review
from app.flows.export import UnknownExport
from app.flows.review import Selection
from app.store import datasets, whole
from app.store.db import Database
from app.store.decisions import Wish

ADA = person("ada")
CLASSES = parse_classes("id,name,role,colour\n0,sky,foreground,#112233\n1,soil,,\n2,rock,,\n3,sand,,\n4,void,void,\n")


def masks(db: Database, dataset: str) -> list[str]:
    with db.read() as session:
        rows = whole.walk(session, datasets.find(session, dataset).id, curated=True)
        return sorted((one.mask.pixel_hash if one.mask else "") + one.image.pixel_hash for one in rows)


@pytest.mark.parametrize("format", ["npz", "folder", "coco", "voc"])
def test_an_export_comes_back_bit_identical(db: Database, npz: Path, tmp_path: Path, format: str) -> None:
    ingest.run(db, npz, "mars", ADA, classes=CLASSES)
    out = tmp_path / ("out.npz" if format == "npz" else "out")
    written = export.run(db, out, "mars", format)
    assert (written.labelled, written.unlabelled) == (12, 3)
    report = ingest.run(db, out, "back", ADA)
    assert report.imported == 15
    assert masks(db, "back") == masks(db, "mars")
    with db.read() as session:
        back = datasets.classes(session, datasets.find(session, "back"))
    named = {one.id: one.name for one in back.classes}
    assert named | {one.id: one.name for one in CLASSES.classes} == named


def test_excluded_samples_stay_out_unless_all_is_asked_for(db: Database, npz: Path, tmp_path: Path) -> None:
    ingest.run(db, npz, "mars", ADA)
    review.decide(db, "mars", Selection(keys=["training_set/00003"]), Wish("exclude"), ADA)
    export.run(db, tmp_path / "curated.npz", "mars", "npz")
    export.run(db, tmp_path / "all.npz", "mars", "npz", "all")
    given = np.load(npz)["training_set"]
    curated = np.load(tmp_path / "curated.npz")["training_set"]
    np.testing.assert_array_equal(curated, np.delete(given, 3, axis=0))
    np.testing.assert_array_equal(np.load(tmp_path / "all.npz")["training_set"], given)
    rows = json.loads((tmp_path / "curated.manifest.json").read_text())["samples"]
    assert [row["key"] for row in rows][3:5] == ["training_set/00004", "training_set/00005"]
    assert {row["author"] for row in rows if row["mask_file"]} == {"import: ada"}


def test_a_browser_gets_one_file(db: Database, npz: Path, tmp_path: Path) -> None:
    ingest.run(db, npz, "mars", ADA)
    for format in export.FORMATS:
        path = export.run_to_file(db, tmp_path / "exports", "mars", format)
        assert path.suffix == ".zip"
        assert ingest.run(db, path, f"back-{format}", ADA).imported == 15
    assert not [one for one in (tmp_path / "exports").iterdir() if one.name.startswith(".")]


def test_nothing_is_overwritten_and_wrong_wishes_are_named(db: Database, npz: Path, tmp_path: Path) -> None:
    ingest.run(db, npz, "mars", ADA)
    taken = tmp_path / "taken.npz"
    taken.write_text("mine")
    with pytest.raises(Taken):
        export.run(db, taken, "mars", "npz")
    with pytest.raises(UnknownExport):
        export.run(db, tmp_path / "out", "mars", "gif")
    for key in range(12):
        review.decide(db, "mars", Selection(keys=[f"training_set/{key:05}"]), Wish("exclude"), ADA)
    for key in range(3):
        review.decide(db, "mars", Selection(keys=[f"test_set/{key:05}"]), Wish("exclude"), ADA)
    with pytest.raises(CantExport):
        export.run(db, tmp_path / "empty.npz", "mars", "npz")
    assert taken.read_text() == "mine"
