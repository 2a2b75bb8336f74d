import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from app.domain.actor import person
from app.domain.experiments import COPIES
from app.flows import child, demo, experiment_data, experiments, ingest, inspect, review
from app.flows.experiments import AtWork, OtherSuite, Wanted
from app.flows.progress import quiet
from app.flows.review import Selection
from app.flows.snapshot import CantTrain
from app.store import datasets, revisions
from app.store.db import Database, open_database
from app.store.decisions import Wish
from ml.snapshot import Snapshot
from tests.sets import every_sample, with_masks

ADA = person("ada")
KEYS = {"width": 4, "depth": 1, "threads": 1, "augment": [], "precision": "fp32", "layout": "contiguous"}
pytestmark = pytest.mark.one_database  # what is trained on comes out of files
TINY = Wanted("demo", epochs=1, samples=50, keys=KEYS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a demo set that two checks have looked at; tests work on copies."""
    home = tmp_path_factory.mktemp("made")
    with closing(open_database(home / "remask.sqlite")) as db:
        demo.run(db, home, "demo", ADA, count=80)
        inspect.run(db, "demo", ["shared_mask", "duplicate_image"])
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path, dirs_exist_ok=True))


@pytest.fixture
def db(home: Path) -> Iterator[Database]:
    database = open_database(home / "remask.sqlite")
    yield database
    database.close()


@dataclass(frozen=True)
class Prepared:
    """A demo set's folder and the snapshots made of it."""

    home: Path
    snapshots: Mapping[str, Snapshot]

    def __getitem__(self, name: str) -> Snapshot:
        return self.snapshots[name]


@pytest.fixture(scope="module")
def found(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    home = Path(shutil.copytree(made, tmp_path_factory.mktemp("prepared"), dirs_exist_ok=True))
    with closing(open_database(home / "remask.sqlite")) as db:
        return prepare(db, home, 50)


def prepare(db: Database, home: Path, limit: int) -> Prepared:
    experiment_data.prepare(db, home, home / "data", "demo", limit, quiet)
    names = ("clean", "contaminated", "half", "clean_copies", "leaking_copies")
    return Prepared(home, {name: experiment_data.opened(home / "data", name) for name in names})


def truth(home: Path) -> set[str]:
    lines = (home / "demo-truth.csv").read_text().splitlines()
    return {line.split(",")[0] for line in lines if ",contaminated," in line}


def labelled(snapshot: Snapshot, split: str) -> dict[str, int]:
    """key -> a hash of the mask."""
    rows = [row for row in snapshot.rows if row.split == split and row.labelled]
    return {row.key: hash(snapshot.mask(row).tobytes()) for row in rows}


def test_the_test_side_is_one_and_the_same(found: Prepared) -> None:
    judged = [labelled(one, "test") for one in found.snapshots.values()]
    assert judged[0]
    assert all(one == judged[0] for one in judged)
    assert len(found["contaminated"].rows) <= 50


def test_contaminated_samples_are_learned_from_in_one_snapshot_only(found: Prepared) -> None:
    bad = truth(found.home)
    keys = {name: {row.key for row in one.rows} for name, one in found.snapshots.items()}
    assert not keys["clean"] & bad
    kept = keys["contaminated"] - keys["clean"]
    assert kept
    assert kept <= bad
    assert all(row.split == "train" for row in found["contaminated"].rows if row.key in kept)
    assert labelled(found["contaminated"], "val") == labelled(found["clean"], "val")
    assert experiment_data.facts_of(found.home / "data").contaminated == len(kept)


def test_excluded_samples_count_as_contaminated(db: Database, home: Path) -> None:
    before = prepare(db, home, 50)
    gone = [row.key for row in before["clean"].rows if row.split == "train"][:5]
    review.decide(db, "demo", Selection(keys=gone), Wish("exclude"), ADA)
    after = prepare(db, home, 1000)
    assert not {row.key for row in after["clean"].rows} & set(gone)
    assert set(gone) <= {row.key for row in after["contaminated"].rows}


def test_half_of_the_groups_lose_their_masks(found: Prepared) -> None:
    clean, half = found["clean"], found["half"]
    hidden = set(experiment_data.to_hide(clean))
    assert hidden == labelled(clean, "train").keys() - labelled(half, "train").keys()
    groups = [
        {row.group for row in clean.rows if row.split == "train" and (row.key in hidden) is side}
        for side in (True, False)
    ]
    assert not groups[0] & groups[1]
    assert abs(len(groups[0]) - len(groups[1])) <= 1


def test_the_trap_leaks_under_other_names_and_says_what_it_is(found: Prepared) -> None:
    clean, leaking, honest = (found[name] for name in ("clean", "leaking_copies", "clean_copies"))
    val = len(labelled(clean, "val"))
    added = [row for row in leaking.rows if row.key not in {one.key for one in clean.rows}]
    assert len(added) == COPIES * val
    assert len(honest.rows) == len(leaking.rows)
    assert all(row.split == "train" for row in added)
    homes = {row.group: row.split for row in clean.rows}
    assert {homes[row.group.removeprefix("copy of ")] for row in added} == {"val"}
    assert "trap" in leaking.meta
    assert "trap" not in honest.meta
    assert {row.group for row in honest.rows} == {row.group for row in clean.rows}


def test_masks_as_imported_stand_beside_the_corrected_ones(db: Database, npz: Path, tmp_path: Path) -> None:
    ingest.run(db, npz, "few", ADA)
    ingest.run(db, with_masks(npz, tmp_path / "fixed.npz", dict.fromkeys(range(12), 2)), "few", ADA)
    with db.read() as session:
        few = datasets.find(session, "few").id
        proposed = {
            sample.id: one.id
            for sample in every_sample(session, few)
            for one in revisions.of_sample(session, sample.id)
            if one.id != sample.current_id
        }
    for sample_id, revision in proposed.items():
        review.decide(db, "few", Selection(ids=[sample_id]), Wish("restore", revision=revision), ADA)
    experiment_data.prepare(db, tmp_path, tmp_path / "data", "few", 100, quiet)
    clean, given = (experiment_data.opened(tmp_path / "data", name) for name in ("clean", "given"))
    before = {row.key: given.mask(row) for row in given.rows}
    assert {row.split for row in clean.rows} == {"train", "val", "test"}
    assert experiment_data.facts_of(tmp_path / "data").corrected == sum(row.split != "test" for row in clean.rows)
    for row in clean.rows:
        assert np.array_equal(clean.mask(row), before[row.key]) is (row.split == "test")


def test_picking_takes_every_group_once_before_any_twice(found: Prepared) -> None:
    rows = [replace(row, group=str(at % 5)) for at, row in enumerate(found["clean"].rows)]
    assert len({row.group for row in experiment_data.pick(rows, 5)}) == 5
    assert len({row.key for row in experiment_data.pick(rows, 12)}) == 12


def test_a_suite_is_trained_told_and_gone_on_with(db: Database, home: Path) -> None:
    out = home / "suite"
    first = experiments.run(db, home, out, TINY, only=["half_of_labels"])
    assert [one["name"] for one in first["experiments"]] == ["baseline", "half_of_labels"]
    trained = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/result.json")}
    results = experiments.run(db, home, out, TINY, only=["pseudo"])
    assert {path: path.stat().st_mtime_ns for path in trained} == trained
    baseline, half, pseudo = results["experiments"]
    assert (baseline["name"], half["name"], pseudo["name"]) == ("baseline", "half_of_labels", "pseudo_labels")
    assert baseline["test"]["difference"] == 0
    assert baseline["test"]["samples"] == results["data"]["samples"]["test"]
    assert baseline["val"]["samples"] == results["data"]["samples"]["val"]
    assert baseline["test"]["on_foreground"]["miou"] == pytest.approx(baseline["test"]["miou_on_foreground"], abs=0.02)
    assert baseline["parameters"] > 0
    assert pseudo["against"] == "half_of_labels"
    assert 0 <= pseudo["pseudo"]["sure"] <= 1
    tables = (out / "tables.md").read_text()
    assert "| Baseline U-Net |" in tables
    assert "Not tried: given_masks, since no mask" in tables
    with pytest.raises(OtherSuite, match="other settings"):
        experiments.run(db, home, out, replace(TINY, epochs=2))


@pytest.mark.long
def test_a_suite_goes_on_after_a_kill(db: Database, home: Path) -> None:
    out = home / "suite"
    program = (
        "import sys; from pathlib import Path; from app.flows import experiments;"
        "from app.store.db import open_database; from tests.flows.test_experiments import TINY;"
        "home = Path(sys.argv[1]);"
        "experiments.run(open_database(home / 'remask.sqlite'), home, home / 'suite', TINY, only=['class_balance'])"
    )
    command = [sys.executable, "-c", program, str(home)]
    killed = subprocess.Popen(command, start_new_session=True)
    events = out / "runs" / "class_balance-s0" / child.EVENTS
    while not events.exists() and killed.poll() is None:
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    baseline = out / "runs" / "baseline-s0" / "result.json"
    before = baseline.read_bytes()
    results = experiments.run(db, home, out, TINY, only=["class_balance"])
    assert baseline.read_bytes() == before
    assert [one["name"] for one in results["experiments"]] == ["baseline", "class_balance"]


def test_what_fails_is_named_and_the_rest_goes_on(db: Database, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def see_done(_arguments: list[str], folder: Path, _hear: child.Hear) -> None:
        raise child.TrainingFailed(f"The memory is not enough for {folder.name}.")

    monkeypatch.setattr(child, "see_done", see_done)
    results = experiments.run(db, home, home / "suite", TINY, only=["class_balance"])
    assert results["experiments"] == []
    assert results["failed"] == {
        f"{name}, seed 0": f"The memory is not enough for {name}-s0." for name in ("baseline", "class_balance")
    }
    assert "Failed: class_balance, seed 0: The memory" in (home / "suite" / "tables.md").read_text()


@pytest.mark.parametrize("keys", [{"widht": 8}, {"epochs": 0}])
def test_a_config_that_is_none_is_a_sentence(db: Database, home: Path, keys: dict[str, int]) -> None:
    with pytest.raises(CantTrain, match=next(iter(keys))):
        experiments.run(db, home, home / "suite", replace(TINY, keys=keys))


def test_two_commands_never_train_in_one_folder(db: Database, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "PATIENCE", 0.0)
    out = home / "suite"
    out.mkdir()
    with (out / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(AtWork, match="at work"):
            experiments.run(db, home, out, TINY)
