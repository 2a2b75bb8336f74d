import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app import jobs
from app.domain.actor import person
from app.flows import child, demo, review, train
from app.flows.progress import Cancelled, quiet
from app.flows.review import Selection
from app.flows.snapshot import CantTrain, freeze, path_of
from app.settings import Settings
from app.store import datasets
from app.store.db import Database, open_database
from app.store.decisions import Wish
from app.store.members import Arm
from ml import snapshot as frozen
from tests.sets import every_sample

ADA = person("ada")
TINY = {"epochs": 2, "width": 4, "depth": 1, "threads": 1, "augment": [], "precision": "fp32", "samples": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a small demo set; tests work on copies."""
    home = tmp_path_factory.mktemp("made")
    with closing(open_database(home / "remask.sqlite")) as db:
        demo.run(db, home, "demo", ADA, count=60)
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path, dirs_exist_ok=True))


@pytest.fixture
def db(home: Path) -> Iterator[Database]:
    database = open_database(home / "remask.sqlite")
    yield database
    database.close()


def splits(db: Database) -> dict[str, str | None]:
    with db.read() as session:
        return {one.key: one.split for one in every_sample(session, datasets.find(session, "demo").id)}


def open_arm(db: Database, home: Path, arm: Arm) -> frozen.Snapshot:
    return frozen.read(path_of(home, freeze(db, home, "demo", arm)))


def test_a_split_is_dealt_once_and_stays(db: Database, home: Path) -> None:
    first = freeze(db, home, "demo", "curated")
    before = splits(db)
    assert {split for key, split in before.items() if key.startswith("training_set")} == {"train", "val", "test"}
    assert all(split is None for key, split in before.items() if key.startswith("test_set"))
    assert freeze(db, home, "demo", "curated").id == first.id
    assert splits(db) == before


def test_arms_differ_in_what_is_learned_and_share_what_is_judged(db: Database, home: Path) -> None:
    open_arm(db, home, "imported")
    dealt = splits(db)
    gone = [next(key for key, split in dealt.items() if split == wanted) for wanted in ("train", "test")]
    review.decide(db, "demo", Selection(keys=gone), Wish("exclude"), ADA)
    imported, curated = open_arm(db, home, "imported"), open_arm(db, home, "curated")
    keys = {arm: {row.key for row in one.rows} for arm, one in (("imported", imported), ("curated", curated))}
    assert keys["imported"] - keys["curated"] == {gone[0]}
    judged = [{row.key for row in one.rows if row.split == "test"} for one in (imported, curated)]
    assert judged[0] == judged[1]
    assert gone[1] not in judged[0]


def test_a_run_is_trained_by_a_job_and_its_result_kept(db: Database, home: Path) -> None:
    settings = Settings(home=home)
    run = train.request(db, "demo", ADA, keys=TINY)
    assert run.job_id is not None
    said: list[str] = []
    jobs.see_done(db, settings, run.job_id, lambda _done, _total, message: said.append(message))
    assert "freezing" in said
    assert "training" in said
    result = train.result_of(db, run.id)
    assert result["reason"] == "all epochs"
    assert 0 <= result["test"]["miou"] <= 1
    told = child.events(home, run.id)
    assert [one["epoch"] for one in told if one["event"] == "epoch"] == [0, 1]
    assert json.loads((child.folder_of(home, run.id) / "config.json").read_text())["width"] == 4


def test_a_cancelled_run_leaves_its_checkpoint_and_goes_on_from_it(db: Database, home: Path) -> None:
    run = train.request(db, "demo", ADA, keys=TINY | {"epochs": 3})

    def stop_after_one(done: int, _total: int, message: str) -> None:
        if message == "training" and done >= 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        train.run(db, home, run.id, stop_after_one)
    train.run(db, home, run.id, quiet)
    started = [one["epoch"] for one in child.events(home, run.id) if one["event"] == "start"]
    assert started[0] == 0
    assert started[1] >= 1


def test_two_processes_train_a_run_together(db: Database, home: Path) -> None:
    run = train.request(db, "demo", ADA, keys=TINY | {"device": "cpu"})
    result = train.run(db, home, run.id, quiet, processes=2)
    assert result["reason"] == "all epochs"
    [started] = [one for one in child.events(home, run.id) if one["event"] == "start"]
    assert started["processes"] == 2


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"preset": "nonsense"}, "no preset"),
        ({"arm": "nonsense"}, "no arm"),
        ({"keys": {"widht": 8}}, "width"),
        ({"keys": {"width": "much"}}, "width"),
    ],
)
def test_what_it_cannot_be_told_is_a_sentence(db: Database, home: Path, wish: dict[str, object], sentence: str) -> None:
    with pytest.raises(CantTrain, match=sentence):
        train.request(db, "demo", ADA, **wish)  # type: ignore[arg-type]


def test_the_trainers_own_refusal_reaches_the_person(db: Database, npz: Path, tmp_path: Path) -> None:
    from app.flows import ingest

    ingest.run(db, npz, "few", ADA)
    review.decide(db, "few", Selection(keys=[f"training_set/{i:05}" for i in range(12)]), Wish("exclude"), ADA)
    run = train.request(db, "few", ADA, keys=TINY)
    with pytest.raises(child.TrainingFailed, match="no labelled samples"):
        train.run(db, tmp_path, run.id)
