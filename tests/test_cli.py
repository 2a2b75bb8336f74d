"""The command line as a person or a script has it: real processes' output, exit codes, JSON."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import __main__ as entry

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def remask(tmp_path: Path) -> Run:
    def run(*args: str | Path, code: int = 0) -> "subprocess.CompletedProcess[str]":
        env = os.environ | {"REMASK_HOME": str(tmp_path / "data"), "REMASK_REVIEWER": "ada"}
        command = [sys.executable, "-m", "app", *map(str, args)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The same entry without a process of its own; what it printed, on stderr where it failed."""
    monkeypatch.setenv("REMASK_HOME", str(tmp_path / "data"))

    def run(*args: str | Path, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["remask", *map(str, args)])
        try:
            entry.main()
        except SystemExit as left:
            assert (left.code or 0) == code
        out, err = capsys.readouterr()
        assert not (out if code else err)
        return err if code else out

    return run


def json_of(done: "subprocess.CompletedProcess[str]") -> Any:
    return json.loads(done.stdout)


def test_the_whole_loop(remask: Run, tmp_path: Path) -> None:
    demo = json_of(remask("demo", "--count", "120", "--json"))
    assert demo == {"dataset": "demo", "imported": 132, "unlabeled": 12}

    checks = json_of(remask("check", "demo", "--json"))["checks"]
    assert {"shared_mask", "duplicate_image", "foreign_image", "unusual_mask", "bad_image", "imprecise_mask"} == {
        c["check"] for c in checks
    }
    assert all(set(one) == {"check", "flagged", "seconds"} for one in checks)

    flags = json_of(remask("flags", "demo", "--check", "shared_mask", "--json"))
    assert [one["score"] for one in flags] == sorted((one["score"] for one in flags), reverse=True)
    assert set(flags[0]) == {"sample", "check", "score", "group", "reason"}
    truth = (tmp_path / "data" / "demo-truth.csv").read_text().splitlines()
    contaminated = {line.split(",")[0] for line in truth if ",contaminated," in line}
    group = flags[0]["group"]
    assert {one["sample"] for one in flags if one["group"] == group} == contaminated

    decided = json_of(remask("review", "demo", "--exclude", "--group", str(group), "--json"))
    assert decided["decided"] == len(contaminated)
    status = json_of(remask("status", "demo", "--json"))
    assert status["excluded"] == len(contaminated)
    one = json_of(remask("status", "demo", sorted(contaminated)[0], "--json"))
    assert (one["status"], bool(one["why"])) == ("excluded", True)

    out = tmp_path / "curated.npz"
    written = json_of(remask("export", "demo", out, "--format", "npz", "--json"))
    assert written["labelled"] == 120 - len(contaminated)
    assert np.load(out)["training_set"].shape == (written["labelled"], 2, 64, 128)

    assert json_of(remask("undo", "demo", "--json"))["decided"] == len(contaminated)
    assert json_of(remask("status", "demo", "--json"))["excluded"] == 0
    assert "excluded,0" in remask("status", "demo", "--csv").stdout


def test_import_tells_what_it_refused(remask: Run, npz: Path, tmp_path: Path) -> None:
    report = json_of(remask("import", npz, "--dataset", "mars", "--json"))
    assert (report["dataset"], report["imported"], report["unlabeled"], report["refused"]) == ("mars", 15, 3, [])
    assert report["seconds"] > 0
    classes = tmp_path / "classes.csv"
    classes.write_text("id,name\n0,background\n1,soil\n")
    refused = json_of(remask("import", npz, "--dataset", "strict", "--classes", classes, "--json"))["refused"]
    assert refused
    assert set(refused[0]) == {"file", "reason"}
    assert "refused" in remask("import", npz, "--dataset", "again", "--classes", classes).stdout


def test_a_users_error_is_one_sentence_and_exit_code_1(
    remask: Run, main: Callable[..., str], npz: Path, tmp_path: Path
) -> None:
    for args in (
        ("import", tmp_path / "missing"),
        ("import", npz, "--dataset", "a/b"),
        ("import", npz, "--format", "nonsense"),
        ("check", "missing"),
        ("status", "missing"),
        ("flags", "missing"),
        ("undo", "missing"),
        ("export", "missing", tmp_path / "out.npz"),
    ):
        said = main(*args, code=1)
        assert len(said.strip().splitlines()) == 1
        assert said.rstrip().endswith(".")
    remask("import", npz, "--dataset", "mars")
    assert "no check" in remask("check", "mars", "--only", "nonsense", code=1).stderr
    assert "no sample" in remask("review", "mars", "--keep", "nonsense", code=1).stderr
    out = tmp_path / "taken.npz"
    out.write_text("mine")
    assert "already" in remask("export", "mars", out, code=1).stderr
    assert out.read_text() == "mine"


def test_trouble_with_the_machine_is_a_sentence(remask: Run, npz: Path, tmp_path: Path) -> None:
    home = tmp_path / "data"
    home.mkdir()
    (home / "remask.sqlite").write_bytes(b"no database" * 100)
    assert "database can't be used" in remask("status", "mars", code=1).stderr
    classes = tmp_path / "classes.csv"
    classes.write_bytes(b"id,name\n0,caf\xe9\n")
    (home / "remask.sqlite").unlink()
    assert "UTF-8" in remask("import", npz, "--classes", classes, code=1).stderr


def test_a_setting_that_cannot_be_taken_is_named(remask: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMASK_PORT", "99999")
    assert "REMASK_PORT" in remask("status", "mars", code=1).stderr


def test_a_report_is_given_when_nothing_could_be_read(remask: Run, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for name in ("a.png", "b\x1b[31m.png"):
        (folder / name).write_bytes(b"no picture")
    done = remask("import", folder, "--json", code=1)
    report = json_of(done)
    assert (report["imported"], {one["file"] for one in report["refused"]}) == (0, {"a.png", "b\x1b[31m.png"})
    assert "\x1b" not in remask("import", folder, code=1).stderr


def test_wrong_usage_is_exit_code_2(remask: Run) -> None:
    remask("nonsense", code=2)
    remask("import", code=2)
    remask("review", "mars", "--keep", "--exclude", "x", code=2)
    remask("review", "mars", "--keep", code=2)


def test_every_command_has_help_with_an_example(main: Callable[..., str]) -> None:
    for name in entry.COMMANDS:
        assert f"remask {name}" in main(*name.split(), "--help").split("Example:")[1]
