"""Names from strangers as keys, classes, reviewers and labels: on pages, in JSON, in CSV, in exports and back again."""

import csv
import io
import zipfile
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.domain.actor import person
from app.flows import export, ingest
from app.store.db import open_database
from app.web.media import attachment
from tests.strange import PAYLOADS, strange_classes, strange_zip

A = "/api/v1"
KEYS = {payload.replace("/", "|") for payload in PAYLOADS}
REVIEWER = '<b onclick="alert(9)">\u202eEve</b>'


@pytest.fixture
def client(serve: Callable[..., TestClient], tmp_path: Path) -> TestClient:
    database = open_database(tmp_path / "remask.sqlite")
    label = "<i>label</i>"
    ingest.run(
        database,
        strange_zip(tmp_path / "strange.zip"),
        "strange",
        person(REVIEWER),
        label=label,
        classes=strange_classes(),
    )
    database.close()
    return serve()


class Markup(HTMLParser):
    """What a browser would make elements and attributes of."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.bad.append(f"{tag} {name}")
            if name in ("href", "src", "action") and (value or "").lower().strip().startswith("javascript:"):
                self.bad.append(f"{tag} {value}")
            if name == "src" and value == "x":
                self.bad.append(f"{tag} src=x")
        if tag == "script" and not {"src", "type"} & {name for name, _ in attrs}:
            self.bad.append("script")


def test_every_name_came_in(client: TestClient) -> None:
    report = client.get(f"{A}/datasets/strange/imports").json()["imports"][0]
    assert [one["reason"] for one in report["refused"]] == ["a key of 4096 characters; 1 to 1024 are taken"]
    rows = client.get(f"{A}/datasets/strange/samples?limit=100").json()["samples"]
    assert {row["key"] for row in rows} == KEYS
    assert {one["name"] for one in client.get(f"{A}/datasets/strange").json()["classes"]} == {
        one.name for one in strange_classes().classes
    }


def test_pages_show_them_as_text(client: TestClient) -> None:
    ids = [row["id"] for row in client.get(f"{A}/datasets/strange/samples?limit=100").json()["samples"]]
    client.headers["X-Reviewer"] = "%3Cb%20onclick%3Dalert(9)%3EEve"
    for id in ids:
        assert client.post(f"{A}/samples/{id}/decisions", json={"verb": "keep"}).status_code == 200
    pages = ["/", "/d/strange", "/d/strange/samples?sort=key", "/d/strange/history", "/d/strange/imports"]
    report = client.get(f"{A}/datasets/strange/imports").json()["imports"][0]["id"]
    pages += [f"/d/strange/imports/{report}"]
    pages += [f"/d/strange/{page}" for page in ("classes", "export", "train", "runs")]
    pages += [f"/d/strange/samples/{id}" for id in ids]
    pages += [
        f"/d/strange/samples?q={name}" for name in ("%3Cimg%20src=x%20onerror=alert(1)%3E", "javascript:alert(5)")
    ]
    for path in pages:
        answer = client.get(path)
        assert answer.status_code == 200, path
        markup = Markup()
        markup.feed(answer.text)
        assert markup.bad == [], path


def test_json_and_csv_give_them_back(client: TestClient) -> None:
    rows = client.get(f"{A}/datasets/strange/status").json()["samples"]
    assert {row["sample"] for row in rows} == KEYS
    table = list(csv.reader(io.StringIO(client.get(f"{A}/datasets/strange/status?format=csv").text, newline="")))
    assert len(table) == len(PAYLOADS) + 1
    assert all(not row[0].startswith(("=", "+", "-", "@", "＝")) for row in table)
    assert all(row[1] == "unreviewed" for row in table[1:])


def test_each_is_found_by_its_key_and_downloaded_under_a_plain_name(client: TestClient) -> None:
    for key in KEYS:
        [row] = client.get(f"{A}/datasets/strange/samples", params={"key": key}).json()["samples"]
        said = client.get(f"/media/samples/{row['id']}/original").headers["content-disposition"]
        assert said.isascii()
        assert said.isprintable()
        assert said.count('"') == 2
        assert len(said) < 1200
    assert attachment('a"; filename=evil.exe\r\nX: y') == attachment('a"; filename=evil.exe\r\nX: y').strip()


@pytest.mark.parametrize("format", ["npz", "folder", "coco", "voc"])
def test_exports_keep_within_their_folder_and_come_back(client: TestClient, tmp_path: Path, format: str) -> None:
    db = client.app.state.db  # type: ignore[attr-defined]  # Starlette types it as a bare callable
    out = tmp_path / ("out.npz" if format == "npz" else "out")
    written = export.run(db, out, "strange", format, "all")
    assert written.labelled == len(PAYLOADS)
    if format == "npz":
        return
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(out.rglob("*")):
            name = path.relative_to(out).as_posix()
            assert name.isprintable(), name
            assert path.is_symlink() is False
            if path.is_file():
                archive.write(path, name)
    report = ingest.run(db, packed, "again", person("Ada"))
    assert (report.imported, report.refused) == (len(PAYLOADS), [])
