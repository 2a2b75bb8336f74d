"""The trainer as a child: one training in a folder of its own, told as it goes, and gone on with where it was."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.flows import child
from app.flows.child import Hear
from app.flows.progress import Progress

# Chosen by measurement when a training starts. Trainings that are to compute alike take the choice of the first.
MEASURED = ("precision", "layout", "compile")


def train(
    snapshot: Path,
    out: Path,
    config: Mapping[str, Any],
    folder: Path,
    progress: Progress,
    *,
    processes: int = 1,
    splits: Mapping[str, str] | None = None,
    stamp: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train into ``out`` and return its ``result.json``. What the trainer says is kept in ``folder``, with ``stamp``.

    ``splits``: split of each key that is learned from or judged by, in place of the snapshot's; written down in
    ``out/splits.json``. Raises TrainingFailed with the trainer's sentence.
    """
    out.mkdir(parents=True, exist_ok=True)
    wanted = out / "wanted.json"
    wanted.write_text(json.dumps(config))
    arguments = ["ml.train", str(snapshot), "--out", str(out), "--config", str(wanted)]
    if splits is not None:
        (out / "splits.json").write_text(json.dumps(splits))
        arguments += ["--splits", str(out / "splits.json")]
    child.see_done(arguments, folder, _telling(progress), processes, stamp)
    result: dict[str, Any] = json.loads((out / "result.json").read_text())
    return result


def _telling(progress: Progress) -> Hear:
    """Tells how far the trainer is from what it says, and again while it says nothing."""
    epochs = 0
    told = 0, 0, "trying this machine"

    def hear(event: Mapping[str, Any]) -> None:
        nonlocal epochs, told
        match event["event"]:
            case "start":
                epochs = event["config"]["epochs"]
                told = event["epoch"], epochs, "training"
            case "rate":
                told = event["epoch"], epochs, f"training, {event['images_per_second']:.0f} images/s"
            case "epoch":
                told = event["epoch"] + 1, epochs, "training"
        progress(*told)

    return hear
