"""``remask experiments`` as a person has it: what can't be run is one sentence, what is done lies in a folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def remask(home: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "app", *args]
    env = os.environ | {"REMASK_HOME": str(home), "REMASK_REVIEWER": "ada"}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.long
def test_the_command_trains_and_tells(tmp_path: Path) -> None:
    remask(tmp_path, "demo", "--count", "60")
    tiny = ["--epochs", "1", "--samples", "40", "--width", "4", "--set", "depth=1", "--set", "precision=fp32"]
    done = remask(tmp_path, "experiments", "demo", *tiny, "--set", "threads=1", "--only", "baseline", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [one["name"] for one in told["experiments"]] == ["baseline"]
    assert told["asked"]["keys"]["width"] == 4
    assert Path(told["folder"], "tables.md").read_text().startswith("- Data set demo: ")
    for wrong, sentence in (
        (["--seeds", "a"], "whole numbers"),
        ([*tiny, "--set", "threads=1", "--only", "marseg"], "marsseg"),
        (["--epochs", "2"], "other settings"),
    ):
        refused = remask(tmp_path, "experiments", "demo", *wrong)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
        assert sentence in refused.stderr
