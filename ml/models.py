"""The networks by name, their size, and a trained one as a file that says all that is needed to use it."""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ml.config import Config, make
from ml.data import Scaling
from ml.errors import Refused
from ml.marsseg import MarsSeg
from ml.snapshot import Class
from ml.transformer import Transformer
from ml.unet import UNet

REGISTRY = {"unet": UNet, "marsseg": MarsSeg, "transformer": Transformer}


def build(config: Config, channels: int, classes: int) -> nn.Module:
    """The network of ``config``: (B, channels, H, W) -> (B, classes, H, W) logits, sides multiples of its multiple."""
    network: nn.Module = REGISTRY[config.model](config, channels, classes)
    return network


def parameters(network: nn.Module) -> int:
    return sum(one.numel() for one in network.parameters())


def gigaflops(network: nn.Module, channels: int, height: int, width: int) -> float:
    """Floating-point operations (a multiply-add is two) of one forward pass over one picture, in 10^9."""
    device = next(network.parameters()).device
    was = network.training
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, channels, height, width, device=device))
    network.train(was)
    return float(counter.get_total_flops()) / 1e9


@dataclass(frozen=True)
class Trained:
    """A network with what turns pixels into its input and its outputs into classes. ``network`` is in eval mode."""

    network: nn.Module
    config: Config
    classes: tuple[Class, ...]
    channels: int
    scaling: Scaling
    facts: dict[str, Any]

    def save(self, path: Path, weights: dict[str, Tensor] | None = None) -> None:
        """Writes it whole or not at all; ``weights`` instead of the network's own."""
        write_atomically(
            path,
            {
                "config": self.config.as_json(),
                "classes": [vars(one) for one in self.classes],
                "channels": self.channels,
                "scaling": self.scaling.as_json(),
                "facts": self.facts,
                "weights": self.network.state_dict() if weights is None else weights,
            },
        )


def load(path: Path, device: torch.device) -> Trained:
    """A trained network from its file. Raises Refused where the file is none."""
    try:
        stored = torch.load(path, map_location=device, weights_only=True)
        config = make(stored["config"])
        classes = tuple(Class(**one) for one in stored["classes"])
        network = build(config, stored["channels"], len(classes))
        network.load_state_dict(stored["weights"])
    except Exception as error:  # whatever bytes that are no model make of the reader
        raise Refused(f"{path} can't be read as a trained model: {error}.") from error
    scaling = Scaling(**stored["scaling"])
    network = network.to(device).eval()
    return Trained(network, config, classes, stored["channels"], scaling, stored["facts"])


def write_atomically(path: Path, what: Any) -> None:
    """``torch.save`` that a crash leaves either as it was or complete and on disk."""
    buffer = io.BytesIO()
    torch.save(what, buffer)
    replace_file(path, buffer.getvalue())


def replace_file(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
