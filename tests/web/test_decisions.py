"""Decisions through the API: made, refused when stale, undone."""

import pytest
from fastapi.testclient import TestClient

A = "/api/v1"
MARS = f"{A}/datasets/mars"


def ids(client: TestClient, **query: str) -> list[int]:
    return [one["id"] for one in client.get(f"{MARS}/samples", params={"limit": "500"} | query).json()["samples"]]


def test_one_sample_is_kept_and_undone(client: TestClient) -> None:
    sample = ids(client)[0]
    kept = client.post(f"{A}/samples/{sample}/decisions", json={"verb": "keep"}, headers={"If-Match": '"v1"'})
    assert kept.status_code == 200, kept.text
    assert kept.json()["samples"] == [{"id": sample, "status": "accepted", "version": 2}]
    full = client.get(f"{A}/samples/{sample}").json()
    assert (full["decisions"][0]["verb"], full["decisions"][0]["actor"]) == ("keep", "Test")
    undone = client.post(f"{A}/batches/{kept.json()['batch']}/undo").json()
    assert undone["samples"] == [{"id": sample, "status": "flagged", "version": 3}]
    assert client.post(f"{A}/batches/{kept.json()['batch']}/undo").status_code == 409
    redone = client.post(f"{A}/batches/{undone['batch']}/undo").json()
    assert redone["samples"][0]["status"] == "accepted"


def test_a_stale_decision_gets_both_versions(client: TestClient) -> None:
    sample = ids(client)[0]
    url = f"{A}/samples/{sample}/decisions"
    assert client.post(url, json={"verb": "exclude"}, headers={"If-Match": '"v1"'}).status_code == 200
    stale = client.post(url, json={"verb": "keep"}, headers={"If-Match": '"v1"', "X-Reviewer": "Bo"})
    assert stale.status_code == 409
    assert stale.headers["content-type"] == "application/problem+json"
    body = stale.json()
    assert (body["current"]["status"], body["current"]["version"]) == ("excluded", 2)
    assert body["yours"] == {"verb": "keep", "version": 1}
    assert "version 2, you had 1" in body["detail"]
    assert client.get(f"{A}/samples/{sample}").json()["version"] == 2


def test_a_decision_that_does_not_fit_is_refused(client: TestClient) -> None:
    sample = ids(client)[0]
    url = f"{A}/samples/{sample}/decisions"
    assert client.post(url, json={"verb": "include"}).status_code == 409
    assert client.post(url, json={"verb": "restore"}).status_code == 422
    assert client.post(url, json={"verb": "burn"}).status_code == 422
    assert client.post(url, json={"verb": "keep"}, headers={"If-Match": "v1"}).status_code == 422
    assert client.post(url, json={"verb": "keep"}, headers={"If-Match": '"v٣"'.encode()}).status_code == 422
    assert client.post(f"{A}/samples/999/decisions", json={"verb": "keep"}).status_code == 404
    current = client.get(f"{A}/samples/{sample}").json()["revision"]
    assert client.post(url, json={"verb": "restore", "revision": current}).status_code == 409
    assert client.post(url, json={"verb": "reject", "revision": current}).status_code == 409
    assert client.post(url, json={"verb": "restore", "revision": 999}).status_code == 409
    assert client.get(f"{A}/samples/{sample}").json()["version"] == 1


def test_a_group_is_excluded_as_one_and_undone_as_one(client: TestClient) -> None:
    [group] = client.get(f"{MARS}/groups").json()
    done = client.post(f"{MARS}/decisions", json={"verb": "exclude", "group": group["id"]}).json()
    assert (done["decided"], done["refused"]) == (4, [])
    assert client.get(f"{MARS}/summary").json()["status"]["excluded"] == 4
    history = client.get(f"{MARS}/batches").json()
    assert (history["batches"][0]["count"], history["batches"][0]["left"], history["next"]) == (4, 4, None)
    later = client.post(f"{MARS}/decisions", json={"verb": "include", "samples": group["samples"][:1]}).json()
    undone = client.post(f"{A}/batches/{done['batch']}/undo").json()
    assert undone["decided"] == 3
    assert [one["sample"] for one in undone["refused"]] == group["samples"][:1]
    pages = client.get(f"{MARS}/batches", params={"limit": 2}).json()
    assert [one["verb"] for one in pages["batches"]] == ["undo", "include"]
    rest = client.get(f"{MARS}/batches", params={"after": pages["next"]}).json()["batches"]
    assert [one["id"] for one in rest] == [done["batch"]]
    assert later["batch"] == pages["batches"][1]["id"]


def test_many_by_key_and_by_filter(client: TestClient) -> None:
    by_key = client.post(f"{MARS}/decisions", json={"verb": "exclude", "keys": ["training_set/00005"]}).json()
    assert by_key["decided"] == 1
    wanted = {"verb": "keep", "filter": {"check": "shared_mask", "min": "0.885", "class": 1}}
    assert client.post(f"{MARS}/decisions", json=wanted).json()["decided"] == 2
    wanted = {"verb": "keep", "filter": {"status": "flagged", "flagged": "1"}, "checks": ["shared_mask"]}
    assert client.post(f"{MARS}/decisions", json=wanted).json()["decided"] == 2
    assert client.get(f"{MARS}/summary").json()["flags"] == {}


def test_expected_versions_protect_a_batch(client: TestClient) -> None:
    one, two, *_ = ids(client)
    client.post(f"{A}/samples/{one}/decisions", json={"verb": "keep"})
    wanted = {"verb": "exclude", "samples": [one, two], "expected": {str(one): 1, str(two): 1}}
    answer = client.post(f"{MARS}/decisions", json=wanted).json()
    assert answer["decided"] == 1
    assert [refused["sample"] for refused in answer["refused"]] == [one]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"verb": "keep"}, 422),
        ({"verb": "keep", "samples": [1], "keys": ["a"]}, 422),
        ({"verb": "keep", "samples": []}, 422),
        ({"verb": "keep", "samples": [1 << 63]}, 422),
        ({"verb": "keep", "samples": [999]}, 404),
        ({"verb": "keep", "keys": ["a\0b"]}, 404),
        ({"verb": "keep", "group": 999}, 404),
        ({"verb": "restore", "samples": [1]}, 422),
        ({"verb": "keep", "filter": {"statuss": "flagged"}}, 422),
        ({"verb": "keep", "filter": {"status": "nice"}}, 422),
        ({"verb": "keep", "filter": {"min": "nan", "check": "shared_mask"}}, 422),
    ],
)
def test_senseless_batches_are_refused(reader: TestClient, body: dict[str, object], status: int) -> None:
    answer = reader.post(f"{MARS}/decisions", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"].endswith(".")


def test_undo_of_nothing(reader: TestClient) -> None:
    assert reader.post(f"{A}/batches/5/undo").status_code == 404
