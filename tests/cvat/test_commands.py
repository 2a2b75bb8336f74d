"""`remask cvat ...` as a person types it, in this process, against the stand-in."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from app.__main__ import app
from app.domain.errors import NotFound
from app.flows.cvat_pull import BadPull
from tests.cvat.trip import DATASET, Trip


@pytest.fixture
def remask(trip: Trip, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("REMASK_HOME", str(trip.settings.home))
    monkeypatch.setenv("REMASK_REVIEWER", "ada")

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["cvat", *words], catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done.output

    return run


def test_there_and_back(trip: Trip, remask: Any) -> None:
    assert remask("test").startswith("Connected to CVAT 2.54.1 as admin")
    said = remask("push", DATASET, "--server", "lab", "--status", "unreviewed", "--size", "3", "--segment", "2")
    assert "Batch 1: 3 samples at http" in said and "Batch 2: 2 samples" in said
    trip.draw(trip.batch(1), "a/höhe 0", trip.labels(trip.batch(1))[2])
    trip.finish("ann")
    listed = remask("list", DATASET)
    assert "at_cvat" in listed and f"{trip.standin.url}/tasks/2" in listed
    told = remask("pull", DATASET, "--finished-only")
    assert "changed a/höhe 0" in told and "Pull 2 of batch 1: 1 changed, 2 unchanged." in told
    assert trip.statuses()["a/höhe 0"] == "corrected"
    receipts = json.loads(remask("pull", "--batch", "1", "--json"))
    assert receipts[0]["counts"] == {"unchanged": 3} and receipts[0]["state"] == "done"
    assert "closed" in remask("close", "1")
    assert [one["state"] for one in json.loads(remask("list", DATASET, "--json"))["batches"]] == ["at_cvat", "closed"]


def test_a_label_is_answered_for(trip: Trip, remask: Any) -> None:
    remask("push", DATASET, "--filter", "q=a/", "--json")
    batch = trip.batch(1)
    project = next(iter(trip.standin.state.projects))
    boulder = {"labels": [{"name": "boulder", "type": "any", "color": "#aa5500"}]}
    trip.call("PATCH", f"/api/projects/{project}", boulder)
    trip.draw(batch, "a/höhe 0", max(trip.standin.state.labels))
    trip.finish()
    assert "wait for an answer" in remask("pull", "--batch", "1")
    assert "What is label 4 (boulder) of lab?" in remask("list", DATASET)
    assert "is class 2" in remask("answer", DATASET, "4", "--map", "2")
    assert "changed a/höhe 0" in remask("pull", "--batch", "1")


def test_a_batch_that_stops_keeps_no_other_from_going(trip: Trip, remask: Any) -> None:
    trip.standin.state.break_import = "No media data found"
    said = remask("push", DATASET, "--status", "unreviewed", "--size", "3", code=1)
    assert "Batch 1: CVAT lab can't make a task of the pictures" in said and "Batch 2: 2 samples at http" in said
    assert "Batch 1: 3 samples at http" in remask("push", DATASET, "--batch", "1")


def test_wrong_words(trip: Trip, remask: Any) -> None:
    remask("pull", code=2)
    remask("answer", DATASET, "4", code=2)
    with pytest.raises(NotFound, match="no CVAT server"):
        remask("push", DATASET, "--server", "moon")
    trip.standin.state.tokens.clear()
    assert "doesn't take this login" in remask("test", code=1)


def test_samples_by_name_and_what_a_failed_batch_leaves(trip: Trip, remask: Any) -> None:
    remask("push", DATASET, "--status", "unreviewed", "--size", "3", "--segment", "2")
    trip.standin.state.jobs[1]["assignee"] = trip.standin.state.user("ann")
    assert "jobs: 2 new" in remask("list", DATASET)
    trip.job(1)
    assert "jobs: 1 completed, 1 new" in remask("list", DATASET, "--refresh")
    told = json.loads(remask("pull", DATASET, "a/höhe 0", "b/höhe 3", "--json"))
    assert [(one["batch"], one["counts"]) for one in told] == [(2, {"unchanged": 1}), (1, {"unchanged": 1})]
    statuses = trip.statuses()
    assert [key for key in statuses if statuses[key] == "accepted"] == ["a/höhe 0", "b/höhe 3"]
    with pytest.raises(BadPull, match="b/new is in no batch that is at CVAT"):
        remask("pull", DATASET, "b/new")
    remask("pull", DATASET, "a/höhe 0", "--confirm", code=2)
    del trip.standin.state.tasks[2]
    said = remask("pull", DATASET, code=1)
    assert "Batch 2: CVAT lab no longer has this" in said and "of batch 1: 3 unchanged" in said
