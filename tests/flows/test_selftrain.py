"""Rounds of self-training on tiny sets: what is learned from whom, and what a run that is interrupted comes to."""

import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from app.__main__ import app
from app.domain.actor import person
from app.domain.calibrate import Calibration, Threshold
from app.domain.classes import Class, ClassList, Role
from app.domain.folds import SawIt
from app.flows import child, ingest, review, rounds, selftrain, suggest, train
from app.flows.child import EVENTS, Hear
from app.flows.progress import Cancelled, quiet
from app.flows.review import Selection
from app.flows.snapshot import CantTrain, path_of
from app.flows.unseen import models_of
from app.store import datasets, members, samples
from app.store import runs as rows
from app.store.db import Database, open_database
from app.store.decisions import Wish
from ml import snapshot as frozen
from tests.ml import made

ADA = person("ada")
CLASSES = ClassList(tuple(Class(one.id, one.name, Role(one.role), one.colour) for one in made.CLASSES), guessed=False)
TINY: dict[str, Any] = made.TINY | {
    "width": 8, "epochs": 2, "compile": "off", "augment": ["hflip"], "learning_rate": 0.01
}  # fmt: skip
LABELLED, UNLABELLED = 70, 6


def write_set(path: Path, unlabelled: int = UNLABELLED) -> Path:
    labelled = [np.stack([one.image[:, :, 0], _mask(one)]) for one in made.samples({"train": LABELLED}, seed=1)]
    test = np.stack([one.image[:, :, 0] for one in made.samples({"test": unlabelled}, seed=2)])
    np.savez_compressed(path, training_set=np.stack(labelled), test_set=test)
    return path


def _mask(one: frozen.Sample) -> np.ndarray[Any, Any]:
    assert one.mask is not None
    return one.mask


def here(
    arguments: Sequence[str], folder: Path, hear: Hear, processes: int = 1, stamp: Mapping[str, Any] | None = None
) -> None:
    """As ``child.see_done``, in this process, which has torch already: a child takes seconds to load it."""
    folder.mkdir(parents=True, exist_ok=True)

    class Lines(io.StringIO):
        def write(self, text: str) -> int:
            if text.startswith("{"):
                event = json.loads(text)
                with (folder / EVENTS).open("a") as kept:
                    kept.write(json.dumps(event | dict(stamp or {})) + "\n")
                hear(event)
            return len(text)

    with redirect_stdout(Lines()):
        assert import_module(arguments[0]).main(list(arguments[1:])) == 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with run 1, of two rounds, trained to its end by children."""
    home = tmp_path_factory.mktemp("home")
    db = open_database(home / "remask.sqlite")
    ingest.run(db, write_set(home / "set.npz"), "rocks", ADA, classes=CLASSES)
    run = train.request(db, "rocks", ADA, keys=TINY, rounds=2, precision=0.9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "see_done", here)
        train.run(db, home, run.id)
    with db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return home


@pytest.fixture
def home(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "home"))


@pytest.fixture
def rocks(home: Path) -> Iterator[Database]:
    database = open_database(home / "remask.sqlite")
    yield database
    database.close()


def test_every_round_is_told_and_the_best_on_validation_is_kept(rocks: Database, home: Path) -> None:
    result = train.result_of(rocks, 1)
    assert [one["number"] for one in result["rounds"]] == [0, 1, 2]
    assert result["best_round"] == max((0, 1, 2), key=lambda at: (result["rounds"][at]["miou"], -at))
    assert result["val"]["miou"] == result["rounds"][result["best_round"]]["miou"]
    assert result["rounds"][0]["pseudo"] is None
    for one in result["rounds"][1:]:
        said = one["pseudo"]
        assert (said["pool"], said["samples"]) == (UNLABELLED, UNLABELLED)
        assert 0 < said["share"] <= 1
        assert said["precision"] is None or said["precision"] > 0.85
        assert set(said["classes"]) <= {"sky", "soil", "rock"}
    # The test was looked at by round 0 and by the one that is kept, in the end.
    judged = {at for at, one in enumerate(result["rounds"]) if one["test"] is not None}
    assert judged == {0, result["best_round"]}
    assert result["test"]["miou"] == result["rounds"][result["best_round"]]["test"]
    folder = child.folder_of(home, 1)
    assert (folder / "model.pt").read_bytes() == (folder / f"round_{result['best_round']}" / "model.pt").read_bytes()
    assert not any("test" in json.loads((folder / f"round_{at}" / "result.json").read_text()) for at in range(3))
    assert not [*folder.rglob("labelled*"), *folder.rglob("predictions"), *folder.rglob("checkpoint.pt")]


def test_a_round_learns_from_what_is_believed_and_from_nothing_that_judges(
    rocks: Database, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snapshot of round 1, written again from round 0's model."""
    folder = child.folder_of(home, 1)
    shutil.rmtree(folder / "round_1")
    monkeypatch.setattr(child, "see_done", here)
    training = opened(rocks, home)
    said = selftrain.labelled(training, 1, quiet)
    learned = frozen.read(folder / "round_1" / "labelled.snapshot")
    given = {row.key: row for row in training.snapshot.rows}
    assert not [row for row in learned.rows if row.split == "test"]
    pixels = 0
    for row in learned.rows:
        if row.kind == "label":
            assert row.split == given[row.key].split
            assert (learned.mask(row) == training.snapshot.mask(given[row.key])).all()
        else:
            assert (row.kind, row.split) == ("pseudo", "train")
            assert row.key in training.pool
            assert learned.weight(row) is None
            pixels += int((learned.mask(row) != 255).sum())
    assert {row.key for row in learned.rows if row.kind == "pseudo"} == {f"test_set/{at:05d}" for at in range(6)}
    assert said["share"] == pytest.approx(pixels / (UNLABELLED * 32 * 48))
    listed = json.loads((home / "runs/1/round_2/splits.json").read_text())
    assert {key for key, split in listed.items() if split == "val"} == {
        row.key for row in training.snapshot.rows if row.split == "val"
    }


def opened(db: Database, home: Path) -> selftrain.Training:
    with db.read() as session:
        run = rows.find(session, 1)
        snapshot = rows.find_snapshot(session, run.snapshot_id or 0)
    return selftrain.prepared(db, child.folder_of(home, 1), run.dataset_id, path_of(home, snapshot), run.config, 1)


@pytest.mark.parametrize("stop", [(2, "labelling"), (3, "training"), (6, "judging")])
def test_an_interrupted_run_comes_to_the_same(
    rocks: Database, home: Path, monkeypatch: pytest.MonkeyPatch, stop: tuple[int, str]
) -> None:
    monkeypatch.setattr(child, "see_done", here)
    run = train.request(rocks, "rocks", ADA, keys=TINY, rounds=2, precision=0.9)

    def until(done: int, _total: int, message: str) -> None:
        if (done, message.rpartition(": ")[2]) == stop:
            raise Cancelled

    with pytest.raises(Cancelled):
        train.run(rocks, home, run.id, until)
    train.run(rocks, home, run.id)
    assert _timeless(train.result_of(rocks, run.id)) == _timeless(train.result_of(rocks, 1))
    weights = [torch.load(child.folder_of(home, at) / "model.pt")["weights"] for at in (1, run.id)]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])


def _timeless(result: Mapping[str, Any]) -> dict[str, Any]:
    rounds = [{key: one for key, one in each.items() if key != "seconds"} for each in result["rounds"]]
    return {key: one for key, one in result.items() if key not in ("seconds", "rounds")} | {"rounds": rounds}


def test_only_what_no_mask_speaks_of_may_be_labelled(rocks: Database, home: Path) -> None:
    """A copy of a labelled picture, a relative of an excluded one that judges, an excluded one: none of them."""
    free = {f"test_set/{at:05d}" for at in range(UNLABELLED)}
    with rocks.write() as session:
        owner = datasets.find(session, "rocks")
        assert members.free(session, owner.id) == free
        labelled = samples.by_keys(session, owner.id, [f"training_set/{at:05d}" for at in range(LABELLED)])
        learned = next(one for one in labelled if one.split == "train")
        judge = next(one for one in labelled if one.split == "test")
        alone = [samples.by_key(session, owner.id, f"test_set/{at:05d}") for at in range(3)]
        samples.set_content_groups(session, {learned.id: 901, alone[0].id: 901, judge.id: 902, alone[1].id: 902})
        keys = [judge.key, alone[2].key]
    review.decide(rocks, "rocks", Selection(keys=keys), Wish("exclude"), ADA)
    with rocks.read() as session:
        assert members.free(session, owner.id) == free - {f"test_set/{at:05d}" for at in range(3)}


def test_without_a_void_the_weight_says_what_teaches(rocks: Database, home: Path) -> None:
    training = opened(rocks, home)
    without = replace(training, snapshot=replace(training.snapshot, classes=training.snapshot.targets))
    probabilities = np.zeros((3, 32, 48), np.float32)
    probabilities[0, :, :24], probabilities[0, :, 24:] = 0.99, 0.6

    class Predicted:
        def bands(self, _key: str) -> list[tuple[slice, np.ndarray[Any, Any]]]:
            return [(slice(None), probabilities)]

    calibration = _sure_of(0.9)
    for what, left in ((training, [0, 255]), (without, [0])):
        counts = {"samples": 0, "pixels": 0, "of": 0}
        made_of = list(selftrain.learned_from(what, Predicted(), calibration, counts, quiet))  # type: ignore[arg-type]
        one = next(one for one in made_of if one.key == "test_set/00000")
        assert one.mask is not None
        assert np.unique(one.mask).tolist() == left
        assert counts == {"samples": 6, "pixels": 6 * 32 * 24, "of": 6 * 32 * 48}
        if what is without:
            assert one.weight is not None
            assert (one.weight[:, :24] == 1).all() and not one.weight[:, 24:].any()
        else:
            assert one.weight is None


def _sure_of(confidence: float) -> Calibration:
    """Sky is believed from this confidence on, nothing else ever."""
    floors = np.array([int(confidence * 256), 256, 256])
    thresholds = tuple(
        Threshold(at, None if floor == 256 else confidence, None, None, 0.0, None) for at, floor in enumerate(floors)
    )
    return Calibration(0.9, thresholds, None, 0.0, 10, 10, np.full((3, 256), 230, np.uint8), floors)


def test_a_model_that_learned_from_its_own_word_is_not_asked_for_it_again(rocks: Database, home: Path) -> None:
    result = train.result_of(rocks, 1)
    with rocks.write() as session:
        rows.find(session, 1).result = result | {"best_round": 1}
        run = rows.find(session, 1)
    assert "test_set/00000" in models_of(rocks, home, run).learned[0]
    with pytest.raises(SawIt, match="learned from test_set/00000"):
        suggest.run(rocks, home, suggest.request(rocks, "rocks", ADA, run=1, keys=["test_set/00000"]).id)
    with rocks.write() as session:
        rows.find(session, 1).result = result | {"best_round": 0}
    assert "test_set/00000" not in models_of(rocks, home, run).learned[0]


def test_where_nothing_can_be_believed_it_stops_and_says_so(
    rocks: Database, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "see_done", here)
    run = train.request(rocks, "rocks", ADA, keys=TINY | {"epochs": 1, "learning_rate": 1e-8}, rounds=3)
    result = train.run(rocks, home, run.id)
    assert "too weak to be believed" in result["sentence"]
    assert (len(result["rounds"]), result["best_round"]) == (1, 0)
    assert result["test"]["miou"] == result["rounds"][0]["test"]
    with rocks.read() as session:
        ended = rows.find(session, run.id)
    for row in (run, ended):  # before its result was written down, and after
        assert [one.state for one in rounds.rounds_of(home, row)] == ["done", *["left out"] * 3]


def test_where_every_sample_has_a_mask_it_says_so(rocks: Database, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "see_done", here)
    gone = [f"test_set/{at:05d}" for at in range(UNLABELLED)]
    review.decide(rocks, "rocks", Selection(keys=gone), Wish("exclude"), ADA)
    run = train.request(rocks, "rocks", ADA, keys=TINY | {"epochs": 1}, rounds=1)
    assert train.run(rocks, home, run.id)["sentence"] == selftrain.NOBODY


def test_the_command_tells_every_round(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "see_done", here)
    monkeypatch.setenv("REMASK_HOME", str(home))
    told = [f"--set={key}={json.dumps(one)}" for key, one in TINY.items()]
    answer = CliRunner().invoke(app, ["train", "rocks", *told, "--rounds", "1", "--precision", "0.9"])
    assert answer.exit_code == 0, answer.output
    lines = [line for line in answer.output.splitlines() if line.startswith("Round ")]
    assert lines[0].endswith("on validation, learned from people's masks.")
    assert "learned also from 6 samples without a mask" in lines[1]
    assert "round 0 is kept" in answer.output or "Round 1 did best on validation and is kept" in answer.output


@pytest.mark.parametrize(
    ("told", "sentence"), [({"rounds": 11}, "0 to 10 rounds"), ({"rounds": 1, "precision": 1.0}, "0.5 to 0.999")]
)
def test_what_it_cannot_be_told_is_a_sentence(rocks: Database, told: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CantTrain, match=sentence):
        train.request(rocks, "rocks", ADA, **told)
