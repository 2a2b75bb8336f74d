"""Suggestions over HTTP: asked for, told, accepted in bulk; the page that does the same."""

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.domain.actor import Actor
from app.domain.picture import Picture
from app.store import datasets, jobs, rasters, revisions, standing, suggestions
from app.store.db import Database
from app.store.revisions import Proposal
from app.store.tables import Run
from tests.sets import every_sample

A = "/api/v1/datasets/mars/suggestions"
RESULT = {
    "sentence": "96.3 % of these pixels are expected right.", "judgement": "None are <b>proposed</b>.",
    "believed": True, "reached": 0.963, "share": 0.45, "held_out": 98, "groups": 94,
    "classes": [
        {"class_id": 0, "name": "class 0", "confidence": 0.4, "precision": 0.96, "low": 0.95, "share": 0.8, "best": 1},
        {"class_id": 1, "name": "class 1", "confidence": None, "precision": None, "low": None, "share": 0.0,
         "best": None},
    ],
    "methods": [{"method": "ensemble", "accuracy": 0.8, "miou": None, "share": 0.4, "reached": 0.97}],
    "compared": 29, "wanted": 12, "proposed": {"unlabeled": 2, "flagged": 1},
    "refused": {"count": 3, "keys": ["a", "b", "c"]}, "seconds": 9.0,
}  # fmt: skip


@pytest.fixture
def model(db: Database, client: TestClient) -> int:
    """A cross-validation that has ended."""
    with db.write() as session:
        owner = datasets.find(session, "mars")
        run = Run(dataset_id=owner.id, kind="crossval", name="5 folds", arm="curated", config={}, actor_name="ada")
        run.job_id = jobs.request(session, "crossval", owner.id, {}).id
        run.result = {"folds": 5}
        session.add(run)
        session.flush()
        return run.id


@pytest.fixture
def asked(db: Database, client: TestClient, model: int) -> int:
    """A suggesting that has ended, and proposed class 0 for the upper half of the last labelled sample."""
    id: int = client.post(A, json={}).json()["suggesting"]
    with db.write() as session:
        one = suggestions.find(session, id)
        one.result = RESULT
        jobs.finish(session, one.job_id or 0, "done")
        sample = [one for one in every_sample(session, one.dataset_id) if one.current_id is not None][-1]
        sure = np.zeros((16, 24), np.uint8)
        sure[:8] = 254
        [mask] = rasters.put_masks(session, [(np.where(sure > 0, 0, 1).astype(np.uint8), None)])
        [confidence] = rasters.put_pictures(session, [Picture(sure)])
        proposal = Proposal(sample, mask.id, 1, "model", Actor("model", "run 1"), confidence_id=confidence.id)
        [made] = revisions.propose(session, [proposal])
        suggestions.note(session, id, [{"revision_id": made.id, "expected": 0.99, "share": 0.5, "changed": 20}])
        standing.refresh(session, [sample.id])
    return id


def test_suggestions_are_asked_for_and_told(client: TestClient, model: int, asked: int) -> None:
    told = client.get(A).json()
    [one] = told["suggestings"]
    assert (one["id"], one["run"], one["state"], one["method"]) == (asked, model, "done", "ensemble")
    assert (one["precision"], one["only"]) == (0.97, None)
    assert one["result"]["proposed"] == {"unlabeled": 2, "flagged": 1}
    assert told["waiting"] == 1


@pytest.mark.parametrize(
    "body", [{"method": "magic"}, {"precision": 2}, {"only": "all"}, {"precision": "NaN"}, {"run": 0}]
)
def test_what_cannot_be_asked_is_refused(client: TestClient, model: int, body: dict[str, object]) -> None:
    answer = client.post(A, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_without_a_model_or_with_one_of_another_set_it_says_what_to_do(client: TestClient) -> None:
    answer = client.post(A, json={})
    assert answer.status_code == 409
    assert "find imprecise masks, or train, first" in answer.json()["detail"]
    assert client.post(A, json={"run": 99}).status_code == 404


def test_a_rule_accepts_and_is_undone(client: TestClient, asked: int) -> None:
    name = client.get("/api/v1/datasets/mars").json()["classes"][0]["name"]
    done = client.post(f"{A}/accept", json={"class": name, "above": 0.99}).json()
    assert (done["decided"], done["refused"]) == (1, [])
    assert client.post(f"/api/v1/batches/{done['batch']}/undo").status_code == 200
    assert client.get(A).json()["waiting"] == 1
    assert client.post(f"{A}/accept", json={"class": "nothing"}).status_code == 422


def test_the_page_tells_what_to_expect_and_escapes_it(client: TestClient, asked: int) -> None:
    page = client.get("/d/mars/suggestions").text
    assert RESULT["sentence"] in page
    assert "None are &lt;b&gt;proposed&lt;/b&gt;." in page
    assert "Review 1 one by one" in page and "Accept in bulk" in page
    assert "Proposed for 3 of 12 samples. 3 were left out" in page


def test_without_a_model_the_page_leads_to_one(client: TestClient) -> None:
    assert "There is no model to ask yet" in client.get("/d/mars/suggestions").text
