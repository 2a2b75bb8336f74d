"""A trained model as ONNX: ``python -m ml.export MODEL --out FILE.onnx``.

The exported graph takes pictures as they are stored (float32, (batch, channels, height, width), any batch size, sides
that are multiples of what the model needs), scales them itself, and returns probabilities. Needs the packages ``onnx``
and ``onnxscript``; nothing else of the trainer does.
"""

import argparse
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ml.errors import Refused
from ml.models import Trained, load
from ml.report import exit_status, to_stdout


class Served(nn.Module):
    """The network between stored pixels and probabilities."""

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self.network, self.scaling = trained.network, trained.scaling

    def forward(self, image: Tensor) -> Tensor:
        unit = (image - self.scaling.low) / (self.scaling.high - self.scaling.low)
        logits: Tensor = self.network(self.scaling.standard(unit))
        return logits.softmax(1)


def export(model: Path, out: Path) -> None:
    """Writes ``out``. Raises Refused where the packages are missing or ``model`` is no trained model."""
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise Refused(f"ONNX export needs {' and '.join(missing)}; install with: pip install onnx onnxscript.")
    trained = load(model, torch.device("cpu"))
    side = max(2 * trained.config.multiple, 64)
    image = torch.zeros(2, trained.channels, side, side)
    sizes = {0: torch.export.Dim("batch"), 2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    program = torch.onnx.export(
        Served(trained).eval(),
        (image,),
        dynamo=True,
        verbose=False,
        input_names=["image"],
        output_names=["probabilities"],
        dynamic_shapes=(sizes,),
    )
    if program is None:
        raise Refused("This version of torch returned no ONNX program; install torch 2.9 or later.")
    program.model.metadata_props["classes"] = json.dumps([vars(one) for one in trained.classes])
    program.save(out, external_data=False)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ml.export", description="Writes a trained model as ONNX.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)

    def work() -> int:
        export(given.model, given.out)
        to_stdout("end", onnx=str(given.out))
        return 0

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main())
