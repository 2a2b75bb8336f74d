from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ml.config import Config, make
from ml.data import Scaling
from ml.errors import Refused
from ml.infer import Bands, of_pictures, probabilities, within
from ml.layers import cell_means
from ml.models import Trained, build, gigaflops, load, parameters
from tests.ml.made import CLASSES

EVERY: list[dict[str, Any]] = [
    {"depth": 2},
    {"depth": 3, "residual": True},
    {"depth": 2, "squeeze_excitation": True, "attention_gates": True},
    {"depth": 2, "pyramid_pooling": True, "transformer_bottleneck": True},
    {"depth": 2, "norm": "group", "dropout": 0.1},
    {"model": "marsseg"},
    {"model": "transformer"},
]


@pytest.mark.parametrize("keys", EVERY, ids=str)
def test_a_network_learns_and_keeps_the_size(keys: dict[str, Any]) -> None:
    torch.manual_seed(0)
    config = make({"width": 8, **keys})
    network = build(config, 3, 4)
    out = network(torch.randn(2, 3, 32, 64))
    assert out.shape == (2, 4, 32, 64)
    out.square().mean().backward()
    assert all(one.grad is not None and torch.isfinite(one.grad).all() for one in network.parameters())
    assert parameters(network) == sum(one.numel() for one in network.parameters())


def test_gigaflops_of_a_known_network() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 2, 1))
    assert gigaflops(network, 3, 10, 20) == pytest.approx(2 * 200 * (3 * 9 * 8 + 8 * 2) / 1e9)
    assert network.training


@pytest.mark.parametrize("grid", [1, 2, 3, 6])
def test_cell_means_are_adaptive_pooling(grid: int) -> None:
    x = torch.randn(2, 3, 7, 16)
    torch.testing.assert_close(cell_means(x, grid), F.adaptive_avg_pool2d(x, grid))


def trained(config: Config) -> Trained:
    network = build(config, 1, 3).eval()
    return Trained(network, config, CLASSES[:3], 1, Scaling(0, 255, (0.4,), (0.2,)), {"snapshot": "x"})


def test_a_trained_network_comes_back(tmp_path: Path) -> None:
    one = trained(make({"width": 8, "depth": 2}))
    one.save(tmp_path / "model.pt")
    other = load(tmp_path / "model.pt", torch.device("cpu"))
    image = torch.randn(1, 1, 16, 16)
    assert torch.equal(one.network(image), other.network(image))
    assert (other.config, other.classes, other.scaling, other.facts) == (
        one.config,
        one.classes,
        one.scaling,
        one.facts,
    )
    (tmp_path / "model.pt").write_bytes(b"nothing")
    with pytest.raises(Refused, match="can't be read as a trained model"):
        load(tmp_path / "model.pt", torch.device("cpu"))


class Pointwise(nn.Module):
    """Each pixel by itself, so that tiles can't differ from the whole."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, -x, x**2], 1)


def joined(bands: Bands) -> torch.Tensor:
    """The bands as one, which lie below each other without a gap."""
    at, parts = 0, []
    for top, band in bands:
        assert top == at
        at += band.shape[2]
        parts.append(band)
    return torch.cat(parts, 2)


@pytest.mark.parametrize("tta", [False, True])
@pytest.mark.parametrize("band", [7, 16, 256])
def test_tiles_join_to_the_whole(band: int, tta: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.infer.BAND", band)
    image = torch.randn(2, 1, 75, 130)
    config = make({"crop": 32, "overlap": 8, "depth": 2, "precision": "fp32", "tta": tta})
    bands = list(probabilities(Pointwise(), image, config))
    assert [one.shape[2] for _, one in bands] == [min(band, 75 - top) for top in range(0, 75, band)]
    torch.testing.assert_close(joined(iter(bands)), Pointwise()(image).softmax(1))
    kept = list(within(iter(bands), 70, 120))
    assert torch.equal(torch.cat(kept, 2), joined(iter(bands))[:, :, :70, :120])


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("tta", [False, True])
def test_pictures_as_stored_are_made_ready_a_cut_at_a_time(kind: type[np.generic], tta: bool) -> None:
    """And are left as they are, so that the next model sees the same."""
    random = np.random.default_rng(0)
    stored = torch.from_numpy(random.integers(0, 200, (2, 75, 60, 1)).astype(kind))
    before, scaling = stored.clone(), Scaling(5.0, 180.0, (0.4,), (0.3,))
    config = make({"crop": 32, "overlap": 8, "depth": 2, "precision": "fp32", "tta": tta})
    found = joined(of_pictures(Pointwise(), stored, scaling, config))
    assert torch.equal(stored, before)
    seen = scaling.standard((before.permute(0, 3, 1, 2).float() - 5) / 175)
    assert torch.equal(found, joined(probabilities(Pointwise(), seen, config)))


def test_tiles_of_a_network_resemble_the_whole() -> None:
    torch.manual_seed(0)
    network = build(make({"width": 8, "depth": 1}), 1, 3).eval()
    image = torch.randn(1, 1, 64, 96)
    keys = {"overlap": 24, "depth": 1, "precision": "fp32"}
    [(_, whole)] = probabilities(network, image, make({"crop": 128, **keys}))
    tiled = joined(probabilities(network, image, make({"crop": 48, **keys})))
    assert float((whole - tiled).abs().mean()) < 1e-3
    torch.testing.assert_close(tiled.sum(1), torch.ones(1, 64, 96))


def test_flips_are_averaged() -> None:
    torch.manual_seed(0)
    network = build(make({"width": 8, "depth": 1}), 1, 3).eval()
    image = torch.randn(1, 1, 20, 30)
    config = make({"depth": 1, "precision": "fp32", "tta": True})
    once = make({"depth": 1, "precision": "fp32"})
    views = [joined(probabilities(network, image.flip(view), once)).flip(view) for view in ([], [3], [2], [2, 3])]
    averaged = joined(probabilities(network, image, config))
    torch.testing.assert_close(averaged, torch.stack(views).mean(0))
    turned = joined(probabilities(network, image.flip(3), config)).flip(3)
    torch.testing.assert_close(turned, averaged)
