"""What runs in the background: uploads that become imports, checks, exports, the demo set, and following them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from fastapi.sse import ServerSentEvent
from fastapi.testclient import TestClient

from app import jobs as engine
from app.flows import inspect
from app.settings import Settings
from app.store import jobs, parts
from app.store.db import Database
from app.store.tables import Job
from app.web import events, uploads
from tests.listening import within
from tests.web.conftest import make_npz, png

A = "/api/v1"
MASK = np.ones((8, 8), np.uint8)
CSV = b"id,name,role,colour\n0,soil,background,#808080\n1,rock,foreground,#e69f00\n2,sand,foreground,#00ff00\n"


def work(client: TestClient, job: int) -> dict[str, object]:
    """Run a job as the worker would; the job as it ended."""
    state = client.app.state  # type: ignore[attr-defined]
    engine.run(state.db, state.settings, job, "test")
    ended: dict[str, object] = client.get(f"{A}/jobs/{job}").json()
    return ended


def upload(client: TestClient, dataset: str, files: dict[str, bytes], **fields: object) -> dict[str, object]:
    parts = [("files", (name.rsplit("/", 1)[-1], data)) for name, data in files.items()]
    said = {"paths": json.dumps(list(files))} | {name: str(value) for name, value in fields.items()}
    answer = client.post(f"{A}/datasets/{dataset}/imports", files=parts, data=said)
    assert answer.status_code == 202, answer.text
    started: dict[str, object] = answer.json()
    return started


def left_over(client: TestClient) -> list[Path]:
    uploads = client.app.state.settings.uploads  # type: ignore[attr-defined]
    return list(uploads.iterdir()) if uploads.is_dir() else []


def test_a_folder_is_uploaded_and_imported(client: TestClient) -> None:
    picture = png(np.arange(64, dtype=np.uint8).reshape(8, 8))
    files = {"set/images/a.png": picture, "set/masks/a.png": png(MASK), "set/images/b.png": b"broken"}
    started = upload(client, "new", files)
    waiting = client.get(f"{A}/jobs/{started['job']}").json()
    assert (waiting["state"], waiting["dataset"], waiting["kind"]) == ("queued", "new", "import")
    assert left_over(client)
    ended = work(client, int(str(started["job"])))
    assert ended["state"] == "done", ended
    assert left_over(client) == []
    result = ended["result"]
    assert isinstance(result, dict)
    report = client.get(f"{A}/imports/{result['import']}").json()
    assert (report["source"], report["imported"], report["actor"]) == ("set", 1, "Test")
    assert report["refused"][0]["file"].endswith("b.png")
    assert client.get(f"{A}/datasets/new/imports").json()["imports"] == [report]
    table = client.get(f"{A}/imports/{report['id']}/report.csv")
    assert table.text.splitlines()[0] == "file,reason"
    assert "b.png" in table.text
    assert client.get(f"{A}/imports/999").status_code == 404
    assert client.get(f"{A}/imports/999/report.csv").status_code == 404


def test_one_npz_with_a_class_list(client: TestClient, tmp_path: Path) -> None:
    data = make_npz(tmp_path / "x.npz", 3).read_bytes()
    answer = client.post(
        f"{A}/datasets/named/imports",
        files=[("files", ("x.npz", data)), ("classes", ("classes.csv", CSV))],
        data={"format": "npz"},
    )
    ended = work(client, answer.json()["job"])
    assert ended["state"] == "done", ended
    detail = client.get(f"{A}/datasets/named").json()
    assert [one["name"] for one in detail["classes"]] == ["soil", "rock", "sand"]
    assert client.get(f"{A}/jobs", params={"dataset": "named"}).status_code == 200


def test_one_zip(client: TestClient) -> None:
    out = BytesIO()
    with ZipFile(out, "w") as archive:
        archive.writestr("images/a.png", png(MASK * 9))
        archive.writestr("masks/a.png", png(MASK))
    started = upload(client, "zipped", {"set.zip": out.getvalue()})
    assert work(client, int(str(started["job"])))["state"] == "done"
    assert client.get(f"{A}/datasets/zipped").status_code == 200


@pytest.mark.parametrize(
    ("paths", "kept"),
    [
        (["../../evil.png", "/etc/cron.d/x.png"], ["evil.png", "etc/cron.d/x.png"]),
        (["..\\..\\evil.png", "C:\\x\\y.png"], ["evil.png", "C_/x/y.png"]),
        (["a/./b/../c.png", "a\0b.png"], ["a/b/c.png", "a_b.png"]),
        (["a\nb.png", "<b>.png"], ["a_b.png", "_b_.png"]),
    ],
)
def test_names_never_lead_out_of_the_folder(client: TestClient, paths: list[str], kept: list[str]) -> None:
    parts = [("files", ("x.png", png(MASK))) for _ in paths]
    answer = client.post(f"{A}/datasets/new/imports", files=parts, data={"paths": json.dumps(paths)})
    assert answer.status_code == 202, answer.text
    [folder] = left_over(client)
    found = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert sorted(found) == sorted(kept)


@pytest.mark.parametrize(
    ("dataset", "fields", "status"),
    [
        ("new", {"paths": '["a.png"]'}, 422),
        ("new", {"paths": '["a.png", "a.png"]'}, 422),
        ("new", {"paths": '["a", "a/b.png"]'}, 422),
        ("new", {"paths": '["a.png", ".."]'}, 422),
        ("new", {"paths": '["a.png", "' + "x" * 300 + '"]'}, 422),
        ("new", {"paths": '["a.png", "' + "x/" * 40 + 'y"]'}, 422),
        ("new", {"paths": "[" * 100_000}, 422),
        ("new", {"paths": '["a.png", 3]'}, 422),
        ("new", {"format": "papyrus"}, 422),
        ("new", {"classes": "id,name\n1"}, 422),
        ("-bad name", {}, 422),
    ],
)
def test_bad_uploads_leave_nothing_behind(
    client: TestClient, dataset: str, fields: dict[str, str], status: int
) -> None:
    parts = [("files", ("a.png", b"1")), ("files", ("b.png", b"2"))]
    answer = client.post(f"{A}/datasets/{dataset}/imports", files=parts, data=fields)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert left_over(client) == []
    assert client.get(f"{A}/jobs").json()["jobs"] == client.get(f"{A}/jobs").json()["jobs"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b"--x--\r\n"),
        ("multipart/form-data; boundary=x", b"garbage"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\nhalf'),
        ("multipart/form-data; boundary=x", b""),
    ],
)
def test_bodies_that_are_no_upload(client: TestClient, content_type: str, body: bytes) -> None:
    answer = client.post(f"{A}/datasets/new/imports", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == 422, answer.text
    assert left_over(client) == []


def test_an_upload_has_a_limit_told_or_not(serve: Callable[..., TestClient]) -> None:
    client = serve(max_upload=1000)
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'

    def body() -> Iterator[bytes]:
        yield head
        for _ in range(20):
            yield b"y" * 100
        yield b"\r\n--x--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    untold = client.post(f"{A}/datasets/new/imports", content=body(), headers=headers)
    told = client.post(f"{A}/datasets/new/imports", content=b"".join(body()), headers=headers)
    assert (untold.status_code, told.status_code) == (413, 413)
    assert "1,000 bytes" in told.json()["detail"]
    assert left_over(client) == []


def test_form_fields_are_bounded(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_FIELDS", 1000)
    fields = {f"field{index}": "x" * 300 for index in range(4)}
    answer = client.post(f"{A}/datasets/new/imports", files=[("files", ("a.png", b"1"))], data=fields)
    assert answer.status_code == 413
    assert left_over(client) == []


def test_checks_are_asked_for_once(client: TestClient) -> None:
    url = f"{A}/datasets/mars/checks"
    one = client.post(url, json={"only": ["shared_mask"]})
    assert one.status_code == 202
    assert client.post(url, json={"only": ["shared_mask"]}).json() == one.json()
    everything = client.post(url)
    assert everything.json()["job"] != one.json()["job"]
    assert client.post(url, json={"only": ["palm_reading"]}).status_code == 404
    assert client.post(f"{A}/datasets/nowhere/checks", json={}).status_code == 404
    ended = work(client, one.json()["job"])
    assert ended["state"] == "done", ended


def test_a_part_says_what_it_looked_at_but_not_what_it_noted(client: TestClient) -> None:
    db = client.app.state.db  # type: ignore[attr-defined]
    with db.write() as session:
        whole = jobs.request(session, "check", 1, {}).id
        parts.ask(
            session, whole, [parts.Wanted("look", {"only": ["bad_image"], **asdict(inspect.Span(0, None, 15))}, 15)]
        )
        [part] = parts.of_job(session, whole)
    ended = work(client, part.id)
    assert ended["part_of"] == whole
    told = ended["result"]
    assert isinstance(told, dict)
    assert told.keys() == {"looked", "seconds"}
    assert told["looked"] == len(client.get(f"{A}/datasets/mars/samples").json()["samples"])
    assert client.get(f"{A}/jobs/{whole}").json()["part_of"] is None


def test_an_export_is_fetched_once_it_is_there(client: TestClient) -> None:
    started = client.post(f"{A}/datasets/mars/exports", json={"format": "folder", "only": "curated"}).json()
    early = client.get(f"{A}/exports/{started['export']}/file")
    assert (early.status_code, early.json()["detail"]) == (
        409,
        f"Export {started['export']} is queued; it has no file yet.",
    )
    ended = work(client, started["job"])
    assert ended["state"] == "done", ended
    assert "path" not in (ended["result"] or {})  # type: ignore[operator]
    answer = client.get(f"{A}/exports/{started['export']}/file")
    assert answer.headers["content-disposition"].startswith("attachment")
    with ZipFile(BytesIO(answer.content)) as archive:
        assert any(name.endswith("00000.png") for name in archive.namelist())
    for path in client.app.state.settings.exports.iterdir():  # type: ignore[attr-defined]
        path.unlink()
    assert client.get(f"{A}/exports/{started['export']}/file").status_code == 404
    assert client.get(f"{A}/exports/999/file").status_code == 404
    assert client.post(f"{A}/datasets/mars/exports", json={"format": "papyrus"}).status_code == 422
    checks = client.post(f"{A}/datasets/mars/checks", json={}).json()["job"]
    assert client.get(f"{A}/exports/{checks}/file").status_code == 404


def test_the_demo_is_asked_for(client: TestClient) -> None:
    started = client.post(f"{A}/demo")
    assert (started.status_code, started.json()["dataset"]) == (202, "demo")
    assert client.get(f"{A}/jobs").json()["jobs"][0]["dataset"] == "demo"


def test_what_nobody_needs_is_swept_at_the_start(serve: Callable[..., TestClient]) -> None:
    client = serve()
    upload(client, "new", {"a/b.png": png(MASK)})
    [waiting] = left_over(client)
    single = upload(client, "new", {"b.png": png(MASK)})
    (waiting.parent / "upload-lost.parts").mkdir()
    assert len(left_over(client)) == 3
    client = serve()
    assert len(left_over(client)) == 2
    client.post(f"{A}/jobs/{single['job']}/cancel")
    assert left_over(client) == [waiting]


def test_a_waiting_job_is_cancelled_and_its_upload_removed(client: TestClient) -> None:
    started = upload(client, "new", {"a/b.png": png(MASK), "a/c.png": png(MASK)})
    cancelled = client.post(f"{A}/jobs/{started['job']}/cancel")
    assert cancelled.json()["state"] == "cancelled"
    assert left_over(client) == []
    again = client.post(f"{A}/jobs/{started['job']}/cancel")
    assert (again.status_code, again.json()["detail"]) == (
        409,
        f"Job {started['job']} has ended already (cancelled).",
    )
    assert client.get(f"{A}/jobs/999").status_code == 404
    assert client.post(f"{A}/jobs/999/cancel").status_code == 404
    assert client.get(f"{A}/jobs", params={"dataset": "nowhere"}).status_code == 404


def heard(db: Database, steps: list[Callable[[], object]], last_event_id: str | None = None) -> list[ServerSentEvent]:
    """What the stream tells: after each event the next of ``steps`` is taken; it is left when they are used up."""

    async def listen() -> list[ServerSentEvent]:
        stream = events.follow(
            db, lambda _, row: {"id": row.id, "state": row.state, "done": row.done}, last_event_id, 0
        )
        told = []
        async for event in stream:
            told.append(event)
            if len(told) > len(steps):
                break
            steps[len(told) - 1]()
        return told

    return within(20, listen())


def test_the_stream_tells_each_change_and_resumes(db: Database) -> None:
    with db.write() as session:
        job = jobs.request(session, "check", None, {}).id

    def change(**values: object) -> None:
        with db.write() as session:
            row = session.get_one(Job, job)
            for name, value in values.items():
                setattr(row, name, value)

    def end() -> None:
        with db.write() as session:
            jobs.finish(session, job, "done")

    told = heard(db, [lambda: change(state="running"), lambda: change(done=5), end])
    assert [(event.data["state"], event.data["done"]) for event in told] == [
        ("queued", 0),
        ("running", 0),
        ("running", 5),
        ("done", 5),
    ]
    assert {event.event for event in told} == {"job"}
    assert [event.data["state"] for event in heard(db, [], told[0].id)] == ["done"]
    with db.write() as session:
        later = jobs.request(session, "check", None, {"only": ["x"]}).id
    resumed = heard(db, [], str(int(str(told[-1].id)) + 60_000_000))
    assert [event.data["id"] for event in resumed] == [later]
    assert heard(db, [lambda: None], "nonsense")


def test_settings_name_the_folders(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert settings.uploads.parent == settings.exports.parent == tmp_path
