"""Suggested masks end to end: two tiny models that are trained for it, the real child, and what becomes of masks."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from app.__main__ import app
from app.domain.actor import person
from app.domain.classes import Class, ClassList, Role
from app.domain.folds import SawIt
from app.domain.status import Status
from app.flows import child, ingest, inspect, review, suggest
from app.flows.propose import suggested
from app.flows.review import Selection
from app.flows.snapshot import freeze, path_of
from app.flows.suggest import CantSuggest
from app.flows.unseen import NoModel
from app.store import datasets, rasters, revisions, samples, standing
from app.store.db import Database, open_database
from app.store.decisions import Wish
from app.store.tables import Flag, Raster, Revision, Run, Sample, Suggestion
from ml.config import make
from ml.crossval import plan
from ml.report import silent
from ml.snapshot import read as read_snapshot
from ml.train import train
from tests.ml import made

ADA = person("ada")
CLASSES = ClassList(tuple(Class(one.id, one.name, Role(one.role), one.colour) for one in made.CLASSES), guessed=False)
TINY: dict[str, Any] = {
    "precision": "fp32", "layout": "contiguous", "device": "cpu", "threads": 1, "width": 8, "depth": 2, "batch": 4,
    "epochs": 8, "samples": 0, "compile": "off", "augment": ["hflip"], "learning_rate": 0.01,
}  # fmt: skip
FLAGGED = [f"training_set/{at:05d}" for at in (3, 8, 13, 18)]


def write_set(path: Path) -> Path:
    """48 labelled pictures and 6 without a mask; of FLAGGED every rock is missing, with soil in its place."""
    labelled = [(one.image[:, :, 0], one.mask) for one in made.samples({"train": 48}, seed=1) if one.mask is not None]
    for key in FLAGGED:
        mask = labelled[int(key[-5:])][1]
        mask[mask == 2] = 1
        mask[10:, 30:44] = 2
    test = np.stack([one.image[:, :, 0] for one in made.samples({"test": 6}, seed=2)])
    np.savez_compressed(path, training_set=np.stack([np.stack(one) for one in labelled]), test_set=test)
    return path


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with run 1, a cross-validation of two folds, and FLAGGED flagged."""
    home = tmp_path_factory.mktemp("home")
    db = open_database(home / "remask.sqlite")
    ingest.run(db, write_set(home / "set.npz"), "rocks", ADA, classes=CLASSES)
    inspect.run(db, "rocks", ["duplicate_image"])
    frozen = freeze(db, home, "rocks", "curated")
    opened = read_snapshot(path_of(home, frozen))
    folder = child.folder_of(home, 1)
    for fold, splits in enumerate(plan(opened, 2, seed=0)[1]):
        place = folder / f"fold_{fold}"
        train(opened.path, place, make(TINY), splits=splits, emit=silent)
        (place / "splits.json").write_text(json.dumps(splits))
    with db.write() as session:
        owner = datasets.find(session, "rocks")
        facts = {"config": {"folds": 2, "threads": 1}, "result": {"folds": 2}, "actor_name": "ada"}
        session.add(Run(dataset_id=owner.id, kind="crossval", name="2", arm="curated", snapshot_id=frozen.id, **facts))
        for one in samples.by_keys(session, owner.id, FLAGGED):
            about = {"dataset_id": owner.id, "sample_id": one.id, "revision_id": one.current_id}
            session.add(Flag(**about, check="imprecise_mask", version=2, score=0.9, reason="It looks wrong."))
        standing.refresh(session, [one.id for one in samples.by_keys(session, owner.id, FLAGGED)])
    with db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return home


@pytest.fixture
def home(ended: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ended, tmp_path / "home"))


@pytest.fixture
def rocks(home: Path) -> Iterator[Database]:
    database = open_database(home / "remask.sqlite")
    yield database
    database.close()


def asked(db: Database, home: Path, **told: Any) -> dict[str, Any]:
    return suggest.run(db, home, suggest.request(db, "rocks", ADA, **told).id)


def by_status(db: Database, status: Status) -> list[Sample]:
    with db.read() as session:
        return list(session.scalars(select(Sample).where(Sample.status == status).order_by(Sample.id)))


def test_what_is_believed_is_proposed_and_nothing_else_is_touched(rocks: Database, home: Path) -> None:
    asking = suggest.request(rocks, "rocks", ADA, precision=0.9).id
    result = suggest.run(rocks, home, asking)
    assert result["believed"] and "are expected right" in result["sentence"]
    assert "leaves fewer wrong pixels" in result["judgement"]
    assert result["proposed"] == {"unlabeled": 6, "flagged": 4}
    assert {one["method"] for one in result["methods"]} == {"softmax", "ensemble", "pseudoseg"}
    assert all(0.5 < one["accuracy"] <= 1 for one in result["methods"][:2])
    assert result["refused"] == {"count": 0, "keys": []}
    suggested_for = by_status(rocks, Status.SUGGESTED)
    assert {one.key for one in suggested_for} == {*FLAGGED, *(f"test_set/{at:05d}" for at in range(6))}
    with rocks.read() as session:
        for one in suggested_for:
            revision = revisions.waiting(session, one.id, "model")
            assert revision is not None
            assert (revision.actor_kind, revision.actor_name, revision.parent_id) == ("model", "run 1", one.current_id)
            mask = rasters.mask(session, session.get_one(Raster, revision.mask_id))
            sure = rasters.mask(session, session.get_one(Raster, revision.confidence_id or 0))
            note = session.get_one(Suggestion, revision.id)
            assert sure.dtype == np.uint8
            assert note.share == pytest.approx((sure > 0).mean())
            assert note.expected >= 0.89
            if one.current_id is None:
                assert (mask[sure == 0] == 255).all()
                assert set(np.unique(mask[sure > 0]).tolist()) <= {0, 1, 2}
            else:
                given = rasters.mask(
                    session, session.get_one(Raster, session.get_one(Revision, one.current_id).mask_id)
                )
                assert ((mask != given) == (sure > 0)).all()
                assert note.changed == (mask != given).sum() > 50
                assert (mask[given == 255] == 255).all()
    assert not list((home / "suggestions").rglob("predictions_*"))
    # Started again, as after a kill, it proposes nothing twice.
    assert suggest.run(rocks, home, asking)["proposed"] == result["proposed"]
    with rocks.read() as session:
        assert len(list(session.scalars(select(Suggestion)))) == 10
    # What waits teaches in the arm that is for it, as far as it is sure.
    assert freeze(rocks, home, "rocks", "with_pseudo").counts["pseudo"] == 6


def test_a_decision_makes_a_label_of_it_and_a_second_asking_supersedes_the_first(rocks: Database, home: Path) -> None:
    asked(rocks, home, precision=0.9, only="unlabeled")
    first = by_status(rocks, Status.SUGGESTED)
    assert [one.key for one in first] == [f"test_set/{at:05d}" for at in range(6)]
    with rocks.read() as session:
        pending = revisions.suggested(session, [one.id for one in first])
    review.decide(rocks, "rocks", Selection(ids=[first[0].id]), Wish("restore", revision=pending[first[0].id]), ADA)
    review.decide(rocks, "rocks", Selection(ids=[first[1].id]), Wish("reject", revision=pending[first[1].id]), ADA)
    with rocks.read() as session:
        assert [samples.find(session, one.id).status for one in first[:2]] == ["corrected", "unlabeled"]
    result = asked(rocks, home, precision=0.9, only="unlabeled", method="softmax")
    assert result["proposed"] == {"unlabeled": 5, "flagged": 0}
    with rocks.read() as session:
        states = [session.get_one(Revision, pending[one.id]).state for one in first]
    assert states == ["current", "rejected", *["superseded"] * 4]


def test_a_precision_that_no_class_reaches_is_said(
    rocks: Database, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rocks.write() as session:  # masks that nobody could predict
        random = np.random.default_rng(0)
        found = [one for one in session.scalars(select(Sample)) if one.current_id is not None]
        drawn = rasters.put_masks(session, [(random.integers(0, 3, (32, 48), np.uint8), None) for _ in found])
        for one, mask in zip(found, drawn, strict=True):
            session.get_one(Revision, one.current_id).mask_id = mask.id
    monkeypatch.setenv("REMASK_HOME", str(home))
    told = CliRunner().invoke(app, ["suggest", "rocks"])
    assert told.exit_code == 0, told.output
    assert "too weak to be believed" in told.output
    assert "pseudoseg" in told.output
    assert "Proposed masks for 0 unlabelled and 0 labelled samples of 10." in told.output
    told = CliRunner().invoke(app, ["accept", "rocks", "--class", "soil"])
    assert told.output == "Accepted in 0 samples.\n"
    assert by_status(rocks, Status.SUGGESTED) == []


def test_a_model_is_not_asked_about_what_it_or_its_like_has_seen(rocks: Database, home: Path) -> None:
    """A training's model saw all of train and val; fold models left one of the samples to themselves."""
    with rocks.write() as session:
        owner = datasets.find(session, "rocks")
        shutil.copytree(child.folder_of(home, 1) / "fold_0", child.folder_of(home, 2))
        facts = {"config": {"threads": 1}, "result": {"reason": "ended"}, "actor_name": "ada"}
        session.add(Run(dataset_id=owner.id, name="baseline", arm="curated", snapshot_id=1, **facts))
        seen = next(one for one in session.scalars(select(Sample)) if one.split == "train").key
        new = samples.by_key(session, owner.id, "test_set/00000")
        samples.set_content_groups(session, {new.id: 999, samples.by_key(session, owner.id, seen).id: 999})
    with pytest.raises(SawIt, match=f"learned from {seen}"):
        asked(rocks, home, run=2, keys=[seen])
    result = asked(rocks, home, run=2, only="unlabeled", precision=0.9)
    assert result["refused"] == {"count": 1, "keys": ["test_set/00000"]}
    with rocks.read() as session:
        assert revisions.waiting(session, samples.by_key(session, owner.id, "test_set/00000").id, "model") is None


@pytest.mark.parametrize(
    ("told", "error", "sentence"),
    [
        ({"method": "magic"}, CantSuggest, "choose one of softmax, ensemble, pseudoseg"),
        ({"only": "all"}, CantSuggest, "unlabeled or flagged"),
        ({"precision": 1.0}, CantSuggest, "0.5 to 0.999"),
    ],
)
def test_what_it_cannot_be_told_is_a_sentence(
    rocks: Database, told: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        suggest.request(rocks, "rocks", ADA, **told)


def test_without_a_model_it_says_what_to_do(db: Database, npz: Path) -> None:
    ingest.run(db, npz, "mars", ADA)
    with pytest.raises(NoModel, match="find imprecise masks, or train, first"):
        suggest.request(db, "mars", ADA)


def test_what_is_proposed_for_a_picture() -> None:
    seen = np.array([[1, 2, 2, 1]])
    sure = np.array([[250, 250, 0, 250]], np.uint8)
    fresh = suggested(None, seen, sure, [255], 255)
    assert fresh is not None and fresh.mask.tolist() == [[1, 2, 255, 1]]
    without_void = suggested(None, seen, sure, [], None)
    assert without_void is not None and without_void.mask.tolist() == [[1, 2, 2, 1]]
    assert without_void.sure.tolist() == sure.tolist()
    changed = suggested(np.array([[1, 1, 1, 255]], np.uint8), seen, sure, [255], 255)
    assert changed is not None
    assert (changed.mask.tolist(), changed.sure.tolist(), changed.changed) == ([[1, 2, 1, 255]], [[0, 250, 0, 0]], 1)
    assert suggested(np.array([[1, 2, 1, 1]], np.uint8), seen, sure, [255], 255) is None
    assert suggested(None, seen, np.zeros((1, 4), np.uint8), [255], 255) is None
