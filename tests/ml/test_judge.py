import json
from pathlib import Path

import pytest

from ml.config import make
from ml.errors import Refused
from ml.judge import judge, main
from ml.report import silent
from ml.snapshot import read, write
from ml.train import train
from tests.ml.made import CLASSES, TINY, made, samples


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of a run and its snapshot."""
    folder = tmp_path_factory.mktemp("judged")
    snapshot = made(folder)
    train(snapshot, folder / "run", make(TINY), emit=silent)
    return folder / "run", snapshot


def test_a_model_is_judged_as_its_run_judged_it(trained: tuple[Path, Path]) -> None:
    run, snapshot = trained
    own = {one["key"]: one for one in json.loads((run / "test_samples.json").read_text())}
    figures, found = judge(run / "model.pt", read(snapshot), device="cpu", threads=1)
    assert [one["key"] for one in found] == [f"test/00{at}" for at in range(4)]
    assert {one["key"]: one for one in found} == own
    whole = json.loads((run / "result.json").read_text())["test"]
    assert figures == {name: one for name, one in whole.items() if name != "loss"}


def test_other_masks_give_other_figures_and_models_judged_are_kept(
    trained: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = trained
    other = write(tmp_path / "other.snapshot", samples({"test": 3}, seed=9), CLASSES)[1]
    (tmp_path / "models.json").write_text(json.dumps({"1": str(run / "model.pt"), "2": str(run / "model.pt")}))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "2.json").write_text("[]")
    arguments = [str(other), "--models", str(tmp_path / "models.json"), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--device", "cpu", "--threads", "1"]) == 0
    assert [json.loads(line)["done"] for line in capsys.readouterr().out.splitlines()] == [1, 2]
    assert len(json.loads((tmp_path / "out" / "1.json").read_text())) == 3
    assert "miou" in json.loads((tmp_path / "out" / "1.figures.json").read_text())
    assert json.loads((tmp_path / "out" / "2.json").read_text()) == []


def test_what_cannot_be_judged_is_refused(trained: tuple[Path, Path], tmp_path: Path) -> None:
    run, _ = trained
    none = write(tmp_path / "none.snapshot", samples({"train": 1}), CLASSES)[1]
    with pytest.raises(Refused, match="no labelled test samples"):
        judge(run / "model.pt", read(none))
    colour = write(tmp_path / "colour.snapshot", samples({"test": 1}, channels=3), CLASSES)[1]
    with pytest.raises(Refused, match="takes 1 channels"):
        judge(run / "model.pt", read(colour), device="cpu", threads=1)
    fewer = write(
        tmp_path / "fewer.snapshot",
        samples({"test": 1}),
        (*CLASSES, CLASSES[1].__class__(9, "x", "foreground", "#000000")),
    )[1]
    with pytest.raises(Refused, match="classes of"):
        judge(run / "model.pt", read(fewer), device="cpu", threads=1)
