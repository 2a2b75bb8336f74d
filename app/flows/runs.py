"""What is known of a run beside its row: what its trainer said and left in its folder; and its model as ONNX."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy.orm import Session

from app.domain.errors import Conflict, NotFound
from app.flows import rounds
from app.flows.child import EVENTS, TrainingFailed, folder_of
from app.flows.progress import Progress, quiet
from app.store import datasets, jobs, runs
from app.store.db import Database
from app.store.tables import Job, Run

FILES = re.compile(r"model\.pt|model\.onnx|config\.json|result\.json|(round_\d{1,2}/)?samples/epoch_\d{4,8}_\d{2}\.png")
_CURVES = ("loss", "accuracy", "miou", "miou_on_foreground", "miou_all", "dice", "boundary_f")
PACES = 6  # earlier runs that tell how fast this machine is


class NotThere(Conflict):
    """A run that hasn't come as far as what is asked of it."""


@dataclass
class Tail:
    """The lines of a run's trainer from line ``after`` on, as they come."""

    path: Path
    after: int = 0
    line: int = 0
    _offset: int = field(default=0, repr=False)

    @classmethod
    def of(cls, home: Path, run_id: int, after: int = 0) -> "Tail":
        return cls(folder_of(home, run_id) / EVENTS, after)

    def read(self) -> list[tuple[int, dict[str, Any]]]:
        """(line, event) of what was said since the last call; a line that is being written is left for later."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self._offset)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        found = []
        for text in whole.split(b"\n") if newline else []:
            self.line += 1
            if self.line > self.after:
                found.append((self.line, _without_paths(json.loads(text))))
        return found


def _without_paths(event: dict[str, Any]) -> dict[str, Any]:
    """Film strips by the name that ``file_of`` knows, and nothing of where they lie."""
    if "strips" in event:
        where = f"round_{event['round']}/samples" if "round" in event else "samples"
        event["strips"] = [{"key": one["key"], "file": f"{where}/{Path(one['path']).name}"} for one in event["strips"]]
    event.pop("model", None)
    return event


@dataclass(frozen=True)
class Told:
    """What a run has said so far. ``epochs``: one a finished epoch; ``strips``: epoch -> film strips; both of this
    ``round`` of self-training, where there are several."""

    lines: int
    start: Mapping[str, Any] | None
    rate: Mapping[str, Any] | None
    round: int | None
    warnings: Sequence[str]
    epochs: Sequence[Mapping[str, Any]]
    strips: Mapping[int, Sequence[Mapping[str, str]]]


def told(home: Path, run_id: int) -> Told:
    """What the trainer said, each epoch once: after a restart it goes on from its checkpoint and repeats some.

    A start tells the epochs before it as well: lines that a kill swallowed are in there.
    """
    tail = Tail.of(home, run_id)
    said = [event for _, event in tail.read() if "fold" not in event]  # the models of folds have no curves
    result = _json(home, run_id, "result.json", {})
    number = rounds.shown(said, result)
    said = [event for event in said if event.get("round") == number]
    last = {event["event"]: event for event in said}
    start = dict(last.get("start", {}))
    epochs = {one["epoch"]: one for one in start.pop("history", ())}
    start.pop("config", None)
    epochs |= {event["epoch"]: event for event in said if event["event"] == "epoch"}
    epochs |= {event["epoch"]: event for event in result.get("history", ())}
    return Told(
        lines=tail.line,
        start=start or None,
        rate=last.get("rate"),
        round=number,
        warnings=list(dict.fromkeys(event["message"] for event in said if event["event"] == "warning")),
        epochs=[epochs[epoch] for epoch in sorted(epochs)],
        strips={event["epoch"]: event["strips"] for event in said if event["event"] == "samples"},
    )


def curve(epochs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The figures of each epoch that are drawn over epochs."""
    facts = ("epoch", "train_loss", "learning_rate", "improved", "images_per_second", "seconds")
    return [
        {name: one.get(name) for name in facts}
        | {name: one["val"].get(name) for name in _CURVES}
        | {"classes": {name: figures["iou"] for name, figures in one["val"]["classes"].items()}}
        for one in epochs
    ]


def best(epochs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The last epoch that improved: the one whose weights are kept."""
    return next((one for one in reversed(epochs) if one["improved"]), None)


def headline(figures: Mapping[str, Any], roles: Mapping[str, str]) -> dict[str, float | None]:
    """The figures to tell a run by, the trade of precision for recall among them. ``roles``: class name -> role.

    ``foreground_precision`` and ``foreground_recall`` are means over the foreground classes; ``background_accuracy`` is
    the share of given background pixels that are predicted background.
    """
    classes: Mapping[str, Mapping[str, Any]] = figures["classes"]
    foreground = [one for name, one in classes.items() if roles.get(name) == "foreground"]
    behind = [one for name, one in classes.items() if roles.get(name) == "background"]
    pixels = sum(one["pixels"] for one in behind)
    right = sum(one["pixels"] * one["recall"] for one in behind if one["recall"] is not None)
    return {name: figures.get(name) for name in ("miou", "miou_on_foreground", "miou_all", "accuracy", "dice")} | {
        "foreground_precision": _mean([one["precision"] for one in foreground]),
        "foreground_recall": _mean([one["recall"] for one in foreground]),
        "background_accuracy": right / pixels if pixels else None,
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return sum(known) / len(known) if known else None


def config_of(home: Path, run: Run) -> dict[str, Any]:
    """The config as the trainer resolved it; as it was asked for, before that."""
    told = {key: one for key, one in run.config.items() if key not in rounds.KEYS}
    found: dict[str, Any] = _json(home, run.id, "config.json", told)
    return found


def worst(home: Path, run_id: int, limit: int) -> list[dict[str, Any]]:
    """key and mean IoU of the validation samples that came out worst."""
    listed = _json(home, run_id, "val_samples.json", [])
    return [{"key": one["key"], "miou": one["miou"]} for one in listed[:limit]]


def confused(home: Path, run_id: int, truth: int, predicted: int, limit: int) -> list[dict[str, Any]]:
    """key and pixels of the validation samples with most pixels of class ``truth`` predicted as ``predicted``.

    Both are positions in the confusion matrix. Raises NotThere before the run has ended, NotFound beyond the matrix.
    """
    listed = _json(home, run_id, "val_samples.json", None)
    if listed is None:
        raise NotThere(f"Run {run_id} has not been judged sample by sample; that comes at its end.")
    classes = len(listed[0]["confusion"]) if listed else 0
    if max(truth, predicted) >= classes:
        raise NotFound(f"The confusion matrix of run {run_id} has {classes} classes.")
    found = [{"key": one["key"], "pixels": one["confusion"][truth][predicted]} for one in listed]
    found.sort(key=lambda one: (-one["pixels"], one["key"]))
    return [one for one in found[:limit] if one["pixels"]]


def file_of(home: Path, run_id: int, name: str) -> Path:
    """A file that may be fetched, by name. Raises NotFound."""
    path = folder_of(home, run_id) / name
    if not FILES.fullmatch(name) or not path.is_file():
        raise NotFound(f"Run {run_id} has no file {name!r}.")
    return path


def files_of(home: Path, run_id: int) -> list[str]:
    """The names of a run's files beside its film strips."""
    return [name for name in ("model.pt", "model.onnx", "config.json", "result.json") if _has(home, run_id, name)]


def _has(home: Path, run_id: int, name: str) -> bool:
    return (folder_of(home, run_id) / name).is_file()


def _json(home: Path, run_id: int, name: str, otherwise: Any) -> Any:
    path = folder_of(home, run_id) / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else otherwise


def paces(session: Session, home: Path, dataset_id: int) -> list[dict[str, Any]]:
    """How long an epoch took in earlier runs of the data set, the newest first; then in the last trial (run None)."""
    found: list[dict[str, Any]] = []
    for run in runs.of_dataset(session, dataset_id):
        said = told(home, run.id)
        if said.epochs and not said.round:  # later rounds learn from more samples
            config = config_of(home, run)
            shown = {name: config[name] for name in ("model", "width", "depth", "versions")}
            found.append({"run": run.id, "seconds": median(one["seconds"] for one in said.epochs), **shown})
        if len(found) == PACES:
            break
    trial = jobs.last_done(session, dataset_id, "estimate")
    return [*found, trial.result] if trial is not None and trial.result else found


def standing(run: Run, job: Job) -> dict[str, Any]:
    """state, done, total, message and error of a run. The runs of a comparison share its job, so theirs differ."""
    if run.comparison_id is None:
        return {name: getattr(job, name) for name in ("state", "done", "total", "message", "error")}
    state = "done" if run.result else job.state
    if run.started_at is None and state in ("running", "failed"):
        state = "queued" if state == "running" else "cancelled"
    error = job.error if state == "failed" and run.started_at is not None else None
    return {"state": state, "done": 0, "total": 0, "message": "", "error": error}


def resume_in(db: Database, dataset: str, run_id: int) -> Job:
    """As ``resume``, for a run of that data set. Raises NotFound for one of another."""
    with db.write() as session:
        run = runs.find(session, run_id)
        if run.dataset_id != datasets.find(session, dataset).id:
            raise NotFound(f"There is no run {run_id} in {dataset}.")
        return resume(session, run)


def resume(session: Session, run: Run) -> Job:
    """Ask for the rest of a run that failed or was cancelled: it goes on from its checkpoint. Raises NotThere."""
    if run.comparison_id is not None:
        raise NotThere(f"Run {run.id} belongs to comparison {run.comparison_id}; resume that.")
    job = jobs.find(session, run.job_id or 0)
    if job.state not in ("failed", "cancelled"):
        raise NotThere(f"Run {run.id} is {job.state}; only one that failed or was cancelled is resumed.")
    again = jobs.request(session, job.kind, run.dataset_id, dict(job.args))
    run.job_id = again.id
    return again


def cancel(session: Session, run: Run) -> Job:
    """Ask a run to stop; what it learned stays. Raises NotThere where it has ended."""
    if run.comparison_id is not None:
        raise NotThere(f"Run {run.id} belongs to comparison {run.comparison_id}; cancel that.")
    job = session.get(Job, run.job_id)
    if job is None or job.state in jobs.ENDED:
        raise NotThere(f"Run {run.id} has ended already.")
    return jobs.cancel(session, job.id)


def request_onnx(session: Session, home: Path, run: Run) -> int:
    """Ask for the model as ONNX; the job. Raises NotThere."""
    if not _has(home, run.id, "model.pt"):
        raise NotThere(f"Run {run.id} has no model yet; it is there after the first epoch.")
    return jobs.request(session, "onnx", run.dataset_id, {"run": run.id}).id


def write_onnx(db: Database, home: Path, run_id: int, progress: Progress = quiet) -> str:
    """Write ``model.onnx`` of a run by a child process; its name. Raises TrainingFailed with the child's sentence."""
    with db.read() as session:
        runs.find(session, run_id)
    folder = folder_of(home, run_id)
    out, part = folder / "model.onnx", folder / "model.onnx.part"
    progress(0, 0, "writing ONNX")
    command = [sys.executable, "-m", "ml.export", str(folder / "model.pt"), "--out", str(part)]
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603  (our own program)
    if done.returncode:
        errors = [line for line in done.stdout.splitlines() if line.startswith('{"event": "error"')]
        raise TrainingFailed(json.loads(errors[-1])["message"] if errors else "The model can't be written as ONNX.")
    part.replace(out)
    return out.name
