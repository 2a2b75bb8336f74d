"""The kinds of jobs, and which flow each runs. Every flow can be run twice: a job of a killed worker starts again."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from shutil import rmtree
from typing import Any

from app.domain.actor import person
from app.domain.classes import parse_classes
from app.domain.errors import RemaskError
from app.flows import (
    compare,
    crossval,
    cvat_file_read,
    cvat_pull,
    cvat_push,
    demo,
    estimate,
    export,
    ingest,
    inspect,
    runs,
    suggest,
    train,
)
from app.flows.progress import Cancelled, Progress
from app.flows.share import Share
from app.settings import Settings
from app.store.db import Database

Result = dict[str, Any]


def run_import(db: Database, _settings: Settings, _dataset: str | None, args: Result, progress: Progress) -> Result:
    classes = parse_classes(args["classes"]) if args.get("classes") else None
    path = Path(args["path"])
    try:
        report = ingest.run(
            db,
            path,
            args["dataset"],
            person(args["actor"]),
            format=args["format"],
            classes=classes,
            label=args["label"],
            progress=progress,
        )
    except (RemaskError, Cancelled):
        _forget_upload(path, args)
        raise
    _forget_upload(path, args)
    return {"import": report.import_id, "imported": report.imported, "refused": len(report.refused)}


def _forget_upload(path: Path, args: Result) -> None:
    """Drop the uploaded copy once it has served. A worker that was killed never gets here: the next one needs it."""
    if args.get("delete"):
        rmtree(path if path.is_dir() else path.parent, ignore_errors=True)


def run_check(
    db: Database,
    _settings: Settings,
    dataset: str | None,
    args: Result,
    progress: Progress,
    share: Share | None = None,
) -> Result:
    results = inspect.run(db, dataset or "", args.get("only", ()), progress, share)
    return {"checks": [asdict(one) for one in results]}


def run_look(db: Database, _settings: Settings, dataset: str | None, args: Result, progress: Progress) -> Result:
    span = inspect.Span(args["after"], args["until"], args["count"])
    return inspect.look(db, dataset or "", args["only"], span, progress)


def run_export(db: Database, settings: Settings, dataset: str | None, args: Result, progress: Progress) -> Result:
    pictures, who = args.get("pictures", True), person(args["actor"]) if "actor" in args else export.NOBODY
    format, only = args["format"], args["only"]
    path = export.run_to_file(db, settings.exports, dataset or "", format, only, progress, pictures, who)
    return {"path": path.name}


def run_demo(db: Database, settings: Settings, _dataset: str | None, args: Result, progress: Progress) -> Result:
    report = demo.run(db, settings.home, args["dataset"], person(args["actor"]), progress=progress)
    return {"import": report.import_id, "imported": report.imported}


def run_train(db: Database, settings: Settings, _dataset: str | None, args: Result, progress: Progress) -> Result:
    result = train.run(db, settings.home, args["run"], progress, settings.trainer_processes)
    return {"run": args["run"], "reason": result["reason"]}


def run_compare(db: Database, settings: Settings, _dataset: str | None, args: Result, progress: Progress) -> Result:
    result = compare.run(db, settings.home, args["comparison"], progress)
    return {"comparison": args["comparison"], "sentence": result["sentence"]}


def run_crossval(
    db: Database,
    settings: Settings,
    _dataset: str | None,
    args: Result,
    progress: Progress,
    share: Share | None = None,
) -> Result:
    result = crossval.run(db, settings.home, args["run"], progress, share)
    return {"run": args["run"], "flagged": result["flagged"]}


def run_fold(db: Database, settings: Settings, _dataset: str | None, args: Result, progress: Progress) -> Result:
    crossval.run_fold(db, settings.home, args["run"], args["fold"], progress)
    return {"fold": args["fold"]}


def run_suggest(db: Database, settings: Settings, _dataset: str | None, args: Result, progress: Progress) -> Result:
    result = suggest.run(db, settings.home, args["suggesting"], progress)
    return {"suggesting": args["suggesting"], "proposed": sum(result["proposed"].values())}


def run_estimate(db: Database, settings: Settings, dataset: str | None, _args: Result, progress: Progress) -> Result:
    return estimate.run(db, settings.home, dataset or "", progress)


def run_onnx(db: Database, settings: Settings, _dataset: str | None, args: Result, progress: Progress) -> Result:
    return {"run": args["run"], "file": runs.write_onnx(db, settings.home, args["run"], progress)}


def run_cvat_push(db: Database, settings: Settings, _dataset: str | None, args: Result, progress: Progress) -> Result:
    return cvat_push.run(db, settings, args["batch"], progress)


def run_cvat_pull(db: Database, settings: Settings, _dataset: str | None, args: Result, progress: Progress) -> Result:
    return cvat_pull.run(db, settings, args["pull"], progress)


def run_cvat_read(db: Database, _settings: Settings, _dataset: str | None, args: Result, progress: Progress) -> Result:
    path = Path(args["path"])
    try:
        facts = cvat_file_read.run(db, args["pull"], path, progress)
    except (RemaskError, Cancelled):
        _forget_upload(path, args)
        raise
    _forget_upload(path, args)
    return facts


FLOWS: dict[str, Callable[..., Result]] = {
    "import": run_import,
    "check": run_check,
    "look": run_look,
    "export": run_export,
    "demo": run_demo,
    "train": run_train,
    "crossval": run_crossval,
    "fold": run_fold,
    "compare": run_compare,
    "suggest": run_suggest,
    "estimate": run_estimate,
    "onnx": run_onnx,
    "cvat_push": run_cvat_push,
    "cvat_pull": run_cvat_pull,
    "cvat_read": run_cvat_read,
}
# Workers of one PostgreSQL share these, see ``sharing``.
SHARED = ("check", "crossval")
# Trainings wait for each other, not for them the quick jobs.
LONG = ("compare", "crossval", "fold", "suggest", "train")
# Of these a worker does several at once, one on each core: programs of one thread.
BESIDE = ("fold",)
