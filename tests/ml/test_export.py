import json
from pathlib import Path

import pytest
import torch

from ml import export
from ml.config import make
from ml.data import Scaling
from ml.models import Trained, build
from tests.ml.made import CLASSES


def test_without_its_packages_it_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert export.main(["model.pt", "--out", str(tmp_path / "model.onnx")]) == 2
    assert json.loads(capsys.readouterr().out)["message"] == (
        "ONNX export needs onnx and onnxscript; install with: pip install onnx onnxscript."
    )


def test_what_is_exported_takes_stored_pixels() -> None:
    torch.manual_seed(0)
    config = make({"width": 4, "depth": 1})
    scaling = Scaling(0, 255, (0.4,), (0.2,))
    trained = Trained(build(config, 1, 3).eval(), config, CLASSES[:3], 1, scaling, {})
    stored = torch.randint(256, (2, 1, 8, 12)).float()
    believed = export.Served(trained).eval()(stored)
    expected = trained.network((stored / 255 - 0.4) / 0.2).softmax(1)
    torch.testing.assert_close(believed, expected)
