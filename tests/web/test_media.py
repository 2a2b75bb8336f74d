"""Pictures: what is drawn, passed through, cached, revalidated."""

import gzip
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.domain.actor import person
from app.domain.classes import Class, ClassList, Role
from app.flows import ingest
from app.store import rasters, revisions
from app.store.db import Database
from app.store.tables import Blob, Raster
from app.web import drawing, media
from app.web.drawn import Cache
from tests.web.conftest import HOSTILE

A = "/api/v1"


def sample(client: TestClient, key: str, dataset: str = "files") -> dict[str, object]:
    [found] = client.get(f"{A}/datasets/{dataset}/samples", params={"key": key}).json()["samples"]
    one: dict[str, object] = found
    return one


def decoded(content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content))
    image.load()
    return image


@pytest.fixture
def keys(reader: TestClient) -> dict[str, str]:
    """Stem -> key of the folder's samples."""
    listed = reader.get(f"{A}/datasets/files/samples").json()["samples"]
    return {one["key"].rsplit("/", 1)[-1].removesuffix(".png").removesuffix(".jpg"): one["key"] for one in listed}


def test_an_image_is_found_again_by_its_etag(reader: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    row = sample(reader, "training_set/00000", "mars")
    url = str(row["image"])
    shown = reader.get(url)
    assert shown.headers["content-type"] == "image/png"
    assert "immutable" in shown.headers["cache-control"]
    assert decoded(shown.content).size == (24, 16)
    monkeypatch.setattr(rasters, "pixels", lambda *_: pytest.fail("decoded for a 304"))
    again = reader.get(url, headers={"If-None-Match": f'"other", W/{shown.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == shown.headers["etag"]
    unpinned = reader.get(f"/media/samples/{row['id']}/image.png?v=old", headers={"If-None-Match": "*"})
    assert unpinned.headers["cache-control"] == "private, no-cache"


def test_a_deep_image_is_shown_stretched(reader: TestClient, keys: dict[str, str]) -> None:
    image = decoded(reader.get(str(sample(reader, keys["deep"])["image"])).content)
    assert image.mode == "L"
    assert image.getextrema() == (0, 255)


def test_a_jpeg_passes_through_unless_its_exif_turns_it(reader: TestClient, keys: dict[str, str]) -> None:
    plain = reader.get(str(sample(reader, keys["plain"])["image"]))
    assert plain.headers["content-type"] == "image/jpeg"
    turned = reader.get(str(sample(reader, keys["turned"])["image"]))
    assert turned.headers["content-type"] == "image/png"
    assert decoded(turned.content).size == (60, 40)


def test_thumbnails_are_smaller_and_kept(
    reader: TestClient, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = sample(reader, keys["plain"])
    url = f"{row['image']}&size=30"
    assert decoded(reader.get(url).content).size == (30, 20)
    monkeypatch.setattr(rasters, "pixels", lambda *_: pytest.fail("drawn twice"))
    assert decoded(reader.get(url).content).size == (30, 20)
    for size in (0, 15, 5000, -1):
        assert reader.get(f"{row['image']}&size={size}").status_code == 422


def test_the_original_comes_back_byte_for_byte(reader: TestClient, keys: dict[str, str], home: object) -> None:
    row = sample(reader, keys[HOSTILE])
    answer = reader.get(f"/media/samples/{row['id']}/original")
    assert answer.headers["content-type"] == "application/octet-stream"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment; ")
    assert "<" not in disposition
    assert decoded(answer.content).size == (60, 40)
    again = reader.get(f"/media/samples/{row['id']}/original", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_a_mask_is_a_palette_image_of_its_ids(reader: TestClient) -> None:
    row = sample(reader, "training_set/00011", "mars")
    answer = reader.get(str(row["mask"]))
    assert "immutable" in answer.headers["cache-control"]
    image = decoded(answer.content)
    assert image.mode == "P"
    assert set(np.unique(np.asarray(image))) == {0, 1, 2}
    colours = {one["id"]: one["colour"] for one in reader.get(f"{A}/datasets/mars").json()["classes"]}
    palette = image.getpalette()
    assert palette is not None
    assert "#{:02x}{:02x}{:02x}".format(*palette[6:9]) == colours[2]


def test_other_colours_are_another_picture(client: TestClient) -> None:
    row = sample(client, "training_set/00000", "mars")
    before = client.get(str(row["mask"]))
    classes = client.get(f"{A}/datasets/mars").json()["classes"]
    classes[1]["colour"] = "#123456"
    assert client.put(f"{A}/datasets/mars/classes", json={"classes": classes}).status_code == 200
    after = client.get(str(row["mask"]), headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.headers["cache-control"] == "private, no-cache"
    assert sample(client, "training_set/00000", "mars")["mask"] != row["mask"]


def test_mask_ids_raw(reader: TestClient) -> None:
    row = sample(reader, "training_set/00011", "mars")
    url = f"/media/revisions/{row['revision']}/mask.bin"
    answer = reader.get(url, headers={"Accept-Encoding": "identity"})
    assert answer.headers["x-mask-dtype"] == "uint8"
    assert (answer.headers["x-mask-width"], answer.headers["x-mask-height"]) == ("24", "16")
    ids = np.frombuffer(answer.content, np.uint8).reshape(16, 24)
    assert set(np.unique(ids)) == {0, 1, 2}
    packed = reader.get(url, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == answer.content
    assert reader.get(url, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert gzip.decompress(gzip.compress(answer.content)) == answer.content


def test_overlay(reader: TestClient) -> None:
    row = sample(reader, "training_set/00011", "mars")
    clear = reader.get(f"/media/samples/{row['id']}/overlay.png?opacity=0")
    full = reader.get(f"/media/samples/{row['id']}/overlay.png?opacity=1")
    image = np.asarray(decoded(reader.get(str(row["image"])).content))
    assert (np.asarray(decoded(clear.content))[:, :, 0] == image).all()
    covered = (np.asarray(decoded(full.content)) != np.asarray(decoded(clear.content))).any(axis=2)
    assert covered[12:, 12:].all()
    assert not covered[12:, 10:12].any()
    bare = sample(reader, "test_set/00000", "mars")
    assert bare["mask"] is None
    assert reader.get(f"/media/samples/{bare['id']}/overlay.png?size=16").status_code == 200
    assert reader.get(f"/media/samples/{row['id']}/overlay.png?opacity=2").status_code == 422


def test_what_is_not_there(reader: TestClient) -> None:
    for url in ("samples/999/image.png", "samples/999/original", "samples/999/overlay.png", "revisions/999/mask.png"):
        answer = reader.get(f"/media/{url}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert reader.get("/media/revisions/999/mask.bin").status_code == 404


def test_damage_is_told_and_not_shown(client: TestClient, db: Database) -> None:
    row = sample(client, "training_set/00000", "mars")
    with db.write() as session:
        raster = session.get_one(Raster, revisions.find(session, int(str(row["revision"]))).mask_id)
        session.get_one(Blob, raster.blob).data = b"rot"
    answer = client.get(str(row["mask"]))
    assert (answer.status_code, answer.json()["title"]) == (500, "Damaged data")


def test_the_cache_keeps_to_its_bound() -> None:
    cache = Cache(limit=100)
    drawn: list[str] = []

    def draw(name: str, size: int) -> bytes:
        def make() -> tuple[bytes, str]:
            drawn.append(name)
            return b"x" * size, "image/png"

        return cache.get(name, make)[0]

    for name in "abcdefa":
        draw(name, 20)
    assert drawn == list("abcdefa")
    draw("f", 20)
    assert drawn[-1] == "a"
    for _ in range(2):
        assert len(draw("large", 60)) == 60
    assert drawn[-2:] == ["large", "large"]


def test_ids_past_a_byte_are_drawn_as_rgb() -> None:
    mask = np.array([[0, 300]], np.uint16)
    classes = ClassList((Class(300, "far", Role.FOREGROUND, "#0a0b0c"),))
    image = drawing.coloured(mask, classes, None)
    assert image.getpixel((1, 0)) == (10, 11, 12)
    assert image.getpixel((0, 0)) == drawing.UNKNOWN


def test_nearest_neighbour_invents_no_class() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[::2] = 200
    small = np.asarray(drawing.coloured(mask, ClassList(()), 17))
    assert set(np.unique(small)) <= {0, 200}


def test_attachment_names_lead_nowhere() -> None:
    assert media.attachment("../../etc/pass\nwd") == media.attachment("_.._etc_pass_wd")
    assert '"' not in media.attachment('a"b').split("filename=")[1].split(";")[0][1:-1]
    assert "filename*=UTF-8''Zo%C3%AB.png" in media.attachment("Zoë.png")
    assert 'filename="file"' in media.attachment("...")


def test_windows_of_a_large_picture_are_stretched_alike(
    client: TestClient, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = 2300
    pixels = np.add.outer(np.arange(side), np.arange(side)).astype(np.uint16) * 10
    mask = np.zeros((side, side), np.uint8)
    mask[1100:1200, 1000:1100] = 3
    for name, one in (("images", pixels), ("masks", mask)):
        (tmp_path / name).mkdir()
        Image.fromarray(one).save(tmp_path / name / "large.png")
    ingest.run(db, tmp_path, "large", person("Ada"), label="large")
    [row] = client.get(f"{A}/datasets/large/samples").json()["samples"]
    monkeypatch.setattr(rasters, "pixels", lambda *_: pytest.fail("read whole"))
    image, ids = row["image"], f"/media/revisions/{row['revision']}/mask.bin"
    corner = np.asarray(decoded(client.get(f"{image}&x=2200&y=2200&width=1024&height=1024").content))
    assert corner.shape == (100, 100)
    assert corner.max() == 255
    middle = np.asarray(decoded(client.get(f"{image}&x=1024&y=1024&width=1024&height=1024").content))
    assert 100 < middle.mean() < 200
    assert decoded(client.get(f"{image}&x=0&y=0&width=2048&height=2048&size=1024").content).size == (1024, 1024)
    assert decoded(client.get(f"{image}&size=100").content).size == (100, 100)
    assert decoded(client.get(f"/media/samples/{row['id']}/overlay.png?size=64").content).size == (64, 64)
    answer = client.get(f"{ids}?x=1000&y=1100&width=50&height=20")
    assert (answer.headers["x-mask-width"], answer.headers["x-mask-height"]) == ("50", "20")
    assert set(answer.content) == {3}
    less = client.get(f"{ids}?x=0&y=0&width=2048&height=2048&size=1024")
    assert less.headers["x-mask-width"] == "1024"
    assert less.headers["etag"] != answer.headers["etag"]
    edge = decoded(client.get(f"{row['mask']}&x=990&y=1090&width=20&height=20").content)
    assert set(np.unique(np.asarray(edge))) == {0, 3}
    outside = client.get(f"{image}&x=2300&y=0&width=10&height=10")
    assert (outside.status_code, outside.headers["content-type"]) == (422, "application/problem+json")
