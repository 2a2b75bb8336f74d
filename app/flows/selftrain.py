"""Self-training: a run of several rounds, each learning also from what the model before was sure of.

Round 0 learns from people's masks. Its model predicts the samples without one; where validation samples show that it
can be believed, its word is the mask of the next round, and void elsewhere. Every round starts from fresh weights with
the same seed and the same split. Validation says which round is kept, and only then the test is looked at, by the model
of round 0 and by the one that is kept. After self-training with confidence thresholds (Lee 2013, Pseudo-Label; Xie et
al. 2020, Noisy Student).

A round lies in ``round_<number>`` of the run's folder. Each step ends with a file that is moved into place, so a run
that was interrupted goes on with the step, and within a training with the epoch, in which it was.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from app.domain.believing import promise
from app.domain.calibrate import FEWEST, Calibration
from app.domain.rounds import Pseudo, Round, best, figure_of, sentence
from app.flows import child, rounds, trainer
from app.flows.progress import Progress, part
from app.flows.propose import suggested
from app.flows.trusted import tally_of
from app.store import members
from app.store.db import Database
from ml import predictions as files
from ml import snapshot as frozen

NOBODY = "Every sample has a mask, or shows what one with a mask shows, so there is nothing more to learn from."


@dataclass(frozen=True)
class Training:
    """What all rounds share. ``folder``: the run's; ``snapshot``: what it was frozen into; ``pool``: keys of samples
    that a model may label; ``wished``: how many of its pixels should be right, 0..1."""

    folder: Path
    snapshot: frozen.Snapshot
    config: Mapping[str, Any]
    rounds: int
    wished: float
    pool: Sequence[str]
    processes: int

    def place(self, number: int) -> Path:
        return rounds.place(self.folder, number)

    def part(self, progress: Progress, number: int, length: int) -> Progress:
        epochs = self.config["epochs"]
        steps = epochs * (self.rounds + 1)
        return part(progress, number * epochs, length * epochs, steps, f"round {number} of {self.rounds}")


def prepared(
    db: Database, folder: Path, dataset_id: int, snapshot: Path, told: Mapping[str, Any], processes: int
) -> Training:
    """A run's training, ``told`` as its row was; which samples may be labelled is settled once and kept."""
    opened = frozen.read(snapshot)
    kept = folder / "pool.json"
    if not kept.exists():
        with db.read() as session:
            free = members.free(session, dataset_id)
        seen = {row.group for row in opened.rows if row.labelled}
        pool = [row.key for row in opened.rows if row.key in free and not row.labelled and row.group not in seen]
        _write_json(kept, pool)
    config = {key: one for key, one in told.items() if key not in rounds.KEYS}
    return Training(folder, opened, config, told["rounds"], told["wished"], _json(kept), processes)


def run(what: Training, progress: Progress) -> dict[str, Any]:
    """All rounds; what came of them is the result of the round that is kept, with ``rounds``, ``best_round`` and
    ``sentence``. Its files are in the run's folder in the end. Raises TrainingFailed with the trainer's sentence."""
    figure = figure_of(what.config["monitor"])
    found, results, reason = [], [], "" if what.pool else NOBODY
    for number in range(what.rounds + 1 if what.pool else 1):
        pseudo = None
        if number:
            said = labelled(what, number, what.part(progress, number, 0))
            if "reason" in said:
                reason = said["reason"]
                break
            pseudo = Pseudo(**said | {"classes": tuple(said["classes"])})
        result = _trained(what, number, what.part(progress, number, 1))
        results.append(result)
        found.append(_round(number, result, pseudo))
        kept = best(found, figure)
        _keep(what, kept.number)
    test = _tested(what, sorted({0, kept.number}), progress)
    found = [replace(one, test=test[one.number]["miou"]) if one.number in test else one for one in found]
    result = results[kept.number] | ({"test": test[kept.number]} if test else {})
    result |= {
        "seconds": round(sum(one["seconds"] for one in results), 1),
        "rounds": [asdict(one) for one in found],
        "best_round": kept.number,
        "sentence": sentence(found, figure, reason),
    }
    _write_json(what.folder / "result.json", result)
    return result


def _round(number: int, result: Mapping[str, Any], pseudo: Pseudo | None) -> Round:
    val = result["val"]
    epoch, seconds = result["best_epoch"], result["seconds"]
    return Round(number, val["miou"], val["miou_on_foreground"], epoch, seconds, pseudo)


def _trained(what: Training, number: int, progress: Progress) -> dict[str, Any]:
    """The result of a round's training, which learns and stops without the test samples."""
    place = what.place(number)
    done = place / "result.json"
    if not done.exists():
        snapshot, config = what.snapshot, dict(what.config)
        if number:
            snapshot = frozen.read(_path(place))
            chosen = _json(what.place(0) / "config.json")
            config |= {key: chosen[key] for key in trainer.MEASURED}
        splits = {row.key: row.split for row in snapshot.rows if row.labelled and row.split in ("train", "val")}
        stamp = {"round": number}
        trainer.train(
            snapshot.path, place, config, what.folder, progress, processes=what.processes, splits=splits, stamp=stamp
        )
    for path in (_path(place), place / "checkpoint.pt"):
        path.unlink(missing_ok=True)
    result: dict[str, Any] = _json(done)
    return result


def labelled(what: Training, number: int, progress: Progress) -> dict[str, Any]:
    """What the model of the round before said, as ``Pseudo``, or a ``reason`` why there is no round. What this round
    learns from is ``labelled.snapshot`` in its folder, until it has."""
    place = what.place(number)
    done = place / "pseudo.json"
    if not done.exists():
        place.mkdir(exist_ok=True)
        predicted = _predicted(what, number, place, progress)
        held_out = [row.key for row in what.snapshot.rows if row.kind == "label" and row.split == "val"]
        calibration = tally_of(what.snapshot, predicted, held_out).calibrate(what.wished)
        said = {"reason": _too_weak(what, calibration)}
        if calibration.believed:
            said = _written(what, number, predicted, calibration, progress)
        _write_json(done, said)
    (place / "predictions").unlink(missing_ok=True)
    result: dict[str, Any] = _json(done)
    return result


def _predicted(what: Training, number: int, place: Path, progress: Progress) -> files.Predictions:
    """Validation samples and the pool by the model of the round before, averaged over flips."""
    out = place / "predictions"
    keys = [row.key for row in what.snapshot.rows if row.kind == "label" and row.split == "val"]
    one = {"method": "softmax", "out": str(out), "models_of": {key: [0] for key in [*keys, *what.pool]}}
    _write_json(place / "plan.json", {"models": [str(what.place(number - 1) / "model.pt")], "passes": [one]})

    arguments = ["ml.suggest", str(what.snapshot.path), str(place / "plan.json")]
    arguments += ["--device", what.config["device"], "--threads", str(what.config["threads"])]
    child.see_done(arguments, place, lambda _event: progress(0, 0, "labelling"))
    return files.read(out)


def _too_weak(what: Training, calibration: Calibration) -> str:
    if calibration.groups < FEWEST:
        return (
            f"Validation holds {calibration.groups} different pictures, and at least {FEWEST} have to show how sure a "
            "model must be to be believed; label some more."
        )
    return promise(calibration, {one.id: one.name for one in what.snapshot.classes})


def _written(
    what: Training, number: int, predicted: files.Predictions, calibration: Calibration, progress: Progress
) -> dict[str, Any]:
    """Write the round's snapshot: what people labelled in train and validation, and the pool as far as believed."""
    counts = {"samples": 0, "pixels": 0, "of": 0}
    meta = {"of": what.snapshot.hash, "round": number, "precision": what.wished}
    samples = learned_from(what, predicted, calibration, counts, progress)
    frozen.write(_path(what.place(number)), samples, what.snapshot.classes, meta)
    if not counts["samples"]:
        return {"reason": "The model is sure of too little in samples without a mask to learn from it."}
    names = {one.id: one.name for one in what.snapshot.classes}
    return {
        "pool": len(what.pool),
        "samples": counts["samples"],
        "share": counts["pixels"] / counts["of"],
        "precision": calibration.reached,
        "classes": [names[one.class_id] for one in calibration.thresholds if one.confidence is not None],
    }


def learned_from(
    what: Training, predicted: files.Predictions, calibration: Calibration, counts: dict[str, int], progress: Progress
) -> Iterator[frozen.Sample]:
    """What a round learns from and stops by; ``counts`` what was labelled of the pool."""
    void = min((one.id for one in what.snapshot.classes if one.role == "void"), default=None)
    pool = set(what.pool)
    for row in what.snapshot.rows:
        image = what.snapshot.image(row)
        if row.key in pool:
            progress(0, 0, "labelling")
            seen, sure = calibration.read(predicted.bands(row.key))
            counts["of"] += sure.size
            one = suggested(None, seen, sure, (), void)
            if one is not None:
                counts["samples"] += 1
                counts["pixels"] += one.changed
                # Where the classes have no void, it's the weight that says which pixels teach nothing.
                weight = (sure > 0).astype("float32") if void is None else None
                yield frozen.Sample(row.key, row.group, "train", "pseudo", image, one.mask, weight)
        elif row.labelled and row.split in ("train", "val"):
            mask, weight = what.snapshot.mask(row), what.snapshot.weight(row)
            yield frozen.Sample(row.key, row.group, row.split, row.kind, image, mask, weight)


def _tested(what: Training, numbers: Sequence[int], progress: Progress) -> dict[int, dict[str, Any]]:
    """The figures of these rounds on the test samples; none where there are no test samples."""
    if not any(row.labelled and row.split == "test" for row in what.snapshot.rows):
        return {}
    out = what.folder / "judged"
    out.mkdir(exist_ok=True)
    models = out / "models.json"
    _write_json(models, {str(number): str(what.place(number) / "model.pt") for number in numbers})
    arguments = ["ml.judge", str(what.snapshot.path), "--models", str(models), "--out", str(out)]
    arguments += ["--device", what.config["device"], "--threads", str(what.config["threads"])]
    epochs = what.config["epochs"] * (what.rounds + 1)
    child.see_done(arguments, out, lambda _event: progress(epochs, epochs, "judging"))
    return {number: _json(out / f"{number}.figures.json") for number in numbers}


def _keep(what: Training, number: int) -> None:
    """Make the files of a round those of the run."""
    for name in ("config.json", "val_samples.json", "model.pt"):
        copy = what.folder / f".{name}.part"
        shutil.copyfile(what.place(number) / name, copy)
        copy.replace(what.folder / name)


def _path(place: Path) -> Path:
    return place / f"labelled{frozen.SUFFIX}"


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _write_json(path: Path, what: Any) -> None:
    """Whole or not at all."""
    unfinished = path.with_name(f".{path.name}.part")
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump(what, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
