"""Whole runs, tiny: what they reach, and that nothing interrupts them for good."""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ml import estimate
from ml.checkpoint import held
from ml.config import Config, make
from ml.errors import Broken, Refused
from ml.machine import World, fastest
from ml.models import build
from ml.snapshot import read, write
from ml.train import main, train
from tests.ml.made import CLASSES, made, samples

ROOT = Path(__file__).parents[2]
PLAIN = {"precision": "fp32", "layout": "contiguous", "device": "cpu", "threads": 1}
TINY: dict[str, Any] = {**PLAIN, "width": 4, "depth": 2, "batch": 4, "samples": 2, "epochs": 4}


class Said(list[dict[str, Any]]):
    """Collects what a run says."""

    def __call__(self, event: str, **facts: Any) -> None:
        self.append({"event": event, **facts})

    def of(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self if one["event"] == event]


def run(snapshot: Path, folder: Path, keys: dict[str, Any] = TINY, **more: Any) -> Said:
    said = Said()
    train(snapshot, folder, make({**keys, **more}), emit=said)
    return said


def weights(folder: Path) -> dict[str, Tensor]:
    stored: dict[str, Tensor] = torch.load(folder / "model.pt", weights_only=True)["weights"]
    return stored


def same(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def finished(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, run(snapshot, folder)


def test_eight_pictures_are_learned_by_heart(tmp_path: Path) -> None:
    eight = list(samples({"train": 8}))
    twins = [replace(one, key=f"v{one.key}", group=f"v{one.group}", split="val") for one in eight]
    path = write(tmp_path, [*eight, *twins], CLASSES)[1]
    keys = {**PLAIN, "width": 8, "depth": 2, "batch": 8, "augment": "", "samples": 0, "learning_rate": 0.02}
    said = run(path, tmp_path / "run", keys, epochs=60, patience=60, plateau_patience=60)
    assert said.of("end")[0]["val"]["miou_all"] > 0.99


def test_what_a_run_says_and_leaves(finished: tuple[Path, Said]) -> None:
    folder, said = finished
    start, end = said.of("start")[0], said.of("end")[0]
    assert start["samples"] == {"train": 12, "val": 6, "test": 4}
    assert start["parameters"] > 0
    assert start["gigaflops"] > 0
    assert [one["epoch"] for one in said.of("epoch")] == [0, 1, 2, 3]
    assert end["reason"] == "all epochs"
    assert set(end["test"]["classes"]) == {"sky", "soil", "rock"}
    best = max(said.of("epoch"), key=lambda one: one["val"]["miou"])
    assert end["best_epoch"] == best["epoch"]
    assert end["val"]["miou"] == pytest.approx(best["val"]["miou"])
    strips = said.of("samples")
    assert [one["epoch"] for one in strips] == [0, 3]
    assert [strip["key"] for strip in strips[0]["strips"]] == [strip["key"] for strip in strips[1]["strips"]]
    with Image.open(strips[0]["strips"][0]["path"]) as strip:
        assert strip.size == (48 * 3 + 4, 32)
    judged = json.loads((folder / "test_samples.json").read_text())
    summed = np.sum([one["confusion"] for one in judged], axis=0)
    np.testing.assert_array_equal(summed, end["test"]["confusion"])
    assert [one["miou"] for one in judged] == sorted(one["miou"] for one in judged)
    resolved = make(json.loads((folder / "config.json").read_text()))
    assert "auto" not in (resolved.device, resolved.precision, resolved.layout, resolved.compile)
    assert json.loads((folder / "result.json").read_text())["history"] == [
        {key: value for key, value in one.items() if key != "event"} for one in said.of("epoch")
    ]


def test_same_snapshot_config_and_seed_give_the_same_weights(
    snapshot: Path, finished: tuple[Path, Said], tmp_path: Path
) -> None:
    folder, _ = finished
    resolved = json.loads((folder / "config.json").read_text())
    run(snapshot, tmp_path / "again", resolved)
    assert same(folder, tmp_path / "again")
    run(snapshot, tmp_path / "other", resolved, seed=1)
    assert not same(folder, tmp_path / "other")


def test_a_cancelled_run_goes_on_bit_for_bit(snapshot: Path, finished: tuple[Path, Said], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    said = Said()

    def emit(event: str, **facts: Any) -> None:
        said(event, **facts)
        if event == "epoch" and facts["epoch"] == 1:
            (folder / "cancel").touch()

    assert train(snapshot, folder, make(TINY), emit=emit) == "cancelled"
    assert said.of("end") == [{"event": "end", "reason": "cancelled"}]
    (folder / "cancel").unlink()
    again = run(snapshot, folder)
    assert again.of("start")[0]["epoch"] == 2
    assert same(folder, finished[0])
    assert again.of("end")[0]["val"] == finished[1].of("end")[0]["val"]
    # A finished run says its end again and trains nothing.
    assert [one["event"] for one in run(snapshot, folder)] == ["start", "end"]


def command(snapshot: Path, folder: Path, keys: dict[str, Any]) -> list[str]:
    pairs = [f"--set={key}={json.dumps(value)}" for key, value in keys.items()]
    return [sys.executable, "-m", "ml.train", str(snapshot), "--out", str(folder), *pairs]


def child(snapshot: Path, folder: Path, keys: dict[str, Any], **environment: str) -> subprocess.Popen[str]:
    whole = {**os.environ, **environment}
    return subprocess.Popen(command(snapshot, folder, keys), cwd=ROOT, stdout=subprocess.PIPE, text=True, env=whole)


def test_kill_9_loses_an_epoch_at_most(snapshot: Path, tmp_path: Path) -> None:
    keys = {**TINY, "epochs": 6}
    run(snapshot, tmp_path / "whole", keys)
    with child(snapshot, tmp_path / "killed", keys) as killed:
        assert killed.stdout is not None
        for line in killed.stdout:
            said = json.loads(line)
            if said["event"] == "epoch" and said["epoch"] == 2:
                killed.send_signal(signal.SIGKILL)
                break
    assert killed.returncode == -signal.SIGKILL
    again = run(snapshot, tmp_path / "killed", keys)
    assert again.of("start")[0]["epoch"] >= 3
    assert same(tmp_path / "whole", tmp_path / "killed")


def test_two_processes_learn_what_one_does(snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {**TINY, "norm": "group", "augment": "", "epochs": 2, "batch": 6, "dice": 0.5, "samples": 0}
    alone = run(snapshot, tmp_path / "one", keys)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    for name, value in {**shared, "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with child(snapshot, tmp_path / "two", keys, **shared, RANK="1") as other:
        together = run(snapshot, tmp_path / "two", keys)
        assert other.communicate(timeout=60)[0] == ""
    assert other.returncode == 0
    assert together.of("start")[0]["processes"] == 2
    for mine, theirs in zip(alone.of("epoch"), together.of("epoch"), strict=True):
        assert theirs["train_loss"] == pytest.approx(mine["train_loss"], rel=1e-4)
        assert theirs["val"]["loss"] == pytest.approx(mine["val"]["loss"], rel=1e-4)
        assert theirs["val"]["boundary_f"] == pytest.approx(mine["val"]["boundary_f"], rel=1e-2)
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=2e-4)


def test_a_term_signal_stops_it_cleanly(snapshot: Path, tmp_path: Path) -> None:
    def emit(event: str, **facts: Any) -> None:
        if event == "epoch":
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    assert train(snapshot, tmp_path / "run", make(TINY), emit=emit) == "cancelled"
    assert signal.getsignal(signal.SIGTERM) is before
    assert (tmp_path / "run" / "checkpoint.pt").exists()


def test_no_improvement_ends_it(snapshot: Path, tmp_path: Path) -> None:
    said = run(snapshot, tmp_path / "run", learning_rate=1e-8, patience=2, epochs=9)
    assert said.of("end")[0]["reason"] == "no improvement"
    assert len(said.of("epoch")) < 9


def test_the_rate_falls_on_a_plateau(snapshot: Path, tmp_path: Path) -> None:
    said = run(snapshot, tmp_path / "run", learning_rate=1e-8, plateau_patience=0, plateau_factor=0.1)
    rates = [one["learning_rate"] for one in said.of("epoch")]
    assert rates[0] == 1e-8
    assert sorted(rates, reverse=True) == rates


def test_a_loss_that_is_no_number_keeps_the_last_good_checkpoint(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"

    def emit(event: str, **facts: Any) -> None:
        if event == "epoch" and facts["epoch"] == 1:
            monkeypatch.setattr("ml.data.Scaling.standard", lambda _, unit: unit * float("nan"))

    with pytest.raises(Broken, match="no number in epoch 2; the checkpoint of the epoch before stands"):
        train(snapshot, folder, make(TINY), emit=emit)
    stored = torch.load(folder / "checkpoint.pt", weights_only=True)
    assert stored["epoch"] == 2
    assert all(torch.isfinite(one).all() for one in stored["network"].values())


def test_too_little_memory_says_what_to_lower(snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def allocate(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes.")

    monkeypatch.setattr("ml.train.augment", allocate)
    with pytest.raises(Broken, match=r"lower batch \(now 4\), crop \(now 512\) or width \(now 4\)"):
        run(snapshot, tmp_path / "run")


def test_another_run_in_the_folder_is_refused(snapshot: Path, finished: tuple[Path, Said], tmp_path: Path) -> None:
    folder, _ = finished
    with pytest.raises(Refused, match=r"another config \(width\)"):
        run(snapshot, folder, width=8)
    with pytest.raises(Refused, match="another snapshot"):
        run(made(tmp_path, seed=5), folder)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"half")
    with pytest.raises(Refused, match="remove it to start over"):
        run(snapshot, tmp_path / "run")


def test_the_command_line_says_what_is_wrong(
    snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    assert main([str(snapshot), "--out", out, "--set", "widht=8"]) == 2
    assert "did you mean 'width'" in json.loads(capsys.readouterr().out)["message"]
    assert main([str(made(tmp_path, {"val": 2})), "--out", out]) == 2
    assert "no labelled samples in train" in json.loads(capsys.readouterr().out)["message"]
    leaking = {row.key: "train" for row in read(snapshot).rows}
    (tmp_path / "splits.json").write_text(json.dumps(leaking))
    assert main([str(snapshot), "--out", out, "--splits", str(tmp_path / "splits.json")]) == 2
    assert "no labelled samples in val" in json.loads(capsys.readouterr().out)["message"]
    assert main([str(snapshot), "--out", out, "--set", "device=mps"]) == 2
    assert "no mps device" in json.loads(capsys.readouterr().out)["message"]


@pytest.mark.parametrize(
    "keys",
    [
        {"preset": "no_background", "class_balance": "sqrt", "dice": 0.5, "focal": 0.5},
        {"versions": 1, "oversample": 2, "oversample_classes": "rock", "tta": True},
        {"augment": "affine,elastic,clahe,noise,cutmix", "residual": True, "monitor": "loss"},
        {"precision": "bf16", "layout": "channels_last"},
        {"crop": 16, "overlap": 4},
    ],
    ids=str,
)
def test_every_kind_of_run_ends(snapshot: Path, tmp_path: Path, keys: dict[str, Any]) -> None:
    end = run(snapshot, tmp_path / "run", {**TINY, **keys}, epochs=1).of("end")[0]
    assert 0 <= end["test"]["miou"] <= 1


def test_the_fastest_way_is_measured_where_a_run_is_long(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.machine.WORTH_MEASURING", 0)
    rates = {("fp32", "contiguous"): 10.0, ("fp32", "channels_last"): 12.0, ("bf16", "contiguous"): 20.0}

    def rate(_network: object, config: Config, *_: object) -> float:
        return rates.get((config.precision, config.layout), 1.0)

    monkeypatch.setattr("ml.machine.images_per_second", rate)
    keys = {**TINY, "precision": "auto", "layout": "auto", "epochs": 1}
    start = run(snapshot, tmp_path / "run", keys).of("start")[0]
    assert len(start["measured"]) == 4
    assert (start["config"]["precision"], start["config"]["layout"]) == ("bf16", "contiguous")
    assert start["config"]["compile"] == "off"


@pytest.mark.parametrize(("gain", "chosen"), [(1.2, "on"), (1.01, "off")])
def test_compiling_is_tried_in_a_long_run_and_has_to_win(
    monkeypatch: pytest.MonkeyPatch, gain: float, chosen: str
) -> None:
    def rate(_network: object, config: Config, *_: object) -> float:
        return 10.0 * (gain if config.compile == "on" else 1.0)

    monkeypatch.setattr("ml.machine.images_per_second", rate)
    monkeypatch.setattr("ml.machine.shutil.which", lambda _: "/usr/bin/cc")
    monkeypatch.setattr("torch.compile", lambda network: network)
    config = make({"device": "cpu", "width": 4, "depth": 1})
    world = World(0, 1, torch.device("cpu"))
    network = build(config, 1, 2)
    settled, measured = fastest(config, world, network, (1, 10, 10), 2, pixels=1e3 * 3601 * 10)
    assert settled.compile == chosen
    assert len(measured) == 5
    assert fastest(config, world, network, (1, 10, 10), 2, pixels=3e6)[0].compile == "off"


def test_a_run_is_estimated(snapshot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = [f"--set={key}={json.dumps(value)}" for key, value in TINY.items()]
    assert estimate.main([str(snapshot), *keys]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["event"] == "estimate"
    assert 0 < said["seconds_per_epoch"] < said["seconds"]
    assert said["epochs"] == 4


def test_two_processes_never_train_in_one_folder(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.checkpoint.PATIENCE", 0.0)
    with held(tmp_path / "run"), pytest.raises(Refused, match="Another process is training in"):
        run(snapshot, tmp_path / "run")
    run(snapshot, tmp_path / "run", epochs=1)


def test_it_ends_where_nobody_listens(snapshot: Path, tmp_path: Path) -> None:
    with child(snapshot, tmp_path / "run", {**TINY, "epochs": 9999, "patience": 9999}) as orphan:
        assert orphan.stdout is not None
        orphan.stdout.readline()
        orphan.stdout.close()
        assert orphan.wait(timeout=60) == 4
