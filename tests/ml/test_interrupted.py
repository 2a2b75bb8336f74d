"""What a kill swallows comes back, and a long run takes no more memory than a short one."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ml.config import make
from ml.predictions import read
from ml.train import train
from tests.ml.made import made

TINY: dict[str, Any] = {
    "precision": "fp32",
    "layout": "contiguous",
    "device": "cpu",
    "threads": 1,
    "width": 4,
    "depth": 1,
    "batch": 4,
    "augment": "",
    "samples": 0,
}
# Prints the process's largest size so far after each epoch.
_WATCHED = """
import json, resource, sys
from pathlib import Path
from ml.config import make
from ml.train import train

def emit(event, **facts):
    if event == "epoch":
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

train(Path(sys.argv[1]), Path(sys.argv[2]), make(json.loads(sys.argv[3])), emit=emit)
"""


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("set"))


def test_a_start_tells_every_epoch_before_it(snapshot: Path, tmp_path: Path) -> None:
    said: list[dict[str, Any]] = []

    def emit(event: str, **facts: Any) -> None:
        said.append({"event": event, **facts})
        if event == "epoch" and facts["epoch"] == 1:
            (tmp_path / "run" / "cancel").touch()

    config = make({**TINY, "epochs": 3})
    assert train(snapshot, tmp_path / "run", config, emit=emit) == "cancelled"
    epochs = [{key: value for key, value in one.items() if key != "event"} for one in said if one["event"] == "epoch"]
    assert said[0]["history"] == []
    said.clear()
    (tmp_path / "run" / "cancel").unlink()
    train(snapshot, tmp_path / "run", config, emit=emit)
    assert said[0]["event"] == "start"
    assert said[0]["history"][:2] == epochs
    assert [one["epoch"] for one in said if one["event"] == "epoch"] == [2]


def test_memory_stays_flat_over_epochs(snapshot: Path, tmp_path: Path) -> None:
    keys = {**TINY, "epochs": 60, "patience": 60, "augment": "affine,hflip"}
    command = [sys.executable, "-c", _WATCHED, str(snapshot), str(tmp_path / "run"), json.dumps(keys)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    sizes = [int(line) for line in done.stdout.split()]
    assert len(sizes) == 60
    assert sizes[-1] <= 1.03 * sizes[19], sizes


@pytest.mark.long
def test_a_killed_cross_validation_goes_on_in_the_fold_it_was_in(snapshot: Path, tmp_path: Path) -> None:
    keys = [f"--set={key}={value}" for key, value in {**TINY, "epochs": 3, "width": 8}.items()]
    command = [sys.executable, "-m", "ml.crossval", str(snapshot), "--out", str(tmp_path / "folds")]
    command += ["--folds", "2", "--jobs", "1", *keys]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        assert parent.stdout is not None
        try:
            for line in parent.stdout:
                event = json.loads(line)
                if event["event"] == "epoch" and event["fold"] == 1:
                    break
            parent.send_signal(signal.SIGKILL)
            parent.wait()
            again = subprocess.run(command, capture_output=True, text=True, check=True)
        finally:
            os.killpg(parent.pid, signal.SIGKILL) if _alive(parent.pid) else None
    said = [json.loads(line) for line in again.stdout.splitlines()]
    assert [one["state"] for one in said if one["event"] == "fold"] == ["kept", "done"]
    [start] = [one for one in said if one["event"] == "start" and one.get("fold") == 1]
    assert start["epoch"] >= 1
    assert len(read(tmp_path / "folds" / "predictions").rows) == 22


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
