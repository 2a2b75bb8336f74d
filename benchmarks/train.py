"""How much of a training run is spent in the network: ``python -m benchmarks.train [--seconds 20] [--threads 1]``.

For grey pictures of 64x128 and colour ones of 480x360, made from a seed, in turns so that a busy machine slows all
alike (on one thread the processor time of this process is taken, so that other work counts for less):

- eager: forward and backward passes over a resident batch in float32 and the standard memory layout;
- bare: the same in the precision and layout that the trainer picked by measurement;
- loop: the trainer's own epoch (batches from memory, affine and flips, loss, gradient clipping, optimiser).

Also: the arithmetic rate of the bare passes against that of a matrix product in the same precision, and what memory
grew by between the first and the last epoch.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from ml.config import make, resolve
from ml.infer import autocast
from ml.machine import images_per_second, timed
from ml.models import build, gigaflops
from ml.report import Pace, silent
from ml.snapshot import Class, Sample, read, write
from ml.train import Run

CLASSES = tuple(Class(id, f"class {id}", "background" if id == 0 else "foreground", "#000000") for id in range(5))
SHAPES = {"64x128 grey": (64, 128, 1, 96), "480x360 colour": (360, 480, 3, 8)}


def drawn(height: int, width: int, channels: int, count: int) -> Iterator[Sample]:
    """``count`` train samples of smooth noise and 2 of val."""
    random = np.random.default_rng(0)
    for at in range(count + 2):
        coarse = random.integers(0, 5, (8, 8))
        mask = np.kron(coarse, np.ones((-(-height // 8), -(-width // 8)), int))[:height, :width].astype(np.uint8)
        image = mask[:, :, None] * 50 + random.integers(0, 40, (height, width, channels))
        yield Sample(f"{at}", f"{at}", "train" if at < count else "val", "label", image.astype(np.uint8), mask)


def measured(name: str, seconds: float, keys: dict[str, Any]) -> dict[str, Any]:
    """The rates of one shape of picture, in images a second; ratios are medians over the turns."""
    height, width, channels, count = SHAPES[name]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        path = write(folder, drawn(height, width, channels, count), CLASSES)[1]
        wanted = make({"batch": 16, "epochs": 1000, "samples": 0, "compile": "off", **keys})
        run = Run(read(path), folder / "run", wanted, None, silent)
        device = run.world.device
        side = run.pictures.cut(run.rows["train"][0])
        shape = (channels, *side)
        settled = run.config
        eager = resolve(settled, precision="fp32", layout="contiguous")
        network = build(eager, channels, len(CLASSES))
        pace = Pace(silent, 1000, run.batches, every=1e9)
        turns: list[tuple[float, float, float]] = []
        pace.begin(0)
        run._train_epoch(0, pace)  # a warm-up
        begin, epoch, memory = time.monotonic(), 1, 0
        while not turns or time.monotonic() - begin < seconds:
            pace.begin(epoch)
            loop = count / timed(partial(run._train_epoch, epoch, pace), device)
            each = min(count, settled.batch)
            bare = images_per_second(run.network, settled, device, shape, len(CLASSES), each)
            plain = images_per_second(network, eager, device, shape, len(CLASSES), each)
            turns.append((plain, bare, loop))
            memory = memory or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            epoch += 1
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
        rates = [median(rate) for rate in zip(*turns, strict=True)]
        # A backward pass costs about two forward ones.
        arithmetic = 3 * gigaflops(run.network, *shape) * rates[1]
        return {
            "pictures": name,
            "device": str(device),
            "threads": settled.threads,
            "width": settled.width,
            "picked": f"{settled.precision} {settled.layout}",
            "candidates": run.measured,
            "eager_fp32": round(rates[0], 1),
            "bare": round(rates[1], 1),
            "loop": round(rates[2], 1),
            "loop_over_bare": round(median(loop / bare for _, bare, loop in turns), 3),
            "loop_over_eager": round(median(loop / plain for plain, _, loop in turns), 2),
            "share_of_matmul": round(arithmetic / matmul_rate(settled.precision, device), 2),
            "epochs": epoch - 1,
            "memory_grown_mb": round(grown / 1024, 1),
        }


def matmul_rate(precision: str, device: torch.device, side: int = 1024) -> float:
    """10^9 floating-point operations a second of a square matrix product."""
    left, right = (torch.rand(side, side, device=device) for _ in range(2))

    def turn() -> None:
        with autocast(make({"precision": precision}), device):
            left @ right

    turn()
    return 2 * side**3 / min(timed(turn, device) for _ in range(10)) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description="Where the time of a training run goes.")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each shape of picture")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--width", type=int, default=16)
    given = parser.parse_args()
    for name in SHAPES:
        print(json.dumps(measured(name, given.seconds, {"threads": given.threads, "width": given.width})), flush=True)


if __name__ == "__main__":
    main()
