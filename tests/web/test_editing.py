"""Drafts, drawn masks and merges over REST: what is acknowledged is kept, what doesn't fit is refused in a sentence."""

import gzip
import zlib

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.domain.actor import person
from app.domain.mask import Mask
from app.store import datasets
from app.store.db import Database

RAW = {"Content-Type": "application/octet-stream"}
SIZE = 24 * 16


def current(client: TestClient, sample: int = 1) -> tuple[int, Mask]:
    """The sample's current revision and its ids."""
    base = client.get(f"/api/v1/samples/{sample}").json()["revision"]
    return base, ids(client, base)


def ids(client: TestClient, revision: int) -> Mask:
    answer = client.get(f"/media/revisions/{revision}/mask.bin")
    dtype = np.dtype(answer.headers["x-mask-dtype"]).newbyteorder("<")
    return np.frombuffer(answer.content, dtype).reshape(16, 24).copy()


def painted(mask: Mask) -> Mask:
    mask = mask.copy()
    mask[3:9, 10:15] = 2
    return mask


def test_a_draft_comes_back_as_it_was_saved_until_it_is_done(client: TestClient) -> None:
    base, given = current(client)
    url = "/api/v1/samples/1/draft"
    assert client.get(url).status_code == 204
    mask = painted(given)
    params = {"base": base, "counter": 1}
    for _ in range(2):
        saved = client.put(url, params=params, content=mask.tobytes(), headers=RAW)
        assert saved.json()["counter"] == 1
    back = client.get(url)
    assert back.content == mask.tobytes()
    assert (back.headers["x-draft-base"], back.headers["x-draft-counter"]) == (str(base), "1")
    refused = client.put(url, params=params, content=given.tobytes(), headers=RAW)
    assert (refused.status_code, refused.json()["title"]) == (409, "Conflict")
    assert client.get(url, headers={"X-Reviewer": "Bob"}).status_code == 204

    done = client.post("/api/v1/samples/1/masks", params={"base": base}, content=mask.tobytes(), headers=RAW)
    assert done.status_code == 200
    assert done.json()["sample"]["status"] == "corrected"
    np.testing.assert_array_equal(ids(client, done.json()["revision"]), mask)
    assert client.get(url).status_code == 204
    undone = client.post(f"/api/v1/batches/{done.json()['batch']}/undo")
    assert undone.json()["samples"][0]["status"] == "flagged"


def test_a_draft_can_be_thrown_away(client: TestClient) -> None:
    base, given = current(client)
    url = "/api/v1/samples/1/draft"
    client.put(url, params={"base": base, "counter": 1}, content=painted(given).tobytes(), headers=RAW)
    assert client.delete(url, params={"base": base}).json() == {"discarded": 1}
    assert client.delete(url, params={"base": base}).json() == {"discarded": 0}
    assert client.get(url).status_code == 204


def test_gzip_and_sixteen_bits(client: TestClient, db: Database) -> None:
    base, given = current(client)
    with db.write() as session:
        owner = datasets.find(session, "mars")
        listed = datasets.classes(session, owner).with_ids([300])
        datasets.set_classes(session, owner, listed, person("Ada"))
    mask = given.astype(np.uint16)
    mask[0, 0] = 300
    body = gzip.compress(mask.astype("<u2").tobytes())
    headers = RAW | {"Content-Encoding": "gzip"}
    done = client.post("/api/v1/samples/1/masks", params={"base": base}, content=body, headers=headers)
    np.testing.assert_array_equal(ids(client, done.json()["revision"]), mask)


def test_an_id_without_a_class_stays_a_draft(client: TestClient) -> None:
    base, given = current(client)
    for counter, (body, id) in enumerate(((bytes([9]) * SIZE, 9), (bytes([0, 1]) * SIZE, 256)), 1):
        kept = client.put(
            "/api/v1/samples/1/draft", params={"base": base, "counter": counter}, content=body, headers=RAW
        )
        assert kept.status_code == 200
        answer = client.post("/api/v1/samples/1/masks", params={"base": base}, content=body, headers=RAW)
        assert (answer.status_code, answer.json()["title"]) == (422, "Invalid input")
        assert answer.json()["detail"] == f"No class has the id {id}; add it to the class list first."
    now, mask = current(client)
    assert now == base
    np.testing.assert_array_equal(mask, given)


PART = {"x": 10, "y": 3, "width": 5, "height": 6}


def test_a_part_is_drafted_and_put_into_its_mask(client: TestClient) -> None:
    base, given = current(client)
    url, body = "/api/v1/samples/1/draft", bytes([2]) * 30
    for _ in range(2):
        assert client.put(url, params=PART | {"base": base, "counter": 1}, content=body, headers=RAW).status_code == 200
    back = client.get(url)
    assert back.content == body
    told = [back.headers[f"x-{name}"] for name in ("draft-x", "draft-y", "mask-width", "mask-height")]
    assert told == ["10", "3", "5", "6"]
    elsewhere = PART | {"x": 11, "base": base, "counter": 2}
    refused = client.put(url, params=elsewhere, content=body, headers=RAW)
    assert (refused.status_code, "another part" in refused.json()["detail"]) == (409, True)
    assert client.get(url).content == body

    done = client.post("/api/v1/samples/1/masks", params=PART | {"base": base}, content=body, headers=RAW)
    np.testing.assert_array_equal(ids(client, done.json()["revision"]), painted(given))
    assert client.get(url).status_code == 204


@pytest.mark.parametrize(
    ("part", "body", "status", "says"),
    [
        ({"x": 1}, bytes(30), 422, "by x, y, width and height"),
        (PART | {"x": 20}, bytes(30), 422, "reaches out of its picture of 24 x 16"),
        (PART | {"x": 1 << 30, "width": 1 << 30}, bytes(30), 422, "reaches out"),
        (PART | {"width": 0}, b"", 422, ""),
        (PART, bytes(SIZE), 422, "A mask of 5 x 6 has 30 bytes"),
        (PART, bytes(5000), 413, "at most 60 bytes"),
    ],
)
def test_parts_that_do_not_fit_get_a_sentence(
    client: TestClient, part: dict[str, int], body: bytes, status: int, says: str
) -> None:
    base, _ = current(client)
    for method, path, params in (("PUT", "draft", {"base": base, "counter": 1}), ("POST", "masks", {"base": base})):
        answer = client.request(method, f"/api/v1/samples/1/{path}", params=part | params, content=body, headers=RAW)
        assert (answer.status_code, says in answer.json()["detail"]) == (status, True)


BOMB = gzip.compress(bytes(50_000_000))


@pytest.mark.parametrize(
    ("body", "encoding", "status", "says"),
    [
        (b"", "", 422, "has 384 bytes"),
        (bytes(SIZE - 1), "", 422, "this has 383 bytes"),
        (bytes(2 * SIZE + 1), "", 422, "this has more"),
        (bytes(5000), "", 413, "at most 768 bytes"),
        (BOMB[:1500], "gzip", 422, "this has more"),
        (BOMB, "gzip", 413, "at most 768 bytes"),
        (gzip.compress(bytes(SIZE), mtime=0)[:-9], "gzip", 422, "breaks off"),
        (b"no gzip", "gzip", 422, "can't be unpacked"),
        (zlib.compress(bytes(SIZE)), "deflate", 422, "nothing else"),
    ],
)
def test_hostile_bodies_get_a_sentence(client: TestClient, body: bytes, encoding: str, status: int, says: str) -> None:
    base, given = current(client)
    headers = RAW | ({"Content-Encoding": encoding} if encoding else {})
    for method, path, params in (("PUT", "draft", {"base": base, "counter": 1}), ("POST", "masks", {"base": base})):
        answer = client.request(method, f"/api/v1/samples/1/{path}", params=params, content=body, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert says in answer.json()["detail"]
    now, mask = current(client)
    assert now == base
    np.testing.assert_array_equal(mask, given)


def test_a_stale_mask_is_refused_with_both_versions_and_merged_by_region(client: TestClient) -> None:
    base, given = current(client)
    mine, theirs = given.copy(), given.copy()
    mine[:2, :4] = 2
    theirs[12:, 20:] = 1
    url = "/api/v1/samples/1/masks"
    first = client.post(url, params={"base": base}, content=theirs.tobytes(), headers=RAW | {"X-Reviewer": "Bob"})
    client.put("/api/v1/samples/1/draft", params={"base": base, "counter": 1}, content=mine.tobytes(), headers=RAW)
    stale = client.post(url, params={"base": base}, content=mine.tobytes(), headers=RAW | {"If-Match": '"v1"'})
    assert stale.status_code == 409
    problem = stale.json()
    assert problem["current"]["revision"] == first.json()["revision"]
    assert problem["yours"] == {"revision": base, "version": 1}
    assert client.get("/api/v1/samples/1/draft").content == mine.tobytes()

    aside = client.post(url, params={"base": base, "aside": True}, content=mine.tobytes(), headers=RAW).json()
    assert (aside["batch"], aside["sample"]["status"]) == (None, "conflict")
    sides = {"mine": aside["revision"], "theirs": first.json()["revision"]}
    found = client.get("/api/v1/samples/1/differences", params=sides).json()
    assert found["total"] == len(found["regions"])
    assert found["pixels"] == int((mine != theirs).sum())
    take = {str(one["number"]): "mine" for one in found["regions"] if one["box"][3] <= 2}
    body = {**sides, "take": take}
    merging = "/api/v1/samples/1/merge"
    assert client.post(merging, json=body, headers={"If-Match": '"v1"'}).status_code == 409
    merged = client.post(merging, json=body).json()
    wanted = theirs.copy()
    wanted[:2, :4] = 2
    np.testing.assert_array_equal(ids(client, merged["revision"]), wanted)
    assert merged["sample"]["status"] == "corrected"
    assert client.post(merging, json=body).status_code == 409


def test_merges_that_cannot_be_are_refused(client: TestClient) -> None:
    base, given = current(client)
    other, _ = current(client, 2)
    params = {"base": base, "aside": True}
    body = painted(given).tobytes()
    aside = client.post("/api/v1/samples/1/masks", params=params, content=body, headers=RAW).json()["revision"]
    url = "/api/v1/samples/1/merge"
    assert client.post(url, json={"mine": other, "theirs": base}).status_code == 404
    unknown = client.post(url, json={"mine": aside, "theirs": base, "take": {"99": "mine"}})
    assert (unknown.status_code, "no region 99" in unknown.json()["detail"]) == (422, True)
    nothing = client.post(url, json={"mine": aside, "theirs": base, "rest": "theirs"})
    assert (nothing.status_code, "reject" in nothing.json()["detail"]) == (422, True)
