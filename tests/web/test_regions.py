"""Suspected regions over HTTP: listed, decided, undone; their page and their pictures."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.domain.actor import person
from app.domain.detector.region import Reason, region_of
from app.flows import ingest
from app.store import datasets, jobs
from app.store.db import Database
from app.web.crops import GAP, PANE, strip
from tests.sets import every_sample
from tests.suspected import Said, search

A = "/api/v1"
MARS = f"{A}/datasets/mars"


def found(left: int, top: int, width: int, height: int, sure: float, reason: Reason = Reason.MISSING) -> Any:
    inside = np.zeros((16, 24), np.bool_)
    inside[top : top + height, left : left + width] = True
    return region_of(inside, reason, 0, 2, sure)


@pytest.fixture
def ids(client: TestClient, db: Database) -> list[int]:
    """Two samples of which a model sees class 2 all over; the first has two regions, the second one."""
    with db.read() as session:
        two = [one.id for one in every_sample(session, datasets.find(session, "mars").id)[:2]]
    seen = np.full((16, 24), 2, np.uint8)
    said = {
        two[0]: Said([found(12, 2, 6, 4, 0.9), found(12, 9, 5, 5, 0.4, Reason.BOUNDARY)], seen),
        two[1]: Said([found(14, 1, 8, 8, 0.7)], seen),
    }
    search(db, client.app.state.settings.home, "mars", said, [0, 1, 2])  # type: ignore[attr-defined]
    return two


def mask(client: TestClient, sample: int) -> Any:
    url = client.get(f"{A}/samples/{sample}").json()["mask"].replace("mask.png", "mask.bin")
    return np.frombuffer(client.get(url).content, np.uint8).reshape(16, 24)


def test_one_region_is_accepted_and_undone(client: TestClient, ids: list[int]) -> None:
    told = client.get(f"{A}/samples/{ids[0]}/regions").json()
    region, given = told["regions"][0], mask(client, ids[0])
    etag = client.get(f"{A}/samples/{ids[0]}").headers["etag"]
    url = f"{A}/samples/{ids[0]}/regions/accept"
    done = client.post(url, json={"regions": [region["id"]]}, headers={"If-Match": etag})
    assert done.status_code == 200, done.text
    expected = given.copy()
    expected[2:6, 12:18] = 2
    np.testing.assert_array_equal(mask(client, ids[0]), expected)
    full = client.get(f"{A}/samples/{ids[0]}").json()
    assert (full["revisions"][0]["source"], full["decisions"][0]["verb"]) == ("model", "accept")
    states = [one["state"] for one in client.get(f"{A}/samples/{ids[0]}/regions").json()["regions"]]
    assert states == ["accepted", "open"]
    stale = client.post(url, json={"regions": [told["regions"][1]["id"]]}, headers={"If-Match": etag})
    assert (stale.status_code, stale.json()["current"]["version"]) == (409, full["version"])
    assert stale.json()["yours"] == {"regions": [told["regions"][1]["id"]], "version": full["version"] - 1}
    assert client.post(f"{A}/batches/{done.json()['batch']}/undo").status_code == 200
    np.testing.assert_array_equal(mask(client, ids[0]), given)
    assert client.get(f"{A}/samples/{ids[0]}/regions").json()["regions"] == told["regions"]


def test_regions_are_kept_and_the_flag_closes_with_the_last(client: TestClient, ids: list[int]) -> None:
    both = [one["id"] for one in client.get(f"{A}/samples/{ids[1]}/regions").json()["regions"]]
    done = client.post(f"{A}/samples/{ids[1]}/regions/keep", json={"regions": both}).json()
    assert done["decided"] == 1
    flags = client.get(f"{A}/samples/{ids[1]}").json()["flags"]
    assert {one["state"] for one in flags if one["check"] == "imprecise_mask"} == {"kept"}
    again = client.post(f"{A}/samples/{ids[1]}/regions/keep", json={"regions": both})
    assert again.status_code == 409
    assert "was kept already" in again.json()["detail"]


@pytest.mark.parametrize("body", [{}, {"regions": []}, {"regions": [0]}, {"regions": ["x"]}])
def test_nonsense_is_refused(client: TestClient, ids: list[int], body: dict[str, Any]) -> None:
    assert client.post(f"{A}/samples/{ids[0]}/regions/accept", json=body).status_code == 422


def test_regions_of_elsewhere_are_refused(client: TestClient, ids: list[int]) -> None:
    [other] = client.get(f"{A}/samples/{ids[1]}/regions").json()["regions"]
    answer = client.post(f"{A}/samples/{ids[0]}/regions/keep", json={"regions": [other["id"]]})
    assert (answer.status_code, answer.json()["detail"]) == (404, f"Region {other['id']} is not of this sample.")
    assert client.post(f"{A}/datasets/files/regions/keep", json={"regions": [other["id"]]}).status_code == 404


def test_the_list_of_a_data_set(client: TestClient, ids: list[int]) -> None:
    first = client.get(f"{MARS}/regions", params={"limit": "2"}).json()
    assert ([one["probability"] for one in first["regions"]], first["total"]) == ([0.9, 0.7], 3)
    second = client.get(f"{MARS}/regions", params={"limit": "2", "after": str(first["next"])}).json()
    assert ([one["sample"] for one in second["regions"]], second["next"]) == ([ids[0]], None)
    for query, total in (
        ({"reason": "boundary"}, 1), ({"from": "0", "to": "2"}, 3), ({"to": "1"}, 0), ({"min": "0.5", "max": "0.8"}, 1),
    ):  # fmt: skip
        assert client.get(f"{MARS}/regions", params=query).json()["total"] == total
    assert client.get(f"{MARS}/regions", params={"reason": "odd"}).status_code == 422
    assert client.get(f"{MARS}/regions", params={"after": "99"}).status_code == 404


def test_many_are_accepted_by_a_filter_and_kept_by_id(client: TestClient, ids: list[int]) -> None:
    done = client.post(f"{MARS}/regions/accept", json={"filter": {"to": 2, "min": 0.6}}).json()
    assert [one["id"] for one in done["samples"]] == ids
    [left] = client.get(f"{MARS}/regions").json()["regions"]
    body = {"regions": [left["id"]], "expected": {str(ids[0]): 1}}
    stale = client.post(f"{MARS}/regions/keep", json=body).json()
    assert (stale["batch"], stale["refused"][0]["sample"]) == (None, ids[0])
    body["expected"] = {str(ids[0]): left["version"]}
    assert client.post(f"{MARS}/regions/keep", json=body).json()["decided"] == 1
    assert client.get(f"{MARS}/regions").json()["total"] == 0
    for bad in ({}, {"regions": [1], "filter": {}}, {"filter": {"check": "x"}}, {"filter": {"min": 2}}):
        assert client.post(f"{MARS}/regions/accept", json=bad).status_code == 422


def test_the_crop_shows_what_is_there_what_is_given_and_what_is_seen(client: TestClient, ids: list[int]) -> None:
    card = client.get(f"{MARS}/regions").json()["regions"][0]
    answer = client.get(card["crop"])
    assert "immutable" in answer.headers["cache-control"]
    strip = np.asarray(Image.open(BytesIO(answer.content)))
    assert strip.shape == (PANE, 3 * PANE + 2 * GAP, 4)
    picture, given, seen = (strip[:, place * (PANE + GAP) :][:, :PANE, :3] for place in range(3))
    assert (picture == given).any()  # class 0 is background there, and left clear
    assert (seen[PANE // 2] != picture[PANE // 2]).any()
    rim = [(one == 255).all(axis=2) for one in (picture, given, seen)]
    assert (rim[0] & rim[1] & rim[2]).sum() > 4 * PANE / 3  # around a box of at least a third of the pane
    assert client.get("/media/regions/99/crop.png").status_code == 404


def test_the_crop_of_a_large_picture_is_read_as_coarse_as_it_is_shown(
    client: TestClient, db: Database, tmp_path: Path
) -> None:
    blocks = np.kron(np.arange(64).reshape(8, 8) % 3, np.ones((257, 256), int)).astype(np.uint8)
    for name, one in (("images", 40 + 60 * blocks), ("masks", blocks)):
        (tmp_path / "large" / name).mkdir(parents=True)
        Image.fromarray(one).save(tmp_path / "large" / name / "one.png")
    ingest.run(db, tmp_path / "large", "large", person("Ada"), label="large")
    [sample] = client.get(f"{A}/datasets/large/samples").json()["samples"]
    seen, inside = np.roll(blocks, 256, axis=1), blocks[:, :1280] == 1
    # The second one is just so large that what is read of it, in whole steps, could be shown a step coarser.
    suspected = [
        (inside, (0, 0), 0.8, (-4, 0, 2052, 2056)),
        (np.ones((914, 914), np.bool_), (377, 377), 0.7, (103, 103, 1565, 1565)),
    ]
    regions = [region_of(part, Reason.SWAPPED, 1, 2, sure, at, blocks.shape) for part, at, sure, _ in suspected]
    search(db, client.app.state.settings.home, "large", {sample["id"]: Said(regions, seen)}, [0, 1, 2])  # type: ignore[attr-defined]
    with db.read() as session:
        classes = datasets.classes(session, datasets.find(session, "large"))
    cards = client.get(f"{A}/datasets/large/regions").json()["regions"]
    for card, (part, (top, left), _, square) in zip(cards, suspected, strict=True):
        shown = np.asarray(Image.open(BytesIO(client.get(card["crop"]).content))).astype(int)
        whole = np.zeros(blocks.shape, np.bool_)
        whole[top : top + part.shape[0], left : left + part.shape[1]] = part
        expected = np.asarray(strip(40 + 60 * blocks, blocks, seen, whole, classes, square)).astype(int)
        # but for the borders of what is shown several times smaller
        assert (abs(shown - expected).max(axis=2) <= 2).mean() > 0.85


def test_the_page_lists_and_filters(client: TestClient, db: Database, ids: list[int]) -> None:
    page = client.get("/d/mars/regions").text
    assert page.count('class="suspect"') == 3
    assert "too weak to be believed" not in page
    assert "3</span> suspected regions" in page
    assert f"/d/mars/samples/{ids[0]}?sort=region#region-" in page
    some = client.get("/d/mars/regions?reason=boundary&pair=0-2&min=").text
    assert some.count('class="suspect"') == 1
    assert client.get("/d/mars/regions?part=cards").text.count("<article") == 3
    assert "No open region matches." in client.get("/d/mars/regions?min=0.95").text
    assert "Find imprecise masks first" in client.get("/d/files/regions").text
    with db.write() as session:
        job = jobs.request(session, "crossval", datasets.find(session, "files").id, {})
        jobs.finish(session, job.id, "done")
    assert "No suspected region is left to decide" in client.get("/d/files/regions").text
    for query in ("reason=odd", "pair=1", "min=2", "min=x"):
        assert client.get(f"/d/mars/regions?{query}").status_code == 422


def test_the_queue_goes_along_the_likeliest_regions(client: TestClient, ids: list[int]) -> None:
    walk = client.get("/d/mars/queue?sort=region").json()
    assert walk["ids"][:2] == ids
    assert len(walk["ids"]) == 15  # the sort leaves none out
    walked, after = [], ""
    while after is not None:
        part = client.get(f"{MARS}/samples", params={"sort": "region", "limit": "2", "after": after}).json()
        walked += [one["id"] for one in part["samples"]]
        after = part["next"]
    assert walked == walk["ids"]
    page = client.get(f"/d/mars/samples/{ids[1]}?sort=region").text
    assert "2 of 15" in page


def test_weak_models_are_said_to_be_weak(client: TestClient, db: Database, ids: list[int]) -> None:
    seen = np.full((16, 24), 2, np.uint8)
    home = client.app.state.settings.home  # type: ignore[attr-defined]
    search(db, home, "mars", {ids[0]: Said([found(1, 1, 5, 5, 0.95)], seen)}, [0, 1, 2], weak=True)
    assert client.get(f"{MARS}/regions").json()["regions"][0]["weak"]
    assert "too weak to be believed" in client.get("/d/mars/regions").text
    refused = client.post(f"{MARS}/regions/accept", json={"filter": {}})
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
