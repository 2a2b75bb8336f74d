import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import jobs
from app.domain.actor import person
from app.flows import compare, demo, review
from app.flows.child import Hear
from app.flows.progress import Cancelled, quiet
from app.flows.review import Selection
from app.flows.snapshot import CantTrain, freeze, freeze_together, path_of
from app.settings import Settings
from app.store import comparisons, datasets, rasters, revisions, samples
from app.store import jobs as rows
from app.store.db import Database, open_database
from app.store.decisions import Wish
from app.store.revisions import Proposal
from app.store.tables import Raster, Revision, Sample
from ml import snapshot as frozen
from tests.sets import every_sample

ADA = person("ada")
TINY = {"epochs": 1, "width": 4, "depth": 1, "threads": 1, "augment": [], "precision": "fp32", "samples": 0}


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Trainer and judge without a network: a model is a file, and is right about most pixels. Which were asked for."""
    asked: list[str] = []

    def see_done(arguments: Sequence[str], folder: Path, hear: Hear, processes: int = 1, stamp: object = None) -> None:
        given = dict(zip(arguments[2::2], arguments[3::2], strict=True))
        asked.append(arguments[0])
        if arguments[0] == "ml.train":
            config = json.loads(Path(given["--config"]).read_text()) | {"layout": "contiguous"}
            hear({"event": "start", "epoch": 0, "config": config})
            hear({"event": "epoch", "epoch": 0})
            (folder / "config.json").write_text(json.dumps(config))
            (folder / "result.json").write_text(json.dumps({"reason": "all epochs"}))
            (folder / "model.pt").write_text(str(config["seed"]))
            return
        models = json.loads(Path(given["--models"]).read_text())
        reference = frozen.read(Path(arguments[1]))
        for done, (name, model) in enumerate(models.items()):
            out = Path(given["--out"]) / f"{name}.json"
            out.parent.mkdir(exist_ok=True)
            out.write_text(json.dumps([guess(reference, row, Path(model)) for row in reference.rows]))
            hear({"event": "judged", "done": done + 1, "models": len(models)})

    monkeypatch.setattr("app.flows.child.see_done", see_done)
    return asked


def guess(reference: frozen.Snapshot, row: frozen.Row, model: Path) -> dict[str, Any]:
    """What the model of that file would be told of a sample: the same guess whatever mask judges it."""
    classes = [one.id for one in reference.targets]
    rng = np.random.default_rng([int(model.read_text()), *row.key.encode()])
    truth = reference.mask(row)
    said = rng.choice(classes, truth.shape)
    matrix = [[int(((truth == a) & (said == b)).sum()) for b in classes] for a in classes]
    return {"key": row.key, "group": row.group, "miou": None, "confusion": matrix}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a small set whose split is dealt, with one train sample excluded; tests work on copies."""
    home = tmp_path_factory.mktemp("made")
    with closing(open_database(home / "remask.sqlite")) as db:
        demo.run(db, home, "demo", ADA, count=60)
        freeze(db, home, "demo", "curated")
        review.decide(db, "demo", Selection(keys=keys(db, "train")[:1]), Wish("exclude"), ADA)
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path, dirs_exist_ok=True))


@pytest.fixture
def db(home: Path) -> Iterator[Database]:
    database = open_database(home / "remask.sqlite")
    yield database
    database.close()


def keys(db: Database, split: str) -> list[str]:
    with db.read() as session:
        every = every_sample(session, datasets.find(session, "demo").id)
        return [one.key for one in every if one.split == split]


def redraw(db: Database, key: str) -> None:
    """Another mask of the same classes for a sample, put in force by a person."""
    with db.write() as session:
        dataset = datasets.find(session, "demo")
        sample = samples.by_key(session, dataset.id, key)
        current = session.get_one(Revision, sample.current_id)
        mask = rasters.mask(session, session.get_one(Raster, current.mask_id))
        [raster] = rasters.put_masks(session, [(mask[::-1].copy(), None)])
        [made] = revisions.propose(session, [Proposal(sample, raster.id, dataset.class_version, "brush", ADA)])
    review.decide(db, "demo", Selection(keys=[key]), Wish("restore", revision=made.id), ADA)


def ask(db: Database, **wish: Any) -> int:
    return compare.request(db, "demo", ADA, keys=TINY, **wish).id


@pytest.mark.one_database
def test_networks_are_trained_and_judged(db: Database, home: Path) -> None:
    result = compare.run(db, home, ask(db, seeds=1))
    with db.read() as session:
        mine = comparisons.runs_of(session, 1)
    [reading] = result["readings"]
    for side, one in zip(("before", "after"), mine, strict=True):
        assert one.result
        assert list(reading["overall"][side]) == [pytest.approx(one.result["test"]["miou"])]


@pytest.mark.usefixtures("by_hand")
def test_both_arms_are_trained_alike_and_judged_on_the_same_masks(db: Database, home: Path) -> None:
    id = ask(db, seeds=2)
    said: list[tuple[int, int, str]] = []
    with db.read() as session:
        job_id = comparisons.find(session, id).job_id or 0
    jobs.see_done(db, Settings(home=home), job_id, lambda *told: said.append(told))
    with db.read() as session:
        found = comparisons.find(session, id)
        mine = comparisons.runs_of(session, id)
    assert [(one.side, one.arm, one.config["seed"]) for one in mine] == [
        ("before", "imported", 0),
        ("after", "curated", 0),
        ("before", "imported", 1),
        ("after", "curated", 1),
    ]
    assert all(one.result for one in mine)
    assert len({(one.config["precision"], one.config["layout"], one.config["compile"]) for one in mine[1:]}) == 1
    assert mine[1].config["layout"] != "auto"
    result = found.result or {}
    [reading] = result["readings"]
    assert (reading["reference"], reading["verified"]) == ("current", False)
    overall = reading["overall"]
    assert overall["low"] <= overall["difference"] <= overall["high"]
    assert result["sentence"].endswith(".")
    assert result["arms"]["before"]["train"] == result["arms"]["after"]["train"] + 1
    progress = [done for done, total, message in said if "run" in message or "judging" in message]
    assert progress == sorted(progress)
    assert {total for _, total, message in said if "epoch" not in message and "freezing" not in message} <= {8, 0}


def test_it_goes_on_where_it_was_without_training_anew(db: Database, home: Path, by_hand: list[str]) -> None:
    id = ask(db, seeds=1)

    def stop(done: int, _total: int, message: str) -> None:
        if message.startswith("run 2"):
            raise Cancelled

    with pytest.raises(Cancelled):
        compare.run(db, home, id, stop)
    frozen_then = sorted((home / "snapshots").iterdir())
    with db.read() as session:
        assert [bool(one.result) for one in comparisons.runs_of(session, id)] == [True, False]
    by_hand.clear()
    result = compare.run(db, home, id)
    assert by_hand == ["ml.train", "ml.judge"]
    assert sorted((home / "snapshots").iterdir()) == frozen_then
    assert result["test"]["samples"] > 0
    assert "With one seed" in " ".join(result["notes"])


@pytest.mark.usefixtures("by_hand")
def test_changed_test_masks_are_judged_by_both_references_and_confirmed_ones_apart(
    db: Database, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.domain.verdict.ENOUGH", 2)
    tests = keys(db, "test")
    redraw(db, tests[0])
    review.decide(db, "demo", Selection(keys=tests[:2]), Wish("keep"), ADA)
    result = compare.run(db, home, ask(db, seeds=1, before="without_excluded", after="imported"))
    assert [(one["reference"], one["verified"], one["samples"]) for one in result["readings"]] == [
        ("current", True, 2),
        ("current", False, len(tests)),
        ("imported", False, len(tests)),
    ]
    assert (result["test"]["changed"], result["test"]["verified"]) == (1, 2)
    assert result["readings"][1]["overall"]["before"] != result["readings"][2]["overall"]["before"]


@pytest.mark.usefixtures("by_hand")
def test_an_earlier_snapshot_is_a_side(db: Database, home: Path) -> None:
    earlier = freeze(db, home, "demo", "curated")
    redraw(db, keys(db, "train")[1])
    result = compare.run(db, home, ask(db, seeds=1, before=f"snapshot:{earlier.id}"))
    assert result["arms"]["before"]["snapshot"] == earlier.id
    assert result["sentence"]


@pytest.mark.usefixtures("by_hand")
def test_test_samples_whose_relatives_were_learned_from_do_not_judge(db: Database, home: Path) -> None:
    earlier = freeze(db, home, "demo", "curated")
    tests, train = keys(db, "test"), keys(db, "train")
    redraw(db, train[1])
    with db.write() as session:  # duplicates that are found later: the train side is held out from then on
        id = datasets.find(session, "demo").id
        for key in (tests[0], train[2]):
            samples.by_key(session, id, key).content_group = 12345
    result = compare.run(db, home, ask(db, seeds=1, before=f"snapshot:{earlier.id}"))
    assert (result["test"]["left_out"], result["test"]["samples"]) == (1, len(tests) - 1)


@pytest.mark.usefixtures("by_hand")
def test_the_same_masks_are_nothing_to_compare(db: Database, home: Path) -> None:
    with pytest.raises(CantTrain, match="hold the same masks, so there is nothing to compare"):
        compare.run(db, home, ask(db, seeds=1, before="without_excluded", after="curated"))


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"before": "curated"}, "Both sides are"),
        ({"after": "nonsense"}, "no arm 'nonsense'"),
        ({"after": "snapshot:99"}, "no arm 'snapshot:99'"),
        ({"seeds": 0}, "1 to 20 seeds"),
        ({"preset": "nonsense"}, "no preset"),
    ],
)
def test_what_it_cannot_be_told_is_a_sentence(db: Database, home: Path, wish: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CantTrain, match=sentence):
        ask(db, **wish)


def test_cancelled_and_asked_for_again(db: Database, home: Path) -> None:
    id = ask(db)
    with pytest.raises(compare.NotEnded, match="is queued"):
        compare.resume(db, id)
    assert compare.cancel(db, id).state == "cancelled"
    with pytest.raises(compare.NotEnded, match="ended already"):
        compare.cancel(db, id)
    again = compare.resume(db, id)
    with db.read() as session:
        assert comparisons.find(session, id).job_id == again.id
        assert rows.find(session, again.id).state == "queued"


def unlabelled(db: Database, key: str, sure: np.ndarray[Any, Any], source: str = "model") -> None:
    """Take a sample's mask away, and have a model propose one."""
    with db.write() as session:
        dataset = datasets.find(session, "demo")
        sample = samples.by_key(session, dataset.id, key)
        current = session.get_one(Revision, sample.current_id)
        mask = rasters.mask(session, session.get_one(Raster, current.mask_id))
        current.state = "rejected"
        sample.current_id, sample.split = None, None
        session.flush()
        proposed, confidence = rasters.put_masks(session, [(mask, None), (sure, None)])
        proposal = Proposal(sample, proposed.id, dataset.class_version, source, ADA, confidence_id=confidence.id)
        [made] = revisions.propose(session, [proposal])
        assert (made.state, sample.current_id) == (("pending", None) if source == "model" else ("current", made.id))


def test_pseudo_labels_teach_and_do_nothing_else(db: Database, home: Path) -> None:
    train = keys(db, "train")
    with db.read() as session:
        one = samples.by_key(session, datasets.find(session, "demo").id, train[1])
        image = session.get_one(Raster, one.image_id)
        size = (image.height, image.width)
        tested = samples.by_key(session, datasets.find(session, "demo").id, keys(db, "test")[0])
    half = np.zeros(size, np.uint8)
    half[: size[0] // 2] = 240
    unlabelled(db, train[1], half)
    unlabelled(db, train[2], np.full(size, 100, np.uint8))
    unlabelled(db, train[3], half)
    with db.write() as session:  # a relative of a test sample
        relative = samples.by_key(session, datasets.find(session, "demo").id, train[3])
        relative.content_group, session.get_one(Sample, tested.id).content_group = 777, 777
    pseudo, curated = (
        frozen.read(path_of(home, one)) for one in freeze_together(db, home, "demo", ["with_pseudo", "curated"])
    )
    [row] = [row for row in pseudo.rows if row.kind == "pseudo"]
    assert (row.key, row.split) == (train[1], "train")
    weight = pseudo.weight(row)
    assert weight is not None
    assert (weight == (half > 0)).all()
    assert {row.key for row in pseudo.rows if row.labelled} - {row.key for row in curated.rows if row.labelled} == {
        train[1]
    }
    assert [row.kind for row in curated.rows if row.key == train[1]] == [None]


@pytest.mark.usefixtures("by_hand")
def test_pseudo_labels_are_compared(db: Database, home: Path) -> None:
    train = keys(db, "train")
    with db.read() as session:
        one = samples.by_key(session, datasets.find(session, "demo").id, train[1])
        image = session.get_one(Raster, one.image_id)
    unlabelled(db, train[1], np.full((image.height, image.width), 255, np.uint8))
    result = compare.run(db, home, ask(db, seeds=1, before="curated", after="with_pseudo"), quiet)
    assert result["arms"]["after"]["pseudo"] == 1
    assert result["arms"]["before"]["pseudo"] == 0
