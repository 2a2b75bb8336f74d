"""Every route of the API on its way through, and its errors."""

from fastapi.testclient import TestClient

A = "/api/v1"
MARS = f"{A}/datasets/mars"


def first(client: TestClient, **query: object) -> dict[str, object]:
    params = {"limit": "1"} | {name: str(value) for name, value in query.items()}
    found: dict[str, object] = client.get(f"{MARS}/samples", params=params).json()["samples"][0]
    return found


def test_datasets_are_listed_with_counts(reader: TestClient) -> None:
    listed = reader.get(f"{A}/datasets").json()["datasets"]
    assert [one["name"] for one in listed] == ["files", "mars"]
    assert listed[1]["samples"] == 15
    assert listed[1]["labelled"] == 12
    assert listed[1]["counts"]["flagged"] == 4


def test_a_dataset_tells_its_classes(reader: TestClient) -> None:
    detail = reader.get(MARS).json()
    assert [one["id"] for one in detail["classes"]] == [0, 1, 2]
    assert detail["guessed"] is True
    missing = reader.get(f"{A}/datasets/nowhere")
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/problem+json"
    assert missing.json()["detail"] == "There is no dataset named 'nowhere'."


def test_classes_are_put_as_a_new_version(client: TestClient) -> None:
    classes = [
        {"id": 0, "name": "soil", "role": "background", "colour": "#808080"},
        {"id": 1, "name": "rock", "role": "foreground", "colour": "#E69F00"},
        {"id": 2, "name": "sand", "role": "foreground", "colour": "#00ff00"},
    ]
    answer = client.put(f"{MARS}/classes", json={"classes": classes})
    assert answer.status_code == 200, answer.text
    assert answer.json()["guessed"] is False
    assert answer.json()["classes"][1]["colour"] == "#e69f00"
    again = client.put(f"{MARS}/classes", json={"classes": classes}).json()
    assert again["class_version"] == answer.json()["class_version"]


def test_classes_that_masks_hold_must_stay(client: TestClient) -> None:
    one = {"id": 0, "name": "soil", "role": "background", "colour": "#808080"}
    lacking = client.put(f"{MARS}/classes", json={"classes": [one]})
    assert (lacking.status_code, lacking.json()["detail"]) == (
        422,
        "Masks of mars hold class ids that the list leaves out: 1, 2; list them too.",
    )
    twice = [one | {"id": id, "name": name} for id, name in ((0, "a"), (1, "a"), (2, "c"))]
    for bad in (twice, [one | {"colour": "red"}], [one | {"role": "king"}], [one | {"id": 70000}], [], [one, one]):
        assert client.put(f"{MARS}/classes", json={"classes": bad}).status_code == 422
    blank = [one | {"id": id, "name": name} for id, name in ((0, " "), (1, "b"), (2, "c"))]
    assert client.put(f"{MARS}/classes", json={"classes": blank}).status_code == 422


def test_summary_counts_and_suggests(reader: TestClient) -> None:
    summary = reader.get(f"{MARS}/summary").json()
    assert summary["samples"] == 15
    assert summary["flags"] == {"shared_mask": 4}
    assert summary["status"]["unlabeled"] == 3
    assert summary["sizes"] == [{"width": 24, "height": 16, "channels": 1, "count": 15}]
    assert summary["next"]["url"].startswith("/d/mars")


def test_samples_come_worst_first_page_by_page(reader: TestClient) -> None:
    seen: list[str] = []
    after = None
    while True:
        params = {"limit": "4"} | ({"after": after} if after else {})
        page = reader.get(f"{MARS}/samples", params=params).json()
        seen += [one["key"] for one in page["samples"]]
        assert page["total"] == 15
        after = page["next"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 15
    assert seen[:4] == [f"training_set/{index:05}" for index in range(4)]
    worst = first(reader)
    assert (worst["check"], worst["score"], worst["status"]) == ("shared_mask", 0.9, "flagged")


def test_samples_are_filtered(reader: TestClient) -> None:
    def keys(**query: str) -> list[str]:
        answer = reader.get(f"{MARS}/samples", params=query)
        assert answer.status_code == 200, answer.text
        return [one["key"].removeprefix("training_set/") for one in answer.json()["samples"]]

    assert len(keys(status="flagged")) == 4
    assert len(reader.get(f"{MARS}/samples?status=flagged&status=unlabeled").json()["samples"]) == 7
    assert keys(key="training_set/00003") == ["00003"]
    assert keys(q="00003") == ["00003", "test_set/00003"][:1]
    assert keys(check="shared_mask") == ["00000", "00001", "00002", "00003"]
    assert keys(check="shared_mask", min="0.05", max="0.2") == [
        "00011",
        "00010",
        "00009",
        "00008",
        "00007",
        "00006",
        "00005",
    ]
    assert keys(sort="shared_mask", limit="5")[4] == "00011"
    assert keys(sort="shared_mask", check="shared_mask", min="0.5")[0] == "00000"
    assert keys(**{"class": "2"}) == ["00011"]
    assert keys(sort="key", limit="2") == ["test_set/00000", "test_set/00001"]
    assert keys(sort="newest", limit="1")[0].endswith("00002")
    assert len(keys(flagged="0")) == 11
    assert len(keys(flagged="1")) == 4
    assert "none of 0, 1" in reader.get(f"{MARS}/samples?flagged=2").json()["detail"]
    assert len(keys(split="none")) == 15
    assert keys(split="train") == []
    group = str(first(reader)["group"])
    assert keys(group=group) == ["00000", "00001", "00002", "00003"]
    assert keys(group=group, check="shared_mask", sort="worst", min="0.88") == ["00000", "00001", "00002"]


def test_a_body_that_is_no_json_is_told_with_the_place(client: TestClient) -> None:
    answer = client.post(f"{MARS}/decisions", content=b'{"verb": keep}', headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "character 9: the body isn't JSON."


def test_histogram_counts_scores(reader: TestClient) -> None:
    shown = reader.get(f"{MARS}/histogram", params={"check": "shared_mask", "bins": 10}).json()
    assert sum(shown["counts"]) == 12
    assert len(shown["edges"]) == 11
    assert 0 < shown["threshold"] <= 1
    group = first(reader)["group"]
    narrowed = reader.get(f"{MARS}/histogram", params={"check": "shared_mask", "group": group, "bins": 10}).json()
    assert sum(narrowed["counts"]) == 4
    assert reader.get(f"{MARS}/histogram").status_code == 422
    assert reader.get(f"{MARS}/histogram", params={"check": "no_such"}).status_code == 422


def test_one_sample_in_full(reader: TestClient) -> None:
    row = first(reader)
    answer = reader.get(f"{A}/samples/{row['id']}")
    assert answer.headers["etag"] == '"v1"'
    full = answer.json()
    assert full["flags"][0]["reason"].startswith("Shares its mask")
    assert full["revisions"][0]["state"] == "current"
    assert full["groups"][0]["size"] == 4
    revisions = reader.get(f"{A}/samples/{row['id']}/revisions").json()["revisions"]
    assert revisions == full["revisions"]
    assert reader.get(f"{A}/samples/999").status_code == 404
    assert reader.get(f"{A}/samples/999/revisions").status_code == 404


def test_status_by_key(reader: TestClient) -> None:
    one = reader.get(f"{MARS}/samples/training_set/00000/status").json()
    assert (one["sample"], one["status"], one["version"]) == ("training_set/00000", "flagged", 1)
    assert reader.get(f"{MARS}/samples/training_set/99999/status").status_code == 404
    asked = ["training_set/00007", "nothing", "training_set/00000"]
    bulk = reader.post(f"{MARS}/status", json={"keys": asked}).json()
    assert [one["sample"] for one in bulk["samples"]] == [asked[0], asked[2]]
    assert bulk["missing"] == ["nothing"]


def test_status_of_all_streams_as_json_and_csv(reader: TestClient) -> None:
    everything = reader.get(f"{MARS}/status").json()["samples"]
    assert len(everything) == 15
    table = reader.get(f"{MARS}/status?format=csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.splitlines()[0] == "sample,status,why,version,revision"
    assert len(table.text.splitlines()) == 16
    assert reader.get(f"{MARS}/status?format=xml").status_code == 422


def test_csv_cells_are_no_formulas(reader: TestClient) -> None:
    table = reader.get(f"{A}/datasets/files/status?format=csv").text
    assert "\n'=1+1" in table
    assert "\n=1+1" not in table


def test_flags_are_paged_worst_first(reader: TestClient) -> None:
    everything = reader.get(f"{MARS}/flags").json()
    assert [one["score"] for one in everything] == [0.9, 0.89, 0.88, 0.87]
    half = reader.get(f"{MARS}/flags", params={"limit": 2, "check": "shared_mask"})
    assert 'rel="next"' in half.headers["link"]
    rest = reader.get(half.links["next"]["url"])
    assert half.json() + rest.json() == everything
    assert "link" not in rest.headers
    assert reader.get(f"{MARS}/flags", params={"after": 9999}).status_code == 404


def test_groups(reader: TestClient) -> None:
    [group] = reader.get(f"{MARS}/groups").json()
    assert (group["size"], group["open"], len(group["samples"])) == (4, 4, 4)
    assert reader.get(f"{A}/groups/{group['id']}").json() == group
    assert reader.get(f"{MARS}/groups?check=bad_image").json() == []
    assert reader.get(f"{A}/groups/99").status_code == 404


def test_the_reviewer_is_kept_in_a_cookie(client: TestClient) -> None:
    assert client.get(f"{A}/me").json() == {"name": "Test"}
    put = client.put(f"{A}/me", json={"name": "  Zoë\n Ω "})
    assert put.json() == {"name": "Zoë Ω"}
    assert "HttpOnly" in put.headers["set-cookie"]
    assert "SameSite=strict" in put.headers["set-cookie"]
    assert client.get(f"{A}/me").json() == {"name": "Zoë Ω"}
    assert client.get(f"{A}/me", headers={"X-Reviewer": "Bo%20B"}).json() == {"name": "Bo B"}
    assert client.put(f"{A}/me", json={"name": "  "}).status_code == 422
