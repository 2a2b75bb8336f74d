"""How long a run will take on this machine: ``python -m ml.estimate SNAPSHOT [--config FILE] [--set KEY=VALUE]``.

Settles the config as a run would, by measurement, and counts what an epoch costs: batches forward and backward, and
validation at the price of a forward pass, about a third. Nothing is trained and nothing is written.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ml import config as configs
from ml.machine import images_per_second, leave
from ml.report import exit_status, silent, to_stdout
from ml.snapshot import read
from ml.train import Run


def estimate(snapshot: Path, wanted: configs.Config) -> dict[str, float]:
    """Seconds of an epoch, and of all epochs if none is saved by stopping early. Raises Refused as a run would."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(read(snapshot), Path(folder), wanted, None, silent)
        height, width = run.pictures.cut(max(run.rows["train"], key=lambda row: row.shape[0] * row.shape[1]))
        shape = (run.pictures.channels, height, width)
        rate = images_per_second(run.network, run.config, run.world.device, shape, len(run.classes))
        cuts = run.batches * run.config.batch
        judged = sum(row.shape[0] * row.shape[1] for row in run.rows["val"]) / (height * width)
        seconds = (cuts + judged / 3) / rate
        leave()
        return {
            "images_per_second": round(rate, 1),
            "seconds_per_epoch": round(seconds, 3),
            "seconds": round(seconds * run.config.epochs, 3),
            "epochs": run.config.epochs,
        }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ml.estimate", description="How long a run will take here.")
    parser.add_argument("snapshot", type=Path)
    configs.add_arguments(parser)
    given = parser.parse_args(arguments)

    def work() -> int:
        to_stdout("estimate", **estimate(given.snapshot, configs.from_arguments(given)))
        return 0

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main())
