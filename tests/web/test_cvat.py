"""CVAT through the API: a push from the application, edits at the stand-in, a pull, its receipt, a conflict settled."""

import hashlib
import hmac
import io
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app import jobs
from app.settings import Settings
from app.store import jobs as job_rows
from app.store.db import Database
from tests.cvat.standin import Standin, running
from tests.shared import shared

A = "/api/v1"
SECRET = "between us"  # noqa: S105
Serve = Callable[..., TestClient]


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[Standin]:
    """A CVAT that the data folder names ``lab``."""
    with running() as standin:
        path = tmp_path / "cvat.toml"
        path.write_text(f'[servers.lab]\nurl = "{standin.url}"\ntoken = "full.token"\n')
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        yield standin


def work(db: Database, home: Path) -> None:
    """Do what a worker would: the jobs that wait, one after the other."""
    while True:
        with db.read() as session:
            waiting = [job.id for job in job_rows.waiting(session)]
        if not waiting:
            return
        for id in waiting:
            jobs.run(db, Settings(home=home), id, "test")


@pytest.fixture
def pushed(client: TestClient, db: Database, standin: Standin, tmp_path: Path) -> dict[str, Any]:
    """Three samples of ``mars`` at CVAT: the batch."""
    ids = sample_ids(client)
    asked = client.post(f"{A}/datasets/mars/cvat/batches", json={"samples": ids, "segment": 2})
    assert asked.status_code == 202, asked.text
    (batch,) = asked.json()["batches"]
    assert (batch["state"], batch["push"]["state"], batch["samples"]) == ("planned", "queued", 3)
    work(db, tmp_path)
    found: dict[str, Any] = client.get(f"{A}/cvat/batches/{batch['id']}").json()
    assert (found["state"], found["error"]) == ("at_cvat", None)
    return found


def sample_ids(client: TestClient) -> list[int]:
    """The first three that have a mask."""
    listed = client.get(f"{A}/datasets/mars/samples?sort=key&q=training&limit=3").json()["samples"]
    return [one["id"] for one in listed]


def draw(standin: Standin, batch: dict[str, Any], name: str, frame: int, points: list[int]) -> None:
    """A person draws a rectangle of a label on a frame."""
    label = next(one["id"] for one in standin.state.labels.values() if one["name"] == name)
    shape = standin.state.shapes[batch["task"]][-1] | {"type": "rectangle", "frame": frame, "label_id": label}
    standin.state.shapes[batch["task"]].append(shape | {"points": points, "id": 9000 + frame, "z_order": 3})


def pull(client: TestClient, db: Database, home: Path, batch: int, **how: object) -> dict[str, Any]:
    """Pull, and give the receipt."""
    asked = client.post(f"{A}/cvat/batches/{batch}/pull", json=how)
    assert asked.status_code == 202, asked.text
    work(db, home)
    told: dict[str, Any] = client.get(f"{A}/cvat/receipts/{asked.json()['receipt']}").json()
    return told


def names(client: TestClient) -> dict[int, str]:
    return {one["id"]: one["name"] for one in client.get(f"{A}/datasets/mars").json()["classes"]}


def test_servers_never_show_their_secrets(client: TestClient, standin: Standin) -> None:
    answer = client.get(f"{A}/cvat/servers")
    assert answer.json() == {"servers": [{"name": "lab", "url": standin.url}]}
    tested = client.post(f"{A}/cvat/servers/lab/test").json()
    assert tested["good"] and tested["sentence"].startswith("Connected to CVAT")
    assert "full.token" not in answer.text + client.get("/d/mars/cvat").text + json.dumps(tested)
    assert client.post(f"{A}/cvat/servers/other/test").status_code == 404


def test_without_a_server_the_page_says_how(client: TestClient) -> None:
    assert client.get(f"{A}/cvat/servers").json() == {"servers": []}
    assert "REMASK_CVAT_URL" in client.get("/d/mars/cvat").text
    refused = client.post(f"{A}/datasets/mars/cvat/batches", json={"filter": {}})
    assert (refused.status_code, "No CVAT server" in refused.json()["detail"]) == (404, True)


def test_a_file_of_servers_that_others_may_read(client: TestClient, standin: Standin, tmp_path: Path) -> None:
    (tmp_path / "cvat.toml").chmod(0o644)
    assert client.get(f"{A}/cvat/servers").status_code == 422
    page = client.get("/d/mars/cvat")
    assert (page.status_code, "chmod 600" in page.text) == (200, True)


def test_a_push_is_seen_from_the_sample(client: TestClient, pushed: dict[str, Any], standin: Standin) -> None:
    assert pushed["link"] == f"{standin.url}/tasks/{pushed['task']}"
    assert [one["samples"] for one in pushed["jobs"]] == [2, 1]
    first = sample_ids(client)[0]
    sample = client.get(f"{A}/samples/{first}").json()
    assert sample["status"] == "at_cvat"
    (at,) = sample["cvat"]
    assert at["link"].startswith(f"{pushed['link']}/jobs/") and at["job_state"] == "new"
    again = client.post(f"{A}/datasets/mars/cvat/batches", json={"samples": [first]})
    assert (again.status_code, "already" in again.json()["detail"]) == (422, True)
    more = client.post(f"{A}/datasets/mars/cvat/batches", json={"group": 1}).json()
    assert {one["sample"] for one in more["refused"]} <= set(sample_ids(client)) and more["batches"]


def test_there_back_and_told(
    client: TestClient, db: Database, pushed: dict[str, Any], standin: Standin, tmp_path: Path
) -> None:
    class_name = names(client)[2]
    draw(standin, pushed, class_name, 0, [2, 3, 12, 9])
    for job in standin.state.jobs.values():
        job["state"] = "completed"
        job["assignee"] = standin.state.user("=ann")
    told = pull(client, db, tmp_path, pushed["id"])
    assert told["counts"] == {"conflict": 0, "changed": 1, "skipped": 0, "unchanged": 2}
    assert {(one["annotator"], one["outcome"], one["samples"]) for one in told["totals"]} == {
        ("=ann", "changed", 1),
        ("=ann", "unchanged", 2),
    }
    lines = client.get(f"{A}/cvat/receipts/{told['id']}/lines").json()["lines"]
    assert [one["outcome"] for one in lines] == ["changed", "unchanged", "unchanged"]
    changed = lines[0]
    assert sum(one["pixels"] for one in changed["moves"]) == changed["pixels"] > 0
    assert {one["becomes"] for one in changed["moves"]} == {class_name}
    assert all(client.get(changed[url]).status_code == 200 for url in ("image", "before", "after"))
    check_diff(client, changed)
    few = client.get(f"{A}/cvat/receipts/{told['id']}/lines?outcome=unchanged&start=1&limit=1").json()["lines"]
    assert [one["key"] for one in few] == [lines[2]["key"]]
    sheet = client.get(f"{A}/cvat/receipts/{told['id']}/receipt.csv")
    assert sheet.headers["content-type"].startswith("text/csv")
    assert len(sheet.text.splitlines()) == 4 and "'=ann" in sheet.text
    sample = client.get(f"{A}/samples/{changed['sample']}").json()
    assert sample["revisions"][0]["receipt"] == told["id"] and sample["status"] == "corrected"
    assert {client.get(f"{A}/samples/{one['sample']}").json()["cvat"][0]["receipt"] for one in lines} == {told["id"]}
    page = client.get(f"/d/mars/cvat/receipts/{told['id']}").text
    assert changed["key"] in page and "=ann" in page
    assert client.get(f"/d/files/cvat/receipts/{told['id']}").status_code == 404
    assert told["id"] in [
        one["id"] for one in client.get(f"{A}/cvat/batches/{pushed['id']}/receipts").json()["receipts"]
    ]
    undone = client.post(f"{A}/batches/{changed['batch']}/undo")
    assert undone.json()["decided"] == 3


def check_diff(client: TestClient, line: dict[str, Any]) -> None:
    """What changed has its class's colour, what didn't is grey."""
    answer = client.get(line["diff"])
    assert "immutable" in answer.headers["cache-control"]
    shown = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)
    before, after = (
        np.asarray(Image.open(io.BytesIO(client.get(line[side]).content)).convert("RGB"))
        for side in ("before", "after")
    )
    changed = (before != after).any(axis=2)
    assert changed.sum() == line["pixels"]
    assert np.array_equal(shown[changed], after[changed])
    grey = shown[~changed]
    assert (grey == grey[:, :1]).all() and grey.max() <= 101
    small = Image.open(io.BytesIO(client.get(line["diff"] + "&size=16").content))
    assert max(small.size) == 16


@pytest.fixture
def torn(
    client: TestClient, db: Database, pushed: dict[str, Any], standin: Standin, tmp_path: Path
) -> tuple[int, dict[str, Any]]:
    """A sample that was changed in CVAT and here, and the receipt that says so."""
    id = sample_ids(client)[0]
    sample = client.get(f"{A}/samples/{id}").json()
    ids = np.full((sample["height"], sample["width"]), 1, np.uint8).tobytes()
    headers = {"Content-Type": "application/octet-stream"}
    drawn = client.post(f"{A}/samples/{id}/masks?base={sample['revision']}", content=ids, headers=headers)
    assert drawn.status_code == 200, drawn.text
    draw(standin, pushed, names(client)[2], 0, [2, 3, 12, 9])
    told = pull(client, db, tmp_path, pushed["id"], confirm=True)
    assert told["counts"]["conflict"] == 1
    return id, told


def test_a_conflict_is_settled_by_regions(client: TestClient, torn: tuple[int, dict[str, Any]]) -> None:
    id, told = torn
    found = client.get(f"{A}/samples/{id}/conflict").json()
    assert found["pushed"]["id"] != found["ours"]["id"] != found["theirs"]["id"]
    assert (
        found["pixels"] == sum(one["pixels"] for one in found["regions"]) and found["theirs"]["receipt"] == told["id"]
    )
    for page in (f"/d/mars/samples/{id}/conflict", f"/d/mars/cvat/receipts/{told['id']}"):
        assert client.get(page).status_code == 200
    sand = {one["number"]: "theirs" for one in found["regions"] if one["becomes"] == 2}
    stale = client.post(f"{A}/samples/{id}/conflict", json={"rest": "ours", "take": sand}, headers={"If-Match": '"v0"'})
    assert stale.status_code == 409
    made = client.post(
        f"{A}/samples/{id}/conflict",
        json={"rest": "ours", "take": sand},
        headers={"If-Match": f'"v{found["version"]}"'},
    )
    assert made.json()["decided"] == 1, made.text
    mask = np.frombuffer(
        client.get(f"/media/revisions/{client.get(f'{A}/samples/{id}').json()['revision']}/mask.bin").content, np.uint8
    )
    assert set(np.unique(mask)) == {1, 2} and (mask == 2).sum() == 60
    assert client.get(f"{A}/samples/{id}/conflict").status_code == 404
    assert client.post(f"{A}/batches/{made.json()['batch']}/undo").status_code == 200
    assert client.get(f"{A}/samples/{id}").json()["status"] == "conflict"


def test_how_far_its_jobs_are(client: TestClient, pushed: dict[str, Any], standin: Standin) -> None:
    standin.state.jobs[1] |= {"state": "in progress", "stage": "validation", "assignee": standin.state.user("ann")}
    (told, *_) = client.post(f"{A}/cvat/batches/{pushed['id']}/refresh").json()["jobs"]
    assert (told["state"], told["stage"], told["assignee"]) == ("in progress", "validation", "ann")
    assert client.get(f"{A}/cvat/batches/{pushed['id']}/receipts").json() == {"receipts": []}
    client.post(f"{A}/cvat/batches/{pushed['id']}/close")
    assert client.post(f"{A}/cvat/batches/{pushed['id']}/refresh").status_code == 409


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_one_side_as_a_whole(client: TestClient, torn: tuple[int, dict[str, Any]], side: str) -> None:
    id, _ = torn
    wanted = client.get(f"{A}/samples/{id}/conflict").json()[side]["id"]
    assert client.post(f"{A}/samples/{id}/conflict", json={"rest": side}).json()["decided"] == 1
    sample = client.get(f"{A}/samples/{id}").json()
    assert (sample["revision"], sample["status"]) == (wanted, "corrected")


def test_an_unknown_label_is_asked_about(
    client: TestClient, db: Database, pushed: dict[str, Any], standin: Standin, tmp_path: Path
) -> None:
    (project,) = {one["project_id"] for one in standin.state.labels.values()}
    known = next(iter(standin.state.labels.values()))
    standin.state.labels[777] = known | {"id": 777, "name": "<boulder>", "color": "#123456", "project_id": project}
    draw(standin, pushed, "<boulder>", 0, [2, 3, 12, 9])
    told = pull(client, db, tmp_path, pushed["id"])
    assert (told["state"], told["counts"]["skipped"]) == ("asks", 1)
    (asked,) = client.get(f"{A}/datasets/mars/cvat/questions").json()["questions"]
    assert (asked["label"], asked["name"], asked["colour"]) == (777, "<boulder>", "#123456")
    page = client.get("/d/mars/cvat").text
    assert "&lt;boulder&gt;" in page and "<boulder>" not in page
    at = f"{A}/datasets/mars/cvat/questions/777"
    assert client.post(at, json={"answer": "map"}).status_code == 422
    answered = client.post(at, json={"answer": "create"}).json()
    assert answered["answer"] == "create" and names(client)[answered["class"]] == "<boulder>"
    assert client.get(f"{A}/datasets/mars/cvat/questions").json() == {"questions": []}
    assert pull(client, db, tmp_path, pushed["id"])["counts"]["changed"] == 1


def test_a_batch_is_closed_and_tried_again(
    client: TestClient, db: Database, pushed: dict[str, Any], tmp_path: Path
) -> None:
    assert client.post(f"{A}/cvat/batches/{pushed['id']}/retry").status_code == 409
    assert client.post(f"{A}/cvat/batches/{pushed['id']}/close").json()["state"] == "closed"
    assert client.post(f"{A}/cvat/batches/{pushed['id']}/pull", json={}).status_code == 409
    waiting = client.post(f"{A}/datasets/mars/cvat/batches", json={"flag": "shared_mask"}).json()["batches"][0]
    assert client.post(f"{A}/cvat/batches/{waiting['id']}/retry").status_code == 202
    assert client.post(f"{A}/cvat/batches/{waiting['id']}/close").json()["state"] == "closed"
    listed = client.get(f"{A}/datasets/mars/cvat/batches").json()["batches"]
    assert [one["id"] for one in listed] == [waiting["id"], pushed["id"]]


@pytest.mark.parametrize(
    "body",
    [{}, {"samples": [1], "group": 1}, {"flag": "nonsense"}, {"filter": {}, "size": 0}, {"filter": {}, "source": "x"}],
)
def test_a_push_that_says_nothing_sensible(client: TestClient, standin: Standin, body: dict[str, object]) -> None:
    assert client.post(f"{A}/datasets/mars/cvat/batches", json=body).status_code == 422


def signature(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


@pytest.fixture
def machine(serve: Serve) -> TestClient:
    """A program elsewhere: it has no Origin, no token, and isn't on this machine."""
    client = serve(headers={"Content-Type": "application/json"}, cvat_secret=SECRET, token="t" * 20)
    client._transport.client = ("10.1.2.3", 5)
    return client


def test_a_completed_job_is_pulled_once_however_often_cvat_calls(
    client: TestClient, db: Database, pushed: dict[str, Any], machine: TestClient, standin: Standin
) -> None:
    job = next(iter(standin.state.jobs.values()))
    job["state"] = "completed"
    body = json.dumps({"event": "update:job", "job": job}).encode()
    first, second = (machine.post("/hooks/cvat/lab", content=body, headers=signature(body)) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json() and len(first.json()["receipts"]) == 1
    assert machine.post("/hooks/cvat/other", content=body, headers=signature(body)).json() == {"receipts": []}
    with db.read() as session:
        assert [one.kind for one in job_rows.waiting(session)] == ["cvat_pull"]


def test_recorded_deliveries_are_taken(machine: TestClient) -> None:
    for one in json.loads(shared("cvat/webhook_samples.json").read_text()):
        body = one["raw"].encode()
        answer = machine.post("/hooks/cvat/lab", content=body, headers=signature(body))
        assert (answer.status_code, answer.json()) == (202, {"receipts": []})


def test_calls_that_nobody_signed(machine: TestClient, serve: Serve) -> None:
    body = b'{"event":"ping"}'
    for headers in ({}, signature(body, "guess"), signature(body + b" "), {"X-Signature-256": "sha256=é".encode()}):
        answer = machine.post("/hooks/cvat/lab", content=body, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        assert SECRET not in answer.text
    assert serve(headers={}).post("/hooks/cvat/lab", content=body, headers=signature(body, "")).status_code == 401
    nonsense = b"[1"
    assert machine.post("/hooks/cvat/lab", content=nonsense, headers=signature(nonsense)).status_code == 422
    assert machine.post("/hooks/cvat/lab", content=b" " * (1 << 20) + b"{}").status_code == 413
    assert machine.get("/hooks/cvat/lab").status_code == 405
    assert machine.post(f"{A}/datasets/mars/checks", content=b"{}").status_code in (401, 403), (
        "only hooks need no Origin"
    )


def test_a_trip_by_hand(client: TestClient, db: Database, tmp_path: Path) -> None:
    asked = client.post(f"{A}/datasets/mars/exports", json={"format": "cvat-datumaro", "pictures": False}).json()
    work(db, tmp_path)
    file = client.get(f"{A}/exports/{asked['export']}/file")
    assert file.headers["content-disposition"].endswith("cvat-datumaro.zip")
    (batch,) = client.get(f"{A}/datasets/mars/cvat/batches").json()["batches"]
    assert (batch["state"], batch["link"], batch["jobs"], batch["actor"]) == ("file", None, [], "Test")
    upload = {"files": ("back.zip", file.content, "application/zip")}
    started = client.post(f"{A}/datasets/mars/cvat/files", files=upload, data={"confirm": "1"})
    assert started.status_code == 202, started.text
    work(db, tmp_path)
    told = client.get(f"{A}/cvat/receipts/{started.json()['receipt']}").json()
    assert (told["state"], told["counts"]["unchanged"], told["counts"]["changed"]) == ("done", 12, 0), told
    assert not any(Settings(home=tmp_path).uploads.iterdir())
    assert client.get(f"/d/mars/cvat/receipts/{told['id']}").status_code == 200
    for data in ({"batch": "x"}, {"batch": "99"}):
        assert client.post(f"{A}/datasets/mars/cvat/files", files=upload, data=data).status_code == 422
    assert not any(Settings(home=tmp_path).uploads.iterdir())
