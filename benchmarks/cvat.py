"""Pushing and pulling annotations our way and CVAT's SDK's way, in one run against one server.

Without a server the stand-in of the tests answers, so what differs is the client's own time:
``python -m benchmarks.cvat [FRAMES] [URL USER PASSWORD]``.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import numpy as np
from cvat_sdk import Client, masks, models
from pydantic import SecretStr
from scipy.ndimage import gaussian_filter

from app.cvat import client, upload, wire
from app.cvat.connection import Connection
from app.cvat.servers import Server
from app.cvat.shapes import EllipseRule, Shape, compose
from app.domain.classes import ClassList, named
from app.domain.mask import Mask, encode_png

T = TypeVar("T")
CLASSES = ClassList(tuple(named(id, f"class {id}") for id in range(4)))
IDS = wire.pushed_ids(CLASSES, background=True)


def noisy(count: int) -> list[Mask]:
    """Ragged class maps of 64 x 128, some 800 numbers a mask shape."""
    rng = np.random.default_rng(0)
    fields = (np.stack([gaussian_filter(rng.random((64, 128)), 1.6) for _ in range(4)]) for _ in range(count))
    return [field.argmax(axis=0).astype(np.uint8) for field in fields]


def timed(what: str, work: Callable[[], T]) -> T:
    start = time.perf_counter()
    result = work()
    print(f"{what:<46} {time.perf_counter() - start:7.2f} s", flush=True)
    return result


def ours(connection: Connection, task: int, held: list[Mask], labels: dict[int, int]) -> None:
    def encode() -> bytes:
        return wire.body(one for frame, mask in enumerate(held) for one in wire.encode(mask, labels, IDS, frame))

    body = timed("ours: encode all frames", encode)
    print(f"{'':<46} {len(body) / 1e6:7.1f} MB")
    timed("ours: put", lambda: client.put_annotations(connection, task, body))
    shapes = timed("ours: get", lambda: client.shapes(connection, task=task))
    ids: dict[int, int | None] = {label: id for id, label in labels.items()}

    def composed() -> list[Mask]:
        by_frame: list[list[Shape]] = [[] for _ in held]
        for shape in shapes:
            by_frame[shape.frame].append(shape)
        return [compose(one, ids, 64, 128, EllipseRule.DRAWN).mask for one in by_frame]

    back = timed("ours: compose all frames", composed)
    assert all(np.array_equal(one, other) for one, other in zip(back, held, strict=True))


def theirs(sdk: Client, task_id: int, held: list[Mask], labels: dict[int, int]) -> None:
    task = sdk.tasks.retrieve(task_id)

    def encode() -> list[models.LabeledShapeRequest]:
        return [
            models.LabeledShapeRequest(
                type="mask", frame=frame, label_id=labels[int(id)], points=masks.encode_mask(mask == id), source="file"
            )
            for frame, mask in enumerate(held)
            for id in np.unique(mask)
        ]

    shapes = timed("SDK: encode all frames", encode)
    timed("SDK: set_annotations", lambda: task.set_annotations(models.LabeledDataRequest(shapes=shapes)))
    got = timed("SDK: get_annotations", task.get_annotations)

    def decode() -> list[Mask]:
        back = [np.zeros_like(mask) for mask in held]
        by_label = {label: id for id, label in labels.items()}
        for shape in got.shapes:
            area = masks.decode_mask(shape.points, image_width=128, image_height=64)
            back[shape.frame][area] = by_label[shape.label_id]
        return back

    back = timed("SDK: decode all frames", decode)
    assert all(np.array_equal(one, other) for one, other in zip(back, held, strict=True))


def whole(
    connection: Connection, sdk: Client, project: int, held: list[Mask], labels: dict[int, int], folder: Path
) -> None:
    """A push from nothing to all masks there, our way and the SDK's: task, pictures, shapes."""
    files = []
    for number, mask in enumerate(held):
        files.append(folder / f"{number:05}.png")
        files[-1].write_bytes(encode_png(mask))

    def ours() -> None:
        task = client.create_task(connection, project, "ours", segment_size=len(held))
        path = folder / "ours.zip"
        upload.write_zip(path, ((file.name, file.read_bytes()) for file in files))
        upload.wait_for_data(connection, task.id, upload.start_upload(connection, task.id, path))
        shapes = (one for frame, mask in enumerate(held) for one in wire.encode(mask, labels, IDS, frame))
        client.put_annotations(connection, task.id, wire.body(shapes))

    def theirs() -> None:
        spec = models.TaskWriteRequest(name="theirs", project_id=project, segment_size=len(held), overlap=0)
        # Its own wait between two looks is five seconds.
        task = sdk.tasks.create_from_data(spec, files, data_params={"image_quality": 100}, status_check_period=1)
        shapes = [
            models.LabeledShapeRequest(
                type="mask", frame=frame, label_id=labels[int(id)], points=masks.encode_mask(mask == id), source="file"
            )
            for frame, mask in enumerate(held)
            for id in np.unique(mask)
        ]
        task.set_annotations(models.LabeledDataRequest(shapes=shapes))

    timed("ours: a whole push", ours)
    timed("SDK: a whole push", theirs)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    held = noisy(count)
    with ExitStack() as stack:
        if len(sys.argv) > 2:
            url, user, password = sys.argv[2:5]
        else:
            from tests.cvat.standin import running

            standin = stack.enter_context(running())
            standin.schema = None
            url, user, password = standin.url, "admin", "admin-password"
        connection = Connection(Server("benchmark", url, user=user, password=SecretStr(password)))
        specs = wire.label_specs(CLASSES, background=True)
        project = client.create_project(connection, f"remask benchmark {time.time():.0f}", specs)
        labels = client.ensure_labels(connection, project.id, specs)
        task = client.create_task(connection, project.id, "benchmark", segment_size=count)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        path = Path(folder) / "pictures.zip"
        upload.write_zip(path, ((f"{number:05}.png", encode_png(mask)) for number, mask in enumerate(held)))

        def send() -> None:
            request = upload.start_upload(connection, task.id, path)
            upload.wait_for_data(connection, task.id, request)

        timed(f"upload of {count} pictures, server's work included", send)
        ours(connection, task.id, held, labels)
        sdk = stack.enter_context(Client(url, check_server_version=False))
        sdk.login((user, password))
        theirs(sdk, task.id, held, labels)
        whole(connection, sdk, project.id, held, labels, Path(folder))
        connection.call("DELETE", f"/api/projects/{project.id}")
        connection.close()


if __name__ == "__main__":
    main()
