"""Imprecise masks over HTTP: asked for, followed, their regions, heat map and suggestion; the pages that show them."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.domain.detector.region import Reason, region_of
from app.domain.picture import Picture
from app.flows import child
from app.store import datasets, jobs, predictions, rasters, regions, runs
from app.store.db import Database
from app.store.tables import Sample
from ml import predictions as files
from tests.sets import every_sample

A = "/api/v1"


@pytest.fixture
def run(client: TestClient) -> int:
    """A cross-validation of two folds that was asked for."""
    answer = client.post(f"{A}/datasets/mars/crossval", json={"folds": 2, "config": {"width": 4}})
    assert answer.status_code == 202, answer.text
    id: int = answer.json()["run"]
    return id


@pytest.fixture
def judged(client: TestClient, db: Database, run: int) -> Sample:
    """The first sample, judged by the run as its flow would: one region, a heat map, and a model that sees class 2."""
    folder = child.folder_of(client.app.state.settings.home, run)  # type: ignore[attr-defined]
    folder.mkdir(parents=True)
    inside = np.zeros((16, 24), np.bool_)
    inside[2:5, 3:9] = True
    with db.write() as session:
        owner = datasets.find(session, "mars")
        one = every_sample(session, owner.id)[0]
        [heat] = rasters.put_pictures(session, [Picture((inside * 200).astype(np.uint8))])
        predictions.add(session, run, {one.id: 1})
        regions.add(session, run, one, one.current_id or 0, [region_of(inside, Reason.MISSING, 0, 2, 0.75)])
        note = {"sample_id": one.id, "revision_id": one.current_id, "probability": 0.8, "suspicion_id": heat.id}
        predictions.judge(session, run, [note])
        regions.open_of_run(session, run)
        row = runs.find(session, run)
        row.result = {
            "reason": "all folds", "folds": 2, "predicted": 12, "flagged": 3, "regions": 1, "share": 0.2, "miou": 0.31,
            "weak": False, "seconds": 95.0,
        }  # fmt: skip
        jobs.finish(session, row.job_id or 0, "done")
    seen = np.zeros((3, 16, 24), np.float32)
    seen[0], seen[2, :, :12] = 0.5, 0.9
    files.write(folder / "predictions", [files.Prediction(one.key, seen, 1)], [0, 1, 2], run="r", meta={})
    return one


def test_a_search_is_asked_for_and_listed_among_the_runs(client: TestClient, run: int) -> None:
    [listed] = client.get(f"{A}/datasets/mars/runs").json()["runs"]
    assert (listed["id"], listed["kind"], listed["name"], listed["state"]) == (run, "crossval", "2 folds", "queued")
    full = client.get(f"{A}/runs/{run}").json()
    assert full["config"]["width"] == 4
    assert [(one["fold"], one["state"]) for one in full["folds"]] == [(0, "waiting"), (1, "waiting")]
    assert full["found"] is None


@pytest.mark.parametrize("body", [{"folds": 1}, {"folds": 99}, {"config": {"widht": 4}}, {"config": {"width": 1}}])
def test_what_cannot_be_asked_for_is_refused(client: TestClient, body: dict[str, object]) -> None:
    answer = client.post(f"{A}/datasets/mars/crossval", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_how_far_the_models_are(client: TestClient, run: int) -> None:
    folder = child.folder_of(client.app.state.settings.home, run)  # type: ignore[attr-defined]
    folder.mkdir(parents=True)
    said = [
        {"event": "start", "folds": 2},
        {"event": "epoch", "fold": 0, "epoch": 0, "improved": True, "val": {"miou": 0.4}},
        {"event": "epoch", "fold": 0, "epoch": 1, "improved": False, "val": {"miou": 0.3}},
        {"event": "epoch", "fold": 1, "epoch": 0, "improved": True, "val": {"miou": 0.2}},
        {"event": "fold_end", "fold": 0},
        {"event": "fold", "fold": 0, "state": "done"},
    ]
    (folder / child.EVENTS).write_text("".join(json.dumps(one) + "\n" for one in said))
    full = client.get(f"{A}/runs/{run}").json()
    assert full["folds"] == [
        {"fold": 0, "state": "done", "epochs": 2, "miou": 0.4},
        {"fold": 1, "state": "training", "epochs": 1, "miou": 0.2},
    ]
    assert full["history"] == []


def test_regions_of_the_current_mask(client: TestClient, judged: Sample, run: int) -> None:
    told = client.get(f"{A}/samples/{judged.id}/regions").json()
    [one] = told["regions"]
    for kind in ("suggestion", "suspicion"):
        assert "immutable" in client.get(told[kind]).headers["cache-control"]
    assert (one["reason"], one["from"], one["to"], one["pixels"]) == ("missing object", 0, 2, 18)
    assert one["box"] == {"x": 3, "y": 2, "width": 6, "height": 3}
    assert (one["probability"], one["state"], one["run"], one["revision"]) == (0.75, "open", run, judged.current_id)
    assert one["rle"]["size"] == [16, 24]
    assert one["text"].endswith("18 pixels.")
    assert not one["weak"]
    nothing: dict[str, object] = {"regions": [], "suggestion": None, "suspicion": None}
    assert client.get(f"{A}/samples/{judged.id + 1}/regions").json() == nothing


def test_the_heat_map_and_the_suggestion(client: TestClient, judged: Sample) -> None:
    heat = client.get(f"/media/samples/{judged.id}/suspicion.png")
    shown = np.asarray(Image.open(BytesIO(heat.content)))
    assert (shown.shape, shown[2, 3], shown[0, 0]) == ((16, 24), 200, 0)
    small = client.get(f"/media/samples/{judged.id}/suspicion.png?size=16")
    assert Image.open(BytesIO(small.content)).size == (16, 11)
    ids = client.get(f"/media/samples/{judged.id}/suggestion.bin")
    seen = np.frombuffer(ids.content, ids.headers["x-mask-dtype"]).reshape(16, 24)
    assert (ids.headers["x-mask-width"], ids.headers["x-mask-height"]) == ("24", "16")
    assert (seen[:, :12] == 2).all() and (seen[:, 12:] == 0).all()
    picture = Image.open(BytesIO(client.get(f"/media/samples/{judged.id}/suggestion.png").content))
    assert (np.asarray(picture) == seen).all()
    part = client.get(f"/media/samples/{judged.id}/suggestion.bin?x=10&y=2&width=4&height=30")
    assert (part.headers["x-mask-width"], part.headers["x-mask-height"]) == ("4", "14")
    assert part.content == seen[2:, 10:14].tobytes()
    again = client.get(f"/media/samples/{judged.id}/suggestion.bin", headers={"If-None-Match": ids.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("name", ["suspicion.png", "suggestion.png", "suggestion.bin"])
def test_what_was_not_predicted_is_said(client: TestClient, judged: Sample, name: str) -> None:
    answer = client.get(f"/media/samples/{judged.id + 1}/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "no cross-validation has looked" in answer.json()["detail"]


def test_a_mask_that_changed_since_has_no_heat_map(client: TestClient, db: Database, judged: Sample) -> None:
    with db.write() as session:
        session.get_one(Sample, judged.id).current_id = None
    answer = client.get(f"/media/samples/{judged.id}/suspicion.png")
    assert answer.status_code == 404
    assert "has changed since" in answer.json()["detail"]


def test_pages_tell_of_the_search(client: TestClient, judged: Sample, run: int) -> None:
    page = client.get(f"/d/mars/runs/{run}").text
    assert "Judged 12 masks in 2 min." in page
    assert "31.0 %" in page and "The models are middling" in page
    for path in ("/d/mars", "/d/mars/runs"):
        page = client.get(path).text
        assert "Find imprecise masks" in page
        assert f"as run {run} took" in page
        assert "judged 12 masks" in page


def test_before_the_first_search_the_time_is_reckoned(serve: Callable[..., TestClient], tmp_path: Path) -> None:
    page = serve().get("/d/mars").text
    assert "Trains 5 models of up to 40 epochs" in page
    assert "under a minute, reckoned from the pixels" in page


def test_a_search_is_not_compared_with_trainings(client: TestClient, run: int) -> None:
    client.post(f"{A}/datasets/mars/runs", json={"config": {"width": 4}})
    answer = client.get(f"/d/mars/runs?compare={run},{run + 1}")
    assert answer.status_code == 422
    assert "only trainings are compared" in answer.text
