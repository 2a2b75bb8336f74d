from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.domain.actor import person
from app.domain.classes import Role, parse_classes
from app.domain.errors import NotFound, RemaskError
from app.flows import ingest
from app.store import datasets, imports, jobs, rasters, revisions, samples, summary
from app.store.db import Database
from tests.sets import every_sample, with_masks

ADA = person("ada")


def statuses(db: Database, dataset: str) -> dict[str, str]:
    with db.read() as session:
        return {one.key: one.status for one in every_sample(session, datasets.find(session, dataset).id)}


def test_a_course_file_comes_in_whole(db: Database, npz: Path) -> None:
    report = ingest.run(db, npz, "mars", ADA)
    assert (report.format, report.imported, report.unlabeled, report.refused) == ("npz", 15, 3, [])
    arrays = np.load(npz)
    with db.read() as session:
        dataset = datasets.find(session, "mars")
        sample = samples.by_key(session, dataset.id, "training_set/00007")
        assert sample.current_id is not None
        revision = revisions.find(session, sample.current_id)
        assert (revision.source, revision.actor_kind, revision.actor_name) == ("import", "import", "ada")
        from app.store.tables import Raster

        mask = rasters.mask(session, session.get_one(Raster, revision.mask_id))
        image = rasters.pixels(session, session.get_one(Raster, sample.image_id))
        np.testing.assert_array_equal(mask, arrays["training_set"][7, 1])
        np.testing.assert_array_equal(image, arrays["training_set"][7, 0])
        listed = datasets.classes(session, dataset)
        assert [one.id for one in listed.classes] == [0, 1, 2, 3, 4]
        assert listed.guessed
        assert listed.classes[0].role is Role.BACKGROUND
    assert statuses(db, "mars")["test_set/00000"] == "unlabeled"
    assert statuses(db, "mars")["training_set/00000"] == "unreviewed"


def test_the_same_import_again_adds_nothing(db: Database, npz: Path) -> None:
    ingest.run(db, npz, "mars", ADA)
    before = statuses(db, "mars")
    again = ingest.run(db, npz, "mars", ADA)
    assert (again.imported, again.repeated, again.pending) == (0, 15, 0)
    assert statuses(db, "mars") == before


def test_another_mask_for_a_known_key_waits_for_a_decision(db: Database, npz: Path, tmp_path: Path) -> None:
    ingest.run(db, npz, "mars", ADA)
    other = with_masks(npz, tmp_path / "other.npz", {3: 2})
    report = ingest.run(db, other, "mars", ADA)
    assert (report.imported, report.repeated, report.pending) == (0, 14, 1)
    assert statuses(db, "mars")["training_set/00003"] == "suggested"
    with db.read() as session:
        sample = samples.by_key(session, datasets.find(session, "mars").id, "training_set/00003")
        newest, first = revisions.of_sample(session, sample.id)
        assert (newest.state, newest.parent_id, first.state) == ("pending", first.id, "current")
    assert ingest.run(db, other, "mars", ADA).repeated == 15


def test_another_picture_for_a_known_key_is_refused_by_name(db: Database, npz: Path, tmp_path: Path) -> None:
    ingest.run(db, npz, "mars", ADA)
    arrays = dict(np.load(npz))
    arrays["training_set"][5, 0] += 1
    np.savez(tmp_path / "other.npz", **arrays)
    report = ingest.run(db, tmp_path / "other.npz", "mars", ADA)
    [refused] = report.refused
    assert "training_set/00005" in refused.file
    assert "another picture" in refused.reason
    with db.read() as session:
        [written] = imports.refusals(session, report.import_id)
        assert (written.file, written.reason) == (refused.file, refused.reason)


def test_nothing_is_left_of_a_source_that_cannot_be_read(db: Database, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RemaskError):
        ingest.run(db, tmp_path / "empty", "nothing", ADA)
    with pytest.raises(NotFound):
        ingest.run(db, tmp_path / "missing", "nothing", ADA)
    with db.read() as session:
        assert summary.all_datasets(session) == []


def test_an_image_of_which_the_bytes_end_early_is_named_and_the_rest_comes_in(db: Database, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    rng = np.random.default_rng(1)
    for name in "abc":
        Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / "images" / f"{name}.png")
        Image.fromarray(rng.integers(0, 2, (8, 8), dtype=np.uint8)).save(folder / "masks" / f"{name}.png")
    broken = (folder / "images" / "b.png").read_bytes()
    (folder / "images" / "b.png").write_bytes(broken[: len(broken) // 2])
    report = ingest.run(db, folder, "set", ADA)
    assert report.imported == 2
    assert [one.file for one in report.refused] == ["images/b.png"]
    assert list(statuses(db, "set")) == ["a", "c"]


def test_ids_outside_a_given_class_list_are_refused(db: Database, npz: Path) -> None:
    listed = parse_classes("id,name\n0,background\n1,soil\n2,bedrock\n")
    report = ingest.run(db, npz, "mars", ADA, classes=listed)
    assert report.refused
    assert all("3" in one.reason or "4" in one.reason for one in report.refused)
    with db.read() as session:
        assert datasets.classes(session, datasets.find(session, "mars")) == listed


def test_checks_are_asked_for_with_the_import(db: Database, npz: Path) -> None:
    ingest.run(db, npz, "mars", ADA)
    with db.read() as session:
        assert [job.kind for job in jobs.waiting(session)] == ["check"]


def test_a_palette_mask_is_kept_byte_for_byte(db: Database, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    mask = Image.fromarray(np.tile(np.arange(8, dtype=np.uint8) % 3, (8, 1)))
    mask.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    mask.save(folder / "masks" / "a.png")
    Image.new("RGB", (8, 8), "red").save(folder / "images" / "a.jpg")
    ingest.run(db, folder, "set", ADA)
    with db.read() as session:
        from app.store import blobs, whole

        one = whole.find(session, samples.by_key(session, datasets.find(session, "set").id, "a").id)
        assert one.mask is not None
        assert one.mask.blob is not None
        assert blobs.get(session, one.mask.blob) == (folder / "masks" / "a.png").read_bytes()
        assert one.image.blob is not None
        assert blobs.get(session, one.image.blob) == (folder / "images" / "a.jpg").read_bytes()
