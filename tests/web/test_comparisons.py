"""Comparisons by the API and their pages without a script."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.store import comparisons, jobs
from app.store.db import Database
from app.store.tables import Run, now
from tests.web.conftest import HOSTILE
from tests.web.test_runs import figures

A = "/api/v1"
TINY = {"epochs": 2, "width": 4, "depth": 1, "augment": []}


def figure(difference: float | None) -> dict[str, Any]:
    if difference is None:
        return dict.fromkeys(("difference", "low", "high", "spread", "smallest")) | {"before": [None], "after": [None]}
    ends = {"low": difference - 0.01, "high": difference + 0.01, "spread": 0.004, "smallest": 0.015}
    return {"before": [0.5, 0.51], "after": [0.5 + difference, 0.51 + difference], "difference": difference, **ends}


def result() -> dict[str, Any]:
    classes = [
        {"name": HOSTILE, "role": "background", "colour": "#111111", **figure(0.001)},
        {"name": "big rock", "role": "foreground", "colour": "#222222", **figure(0.05)},
        {"name": "sand", "role": "foreground", "colour": "#333333", **figure(None)},
    ]
    reading = {"reference": "current", "verified": False, "samples": 83, "groups": 80}
    reading |= {"overall": figure(0.021), "classes": classes}
    test = {"samples": 83, "groups": 80, "verified": 4, "verified_groups": 4, "changed": 2, "left_out": 0}
    sides = {side: {"arm": arm, "snapshot": 1, "train": 300, "val": 60, "pseudo": 0} for side, arm in SIDES}
    said = {"sentence": "Curation gained 2.1 points.", "notes": ["Four were confirmed."], "clear": True}
    readings = [reading, {**reading, "reference": "imported"}]
    return {**said, "test": test, "arms": sides, "readings": readings}


SIDES = (("before", "imported"), ("after", "curated"))


@pytest.fixture
def asked(client: TestClient) -> int:
    body = {"seeds": 2, "preset": "no_background", "config": TINY}
    answer = client.post(f"{A}/datasets/mars/comparisons", json=body)
    assert answer.status_code == 202, answer.text
    return int(answer.json()["comparison"])


def begin(db: Database, id: int) -> None:
    """Its job runs; of its first three runs one is done, one under way, one waits."""
    with db.write() as session:
        row = comparisons.find(session, id)
        assert jobs.claim(session, row.job_id or 0, "test")
        for side, arm in SIDES:
            run = Run(dataset_id=row.dataset_id, job_id=row.job_id, name="x", arm=arm, config={**row.config, "seed": 0})
            run.actor_name, run.comparison_id, run.side, run.started_at = "ada", id, side, now()
            session.add(run)
        session.add(
            Run(
                dataset_id=row.dataset_id,
                job_id=row.job_id,
                name="x",
                arm="imported",
                config={**row.config, "seed": 1},
                actor_name="ada",
                comparison_id=id,
                side="before",
            )
        )
        session.flush()
        comparisons.runs_of(session, id)[0].result = {
            "reason": "all epochs",
            "best_epoch": 0,
            "seconds": 2.0,
            "val": figures(0.3),
        }


def end(db: Database, id: int, state: str, error: str | None = None) -> None:
    with db.write() as session:
        row = comparisons.find(session, id)
        row.result = result() if state == "done" else None
        jobs.finish(session, row.job_id or 0, state, error=error)


def test_it_is_asked_for_and_listed(client: TestClient, asked: int) -> None:
    [listed] = client.get(f"{A}/datasets/mars/comparisons").json()["comparisons"]
    assert (listed["id"], listed["state"], listed["seeds"], listed["subject"]) == (asked, "queued", 2, "Curation")
    assert (listed["before"], listed["after"], listed["preset"]) == ("imported", "curated", "no_background")
    assert client.get(f"{A}/jobs/{listed['job']}").json()["kind"] == "compare"
    assert client.get(f"{A}/datasets/files/comparisons").json() == {"comparisons": []}
    assert client.get(f"{A}/comparisons/99").status_code == 404


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"before": "curated"}, "two different arms"),
        ({"after": "nonsense"}, "no arm 'nonsense'"),
        ({"seeds": 0}, "seeds"),
        ({"config": {"widht": 8}}, "did you mean 'width'"),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(client: TestClient, body: dict[str, Any], sentence: str) -> None:
    answer = client.post(f"{A}/datasets/mars/comparisons", json=body)
    assert answer.status_code == 422, answer.text
    assert sentence in answer.json()["detail"]


def test_its_runs_stand_for_themselves(client: TestClient, db: Database, asked: int) -> None:
    begin(db, asked)
    found = client.get(f"{A}/comparisons/{asked}").json()
    assert [(one["side"], one["state"], one["comparison"]) for one in found["runs"]] == [
        ("before", "done", asked),
        ("after", "running", asked),
        ("before", "queued", asked),
    ]
    assert "comparison 1; cancel that" in client.post(f"{A}/runs/2/cancel").json()["detail"]
    end(db, asked, "failed", "The loss is no number.")
    runs = client.get(f"{A}/comparisons/{asked}").json()["runs"]
    assert [(one["state"], one["error"]) for one in runs] == [
        ("done", None),
        ("failed", "The loss is no number."),
        ("cancelled", None),
    ]
    assert "comparison 1; resume that" in client.post(f"{A}/runs/2/resume").json()["detail"]


def test_it_is_cancelled_and_resumed(client: TestClient, asked: int) -> None:
    assert client.post(f"{A}/comparisons/{asked}/resume").status_code == 409
    assert client.post(f"{A}/comparisons/{asked}/cancel").json()["state"] == "cancelled"
    assert client.post(f"{A}/comparisons/{asked}/cancel").status_code == 409
    assert client.post(f"{A}/comparisons/{asked}/resume").status_code == 202
    assert client.get(f"{A}/comparisons/{asked}").json()["state"] == "queued"


def test_a_verdict_is_read(client: TestClient, db: Database, asked: int) -> None:
    begin(db, asked)
    end(db, asked, "done")
    found = client.get(f"{A}/comparisons/{asked}").json()
    assert (found["sentence"], found["clear"]) == ("Curation gained 2.1 points.", True)
    assert found["readings"][0]["classes"][2]["difference"] is None
    assert [one["reference"] for one in found["readings"]] == ["current", "imported"]


def test_a_run_that_ended_badly_is_resumed(client: TestClient, db: Database) -> None:
    run = client.post(f"{A}/datasets/mars/runs", json={"config": TINY}).json()
    assert "is queued" in client.post(f"{A}/runs/{run['run']}/resume").json()["detail"]
    client.post(f"{A}/runs/{run['run']}/cancel")
    again = client.post(f"{A}/runs/{run['run']}/resume")
    assert (again.status_code, again.json()["run"]) == (202, run["run"])
    assert again.json()["job"] != run["job"]
    assert client.get(f"{A}/runs/{run['run']}").json()["state"] == "queued"


def test_pages_without_a_script(client: TestClient, db: Database, asked: int) -> None:
    begin(db, asked)
    assert "imported, curated" in client.get("/d/mars/comparisons").text
    assert client.get(f"/d/mars/comparisons/{asked}").status_code == 200
    end(db, asked, "done")
    for path in ("/d/mars/comparisons", f"/d/mars/comparisons/{asked}"):
        page = client.get(path)
        assert page.status_code == 200
        assert "Curation gained 2.1 points." in page.text
        assert HOSTILE not in page.text
    assert client.get(f"/d/files/comparisons/{asked}").status_code == 404
    assert client.get("/d/mars/comparisons/99").status_code == 404
    assert f"/d/mars/comparisons/{asked}" in client.get("/d/mars/runs/1").text
    assert "/d/mars/comparisons" in client.get("/d/mars/runs").text
    assert "/d/mars/comparisons" in client.get("/d/mars").text


def test_one_that_has_never_been_asked_for_offers_the_form(reader: TestClient) -> None:
    page = reader.get("/d/mars/comparisons").text
    assert "Did it help?" in page
    assert 'name="before"' in page
    assert "Earlier comparisons" not in page
