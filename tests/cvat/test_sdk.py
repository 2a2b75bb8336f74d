"""CVAT's own SDK talks to the stand-in and sees what our client pushed, and the other way round."""

import numpy as np
from cvat_sdk import Client, Config, masks, models
from cvat_sdk.core.proxies.annotations import AnnotationUpdateAction

from tests.cvat.journey import connected, pull, push, small_batch
from tests.cvat.standin import running


def test_the_sdk_reads_and_edits_what_was_pushed() -> None:
    batch = small_batch()
    with running() as standin, connected(standin.url) as connection:
        push(connection, batch)
        assert batch.task is not None
        with Client(standin.url, config=Config(verify_ssl=False), check_server_version=False) as client:
            client.login(("admin", "admin-password"))
            task = client.tasks.retrieve(batch.task)
            assert task.size == 3
            names = [frame.name for frame in task.get_meta().frames]
            assert [job.start_frame for job in task.get_jobs()] == [2, 0]
            held = task.get_annotations()
            seen = {name: np.zeros_like(mask) for name, mask in batch.masks.items()}
            for shape in held.shapes:
                target = seen[names[shape.frame]]
                area = masks.decode_mask(shape.points, image_width=target.shape[1], image_height=target.shape[0])
                target[area] = next(id for id, label in batch.labels.items() if label == shape.label_id)
            for name, mask in batch.masks.items():
                assert np.array_equal(seen[name], mask)
            number = names.index("a/höhe µ.png")
            drawn = np.zeros((5, 7), np.bool_)
            drawn[1:3, 2:6] = True
            shape = models.LabeledShapeRequest(
                type="mask", frame=number, label_id=batch.labels[2], points=masks.encode_mask(drawn)
            )
            task.update_annotations(
                models.PatchedLabeledDataRequest(shapes=[shape]), action=AnnotationUpdateAction.CREATE
            )
        got = pull(connection, batch)["a/höhe µ.png"]
        assert np.array_equal(got == 2, drawn)
