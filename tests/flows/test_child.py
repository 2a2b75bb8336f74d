"""A child process: heard as it speaks, kept line by line, stopped although it is silent."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.flows import child
from app.flows.progress import Cancelled

SILENT = "import time; time.sleep(300)"
SPEAKS = 'print(\'no event\'); print(\'{"event": "told", "n": 1}\')'


def timeit(statement: str) -> list[str]:
    """Runs it once, as a module of Python's own."""
    return ["timeit", "-n", "1", "-r", "1", statement]


def test_what_is_said_is_heard_and_kept_with_its_stamp(tmp_path: Path) -> None:
    heard: list[Mapping[str, Any]] = []
    folder = child.folder_of(tmp_path, 3)
    child.see_done(timeit(SPEAKS), folder, heard.append, stamp={"round": 2})
    assert [one for one in heard if one != child.SILENCE] == [{"event": "told", "n": 1}]
    assert child.events(tmp_path, 3) == [{"event": "told", "n": 1, "round": 2}]


def test_a_silent_child_is_stopped(tmp_path: Path) -> None:
    def hear(event: Mapping[str, Any]) -> None:
        assert event == child.SILENCE
        raise Cancelled

    with pytest.raises(Cancelled):
        child.see_done(timeit(SILENT), tmp_path, hear)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text().split()[0]), 0)


def test_a_child_that_fails_says_why(tmp_path: Path) -> None:
    said = 'print(\'{"event": "error", "message": "No room."}\'); raise SystemExit(2)'
    with pytest.raises(child.TrainingFailed, match="No room"):
        child.see_done(timeit(said), tmp_path, lambda _event: None)
