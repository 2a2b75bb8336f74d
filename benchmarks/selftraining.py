"""What rounds of self-training are worth on CamVid at 120x90, every second picture, part of the masks hidden.

    python -m benchmarks.selftraining path/to/camvid --out selftraining --seeds 0 1 2

Of the train folder, six pictures in turn keep their masks and six lose them; of those that keep them a third validates;
the val folder is the test. For each seed: rounds 0 to 2, how right the learned pixels were by the hidden masks, and a
single training with as many steps as the longest round. Started again it goes on. Times on a machine that does nothing
else: about 5 minutes a seed on one core.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from app.domain.actor import person
from app.domain.checks.duplicate_image import DuplicateImage
from app.domain.classes import Class, ClassList, Role
from app.flows import child, ingest, inspect, selftrain, train
from app.flows.progress import quiet
from app.flows.snapshot import path_of
from app.store import datasets, runs, samples
from app.store.db import Database, open_database
from ml import snapshot as frozen

NAMES = ("Sky", "Building", "Pole", "Road", "Pavement", "Tree", "SignSymbol", "Fence", "Car", "Pedestrian", "Bicyclist")
CLASSES = ClassList(
    tuple(
        Class(id, name, Role.VOID if name == "void" else Role.FOREGROUND, f"#{20 * id:02x}{255 - 20 * id:02x}80")
        for id, name in enumerate((*NAMES, "void"))
    ),
    guessed=False,
)
KEYS: dict[str, Any] = {
    "width": 16, "depth": 3, "batch": 8, "threads": 1, "precision": "fp32", "layout": "contiguous", "compile": "off",
    "augment": ["affine", "hflip"], "class_balance": "sqrt", "learning_rate": 0.002, "samples": 0, "patience": 99,
    "plateau_patience": 8,
}  # fmt: skip
EPOCHS, LONGER, ROUNDS, PRECISION, TURN = 16, 36, 2, 0.95, 6


def prepared(source: Path, home: Path) -> tuple[Database, dict[str, Path]]:
    """The set as one of the app, and the hidden masks by key."""
    pictures = [(part, one) for part in ("train", "val") for one in sorted((source / "images" / part).iterdir())[::2]]
    keys = [f"{part}_{one.stem}" for part, one in pictures]
    learned = [key for key in keys if key.startswith("train_")]
    masked = {key for at, key in enumerate(learned) if at // TURN % 2 == 0} | {*keys} - {*learned}
    masks = {key: source / "masks" / part / f"{one.stem}.png" for key, (part, one) in zip(keys, pictures, strict=True)}
    hidden = {key: path for key, path in masks.items() if key not in masked}
    if (home / "ready").exists():
        return open_database(home / "remask.sqlite"), hidden
    for name in ("images", "masks"):
        (home / "set" / name).mkdir(parents=True, exist_ok=True)
    for key, (_, one) in zip(keys, pictures, strict=True):
        small(one, Image.Resampling.BOX).save(home / "set" / "images" / f"{key}.png")
        if key in masked:
            small(masks[key], Image.Resampling.NEAREST).save(home / "set" / "masks" / f"{key}.png")
    db = open_database(home / "remask.sqlite")
    ingest.run(db, home / "set", "camvid", person("benchmark"), classes=CLASSES)
    inspect.run(db, "camvid", [DuplicateImage.name])
    with db.write() as session:
        found = samples.by_keys(session, datasets.find(session, "camvid").id, sorted(masked))
        mine = [one for one in sorted(found, key=lambda one: one.key) if one.key.startswith("train_")]
        split = {one.id: "val" if at // TURN % 3 == 2 else "train" for at, one in enumerate(mine)}
        samples.set_splits(session, {one.id: "test" for one in found} | split)
    (home / "ready").touch()
    return db, hidden


def small(path: Path, how: Image.Resampling) -> Image.Image:
    return Image.open(path).resize((120, 90), how)


def trained(db: Database, home: Path, name: str, keys: dict[str, Any], rounds: int) -> tuple[int, dict[str, Any]]:
    """Number and result of the run of this name, trained where it isn't yet."""
    with db.read() as session:
        mine = [one for one in runs.of_dataset(session, datasets.find(session, "camvid").id) if one.name == name]
    asked = {"keys": KEYS | keys, "name": name, "rounds": rounds, "precision": PRECISION}
    run = mine[0] if mine else train.request(db, "camvid", person("benchmark"), **asked)  # type: ignore[arg-type]
    return run.id, run.result or train.run(db, home, run.id)


def rightness(db: Database, home: Path, run: int, hidden: dict[str, Path], number: int) -> float:
    """The share of the pixels that a round learned from the round before which the hidden masks say are right."""
    with db.read() as session:
        row = runs.find(session, run)
        path = path_of(home, runs.find_snapshot(session, row.snapshot_id or 0))
    folder = child.folder_of(home, run)
    training = selftrain.prepared(db, folder, row.dataset_id, path, row.config, 1)
    again = home / "again" / str(run)
    for at in (number - 1, number):
        (again / f"round_{at}").mkdir(parents=True, exist_ok=True)
    (again / f"round_{number - 1}" / "model.pt").write_bytes((folder / f"round_{number - 1}/model.pt").read_bytes())
    selftrain.labelled(replace(training, folder=again), number, quiet)
    opened = frozen.read(again / f"round_{number}" / "labelled.snapshot")
    right = total = 0
    for one in opened.rows:
        if one.kind == "pseudo":
            truth = np.asarray(small(hidden[one.key], Image.Resampling.NEAREST))
            said = opened.mask(one)
            counts = (said != 11) & (truth != 11)
            right, total = right + int((said == truth)[counts].sum()), total + int(counts.sum())
    return right / total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    told = parser.parse_args()
    db, hidden = prepared(told.source, told.out)
    for seed in told.seeds:
        run, result = trained(db, told.out, f"rounds, seed {seed}", {"epochs": EPOCHS, "seed": seed}, ROUNDS)
        for one in result["rounds"]:
            line = f"seed {seed}, round {one['number']}: validation {one['miou']:.3f}, test {one['test']}"
            if said := one["pseudo"]:
                right = rightness(db, told.out, run, hidden, one["number"])
                line += f", {said['share']:.1%} of pixels believed, {said['precision']:.1%} expected, {right:.1%} right"
            print(line)
        _, longer = trained(db, told.out, f"longer, seed {seed}", {"epochs": LONGER, "seed": seed}, 0)
        print(f"seed {seed}, longer: validation {longer['val']['miou']:.3f}, test {longer['test']['miou']}")
    db.close()


if __name__ == "__main__":
    main()
