from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.cvat.answers import frames_of, job_of, label_of, project_of, results, shapes_of, task_of
from app.cvat.errors import NotCvat
from app.cvat.shapes import EllipseRule, Shape, compose
from app.domain.errors import RemaskError

JOB = {
    "id": 5, "task_id": 3, "type": "annotation", "start_frame": 0, "stop_frame": 9, "state": "new",
    "stage": "annotation", "assignee": {"username": "ann"}, "updated_date": "2026",
}  # fmt: skip
NAMES = ["id", "name", "shapes", "tags", "tracks", "frames", "deleted_frames", "frame", "label_id", "points", "type"]
NUMBERS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3))
ANYTHING = st.recursive(
    NUMBERS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)),
    max_leaves=12,
)


def test_a_job_and_who_has_it() -> None:
    job = job_of(JOB)
    assert (job.assignee, list(job.frames)[-1], job.kind) == ("ann", 9, "annotation")
    assert job_of({**JOB, "assignee": None}).assignee is None
    assert job_of({key: value for key, value in JOB.items() if key != "type"}).kind == "annotation"


@pytest.mark.parametrize("field", ["id", "task_id", "state", "stop_frame"])
def test_a_field_that_counts_is_missed_by_name(field: str) -> None:
    with pytest.raises(NotCvat, match=field):
        job_of({**JOB, field: None})


def test_tags_and_tracks_come_as_shapes_that_are_refused_by_name() -> None:
    value = {"shapes": [], "tags": [{"frame": 2, "label_id": 1}], "tracks": [{"frame": 1, "label_id": 1, "id": 9}]}
    shapes = shapes_of(value)
    assert [(shape.kind, shape.frame) for shape in shapes] == [("tag", 2), ("track", 1)]
    assert compose(shapes, {}, 2, 2, EllipseRule.DRAWN).refused == ("1 tag", "1 track")


@pytest.mark.parametrize("reader", [project_of, label_of, task_of, job_of, frames_of, shapes_of])
@given(value=ANYTHING)
@example(value={"deleted_frames": [[]]})
def test_any_answer_is_read_or_refused(reader: Callable[[Any], object], value: Any) -> None:
    try:
        reader(value)
        list(results(value))
    except NotCvat:
        return


@given(
    kind=st.sampled_from(["mask", "polygon", "rectangle", "ellipse"]),
    points=st.lists(st.one_of(st.integers(-3, 9), st.floats(), st.none(), st.text(max_size=2)), max_size=9),
    rotation=st.floats(),
    rule=st.sampled_from(EllipseRule),
)
def test_any_coordinates_are_drawn_or_refused(kind: str, points: list[Any], rotation: float, rule: EllipseRule) -> None:
    try:
        got = compose([Shape(kind, 0, 1, points, 0, rotation)], {1: 7}, 6, 8, rule)
    except RemaskError:
        return
    assert got.mask.shape == (6, 8) and not (got.mask[~got.painted]).any()


def test_a_picture_that_cannot_be_held() -> None:
    with pytest.raises(RemaskError, match="can't be held"):
        compose([], {}, 1 << 20, 1 << 20, EllipseRule.DRAWN)
