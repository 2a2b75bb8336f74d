"""The same journey against a real server, where one is given: CVAT_TEST_URL, and CVAT_TEST_TOKEN or CVAT_TEST_USER and
CVAT_TEST_PASSWORD. It makes a project of its own and deletes it."""

import json
import os
import uuid
from collections.abc import Iterator

import numpy as np
import pytest
from pydantic import SecretStr

from app.cvat import client, wire
from app.cvat.connection import JSON, Connection
from app.cvat.probe import probe
from app.cvat.servers import Server
from app.cvat.shapes import compose, ellipse_rule
from app.domain.mask import Mask
from tests.cvat.journey import CLASSES, Batch, pull, push

URL = os.environ.get("CVAT_TEST_URL")


def _secret(name: str) -> SecretStr | None:
    value = os.environ.get(name)
    return SecretStr(value) if value else None


@pytest.fixture
def connection() -> Iterator[Connection]:
    if not URL:
        pytest.skip("needs a CVAT server: set CVAT_TEST_URL and CVAT_TEST_TOKEN, or CVAT_TEST_USER and _PASSWORD")
    user = os.environ.get("CVAT_TEST_USER")
    made = Connection(Server("real", URL, _secret("CVAT_TEST_TOKEN"), user, _secret("CVAT_TEST_PASSWORD")))
    yield made
    made.close()


@pytest.fixture
def batch(connection: Connection) -> Iterator[Batch]:
    rng = np.random.default_rng(5)
    noisy = rng.choice(np.array([0, 1, 2, 255], np.uint8), (64, 128))
    masks: dict[str, Mask] = {"a/noisy.png": noisy, "b/höhe µ.png": np.zeros((40, 30), np.uint8)}
    masks["b/noisy.png"] = np.full((1, 1), 2, np.uint8)
    name = f"remask test {uuid.uuid4()}"
    project = client.create_project(connection, name, wire.label_specs(CLASSES))
    yield Batch(masks, name, project=project.id)
    connection.call("DELETE", f"/api/projects/{project.id}")


@pytest.mark.parametrize("whole", [100 << 20, 0], ids=["in one request", "in pieces"])
def test_push_edit_pull(connection: Connection, batch: Batch, whole: int) -> None:
    found = probe(connection)
    assert found.good, found.sentence
    push(connection, batch, whole=whole)
    got = pull(connection, batch)
    assert all(np.array_equal(got[name], mask) for name, mask in batch.masks.items())
    assert batch.task is not None and found.version is not None
    frames = {frame.name: frame for frame in client.frames(connection, batch.task)}
    frame = frames["b/höhe µ.png"]
    shapes: list[dict[str, object]] = [
        {"type": "polygon", "points": [2, 2, 20, 3, 12, 30]},
        {"type": "ellipse", "points": [15, 20, 22, 10], "rotation": 30, "z_order": 1},
        {"type": "rectangle", "points": [1, 30, 12.5, 38.2], "rotation": 15},
    ]
    edit = [{**one, "frame": frame.number, "label_id": batch.labels[1], "attributes": []} for one in shapes]
    path = f"/api/tasks/{batch.task}/annotations/"
    body = json.dumps({"shapes": edit}).encode()
    connection.call("PATCH", path, query=[("action", "create")], body=body, content_type=JSON)
    held = [shape for shape in client.shapes(connection, task=batch.task) if shape.frame == frame.number]
    ids: dict[int, int | None] = {label: id for id, label in batch.labels.items()}
    drawn = compose(held, ids, frame.height, frame.width, ellipse_rule(found.version.number))
    assert drawn.ellipses == 1 and 300 < int(drawn.painted.sum()) < 700
    assert [list(job.frames) for job in client.jobs_of(connection, batch.task)] == [[0, 1], [2]]
    assert client.frame_bytes(connection, batch.task, frame.number).startswith(b"\x89PNG")
