from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from app.cvat import client
from app.cvat.answers import Job
from app.cvat.errors import CvatError
from app.domain.classes import ClassList, named
from app.domain.mask import Mask
from tests.cvat.faults import Fault, Plan
from tests.cvat.journey import Batch, connected, patient, pull, push, push_until_done, small_batch
from tests.cvat.standin import running
from tests.cvat.state import State

MASKS = array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(lambda shape: arrays(np.uint8, shape))
ALL = ClassList(tuple(named(id, f"class {id}") for id in range(256)))


@cache
def undisturbed(whole: int = 100 << 20) -> int:
    """How many calls a push takes."""
    with running() as standin, connected(standin.url) as connection:
        push(connection, small_batch(), whole=whole)
        return len(standin.calls)


def same(one: dict[str, Mask], other: dict[str, Mask]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and np.array_equal(one[name], other[name]) for name in one
    )


def check_end(state: State, batch: Batch) -> None:
    """One project, one task, each shape once."""
    assert len(state.projects) == 1 and len(state.tasks) == 1
    assert len(state.labels) == 3
    expected = sum(len(np.setdiff1d(mask, [0])) for mask in batch.masks.values())
    assert [len(shapes) for shapes in state.shapes.values()] == [expected]


@settings(max_examples=12, deadline=None)
@given(st.lists(MASKS, min_size=1, max_size=4))
def test_any_class_map_survives_push_and_pull(masks: list[Mask]) -> None:
    batch = Batch({f"f {number}.png": mask for number, mask in enumerate(masks)})
    with running() as standin, connected(standin.url) as connection:
        push(connection, batch, ALL)
        assert same(pull(connection, batch, ALL), dict(batch.masks))


def test_folders_unicode_jobs_and_links() -> None:
    batch = small_batch()
    with running() as standin, connected(standin.url) as connection:
        push(connection, batch)
        assert batch.task is not None
        assert same(pull(connection, batch), dict(batch.masks))
        frames = client.frames(connection, batch.task)
        assert [frame.name for frame in frames] == ["a/höhe µ.png", "a/one.png", "b/one.png"]
        jobs = client.jobs_of(connection, batch.task)
        assert [list(job.frames) for job in jobs] == [[0, 1], [2]]
        assert client.overlapping(jobs) == []
        assert client.frames_in(jobs, finished=False) == {0, 1, 2} and not client.frames_in(jobs, finished=True)
        connection.send("PATCH", f"/api/jobs/{jobs[0].id}", {"state": "completed"})
        assert client.frames_in(client.jobs_of(connection, batch.task), finished=True) == {0, 1}
        assert client.job_url(connection.server, batch.task, jobs[0].id) == f"{standin.url}/tasks/1/jobs/1"
        assert client.task(connection, batch.task).size == 3
        assert client.frame_bytes(connection, batch.task, 0).startswith(b"\x89PNG")
        check_end(standin.state, batch)
        client.delete_task(connection, batch.task)
        client.delete_task(connection, batch.task)


@pytest.mark.parametrize("side", [300, pytest.param(2000, marks=pytest.mark.long)])
def test_a_large_map_of_255_classes(side: int) -> None:
    mask = (np.add.outer(np.arange(side) // 17, np.arange(side) // 13 * 5) % 255).astype(np.uint8)
    batch = Batch({"large.png": mask})
    with running() as standin, patient(standin.url) as connection:
        push(connection, batch, ALL)
        assert same(pull(connection, batch, ALL), dict(batch.masks))


def test_neighbouring_jobs_that_share_frames() -> None:
    jobs = [
        Job(1, 1, "annotation", 0, 4, "new", "annotation", None, ""),
        Job(2, 1, "ground_truth", 0, 9, "completed", "annotation", "ann", ""),
        Job(3, 1, "annotation", 4, 9, "completed", "acceptance", "bob", ""),
    ]
    assert client.overlapping(jobs) == [(jobs[0], jobs[2])]
    assert client.frames_in(jobs, finished=True) == set(range(4, 10))


def test_a_big_zip_goes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cvat.upload._PIECE", 300)
    batch = small_batch()
    with running() as standin, connected(standin.url) as connection:
        push(connection, batch, whole=0)
        assert sum(call.startswith("PATCH /api/tasks/1/data/") for call in standin.calls) > 1
        assert same(pull(connection, batch), dict(batch.masks))


def test_edits_come_back_as_they_were_drawn() -> None:
    batch = small_batch()
    with running() as standin, connected(standin.url) as connection:
        push(connection, batch)
        drawn = {"type": "mask", "frame": 0, "label_id": batch.labels[1], "points": [0, 4, 1, 1, 2, 2]}
        connection.call(
            "PATCH",
            f"/api/tasks/{batch.task}/annotations/",
            query=[("action", "create")],
            body=b'{"shapes":[' + str(drawn).replace("'", '"').encode() + b"]}",
            content_type="application/json",
        )
        got = pull(connection, batch)["a/höhe µ.png"]
        assert np.argwhere(got == 1).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
        assert standin.state.shapes[1][-1]["source"] == "manual"


def journey_with(fault: Fault, nth: int, times: int = 1, whole: int = 100 << 20) -> int:
    """A push whose ``nth`` call fails, run again until it is done; its end state is the undisturbed one."""
    batch = small_batch()
    with running() as standin, connected(standin.url) as connection:
        standin.plan = Plan(nth, fault, times)
        runs = push_until_done(connection, batch, whole=whole)
        standin.plan = None
        check_end(standin.state, batch)
        assert same(pull(connection, batch), dict(batch.masks))
    return runs


@pytest.mark.parametrize("fault", [one for one in Fault if one is not Fault.HANG])
def test_a_push_survives_this_fault_at_every_call(fault: Fault) -> None:
    for nth in range(1, undisturbed() + 1):
        journey_with(fault, nth)


def test_pieces_go_on_where_they_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    """No new task, no piece twice: only what was lost is sent again."""
    monkeypatch.setattr("app.cvat.upload._PIECE", 300)
    for fault in (Fault.RESET, Fault.RESET_DONE, Fault.E502, Fault.E500_DONE):
        with running() as standin, connected(standin.url) as connection:
            push(connection, small_batch(), whole=0)
            pieces = [
                number for number, call in enumerate(standin.calls, start=1) if call.startswith("PATCH /api/tasks")
            ]
        for nth in pieces:
            with running() as standin, connected(standin.url) as connection:
                standin.plan = Plan(nth, fault)
                push(connection, small_batch(), whole=0)
                assert sum(call == "POST /api/tasks" for call in standin.calls) == 1


@pytest.mark.long
@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("times", [1, 3, 5])
@pytest.mark.parametrize("whole", [0, 100 << 20])
def test_a_push_survives_any_fault_at_every_call_and_in_a_row(fault: Fault, times: int, whole: int) -> None:
    for nth in range(1, undisturbed(whole) + 1):
        journey_with(fault, nth, times, whole)


@pytest.mark.parametrize("fault", [one for one in Fault if one is not Fault.HANG])
def test_a_pull_gives_all_or_fails(fault: Fault) -> None:
    """Never a part: what an answer lost on the way would look like shapes that a person erased."""
    batch = small_batch()
    with running() as standin, connected(standin.url) as connection:
        push(connection, batch)
        for nth in (1, 2):
            standin.plan = Plan(len(standin.calls) + nth, fault, times=3)
            try:
                assert same(pull(connection, batch), dict(batch.masks))
            except CvatError:
                standin.plan = None
                assert same(pull(connection, batch), dict(batch.masks))


def test_and_a_server_that_hangs() -> None:
    for nth in (1, 6, 10):
        journey_with(Fault.HANG, nth)


def test_a_broken_import_is_told_and_done_again() -> None:
    batch = small_batch()
    state = State()
    state.break_import = "No media data found"
    with running(state) as standin, connected(standin.url) as connection:
        with pytest.raises(CvatError, match="No media data found"):
            push(connection, batch)
        push(connection, batch)
        check_end(standin.state, batch)


def test_a_second_push_sends_nothing_over_what_people_drew() -> None:
    batch = small_batch()
    with running() as standin, connected(standin.url) as connection:
        push(connection, batch)
        push(connection, batch)
        assert sum(call.startswith("PUT") for call in standin.calls) == 1
        check_end(standin.state, batch)
