"""Trains a network on a snapshot: ``python -m ml.train SNAPSHOT --out DIR [--config FILE] [--set KEY=VALUE]``.

The same file runs on one CPU core, on one GPU, and under ``torchrun`` on several. It prints JSON lines (start with the
epochs before it, warning, rate, epoch, samples, end, error) and writes into DIR: ``config.json`` (resolved),
``checkpoint.pt`` (to go on from), ``model.pt`` (the best so far), ``samples/``, and in the end ``result.json``,
``val_samples.json`` and ``test_samples.json``. Started again alike it goes on where it was, after ``kill -9`` too, to
the same weights: what is random in an epoch follows from seed, epoch and process. SIGTERM or a file ``cancel`` stops
it. Exit status: 0 done, 2 refused, 3 broken off, 4 cancelled.
"""

import argparse
import hashlib
import json
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ml import checkpoint
from ml import config as configs
from ml.augment import augment
from ml.config import Config
from ml.data import Item, Pictures, ahead, epoch_batches, rare_keys
from ml.errors import Broken, Refused
from ml.evaluate import Judge
from ml.infer import autocast, in_layout
from ml.losses import Loss, class_weights, insist_on_number
from ml.machine import end, enter, fastest, in_config, leave, out_of_memory
from ml.models import Trained, build, gigaflops, parameters, write_atomically
from ml.report import Emit, Pace, exit_status, silent, to_stdout, write_json
from ml.snapshot import Snapshot, read
from ml.split import count_pixels, verify
from ml.strips import draw

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_FACTS = ("epoch", "waited", "finished", "best", "best_weights", "history")


class Run:
    """One training run in a folder: everything that an epoch needs, and what has happened so far."""

    def __init__(self, snapshot: Snapshot, folder: Path, wanted: Config, splits: Mapping[str, Any] | None, emit: Emit):
        self.snapshot = snapshot if splits is None else snapshot.with_splits(cast(dict[str, Any], splits))
        self.folder, self.wanted = folder, wanted
        self.cancelled = False
        warnings = verify(self.snapshot, ignore_background=wanted.ignore_background)
        folder.mkdir(parents=True, exist_ok=True)
        dealt = hashlib.sha256(json.dumps(splits, sort_keys=True).encode()).hexdigest()
        self.identity = {"snapshot": snapshot.hash, "splits": dealt, "config": wanted.as_json()}
        stored = checkpoint.stored(folder, self.identity)
        self.config = wanted if stored is None else configs.make(stored["config"])

        self.world = enter(self.config)
        self.emit: Emit = emit if self.world.leads else silent
        self.classes = self.snapshot.targets
        rows = [row for row in self.snapshot.rows if row.labelled]
        self.rows = {split: [row for row in rows if row.split == split] for split in ("train", "val", "test")}
        config = self.config
        self.pictures = Pictures(
            self.snapshot, size=config.crop, multiple=config.multiple, pseudo_weight=config.pseudo_weight
        )
        self.scaling = self.pictures.scaling(self.rows["train"])
        self.copied = rare_keys(self.rows["train"], self.snapshot, config)
        self.batches = len(self._plan(0))

        torch.manual_seed(config.seed)
        self.network = build(config, self.pictures.channels, len(self.classes)).to(self.world.device)
        height, width = self.pictures.cut(max(self.rows["train"], key=lambda row: row.shape[0] * row.shape[1]))
        self.measured: list[dict[str, Any]] = []
        if stored is None:
            pixels = float(self.batches * config.batch * config.epochs * height * width)
            shape = (self.pictures.channels, height, width)
            self.config, self.measured = fastest(config, self.world, self.network, shape, len(self.classes), pixels)
        if self.world.size > 1 and self.world.device.type == "cuda":
            self.network = nn.SyncBatchNorm.convert_sync_batchnorm(self.network)  # type: ignore[no-untyped-call]
        self.network = in_config(self.network, self.config)
        self._prepare()
        self.epoch, self.waited, self.finished = 0, 0, ""
        self.best: dict[str, Any] = {}
        self.best_weights: dict[str, Tensor] = {}
        self.history: list[dict[str, Any]] = []
        if stored is not None:
            self._restore(stored)
        if self.world.leads:
            write_json(folder / "config.json", self.config.as_json())
        for warning in warnings:
            self.emit("warning", message=warning)
        self.emit(
            "start",
            snapshot=snapshot.hash,
            device=str(self.world.device),
            processes=self.world.size,
            parameters=parameters(self.network),
            gigaflops=round(gigaflops(self.network, self.pictures.channels, height, width), 3),
            samples={split: len(some) for split, some in self.rows.items()},
            oversampled=len(self.copied),
            batches=self.batches,
            measured=self.measured,
            epoch=self.epoch,
            config=self.config.as_json(),
            history=list(self.history),
        )

    def _prepare(self) -> None:
        """Optimiser, schedule and loss; and the network as it is called: compiled, or one of several processes."""
        config, device = self.config, self.world.device
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=device.type in ("cpu", "cuda"),
        )
        self.schedule = ReduceLROnPlateau(
            self.optimiser, factor=config.plateau_factor, patience=config.plateau_patience
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")
        weights = None
        if config.class_balance == "sqrt":
            weights = class_weights(self.classes, count_pixels(self.rows["train"])).to(device)
        self.loss = Loss(config, weights, [at for at, one in enumerate(self.classes) if one.role == "background"])
        self.judge = Judge(self.pictures, self.scaling, self.classes, self.loss, config, self.world)
        self.called: nn.Module = self.network
        if self.world.size > 1:
            self.called = DistributedDataParallel(self.network)
        elif config.compile == "on":
            self.called = cast(nn.Module, torch.compile(self.network))

    def train(self) -> str:
        """Epochs until the last one, or until nothing improves, or a cancel; returns which."""
        pace = Pace(self.emit, self.config.epochs, self.batches)
        while not self.finished and self.epoch < self.config.epochs:
            epoch = self.epoch
            pace.begin(epoch)
            mean = self._train_epoch(epoch, pace)
            if mean is None:
                return "cancelled"
            figures = self.judge.figures(self.network, self.rows["val"])
            rate = self.optimiser.param_groups[0]["lr"]
            self.schedule.step(figures["loss"])
            improved = self._improved(figures)
            if improved:
                self.best, self.waited = {"epoch": epoch, **figures}, 0
                self.best_weights = {
                    name: one.detach().cpu().clone() for name, one in self.network.state_dict().items()
                }
            else:
                self.waited += 1
            self.epoch += 1
            if self.epoch == self.config.epochs:
                self.finished = "all epochs"
            elif self.waited >= self.config.patience:
                self.finished = "no improvement"
            facts = {"epoch": epoch, "train_loss": mean, "learning_rate": rate, "improved": improved, "val": figures}
            facts |= {"images_per_second": pace.images_per_second, "seconds": pace.end()}
            self.history.append(facts)
            if self.world.leads:
                due = epoch % self.config.samples_every == 0 or self.finished
                if due and (strips := draw(self.judge, self.network, self.rows["val"], self.folder, epoch)):
                    self.emit("samples", epoch=epoch, strips=strips)
                self._save(improved)
            self.emit("epoch", **facts)
        return self.finished

    def _plan(self, epoch: int) -> list[list[Item]]:
        return epoch_batches(self.rows["train"], self.pictures, self.config, epoch, self.copied)

    def _train_epoch(self, epoch: int, pace: Pace) -> float | None:
        """One pass; its mean loss, or None where a cancel came. Raises Broken where the loss is no number."""
        world, config = self.world, self.config
        torch.manual_seed((config.seed * 1_000_003 + epoch) * 1009 + world.rank)
        self.called.train()
        plan = self._plan(epoch)
        mine = [items[world.rank :: world.size] for items in plan if len(items) >= world.size]
        if not mine:
            raise Refused(
                f"A batch has fewer samples than there are processes ({world.size}); use fewer, or a larger batch."
            )
        summed = torch.zeros((), device=world.device)
        for batch in ahead(mine, self.pictures, world.device):
            if world.any(self.cancelled or (self.folder / "cancel").exists()):
                return None
            unit, target, weight = augment(
                self.scaling.unit(batch.image),
                batch.target,
                batch.weight,
                batch.augment,
                config.augment,
                config.strength,
            )
            image = in_layout(self.scaling.standard(unit), config)
            with autocast(config, world.device):
                logits = self.called(image)
            loss = self.loss(logits, target, weight, world.total)
            self.optimiser.zero_grad(set_to_none=True)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            self.scaler.unscale_(self.optimiser)
            if config.clip:
                nn.utils.clip_grad_norm_(self.network.parameters(), config.clip)
            self.scaler.step(self.optimiser)
            self.scaler.update()
            summed += loss.detach()
            if pace.step(len(image) * world.size):
                insist_on_number(summed, epoch)
        mean = world.total(summed) / len(mine)
        insist_on_number(mean, epoch)
        return float(mean)

    def _improved(self, figures: dict[str, Any]) -> bool:
        monitor = self.config.monitor
        now, before = figures[monitor], self.best.get(monitor)
        if before is None or now is None:
            return before is None
        return bool(now < before if monitor == "loss" else now > before)

    def _save(self, improved: bool) -> None:
        state: dict[str, Any] = {"identity": self.identity, "config": self.config.as_json()}
        state |= {name: getattr(self, name) for name in _FACTS}
        state |= {name: one.state_dict() for name, one in self._stateful().items()}
        write_atomically(self.folder / checkpoint.NAME, state)
        if improved or not (self.folder / "model.pt").exists():
            facts = {"snapshot": self.snapshot.hash, "epoch": self.best["epoch"], "miou": self.best["miou"]}
            shape = (self.config, self.classes, self.pictures.channels, self.scaling, facts)
            Trained(self.network, *shape).save(self.folder / "model.pt", self.best_weights)

    def _restore(self, stored: dict[str, Any]) -> None:
        for name in _FACTS:
            setattr(self, name, stored[name])
        for name, one in self._stateful().items():
            one.load_state_dict(stored[name])

    def _stateful(self) -> dict[str, Any]:
        return {"network": self.network, "optimiser": self.optimiser, "schedule": self.schedule, "scaler": self.scaler}

    def finish(self, reason: str, seconds: float) -> dict[str, Any]:
        """Judges the best weights on val, and once on test, and writes the result down."""
        self.network.load_state_dict(self.best_weights)
        result: dict[str, Any] = {"reason": reason, "best_epoch": self.best["epoch"], "seconds": round(seconds, 1)}
        for split, flips in (("val", False), ("test", self.config.tta)):
            if self.rows[split]:
                result[split], samples = self.judge.each(self.network, self.rows[split], flips=flips)
                write_json(self.folder / f"{split}_samples.json", samples)
        result["model"] = str(self.folder / "model.pt")
        write_json(self.folder / "result.json", {**result, "history": self.history})
        return result


def train(
    snapshot: Path, folder: Path, wanted: Config, *, splits: Mapping[str, Any] | None = None, emit: Emit = to_stdout
) -> str:
    """A whole run, resumed where there is one in ``folder``; returns why it ended. Raises Refused or Broken."""
    begin = time.monotonic()
    try:
        with checkpoint.held(folder):
            run = Run(read(snapshot), folder, wanted, splits, emit)
            before = {one: signal.signal(one, lambda *_: setattr(run, "cancelled", True)) for one in _SIGNALS}
            try:
                reason = run.train()
            finally:
                for one, handler in before.items():
                    signal.signal(one, handler)
            leave()
            if run.world.leads:
                seconds = time.monotonic() - begin
                facts = {"reason": reason} if reason == "cancelled" else run.finish(reason, seconds)
                run.emit("end", **facts)
            return reason
    except (MemoryError, RuntimeError) as error:
        if out_of_memory(error):
            lower = f"batch (now {wanted.batch}), crop (now {wanted.crop}) or width (now {wanted.width})"
            raise Broken(f"The memory is not enough for this run; lower {lower}.") from error
        raise
    finally:
        leave()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ml.train", description="Trains a network on a snapshot.")
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; resumed where there is one")
    configs.add_arguments(parser)
    parser.add_argument("--splits", type=Path, help="JSON file of key -> split, instead of the snapshot's own")
    given = parser.parse_args(arguments)

    def work() -> int:
        config = configs.from_arguments(given)
        splits = configs.load(given.splits) if given.splits else None
        return 4 if train(given.snapshot, given.out, config, splits=splits) == "cancelled" else 0

    return exit_status(work)


if __name__ == "__main__":
    end(main())
