"""A trained network as an auto-annotation function of CVAT: it draws a mask for each class that it sees in a picture.

For ``cvat-cli task auto-annotate TASK --function-file ml/cvat_function.py -p model=str:runs/4/model.pt``, whose
interface (``create``, ``spec``, ``detect``) this is; or on its own, with a server's address and login as JSON on
standard input: ``python -m ml.cvat_function MODEL --task N``. Needs ``cvat-sdk`` (the extra ``cvat``).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cvat_sdk.auto_annotation as cvataa
import numpy as np
import torch
from cvat_sdk import Client, Config, masks
from numpy.typing import NDArray
from PIL import Image

from ml.config import resolve
from ml.errors import Broken, Refused
from ml.infer import probabilities
from ml.machine import enter, in_config, pick_device
from ml.models import Trained, load
from ml.report import exit_status, to_stdout

# Seconds for a connection, and for the next bytes of an answer.
PATIENCE = (10.0, 60.0)


class Function:
    """``spec``: the labels, called as in the class list; background, which CVAT leaves unpainted, only on demand."""

    def __init__(self, model: Path, device: str, threads: int, background: bool) -> None:
        trained = load(model, torch.device(pick_device(device)))
        config = resolve(trained.config, device=device, threads=threads)
        world = enter(config)
        self._config = resolve(
            config, precision=config.precision if world.device.type == trained.config.device else "fp32"
        )
        self._network = in_config(trained.network.to(world.device), self._config)
        self._device, self._trained = world.device, trained
        self._shown = {at: one for at, one in enumerate(trained.classes) if background or one.role != "background"}
        labels = [cvataa.label_spec(one.name.strip(), at, type="mask") for at, one in self._shown.items()]
        self.spec = cvataa.DetectionFunctionSpec(labels=labels)

    def detect(self, context: Any, image: Image.Image) -> list[Any]:
        """Disjoint masks, one for each class that occurs. Pixels that the network is less sure of than the context's
        threshold stay unpainted. Raises Refused for a picture with other channels than it learned on."""
        pixels = pixels_for(image, self._trained)[None]
        picture = self._trained.scaling.standard(self._trained.scaling.unit(torch.from_numpy(pixels).to(self._device)))
        found = [band[0].max(0) for _, band in probabilities(self._network, picture, self._config)]
        likeliest = torch.cat([one.indices for one in found]).cpu().numpy()
        sure = torch.cat([one.values for one in found]).cpu().numpy() >= (context.conf_threshold or 0.0)
        areas = [(at, sure & (likeliest == at)) for at in self._shown]
        return [cvataa.mask(at, masks.encode_mask(area)) for at, area in areas if area.any()]


def create(model: str, device: str = "auto", threads: int = 0, background: bool = False) -> Function:
    """The function of a model's file; what CVAT's command line calls with its ``-p`` parameters."""
    return Function(Path(model), device, threads, background)


def pixels_for(image: Image.Image, trained: Trained) -> NDArray[Any]:
    """(H, W, channels) as the network takes it. Raises Refused."""
    if image.mode in ("P", "1", "CMYK", "YCbCr", "LAB", "HSV", "PA"):
        image = image.convert("L" if image.mode == "1" else "RGBA" if "transparency" in image.info else "RGB")
    pixels = np.array(image)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if pixels.shape[2] != trained.channels:
        raise Refused(f"The model takes {trained.channels} channels, and a picture has {pixels.shape[2]}.")
    return pixels.astype(np.float32) if pixels.dtype != np.uint8 else pixels


@dataclass
class _Counted:
    """A function that tells how many pictures it has seen."""

    function: Function
    done: int = 0

    @property
    def spec(self) -> Any:
        return self.function.spec

    def detect(self, context: Any, image: Image.Image) -> list[Any]:
        found = self.function.detect(context, image)
        self.done += 1
        to_stdout("frame", done=self.done, masks=len(found))
        return found


def annotate(server: dict[str, Any], model: Path, task: int, replace: bool, device: str, threads: int) -> int:
    """Draw into a task; how many shapes. Labels that the task lacks are left out. Raises Refused where it has none of
    them, Broken where the server fails."""
    with tempfile.TemporaryDirectory() as cache:
        config = Config(verify_ssl=server["verify"], cache_dir=Path(cache))
        try:
            with Client(server["url"], config=config, check_server_version=False) as client:
                _lose_patience(client)
                _log_in(client, server)
                names = {one.name for one in client.tasks.retrieve(task).get_labels()}
                function = _Counted(create(str(model), device, threads))
                wanted = {one.name for one in function.spec.labels}
                if not names & wanted:
                    raise Refused(
                        f"Task {task} has no label called {', '.join(sorted(wanted))}; push it from here first."
                    )
                before = len(client.tasks.api.retrieve_annotations(task)[0].shapes) if not replace else 0
                cvataa.annotate_task(client, task, function, clear_existing=replace, allow_unmatched_labels=True)
                return len(client.tasks.api.retrieve_annotations(task)[0].shapes) - before
        except Refused:
            raise
        except Exception as error:  # the SDK raises its own kinds, its HTTP client's, and TypeErrors on odd answers
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise Broken(f"CVAT broke off: {first[:200]}") from error


def _lose_patience(client: Client) -> None:
    """Give every call of the SDK a timeout; it has none by itself, and a server that hangs would hold it forever."""
    plain = client.api_client.rest_client.request

    def request(*args: Any, **more: Any) -> Any:
        return plain(*args, **more | {"_request_timeout": more.get("_request_timeout") or PATIENCE})

    client.api_client.rest_client.request = request


def _log_in(client: Client, server: dict[str, Any]) -> None:
    client.organization_slug = server["organization"]
    if server["authorization"] is not None:
        client.api_client.set_default_header("Authorization", server["authorization"])
    else:
        client.login((server["user"], server["password"]))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ml.cvat_function", description="Draws masks into a CVAT task.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--task", type=int, required=True)
    parser.add_argument("--replace", action="store_true", help="take away what the task holds already")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args(arguments)

    def work() -> int:
        server = json.load(sys.stdin)
        shapes = annotate(server, given.model, given.task, given.replace, given.device, given.threads)
        to_stdout("end", shapes=shapes)
        return 0

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main())
