import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.config import make
from ml.crossval import CrossValidation, plan
from ml.errors import Refused
from ml.predict import main as predict_main
from ml.predictions import Prediction, join, read, write
from ml.report import silent
from ml.snapshot import Class, Sample, Snapshot
from ml.snapshot import read as read_snapshot
from ml.snapshot import write as write_snapshot
from ml.train import main as train_main
from ml.train import train
from tests.ml.made import CLASSES, TINY, made, samples


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("set"))


@pytest.mark.parametrize(("dtype", "off"), [("uint8", 0.5 / 255), ("float16", 5e-4)])
def test_probabilities_come_back(tmp_path: Path, dtype: str, off: float) -> None:
    random = np.random.default_rng(0)
    given = [Prediction(f"s{at}", random.random((3, 4 + at, 5)), at % 2) for at in range(3)]
    hash = write(tmp_path / "p", iter(given), [0, 1, 7], run="r", meta={"snapshot": "x"}, dtype=dtype)
    opened = read(tmp_path / "p")
    assert (opened.hash, opened.classes, opened.meta) == (hash, (0, 1, 7), {"snapshot": "x"})
    for one in given:
        row = opened.rows[one.key]
        expected = np.asarray(one.probabilities)
        assert (row.fold, row.run, row.shape) == (one.fold, "r", expected.shape)
        np.testing.assert_allclose(opened.probabilities(one.key), expected, atol=off + 1e-6)
    with pytest.raises(Refused, match="no prediction of s9"):
        opened.probabilities("s9")


def test_bands_of_rows_are_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.random.default_rng(0).random((3, 9, 5))
    bands = (whole[:, top : top + 4] for top in range(0, 9, 4))
    given = {"whole": Prediction("s", whole), "bands": Prediction("s", bands)}
    hashes = {name: write(tmp_path / name, [one], [0, 1, 7], run="", meta={}) for name, one in given.items()}
    assert hashes["whole"] == hashes["bands"]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["bands", "whole"]
    opened = read(tmp_path / "bands")
    monkeypatch.setattr("ml.predictions.STRIP", 10)
    strips = list(opened.bands("s"))
    assert [rows.indices(9)[:2] for rows, _ in strips] == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 9)]
    assert np.array_equal(np.concatenate([part for _, part in strips], axis=1), opened.probabilities("s"))


def test_parts_are_joined(tmp_path: Path) -> None:
    for fold in range(2):
        some = [Prediction(f"{at}", np.full((2, 3, 3), fold, float), fold) for at in range(fold, 6, 2)]
        write(tmp_path / f"{fold}", some, [0, 1], run=f"r{fold}", meta={})
    join(tmp_path / "all", [tmp_path / "0", tmp_path / "1"], {"folds": 2})
    opened = read(tmp_path / "all")
    assert list(opened.rows) == [f"{at}" for at in range(6)]
    assert {key: (row.fold, row.run) for key, row in opened.rows.items()} == {
        f"{at}": (at % 2, f"r{at % 2}") for at in range(6)
    }
    assert opened.probabilities("3").min() == 1
    with pytest.raises(Refused, match="uint8 or float16"):
        write(tmp_path / "x", [], [0], run="", meta={}, dtype="float64")


def test_a_model_predicts_by_command_line(snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(snapshot, tmp_path / "run", make(TINY), emit=silent)
    model, out = str(tmp_path / "run" / "model.pt"), tmp_path / "p"
    base = [model, str(snapshot), "--out", str(out), "--device", "cpu", "--threads", "1"]
    assert predict_main([*base, "--split", "test", "--dtype", "float16"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] == 4
    opened = read(out)
    assert list(opened.rows) == [f"test/00{at}" for at in range(4)]
    assert opened.classes == (0, 1, 2)
    probabilities = opened.probabilities("test/001")
    assert probabilities.shape == (3, 32, 48)
    np.testing.assert_allclose(probabilities.sum(0), 1, atol=5e-3)
    # What the run judged by is what is predicted.
    judged = {one["key"]: one for one in json.loads((tmp_path / "run" / "test_samples.json").read_text())}
    opened_set = read_snapshot(snapshot)
    row = next(row for row in opened_set.rows if row.key == "test/001")
    mask = opened_set.mask(row)
    right = (probabilities.argmax(0) == mask)[mask != 255].sum()
    assert right == pytest.approx(np.trace(judged["test/001"]["confusion"]), abs=3)

    (tmp_path / "keys").write_text('["nobody"]')
    assert predict_main([*base, "--keys", str(tmp_path / "keys")]) == 2
    assert "No sample was chosen" in capsys.readouterr().out
    other = write_snapshot(tmp_path / "o", samples({"train": 1}), (*CLASSES, Class(9, "x", "foreground", "#000000")))[1]
    assert predict_main([model, str(other), "--out", str(out)]) == 2
    assert "are not those of the snapshot" in capsys.readouterr().out
    coloured = made(tmp_path, {"train": 1}, channels=3)
    assert predict_main([model, str(coloured), "--out", str(out)]) == 2
    assert "takes 1 channels, and the pictures have 3" in capsys.readouterr().out


def mixed(tmp_path: Path) -> Snapshot:
    """Labels of all splits in groups of two, a sample without a mask, and a pseudo-label."""
    given = []
    for one in samples({"train": 16, "val": 6, "test": 4, None: 2}):
        number = int(one.key[-3:])
        group = f"{one.split} {number // 2}"
        mask, kind = (None, None) if one.key == "None/000" else (one.mask, one.kind)
        kind = "pseudo" if one.key == "train/000" else kind
        given.append(Sample(one.key, group, one.split, kind, one.image, mask))
    return read_snapshot(write_snapshot(tmp_path, given, CLASSES)[1])


def test_nobody_judges_what_its_group_was_learned_from(tmp_path: Path) -> None:
    snapshot = mixed(tmp_path)
    fold_of, splits = plan(snapshot, 3, seed=0)
    rows = {row.key: row for row in snapshot.rows}
    assert fold_of.keys() == rows.keys()
    for fold, split in enumerate(splits):
        judged = {rows[key].group for key, its in fold_of.items() if its == fold}
        learned = {side: {rows[key].group for key, its in split.items() if its == side} for side in ("train", "val")}
        assert not judged & (learned["train"] | learned["val"])
        assert not learned["train"] & learned["val"]
        assert learned["train"] and learned["val"]
        assert all(rows[key].split in ("train", "val") and rows[key].kind == "label" for key in split)
    assert max(len(split) for split in splits) - min(len(split) for split in splits) <= 2
    with pytest.raises(Refused, match="at least 2"):
        plan(snapshot, 1, 0)
    with pytest.raises(Refused, match="ask for fewer folds"):
        plan(snapshot, 40, 0)


class InProcess:
    """Runs a child's command here: what it says goes where a pipe would take it."""

    def __init__(self, command: list[str], **_: Any) -> None:
        self._command = command
        self.stdout = self
        self.signals: list[int] = []

    def __enter__(self) -> "InProcess":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def __iter__(self) -> Any:
        module, arguments = self._command[2], self._command[3:]
        started.append(module)
        self.status = {"ml.train": train_main, "ml.predict": predict_main}[module](arguments)
        return iter(['{"event": "epoch", "epoch": 0}\n', "not a line of ours\n"])

    def wait(self) -> int:
        return self.status

    def send_signal(self, number: int) -> None:
        self.signals.append(number)


started: list[str] = []


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started.clear()
    monkeypatch.setattr("ml.crossval.subprocess.Popen", InProcess)
    # Signals can be handled in the main thread only, and here the children are threads.
    monkeypatch.setattr("ml.train.signal.signal", lambda *_: signal.SIG_DFL)


@pytest.mark.usefixtures("in_process")
def test_every_sample_is_predicted_by_its_fold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    snapshot = mixed(tmp_path)
    run = CrossValidation(snapshot.path, tmp_path / "cv", make(TINY), folds=2, jobs=1)
    out = run.run()
    assert out is not None
    opened = read(out)
    assert {key: row.fold for key, row in opened.rows.items()} == run.fold_of
    assert opened.rows.keys() == {row.key for row in snapshot.rows}
    assert len({row.run for row in opened.rows.values()}) == 2
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {one["fold"] for one in lines if one["event"] == "epoch" and "fold" in one} == {0, 1}
    assert started == ["ml.train", "ml.predict"] * 2
    # A second start keeps what is finished and trains only what is missing.
    started.clear()
    (tmp_path / "cv" / "fold_1" / "predictions").unlink()
    CrossValidation(snapshot.path, tmp_path / "cv", make(TINY), folds=2, jobs=1).run()
    assert started == ["ml.train", "ml.predict"]
    with pytest.raises(Refused, match="another cross-validation"):
        CrossValidation(snapshot.path, tmp_path / "cv", make(TINY), folds=3, jobs=1)


@pytest.mark.usefixtures("in_process")
def test_a_failing_fold_tells_its_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = mixed(tmp_path)
    run = CrossValidation(snapshot.path, tmp_path / "cv", make(TINY), folds=2, jobs=1)
    (tmp_path / "cv" / "fold_0" / "checkpoint.pt").write_bytes(b"half")

    def lines(self: InProcess) -> Any:
        self.status = 2
        return iter(['{"event": "error", "message": "It is broken."}\n'])

    monkeypatch.setattr(InProcess, "__iter__", lines)
    with pytest.raises(Refused, match=r"Fold \d: It is broken"):
        run.run()


def test_a_cancel_starts_no_further_fold(tmp_path: Path) -> None:
    snapshot = mixed(tmp_path)
    folder = tmp_path / "cv"
    run = CrossValidation(snapshot.path, folder, make(TINY), folds=2, jobs=2)
    (folder / "cancel").touch()
    assert run.run() is None
    assert not (folder / "predictions").exists()
