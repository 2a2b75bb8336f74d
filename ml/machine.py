"""The machine that a run has: device, processes, threads, and which way of computing is fastest on it."""

import ctypes
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ml.config import Config, resolve
from ml.errors import Refused
from ml.infer import autocast, in_layout
from ml.losses import Loss

WORTH_MEASURING = 5_000_000  # pixels times epochs; below, a run is over before a measurement pays
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of glibc's malloc.h
MEASURED = 131_072  # pixels of a measured batch
WORTH_COMPILING = {"cpu": 3600.0, "cuda": 900.0}  # seconds of a run; compiling took up to 150 s and gained 1 to 5 %


@dataclass(frozen=True)
class World:
    """This process among those of a run: ``rank`` of ``size``. One of one without ``torchrun``."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def total(self, counts: Tensor) -> Tensor:
        """Counts of all processes over their number: dividing by it makes averaged gradients those of one process."""
        if self.size > 1:
            counts = counts.clone()
            dist.all_reduce(counts)
        return counts / self.size

    def any(self, flag: bool) -> bool:
        if self.size == 1:
            return flag
        flags = torch.tensor(float(flag), device=self.device)
        dist.all_reduce(flags)
        return bool(flags > 0)


def enter(config: Config) -> World:
    """Chooses CUDA, then MPS, then the CPU, sets threads, and joins the processes that ``torchrun`` started."""
    rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    device = torch.device(pick_device(config.device))
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = True
    elif device.type == "cpu":
        keep_freed_memory()
    torch.set_num_threads(config.threads or (1 if size > 1 else default_threads()))
    if size > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return World(rank, size, device)


def keep_freed_memory() -> None:
    """Has glibc keep freed memory for the next batch, instead of giving it back and having it zeroed again.

    That was 25 to 40 % of the time of a batch of 8 pictures of 480x360 on one core, for a quarter more memory. Other C
    libraries are left as they are.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        options = ctypes.CDLL(None).mallopt
        options(_MMAP_MAX, 0)
        options(_TRIM_THRESHOLD, 2**31 - 1)


def leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def end(status: int) -> NoReturn:
    """Ends this process; one of several ends at once, without the interpreter's own way out.

    DistributedDataParallel keeps gloo's threads alive after the group is destroyed, and one of them that lets go of a
    tensor while the interpreter is being taken down aborts the process (pytorch/pytorch, pull request 179291).
    """
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def out_of_memory(error: BaseException) -> bool:
    """Whether a device, or the CPU's allocator (which has no error class of its own), ran out of memory."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def pick_device(wanted: str) -> str:
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, is_there in there.items() if is_there)
    if not there[wanted]:
        raise Refused(f"This machine has no {wanted} device; leave device at auto.")
    return wanted


def default_threads() -> int:
    return max(1, (os.cpu_count() or 2) - 1)


def fastest(
    config: Config, world: World, network: nn.Module, shape: tuple[int, int, int], classes: int, pixels: float
) -> tuple[Config, list[dict[str, Any]]]:
    """``config`` with device, threads, precision, layout and compilation settled, and what was measured for it.

    ``shape``: channels, height and width of a picture; ``pixels``: how many the whole run will see. Forward and
    backward passes are timed; plain float32 is among what is compared, so the choice is never slower than it.
    """
    settled = resolve(config, device=world.device.type, threads=torch.get_num_threads())
    precisions, layouts = [config.precision], [config.layout]
    if config.precision == "auto":
        precisions = ["fp32", *halves(world.device)]
    if config.layout == "auto":
        layouts = ["contiguous", "channels_last"]
    wanted = [(precision, layout) for precision in precisions for layout in layouts]
    best, rate, measured = wanted[0], 0.0, list[dict[str, Any]]()
    if len(wanted) > 1 and pixels >= WORTH_MEASURING:
        for precision, layout in wanted:
            tried = resolve(settled, precision=precision, layout=layout, compile="off")
            now = images_per_second(deepcopy(network), tried, world.device, shape, classes)
            measured.append({"precision": precision, "layout": layout, "images_per_second": round(now, 1)})
            if now > rate:
                best, rate = (precision, layout), now
    best = cast(tuple[str, str], _agreed(best, world))
    settled = resolve(settled, precision=best[0], layout=best[1])
    if settled.compile != "auto":
        return settled, measured
    compiled = resolve(settled, compile="on")
    seconds = pixels / (rate * shape[1] * shape[2]) if rate else 0.0
    wins = False
    if seconds > WORTH_COMPILING.get(world.device.type, float("inf")) and shutil.which("cc") and world.size == 1:
        copy = cast(nn.Module, torch.compile(deepcopy(network)))
        now = images_per_second(copy, compiled, world.device, shape, classes)
        measured.append({"precision": best[0], "layout": best[1], "compile": True, "images_per_second": round(now, 1)})
        wins = now > 1.03 * rate
    return compiled if wins else resolve(settled, compile="off"), measured


def images_per_second(
    network: nn.Module,
    config: Config,
    device: torch.device,
    shape: tuple[int, int, int],
    classes: int,
    count: int | None = None,
) -> float:
    """Rate of forward and backward passes over one resident batch: the better of two turns after a warm-up.

    ``count``: pictures of the batch; without, as many of a batch of ``config`` as are measured in a moment.
    """
    channels, height, width = shape
    count = count or max(1, min(config.batch, MEASURED // (height * width)))
    network = in_config(network.to(device), config).train()
    image = in_layout(torch.rand(count, channels, height, width, device=device), config)
    target = torch.randint(classes, (count, height, width), device=device)
    loss = Loss(config, None)

    def turn() -> None:
        with autocast(config, device):
            logits = network(image)
        loss(logits, target).backward()  # type: ignore[no-untyped-call]

    turn()
    return count / min(timed(turn, device), timed(turn, device))


def timed(what: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call; on another device the mean of ten, all of them finished.

    One thread's own time is taken where there is one, as other work on the machine doesn't count in it.
    """
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock, times = (time.process_time if alone else time.perf_counter), 1 if device.type == "cpu" else 10
    _wait(device)
    begin = clock()
    for _ in range(times):
        what()
    _wait(device)
    return (clock() - begin) / times


def in_config(network: nn.Module, config: Config) -> nn.Module:
    """The network with its weights in the memory layout of ``config``."""
    layout = torch.channels_last if config.layout == "channels_last" else torch.contiguous_format
    return network.to(memory_format=layout)  # type: ignore[call-overload,no-any-return]


def halves(device: torch.device) -> list[str]:
    """Which half precisions are worth a try there."""
    if device.type == "cuda":
        return ["bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"]
    return ["bf16"] if device.type == "cpu" else []


def _agreed(best: tuple[str, str], world: World) -> Any:
    """What the first process measured fastest; all have to compute alike."""
    if world.size == 1:
        return best
    said: list[Any] = [best]
    dist.broadcast_object_list(said, 0)
    return said[0]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
    elif device.type == "mps":
        torch.mps.synchronize()
