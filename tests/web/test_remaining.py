"""When to stop, over HTTP and on the overview."""

from fastapi.testclient import TestClient

from app.domain.actor import person
from app.flows import crossval
from app.store import datasets, predictions, runs
from app.store.db import Database
from tests.sets import every_sample

A = "/api/v1"


def judge(db: Database) -> None:
    run = crossval.request(db, "mars", person("ada"), folds=2)
    with db.write() as session:
        row = runs.find(session, run.id)
        row.snapshot_id = runs.add_snapshot(session, row.dataset_id, "0" * 64, "curated", 1, {}).id
        row.result = {
            "reason": "all folds", "folds": 2, "predicted": 12, "flagged": 3, "regions": 1, "share": 0.2, "miou": 0.31,
            "weak": False, "seconds": 95.0,
        }  # fmt: skip
        labelled = [one for one in every_sample(session, datasets.find(session, "mars").id) if one.current_id]
        predictions.add(session, run.id, {one.id: 0 for one in labelled})
        facts = {"suspicion_id": None, "probability": 0.3}
        predictions.judge(session, run.id, [facts | {"sample_id": o.id, "revision_id": o.current_id} for o in labelled])


def test_before_the_masks_are_judged_only_a_sentence_is_told(reader: TestClient) -> None:
    told = reader.get(f"{A}/datasets/mars/remaining").json()
    assert told.pop("sentence").endswith("before imprecise masks have been looked for.")
    assert told.pop("level") == 0.95
    assert set(told.values()) == {None}
    assert 'id="remaining"' not in reader.get("/d/mars").text


def test_what_remains_and_what_the_next_reviews_should_find(client: TestClient, db: Database) -> None:
    judge(db)
    before = client.get(f"{A}/datasets/mars/remaining").json()
    first = client.get("/d/mars/queue", params={"sort": "imprecise_mask"}).json()
    assert first.keys() == {"batch", "ids", "random", "next"}
    with db.read() as session:
        worst = every_sample(session, datasets.find(session, "mars").id)[0].id
    client.post(f"{A}/datasets/mars/decisions", json={"samples": [worst], "verb": "exclude"}).raise_for_status()
    after = client.get(f"{A}/datasets/mars/remaining").json()
    assert (before["found"], after["found"]) == ([], [1])
    assert after["left"] == before["left"] - 1 == after["curve"][-1]["reviews"]
    assert after["bad"] == after["curve"][-1]["found"]
    assert after["sentence"].startswith("About ")
    page = client.get("/d/mars").text
    assert 'id="remaining"' in page
