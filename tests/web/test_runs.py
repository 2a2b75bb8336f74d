"""Runs by the API: asked for, followed, looked at, fetched; their pages without a script."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.sse import ServerSentEvent
from fastapi.testclient import TestClient
from PIL import Image

from app.flows import child, options, runs
from app.flows.child import TrainingFailed
from app.store import jobs
from app.store import runs as rows
from app.store.db import Database
from app.web import run_stream
from ml import config as configs
from tests.listening import within
from tests.web.conftest import HOSTILE

A = "/api/v1"
TINY = {"epochs": 2, "width": 4, "depth": 1, "augment": []}
NAMES = ("background", "class 1", "class 2")


def figures(miou: float) -> dict[str, Any]:
    """As the trainer says them: three classes, the first of them background, one never predicted."""
    shares = [(0.5, 0.6, 0.7, 100), (0.4, 0.5, None, 40), (0.2, 0.3, 0.4, 10)]
    return {
        "loss": 1.0 - miou,
        "accuracy": 0.8,
        "miou": miou,
        "miou_on_foreground": 0.5,
        "miou_all": 0.4,
        "dice": 0.6,
        "boundary_f": 0.3,
        "calibration_error": 0.1,
        "calibration": [],
        "classes": {
            name: {"iou": iou, "precision": precision, "recall": recall, "pixels": pixels}
            for name, (iou, precision, recall, pixels) in zip(NAMES, shares, strict=True)
        },
        "confusion": [[70, 20, 10], [5, 30, 5], [1, 2, 7]],
    }


def epoch(at: int, miou: float, improved: bool = True) -> dict[str, Any]:
    facts = {"train_loss": 1.0, "learning_rate": 0.001, "improved": improved, "val": figures(miou)}
    return {"event": "epoch", "at": 5.0 + at, "epoch": at, **facts, "images_per_second": 40.0, "seconds": 2.0}


def start(at: int = 0) -> dict[str, Any]:
    size = {"parameters": 1709, "gigaflops": 0.016, "processes": 1, "device": "cpu", "batches": 3}
    return {"event": "start", "at": 1.0, "epoch": at, "config": configs.Config().as_json(), **size}


def strips(folder: Path, at: int) -> dict[str, Any]:
    path = folder / "samples" / f"epoch_{at:04d}_00.png"
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (12, 4)).save(path)
    return {"event": "samples", "at": 4.0, "epoch": at, "strips": [{"key": "training_set/00001", "path": str(path)}]}


def say(folder: Path, *events: dict[str, Any]) -> None:
    with (folder / child.EVENTS).open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


@pytest.fixture
def folder(client: TestClient) -> Path:
    """The folder of run 1, which has been asked for and said a few things."""
    answer = client.post(f"{A}/datasets/mars/runs", json={"preset": "no_background", "config": TINY, "name": HOSTILE})
    assert (answer.status_code, answer.json()["run"]) == (202, 1), answer.text
    path = child.folder_of(client.app.state.settings.home, 1)  # type: ignore[attr-defined]
    path.mkdir(parents=True)
    say(path, start(), {"event": "warning", "message": "Class 2 is rare."}, epoch(0, 0.2), strips(path, 0))
    return path


def end(db: Database, folder: Path) -> None:
    """The run ends as its job would end it."""
    say(folder, epoch(1, 0.1, improved=False), {"event": "end", "reason": "all epochs", "model": str(folder)})
    result = {"reason": "all epochs", "best_epoch": 0, "seconds": 9.5, "val": figures(0.2), "test": figures(0.3)}
    (folder / "result.json").write_text(json.dumps({**result, "history": [epoch(0, 0.2), epoch(1, 0.1, False)]}))
    (folder / "config.json").write_text(
        json.dumps(configs.make(configs.PRESETS["no_background"], {**TINY, "device": "cpu"}).as_json())
    )
    (folder / "model.pt").write_bytes(b"weights")
    worst = [
        {"key": f"training_set/{at:05}", "group": "g", "miou": at / 10, "confusion": [[9, at, 0], [0, 9, 0], [0, 0, 9]]}
        for at in range(3)
    ]
    (folder / "val_samples.json").write_text(json.dumps([*worst, {**worst[0], "key": "gone"}]))
    with db.write() as session:
        run = rows.find(session, 1)
        run.result = result
        jobs.finish(session, run.job_id or 0, "done")


def test_a_run_is_asked_for_and_listed(client: TestClient, folder: Path) -> None:
    [listed] = client.get(f"{A}/datasets/mars/runs").json()["runs"]
    assert (listed["state"], listed["preset"], listed["arm"], listed["name"]) == (
        "queued",
        "no_background",
        "curated",
        HOSTILE,
    )
    assert (listed["actor"], listed["miou"]) == ("Test", None)
    assert client.get(f"{A}/jobs/{listed['job']}").json()["kind"] == "train"
    assert client.get(f"{A}/datasets/files/runs").json() == {"runs": []}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"preset": "nonsense"}, "no preset 'nonsense'"),
        ({"arm": "nonsense"}, "no arm 'nonsense'"),
        ({"config": {"widht": 8}}, "did you mean 'width'"),
        ({"config": {"width": 1}}, "from 4 to 512"),
        ({"config": {"clip": 10**400}}, "too large"),
        ({"config": {"augment": ["hflop"]}}, "did you mean 'hflip'"),
        ({"config": []}, "config"),
        ({"epochs": 3}, "epochs: there is no such field"),
        ({"name": "a\nb"}, "name"),
        ({"rounds": 11}, "0 to 10 rounds"),
        ({"rounds": 1, "precision": 1.0}, "0.5 to 0.999"),
    ],
)
def test_what_cannot_be_trained_is_a_sentence(client: TestClient, body: dict[str, Any], sentence: str) -> None:
    answer = client.post(f"{A}/datasets/mars/runs", json=body)
    assert answer.status_code == 422, answer.text
    assert sentence in answer.json()["detail"]
    assert client.get(f"{A}/datasets/mars/runs").json() == {"runs": []}


def test_a_run_that_trains_tells_its_best_epoch_so_far(client: TestClient, folder: Path) -> None:
    say(folder, epoch(1, 0.1, improved=False))
    run = client.get(f"{A}/runs/1").json()
    assert [one["miou"] for one in run["history"]] == [0.2, 0.1]
    assert (run["val"]["miou"], run["test"], run["worst"], run["files"]) == (0.2, None, [], [])
    assert run["warnings"] == ["Class 2 is rare."]
    assert run["strips"][0]["strips"][0]["file"] == "samples/epoch_0000_00.png"
    assert run["config"]["width"] == 4
    assert {"width", "depth", "epochs", "augment", "ignore_background", "monitor"} <= set(run["changed"])
    assert str(folder) not in json.dumps(run)


def test_epochs_repeated_after_a_restart_count_once(client: TestClient, folder: Path) -> None:
    say(folder, epoch(1, 0.25), start(1), epoch(1, 0.25), epoch(2, 0.3))
    run = client.get(f"{A}/runs/1").json()
    assert [one["epoch"] for one in run["history"]] == [0, 1, 2]
    assert run["start"]["epoch"] == 1


def test_a_run_that_has_ended_tells_what_it_came_to(client: TestClient, db: Database, folder: Path) -> None:
    end(db, folder)
    run = client.get(f"{A}/runs/1").json()
    assert (run["state"], run["miou"], run["judged_on"], run["best_epoch"]) == ("done", 0.3, "test", 0)
    assert run["test"]["foreground_precision"] == pytest.approx((0.5 + 0.3) / 2)
    assert run["test"]["foreground_recall"] == pytest.approx(0.4)
    assert run["test"]["background_accuracy"] == pytest.approx(0.7)
    assert [one["key"] for one in run["worst"]] == [f"training_set/{at:05}" for at in range(3)]
    assert run["files"] == ["model.pt", "config.json", "result.json"]
    assert run["config"]["device"] == "cpu"


def test_the_trainers_lines_are_read_from_where_one_was(client: TestClient, folder: Path) -> None:
    first = client.get(f"{A}/runs/1/events").json()
    assert [one["event"] for one in first["events"]] == ["start", "warning", "epoch", "samples"]
    assert client.get(f"{A}/runs/1/events", params={"after": first["next"]}).json() == {"events": [], "next": 4}
    with (folder / child.EVENTS).open("a") as file:
        file.write('{"event": "epo')
    assert client.get(f"{A}/runs/1/events?after=4").json()["events"] == []
    assert client.get(f"{A}/runs/1/events?after=99").json() == {"events": [], "next": 99}


def heard(db: Database, home: Path, after: int, steps: list[Callable[[], object]]) -> list[ServerSentEvent]:
    """The whole stream of run 1; after each event the next of ``steps`` is taken."""

    async def listen() -> list[ServerSentEvent]:
        told = []
        async for event in run_stream.follow(db, home, 1, after, 0):
            told.append(event)
            if len(told) <= len(steps):
                steps[len(told) - 1]()
        return told

    return within(20, listen())


def test_the_stream_tells_lines_and_states_and_ends_with_the_run(
    client: TestClient, db: Database, folder: Path
) -> None:
    home = folder.parents[1]
    told = heard(db, home, 3, [lambda: None, lambda: say(folder, epoch(1, 0.3)), lambda: end(db, folder)])
    assert [(one.event, one.id) for one in told] == [
        ("told", "4"),
        ("state", "4"),
        ("told", "5"),
        ("told", "6"),
        ("told", "7"),
        ("state", "7"),
    ]
    assert (told[1].data["state"], told[-1].data["state"]) == ("queued", "done")
    again = client.get(f"{A}/runs/1/stream", headers={"Last-Event-ID": "6"})
    assert again.headers["content-type"].startswith("text/event-stream")
    assert re.findall(r"event: (\w+)", again.text) == ["told", "state"]
    assert client.get(f"{A}/runs/2/stream").status_code == 404


def test_a_cell_of_the_confusion_names_its_samples(client: TestClient, db: Database, folder: Path) -> None:
    early = client.get(f"{A}/runs/1/confused?truth=0&predicted=1")
    assert (early.status_code, "at its end" in early.json()["detail"]) == (409, True)
    end(db, folder)
    found = client.get(f"{A}/runs/1/confused?truth=0&predicted=1").json()["samples"]
    assert [(one["key"], one["pixels"]) for one in found] == [("training_set/00002", 2), ("training_set/00001", 1)]
    assert client.get(f"{A}/runs/1/confused?truth=0&predicted=2").json() == {"samples": []}
    assert client.get(f"{A}/runs/1/confused?truth=0&predicted=3").status_code == 404


@pytest.mark.parametrize(
    "name",
    ["checkpoint.pt", "events.jsonl", "../1/model.pt", "..%2F1%2Fmodel.pt", "samples%2F..%2Fmodel.pt", "samples"],
)
def test_only_files_that_are_meant_to_be_are_given_out(
    client: TestClient, db: Database, folder: Path, name: str
) -> None:
    end(db, folder)
    (folder / "checkpoint.pt").write_bytes(b"1")
    assert client.get(f"{A}/runs/1/files/{name}").status_code == 404


def test_files_are_fetched_under_a_name_of_their_own(client: TestClient, db: Database, folder: Path) -> None:
    assert client.get(f"{A}/runs/1/files/model.pt").status_code == 404
    end(db, folder)
    model = client.get(f"{A}/runs/1/files/model.pt")
    assert (model.content, model.headers["content-type"]) == (b"weights", "application/octet-stream")
    assert 'filename="run-1-model.pt"' in model.headers["content-disposition"]
    strip = client.get(f"{A}/runs/1/files/samples/epoch_0000_00.png")
    assert strip.headers["content-type"] == "image/png"
    assert client.get(f"{A}/runs/1/files/config.json").json()["width"] == 4


def test_a_run_is_cancelled_once(client: TestClient, folder: Path) -> None:
    assert client.post(f"{A}/runs/1/cancel").json()["state"] == "cancelled"
    again = client.post(f"{A}/runs/1/cancel")
    assert (again.status_code, again.json()["detail"]) == (409, "Run 1 has ended already.")
    assert client.post(f"{A}/runs/9/cancel").status_code == 404


def test_onnx_waits_for_a_model_and_says_what_it_lacks(client: TestClient, db: Database, folder: Path) -> None:
    assert client.post(f"{A}/runs/1/onnx").status_code == 409
    end(db, folder)
    job = client.post(f"{A}/runs/1/onnx").json()["job"]
    assert client.get(f"{A}/jobs/{job}").json()["kind"] == "onnx"
    with pytest.raises(TrainingFailed, match=r"onnx|model\.pt"):
        runs.write_onnx(db, folder.parents[1], 1)
    assert not (folder / "model.onnx").exists()


def test_every_key_is_offered_with_bounds_and_words(reader: TestClient) -> None:
    offered = reader.get(f"{A}/datasets/mars/training-options").json()
    keys = {one["key"]: one for one in offered["keys"]}
    assert set(keys) == set(configs.Config().as_json())
    assert all(one["help"].endswith(".") for one in keys.values())
    assert (keys["width"]["low"], keys["width"]["high"], keys["width"]["type"]) == (4, 512, "integer")
    assert keys["augment"]["choices"] == list(configs.AUGMENTATIONS)
    assert [one["name"] for one in offered["presets"]] == list(configs.PRESETS)
    assert set(options.TITLES) == set(options.ABOUT_PRESETS) == set(configs.PRESETS)
    assert offered["paces"] == []


def test_what_is_suggested_suits_the_set_and_can_be_trained(reader: TestClient) -> None:
    offered = reader.get(f"{A}/datasets/mars/training-options").json()
    values = {one["key"]: one["value"] for one in offered["keys"]}
    assert (values["depth"], values["batch"]) == (1, 2)  # sides of 16 pixels, about ten samples
    assert configs.make(values).as_json() == values
    assert any("16 pixels" in one for one in offered["reasons"])


def test_earlier_runs_tell_how_long_an_epoch_takes(client: TestClient, db: Database, folder: Path) -> None:
    end(db, folder)
    [pace] = client.get(f"{A}/datasets/mars/training-options").json()["paces"]
    assert pace == {"run": 1, "seconds": 2.0, "model": "unet", "width": 4, "depth": 1, "versions": 0}


def test_pages_show_what_is_there_and_nothing_hostile(client: TestClient, db: Database, folder: Path) -> None:
    client.post(f"{A}/datasets/mars/runs", json={"arm": "imported", "config": TINY})
    for ended in (False, True):
        if ended:
            end(db, folder)
        for path in (
            "runs",
            "runs/1",
            "runs/2",
            "train",
            "train?from=1",
            "runs?compare=1,2",
            "runs?compare=1&compare=2",
        ):
            page = client.get(f"/d/mars/{path}")
            assert page.status_code == 200, page.text
            assert HOSTILE not in page.text
            assert not re.findall(r"<script(?![^>]*(src=|application/json))|\sstyle=|\son\w+=\"", page.text)
    shown = client.get("/d/mars/runs/1").text
    assert "background accuracy" in shown
    assert "70.0 %" in shown
    assert "training_set/00000" in shown
    compared = client.get("/d/mars/runs?compare=2,1").text
    assert "ignore background" in compared
    assert "imported" in compared


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("runs/9", 404),
        ("runs/0", 404),
        ("train?from=9", 404),
        ("runs?compare=1", 422),
        ("runs?compare=1,2,3,4,5", 422),
        ("runs?compare=1,x", 422),
        ("runs?compare=8,9", 404),
    ],
)
def test_pages_that_are_not_there(reader: TestClient, path: str, status: int) -> None:
    assert reader.get(f"/d/mars/{path}").status_code == status


def test_a_run_of_another_set_is_not_shown(client: TestClient, folder: Path) -> None:
    assert client.get("/d/files/runs/1").status_code == 404
    assert client.get("/d/files/train?from=1").status_code == 404


def labelled(folder: Path, number: int, **said: Any) -> Path:
    """The folder of a round that has begun, with what the model before said."""
    place = folder / f"round_{number}"
    place.mkdir()
    (place / "wanted.json").write_text("{}")
    if said:
        (place / "pseudo.json").write_text(json.dumps(said))
    return place


PSEUDO = {"pool": 9, "samples": 7, "share": 0.412, "precision": 0.961, "classes": ["class 1", "<b>"]}


def test_rounds_of_self_training_are_told_as_they_go(client: TestClient, db: Database) -> None:
    body = {"config": TINY, "rounds": 2, "precision": 0.9}
    run = client.post(f"{A}/datasets/mars/runs", json=body).json()["run"]
    assert [one["state"] for one in client.get(f"{A}/runs/{run}").json()["rounds"]] == ["waiting"] * 3
    folder = child.folder_of(client.app.state.settings.home, run)  # type: ignore[attr-defined]
    folder.mkdir(parents=True)
    (labelled(folder, 0) / "result.json").write_text("{}")
    place = labelled(folder, 1, **PSEUDO)
    say(folder, *({**one, "round": 0} for one in (start(), epoch(0, 0.2), epoch(1, 0.4))))
    say(folder, *({**one, "round": 1} for one in (start(), epoch(0, 0.3), strips(place, 0))))
    told = client.get(f"{A}/runs/{run}").json()
    assert [(one["state"], one["miou"]) for one in told["rounds"]] == [
        ("done", 0.4),
        ("training", 0.3),
        ("waiting", None),
    ]
    assert told["rounds"][1]["pseudo"] == PSEUDO
    assert (told["round"], [one["miou"] for one in told["history"]], told["val"]["miou"]) == (1, [0.3], 0.3)
    assert (told["precision"], "rounds" in told["config"], "wished" in told["config"]) == (0.9, False, False)
    strip = told["strips"][0]["strips"][0]["file"]
    assert client.get(f"{A}/runs/{run}/files/{strip}").headers["content-type"] == "image/png"
    # As its job ends it: round 0 was the better one.
    rounds = [
        {"number": 0, "miou": 0.4, "test": 0.35, "pseudo": None},
        {"number": 1, "miou": 0.3, "test": None, "pseudo": PSEUDO},
    ]
    result = {"reason": "all epochs", "best_epoch": 1, "seconds": 9.5, "val": figures(0.4), "test": figures(0.35)}
    result |= {"rounds": rounds, "best_round": 0, "sentence": "No round did better."}
    (folder / "result.json").write_text(json.dumps({**result, "history": [epoch(0, 0.2), epoch(1, 0.4)]}))
    with db.write() as session:
        row = rows.find(session, run)
        row.result = result
        jobs.finish(session, row.job_id or 0, "done")
    told = client.get(f"{A}/runs/{run}").json()
    assert [(one["state"], one["kept"]) for one in told["rounds"]] == [
        ("done", True),
        ("done", False),
        ("left out", False),
    ]
    assert (told["round"], [one["miou"] for one in told["history"]]) == (0, [0.2, 0.4])
    page = client.get(f"/d/mars/runs/{run}").text
    assert "No round did better." in page
    assert "41.2 %" in page and "class 1, &lt;b&gt;" in page
    form = client.get(f"/d/mars/train?from={run}").text
    assert re.search(r'name="rounds" value="2" min="0" max="10"', form)
    assert re.search(r'name="precision" value="0.9"', form)
    other = client.post(f"{A}/datasets/mars/runs", json={"config": TINY}).json()["run"]
    compared = client.get(f"/d/mars/runs?compare={run},{other}").text
    assert re.search(r"<td>rounds</td>\s*<td[^>]*>2</td>\s*<td[^>]*>0</td>", compared)
