"""A cross-validation on a tiny set, by the real trainer and detector: who judged what, what is told, what is kept."""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from scipy import ndimage
from sqlalchemy import delete, func, null, select

from app.domain.actor import person
from app.domain.detector.critic import Lessons
from app.domain.folds import SawIt
from app.flows import child, critic, crossval, demo, imprecise, ingest, inspect, predicted, review
from app.flows.progress import Cancelled, Progress, quiet
from app.flows.review import Selection
from app.flows.snapshot import CantTrain
from app.store import datasets, flags, predictions, rasters, regions, runs, samples
from app.store.db import Database, open_database
from app.store.decisions import Wish
from app.store.tables import Flag, Prediction, Raster, Region, Sample, Score
from ml import predictions as files
from ml import snapshot as frozen
from tests.sets import every_sample

ADA = person("ada")
TINY = {"epochs": 1, "width": 4, "depth": 1, "threads": 1, "augment": [], "precision": "fp32", "layout": "contiguous"}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which run 1, a cross-validation of two folds, has ended; sample 0 was excluded before."""
    home = tmp_path_factory.mktemp("home")
    db = open_database(home / "remask.sqlite")
    demo.run(db, home, "demo", ADA, count=40)
    review.decide(db, "demo", Selection(keys=["training_set/00000"]), Wish("exclude"), ADA)
    run = crossval.request(db, "demo", ADA, folds=2, keys=TINY | {"compile": "off"})
    crossval.run(db, home, run.id)
    with db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return home


@pytest.fixture
def home(ended: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ended, tmp_path / "home"))


@pytest.fixture
def judged(home: Path) -> Iterator[Database]:
    database = open_database(home / "remask.sqlite")
    yield database
    database.close()


def labelled(db: Database) -> dict[str, Sample]:
    with db.read() as session:
        found = every_sample(session, datasets.find(session, "demo").id)
        return {one.key: one for one in found if one.current_id is not None and not one.excluded}


def test_every_labelled_mask_is_judged_by_a_model_that_never_saw_it(judged: Database, home: Path) -> None:
    wanted = labelled(judged)
    learned = [
        set(json.loads((child.folder_of(home, 1) / f"fold_{fold}" / "splits.json").read_text())) for fold in (0, 1)
    ]
    with judged.read() as session:
        rows = {one.sample_id: one for one in session.scalars(select(Prediction))}
        scores = list(session.scalars(select(Score).where(Score.check == "imprecise_mask")))
        result = runs.find(session, 1).result
    assert set(rows) == {one.id for one in wanted.values()}
    for key, sample in wanted.items():
        row = rows[sample.id]
        assert key not in learned[row.fold]
        assert row.revision_id == sample.current_id
        assert row.probability is not None and 0 <= row.probability <= 1
    assert {(one.sample_id, one.run_id, one.fold, one.revision_id) for one in scores} == {
        (id, 1, row.fold, row.revision_id) for id, row in rows.items()
    }
    assert result is not None
    assert (result["folds"], result["predicted"]) == (2, len(wanted))
    assert 0 <= result["miou"] <= 1
    assert (result["weak"], result["flagged"]) == (True, 0)  # one epoch teaches next to nothing


def believe(home: Path, wrong: set[str]) -> None:
    """Predictions of good models in place of the tiny ones': what is given, but for a block in those ``wrong``."""
    path = child.folder_of(home, 1) / "predictions"
    snapshot, was = frozen.read(next((home / "snapshots").glob("*.snapshot"))), files.read(path)

    def stream() -> Iterator[files.Prediction]:
        for row in snapshot.rows:
            if row.key in was.rows:
                mask = snapshot.mask(row)
                if row.key in wrong:
                    mask = mask.copy()
                    mask[20:44, 40:80] = np.where(mask[32, 60] == 1, 2, 1)
                seen = (mask[None] == np.array(was.classes)[:, None, None]) * 6.0
                sure = np.exp(ndimage.gaussian_filter(seen, (0, 1.5, 1.5)))
                yield files.Prediction(row.key, sure / sure.sum(axis=0), was.rows[row.key].fold)

    made = list(stream())
    files.write(path, made, was.classes, run="good", meta=was.meta)


def test_what_good_models_see_otherwise_is_flagged_by_its_region_until_a_person_keeps_it(
    judged: Database, home: Path
) -> None:
    wrong = set(sorted(labelled(judged))[5:8])
    believe(home, wrong)
    with judged.read() as session:
        snapshot = runs.find_snapshot(session, runs.find(session, 1).snapshot_id or 0)
    result = imprecise.judge(judged, home, 1, snapshot, 0.0, quiet)
    assert result["miou"] > 0.8
    assert not result["weak"]
    assert wrong <= set(ranking(judged)[:6])
    told = flagged(judged)
    assert result["flagged"] == len(told) > 0
    assert all(reason.endswith(".") and not reason.startswith("Without a model") for reason in told.values())
    with judged.write() as session:
        worst = regions.worst_of_run(session, 1)
        id = next(id for id in told if id in worst)
        for region in regions.of_sample(session, samples.find(session, id)):
            region.state = "kept"
    imprecise.judge(judged, home, 1, snapshot, 0.0, quiet)
    assert flagged(judged) == {other: reason for other, reason in told.items() if other != id}


def ranking(db: Database) -> list[str]:
    """Keys of what run 1 judged, the worst first."""
    query = select(Sample.key).join(Score, Score.sample_id == Sample.id).where(Score.run_id == 1)
    with db.read() as session:
        return list(session.scalars(query.order_by(Score.value.desc())))


def flagged(db: Database) -> dict[int, str]:
    """sample -> the reason of its open flag."""
    with db.read() as session:
        told = flags.open_flags(session, datasets.find(session, "demo").id, "imprecise_mask")
        return {sample.id: flag.reason for flag, sample in told}


def test_the_heat_map_has_the_masks_size_and_regions_lie_in_it(judged: Database) -> None:
    with judged.read() as session:
        for prediction in session.scalars(select(Prediction).limit(5)):
            assert prediction.suspicion_id is not None
            heat = rasters.pixels(session, session.get_one(Raster, prediction.suspicion_id))
            assert heat.shape == (64, 128)
            assert heat.dtype == np.uint8
            assert predictions.newest(session, prediction.sample_id) is prediction
        for region in session.scalars(select(Region).limit(20)):
            inside = regions.pixels_of(session, region)
            rows, columns = np.nonzero(inside)
            assert int(inside.sum()) == region.pixels
            assert (columns.min(), rows.min()) == (region.x, region.y)


def test_the_suggestion_is_the_models_likeliest_class(judged: Database, home: Path) -> None:
    sample = next(iter(labelled(judged).values()))
    with judged.read() as session:
        suggested = predicted.suggestion(session, home, sample)
        ids = {one.id for one in datasets.classes(session, datasets.find(session, "demo")).classes}
    assert suggested.shape == (64, 128)
    assert set(np.unique(suggested).tolist()) <= ids
    with judged.read() as session, pytest.raises(predicted.NotPredicted, match="no cross-validation has looked"):
        predicted.suggestion(session, home, samples.by_key(session, sample.dataset_id, "test_set/00000"))


def test_checks_leave_alone_what_the_models_said(judged: Database) -> None:
    with judged.read() as session:
        before = dict(session.execute(select(Score.sample_id, Score.value).where(Score.run_id == 1)).all())
    inspect.run(judged, "demo", ["imprecise_mask"])
    with judged.read() as session:
        scores = list(session.scalars(select(Score).where(Score.check == "imprecise_mask")))
    assert {one.sample_id: one.value for one in scores if one.run_id == 1} == before
    excluded = [one for one in scores if one.run_id is None]
    assert len(excluded) == 1  # no model judged the sample that was excluded


def everything(db: Database) -> tuple[object, ...]:
    """All that a judging wrote."""
    with db.read() as session:
        columns = (Region.sample_id, Region.reason, Region.rle, Region.probability, Region.state)
        told = sorted(tuple(row) for row in session.execute(select(*columns)))
        scores = sorted(
            tuple(row) for row in session.execute(select(Score.sample_id, Score.value).where(Score.run_id == 1))
        )
        return told, scores, session.scalar(select(func.count()).select_from(Prediction))


def test_an_interrupted_judging_tells_nothing_and_is_made_anew(judged: Database, home: Path) -> None:
    before = everything(judged)
    with judged.write() as session:
        for table in (Score, Flag, Region, Prediction):
            session.execute(delete(table))
        run = runs.find(session, 1)
        run.result = null()  # None would be stored as JSON's null
        snapshot = runs.find_snapshot(session, run.snapshot_id or 0)
    steps: list[int] = []

    def stop(_done: int, _total: int, message: str) -> None:
        steps.append(message == "judging masks")
        if sum(steps) > 5:
            raise Cancelled

    sample = next(iter(labelled(judged).values()))
    with pytest.raises(Cancelled):
        imprecise.judge(judged, home, 1, snapshot, 0.0, stop)
    with judged.read() as session:
        assert session.scalars(select(Score)).all() == []
        assert regions.of_sample(session, sample) == []
        assert predictions.newest(session, sample.id) is None
    imprecise.judge(judged, home, 1, snapshot, 0.0, quiet)
    assert everything(judged) == before


def test_critics_practise_on_the_masks_that_are_judged(
    judged: Database, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taught(folder: Path, lessons: Lessons, config: Mapping[str, Any], _progress: Progress) -> NoReturn:
        assert folder == home / "runs" / "1" / "critic"
        assert len(lessons.halves) <= len(labelled(judged)) and set(lessons.halves.tolist()) == {0, 1}
        assert (config["device"], config["threads"]) == ("auto", 1)
        raise Cancelled

    monkeypatch.setattr("app.domain.detector.critic.FEWEST", 20)
    monkeypatch.setattr(critic, "taught", taught)
    with judged.read() as session:
        snapshot = runs.find_snapshot(session, runs.find(session, 1).snapshot_id or 0)
    with pytest.raises(Cancelled):
        imprecise.judge(judged, home, 1, snapshot, 0.0, quiet)


def test_duplicates_found_since_the_set_was_frozen_are_not_judged_by_each_other(judged: Database, home: Path) -> None:
    with judged.write() as session:
        folds = {one.sample_id: one.fold for one in session.scalars(select(Prediction))}
        first = next(id for id, fold in folds.items() if fold == 0)
        other = next(id for id, fold in folds.items() if fold == 1 and samples.find(session, id).split == "train")
        samples.set_content_groups(session, {first: 999, other: 999})
        snapshot = runs.find_snapshot(session, runs.find(session, 1).snapshot_id or 0)
    with pytest.raises(SawIt, match="which shows the same as"):
        imprecise.judge(judged, home, 1, snapshot, 0.0, quiet)


@pytest.mark.parametrize(
    ("folds", "keys", "sentence"),
    [(1, {}, "2 to 20 folds"), (21, {}, "2 to 20 folds"), (5, {"widht": 8}, "width"), (5, {"epochs": 0}, "epochs")],
)
def test_what_it_cannot_be_told_is_a_sentence(
    db: Database, npz: Path, folds: int, keys: dict[str, object], sentence: str
) -> None:
    ingest.run(db, npz, "mars", ADA)
    with pytest.raises(CantTrain, match=sentence):
        crossval.request(db, "mars", ADA, folds=folds, keys=keys)


@pytest.mark.parametrize(("count", "epochs"), [(10, 40), (468, 17), (100_000, 8)])
def test_larger_sets_need_fewer_epochs(count: int, epochs: int) -> None:
    assert crossval.suited(count)["epochs"] == epochs
