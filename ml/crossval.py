"""Out-of-sample probabilities of every sample: ``python -m ml.crossval SNAPSHOT --out DIR [--folds 5]``.

The content groups are dealt into K folds. Each of K models learns from the people's labels in train and val outside its
fold, stops by a few groups of those, and predicts its fold; so no score comes from a model that saw the sample or a
relative of it, to learn or to stop. Samples in test and without a mask are dealt too, and only predicted. Models are
trained side by side as child processes of one thread each (on a GPU one after the other); with ``--only FOLD`` just
that one, so that other machines do others. Started again, finished folds are kept and others go on from their
checkpoints. Writes DIR/predictions (see ``ml.predictions``) with each row's fold.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from ml import config as configs
from ml.config import Config
from ml.errors import Broken, Refused
from ml.predictions import join
from ml.report import exit_status, to_stdout, write_json
from ml.snapshot import Snapshot, Split, read
from ml.split import deal, verify

STOPPING = 8  # one of so many parts of what a fold's model may see tells it when to stop


def plan(snapshot: Snapshot, folds: int, seed: int) -> tuple[dict[str, int], list[dict[str, Split]]]:
    """The fold of each key, and for each fold the splits (by key) that its model is trained on.

    Raises Refused for fewer than two folds, or fewer content groups than folds.
    """
    if folds < 2:
        raise Refused(f"{folds} folds leave nothing to learn from; ask for at least 2.")
    learned = [row for row in snapshot.rows if row.kind == "label" and row.split in ("train", "val")]
    dealt = deal(learned, folds, seed)
    rest = [row for row in snapshot.rows if row.group not in dealt]
    others = sorted({row.group for row in rest})
    dealt |= {group: at % folds for at, group in enumerate(others)}
    splits: list[dict[str, Split]] = []
    for fold in range(folds):
        mine = [row for row in learned if dealt[row.group] != fold]
        parts = min(STOPPING, len({row.group for row in mine}))
        if parts < 2:
            raise Refused(f"Too few content groups for {folds} folds; label more, or ask for fewer folds.")
        stopping = deal(mine, parts, seed + 1)
        splits.append({row.key: "val" if stopping[row.group] == 0 else "train" for row in mine})
    return {row.key: dealt[row.group] for row in snapshot.rows}, splits


class CrossValidation:
    """K runs in the folders ``fold_0`` ... of ``folder``, and the processes that are at work on them."""

    def __init__(
        self,
        path: Path,
        folder: Path,
        config: Config,
        folds: int,
        jobs: int,
        *,
        labelled: bool = False,
        only: int | None = None,
    ) -> None:
        self.path, self.folder, self.config, self.jobs = path, folder, config, jobs
        self.folds = range(folds) if only is None else [only]
        self._whole = only is None
        snapshot = read(path)
        verify(snapshot, ignore_background=config.ignore_background)
        self.fold_of, splits = plan(snapshot, folds, config.seed)
        identity: dict[str, Any] = {"snapshot": snapshot.hash, "folds": folds, "config": config.as_json()}
        if labelled:
            self.fold_of = {row.key: self.fold_of[row.key] for row in snapshot.rows if row.labelled}
            identity["labelled"] = True
        self.meta = {**identity, "kind": "cross-validation"}
        folder.mkdir(parents=True, exist_ok=True)
        stored = folder / "plan.json"
        if stored.exists() and json.loads(stored.read_text())["identity"] != identity:
            raise Refused(f"{folder} holds another cross-validation; give another --out.")
        if self._whole:  # those who do one fold each would write it at once
            write_json(stored, {"identity": identity, "fold_of": self.fold_of})
        for fold in self.folds:
            place = self._place(fold)
            place.mkdir(exist_ok=True)
            write_json(place / "config_wanted.json", config.as_json())
            write_json(place / "splits.json", splits[fold])
            write_json(place / "keys.json", [key for key, its in self.fold_of.items() if its == fold])
        self.cancelled = False
        self._children: set[subprocess.Popen[str]] = set()

    def run(self) -> Path | None:
        """Trains and predicts what is missing, and joins it where that is all; returns the file, or the folder of the
        one fold; None where it was cancelled."""
        to_stdout(
            "start", folds=len(self.folds), jobs=self.jobs, samples=len(self.fold_of), config=self.config.as_json()
        )
        with ThreadPoolExecutor(self.jobs) as pool:
            waiting: set[Future[None]] = {pool.submit(self._fold, fold) for fold in self.folds}
            while waiting:
                done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                if (self.folder / "cancel").exists():
                    self.cancel()
                failed = next((one.exception() for one in done if one.exception()), None)
                if failed is not None:
                    self.cancel()
                    raise failed
        if self.cancelled:
            return None
        if not self._whole:
            return self._place(self.folds[0])
        out = self.folder / "predictions"
        parts = [self._place(fold) / "predictions" for fold in self.folds]
        hash = join(out, parts, self.meta)
        to_stdout("end", predictions=str(out), hash=hash, samples=len(self.fold_of))
        return out

    def cancel(self) -> None:
        """Lets the children stop after the batch at hand; they go on from there next time."""
        self.cancelled = True
        for child in list(self._children):
            child.send_signal(signal.SIGTERM)

    def _place(self, fold: int) -> Path:
        return self.folder / f"fold_{fold}"

    def _fold(self, fold: int) -> None:
        place = self._place(fold)
        predictions = place / "predictions"
        if predictions.exists():
            to_stdout("fold", fold=fold, state="kept")
            return
        model = place / "model.pt"
        self._child(fold, "ml.train", self.path, "--out", place, "--config", place / "config_wanted.json",
                    "--splits", place / "splits.json")  # fmt: skip
        self._child(fold, "ml.predict", model, self.path, "--out", predictions, "--keys", place / "keys.json",
                    "--device", self.config.device, "--threads", self.config.threads, "--fold", fold)  # fmt: skip
        if not self.cancelled:
            to_stdout("fold", fold=fold, state="done")

    def _child(self, fold: int, module: str, *arguments: Any) -> None:
        """Runs a module as a child, passing its lines on with the fold. Raises Refused or Broken with its sentence."""
        if self.cancelled:
            return
        root = str(Path(__file__).parents[1])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *_paths()])}
        if self.config.threads == 1:
            environment["OMP_NUM_THREADS"] = "1"
        command = [sys.executable, "-m", module, *map(str, arguments)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)  # noqa: S603 - our own
        self._children.add(child)
        sentence = f"Fold {fold} ended without a word ({module})."
        try:
            assert child.stdout is not None  # noqa: S101 - a pipe was asked for
            with child.stdout:
                for line in child.stdout:
                    facts = _facts(line)
                    event = facts.pop("event", "")
                    facts.pop("at", None)
                    if event == "error":
                        sentence = f"Fold {fold}: {facts['message']}"
                    elif event and not (event == "end" and module == "ml.predict"):
                        to_stdout("fold_end" if event == "end" else event, **{**facts, "fold": fold})
            status = child.wait()
        finally:
            self._children.discard(child)
        if self.cancelled or status == 4:
            self.cancelled = True
        elif status == 2:
            raise Refused(sentence)
        elif status:
            raise Broken(sentence)


def _facts(line: str) -> dict[str, Any]:
    try:
        facts = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _paths() -> list[str]:
    return [one for one in [os.environ.get("PYTHONPATH", "")] if one]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ml.crossval", description="Out-of-sample predictions by K folds.")
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the folds; resumed where there are some")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=0, help="models side by side; 0: one for each core, one on a GPU")
    parser.add_argument("--only", type=int, metavar="FOLD", help="this fold alone, and nothing joined")
    parser.add_argument("--labelled", action="store_true", help="predict only samples that have a mask")
    configs.add_arguments(parser)
    given = parser.parse_args(arguments)

    def work() -> int:
        from ml.machine import pick_device  # torch, for the children's sake only

        config = configs.from_arguments(given)
        on_cpu = pick_device(config.device) == "cpu"
        if given.only is not None and not 0 <= given.only < given.folds:
            raise Refused(f"There is no fold {given.only} of {given.folds}; they are counted from 0.")
        jobs = given.jobs or min(given.folds, (os.cpu_count() or 1) if on_cpu else 1)
        if on_cpu and jobs > 1 and not config.threads:
            config = configs.resolve(config, threads=1)
        run = CrossValidation(
            given.snapshot, given.out, config, given.folds, jobs, labelled=given.labelled, only=given.only
        )
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda *_: run.cancel())
        return 0 if run.run() else 4

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main())
