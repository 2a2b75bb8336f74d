import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ml.config import make
from ml.errors import Refused
from ml.models import build
from ml.predictions import read
from ml.pseudoseg import activation, attend, fuse, fused
from ml.report import silent
from ml.snapshot import read as read_snapshot
from ml.suggest import main
from ml.train import train
from tests.ml.made import TINY, made


def plan(folder: Path, models: list[Path], models_of: dict[str, list[int]]) -> Path:
    passes = [
        {"method": one, "out": str(folder / one), "models_of": models_of}
        for one in ("softmax", "ensemble", "pseudoseg")
    ]
    path = folder / "plan.json"
    path.write_text(json.dumps({"models": [str(one) for one in models], "passes": passes}))
    return path


def test_each_sample_is_predicted_by_its_own_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    snapshot = made(tmp_path)
    models = [tmp_path / f"run{seed}" / "model.pt" for seed in (0, 1)]
    for seed, model in enumerate(models):
        train(snapshot, model.parent, make(TINY, {"seed": seed}), emit=silent)
    models_of = {"test/000": [0], "test/001": [1], "test/002": [0, 1]}
    base = [str(snapshot), str(plan(tmp_path, models, models_of)), "--device", "cpu", "--threads", "1"]
    assert main(base) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["done"] for one in said if one["event"] == "predicted"] == list(range(1, 10))
    opened = {name: read(tmp_path / name) for name in ("softmax", "ensemble", "pseudoseg")}
    for file in opened.values():
        assert file.rows.keys() == models_of.keys()
        assert file.classes == (0, 1, 2)
        for key in models_of:
            np.testing.assert_allclose(file.probabilities(key).sum(0), 1, atol=5e-3)
    for key in ("test/000", "test/001"):  # one model: there is nothing to average
        np.testing.assert_array_equal(opened["softmax"].probabilities(key), opened["ensemble"].probabilities(key))
        assert abs(opened["softmax"].probabilities(key) - opened["pseudoseg"].probabilities(key)).max() > 0.01
    alone = []
    for number in (0, 1):
        (tmp_path / str(number)).mkdir()
        path = plan(tmp_path / str(number), models, {"test/002": [number]})
        assert main([str(snapshot), str(path), "--device", "cpu", "--threads", "1"]) == 0
        alone.append(read(tmp_path / str(number) / "softmax").probabilities("test/002"))
    mean = (alone[0] + alone[1]) / 2
    np.testing.assert_allclose(opened["ensemble"].probabilities("test/002"), mean, atol=2e-3)


def test_what_does_not_fit_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    snapshot = made(tmp_path)
    path = plan(tmp_path, [], {"test/000": [0]})
    assert main([str(snapshot), str(path), "--device", "cpu"]) == 2
    assert "names no model" in capsys.readouterr().out
    config = make(TINY, {"model": "marsseg"})
    with pytest.raises(Refused, match="take softmax or ensemble"):
        fused(build(config, 1, 3), torch.zeros(1, 1, 32, 48), config)


def test_activation_lies_where_the_feature_does_that_speaks_for_the_class() -> None:
    deep = torch.zeros(1, 2, 4, 4)
    deep[0, 0, :, :2], deep[0, 1, :, 2:] = 1, 1
    deep.requires_grad_()
    maps = activation(deep * 5, deep)
    assert maps[0, 0].equal(torch.tensor([[1.0, 1, 0, 0]] * 4))
    assert maps[0, 1].equal(torch.tensor([[0.0, 0, 1, 1]] * 4))
    assert not activation(torch.cat([deep * 5, deep - 9], 1), deep)[0, 2:].any()


def test_attention_carries_a_map_to_places_that_look_alike() -> None:
    features = torch.zeros(1, 2, 1, 4)
    features[0, 0, 0, [0, 3]], features[0, 1, 0, [1, 2]] = 1, 1
    maps = torch.tensor([[[[1.0, 0, 0, 0]]]])
    spread = attend(maps, [features])[0, 0, 0]
    torch.testing.assert_close(spread, torch.tensor([0.75, 0, 0, 0.25]), atol=1e-3, rtol=0)


def test_the_fusion_leans_to_both_and_sharpens() -> None:
    logits = torch.tensor([2.0, 0.0, -2.0]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    agrees = fuse(logits, torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 2, 2))
    differs = fuse(logits, torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 2, 2))
    assert agrees[0, 0, 0, 0] > differs[0, 0, 0, 0] > differs[0, 2, 0, 0]
    assert differs[0, 1, 0, 0] > agrees[0, 1, 0, 0]
    torch.testing.assert_close(agrees.sum(1), torch.ones(1, 2, 2))


def test_the_fusion_of_a_network_keeps_its_gradients_to_itself(tmp_path: Path) -> None:
    snapshot = read_snapshot(made(tmp_path))
    config = make(TINY)
    torch.manual_seed(0)
    network = build(config, 1, 3).eval()
    image = torch.from_numpy(np.array(snapshot.image(snapshot.rows[0])[:30, :45])).permute(2, 0, 1)[None].float() / 255
    out = fused(network, image, config)
    assert out.shape == (1, 3, 30, 45)
    assert not out.requires_grad
    torch.testing.assert_close(out.sum(1), torch.ones(1, 30, 45))
    both = fused(network, torch.cat([image, image.flip(3)]), config)
    torch.testing.assert_close(both[:1], out, atol=1e-4, rtol=1e-3)
    assert not any(one._forward_hooks for one in network.modules())
