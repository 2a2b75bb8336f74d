import json
from pathlib import Path

import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator

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


def test_the_exported_model_believes_what_the_network_does(tmp_path: Path) -> None:
    """Read back by ONNX's own reference, in numpy alone: another batch and other sides than it was traced with."""
    torch.manual_seed(0)
    config = make({"width": 4, "depth": 2, "device": "cpu"})
    scaling = Scaling(0, 255, (0.4,), (0.2,))
    network = build(config, 1, 3)
    network(torch.randn(8, 1, 16, 16))  # so that the batch norms hold something
    trained = Trained(network.eval(), config, CLASSES[:3], 1, scaling, {})
    trained.save(tmp_path / "model.pt")
    assert export.main([str(tmp_path / "model.pt"), "--out", str(tmp_path / "model.onnx")]) == 0
    model = onnx.load(tmp_path / "model.onnx")
    assert [one["name"] for one in json.loads(model.metadata_props[0].value)] == ["sky", "soil", "rock"]
    stored = torch.randint(256, (3, 1, 16, 24)).float()
    [believed] = ReferenceEvaluator(model).run(None, {"image": stored.numpy()})
    with torch.no_grad():
        expected = export.Served(trained).eval()(stored)
    torch.testing.assert_close(torch.from_numpy(believed), expected, rtol=1e-4, atol=1e-5)
