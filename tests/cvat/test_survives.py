"""Every journey survives every fault and a kill at every call: its end is that of an undisturbed one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.flows import cvat_pull
from app.flows.cvat_link import Connect
from app.store import cvat, receipts
from tests.cvat.faults import Fault, Plan
from tests.cvat.killed import (
    Killed,
    close,
    dying,
    edit_there,
    end_of_pull,
    end_of_push,
    fresh,
    opened,
    pull,
    push,
    push_all,
    stop_half_way,
    until_done,
)
from tests.cvat.trip import ADA, Trip
from tests.test_jobs import until, worker

FAULTS = [one for one in Fault if one is not Fault.HANG]
Step = Callable[[Trip, Connect], None]
End = Callable[[Trip], object]
JOURNEYS: dict[str, tuple[Step, End]] = {"push": (push, end_of_push), "pull": (pull, end_of_pull)}
MORE: dict[str, tuple[Step, End]] = {"push all": (push_all, end_of_push), "close": (close, end_of_push)}
ALL = JOURNEYS | MORE


def arrive(trip: Trip, journey: str) -> None:
    """As far as a journey begins."""
    if journey == "pull":
        push(trip, trip.connect)
        edit_there(trip)
    elif journey == "close":
        stop_half_way(trip)


@pytest.fixture(scope="module")
def undisturbed(made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, object]]:
    """journey -> its number of calls, and how it ends."""
    found = {}
    for journey, (step, end) in ALL.items():
        with fresh(made_once, tmp_path_factory.mktemp(journey)) as trip:
            arrive(trip, journey)
            before = len(trip.standin.calls)
            step(trip, trip.connect)
            found[journey] = (len(trip.standin.calls) - before, end(trip))
    return found


def killed_at(made_once: Path, folder: Path, journey: str, nth: int, after: bool) -> object:
    step, end = ALL[journey]
    with fresh(made_once, folder) as trip:
        arrive(trip, journey)
        with pytest.raises(Killed):
            step(trip, dying(trip.standin.url, nth, after))
        with opened(trip.settings, trip.standin) as again:
            step(again, again.connect)
            return end(again)


def failed_at(made_once: Path, folder: Path, journey: str, nth: int, fault: Fault, times: int) -> object:
    step, end = ALL[journey]
    with fresh(made_once, folder) as trip:
        arrive(trip, journey)
        trip.standin.plan = Plan(len(trip.standin.calls) + nth, fault, times)
        until_done(trip, step)
        trip.standin.plan = None
        return end(trip)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("journey", [*JOURNEYS, *(pytest.param(one, marks=pytest.mark.long) for one in MORE)])
def test_a_kill_at_every_call(
    made_once: Path, tmp_path: Path, undisturbed: dict[str, tuple[int, object]], journey: str, after: bool
) -> None:
    calls, end = undisturbed[journey]
    for nth in range(1, calls + 1):
        assert killed_at(made_once, tmp_path / str(nth), journey, nth, after) == end, nth


@pytest.mark.parametrize("journey", ALL)
def test_another_fault_at_every_call(
    made_once: Path, tmp_path: Path, undisturbed: dict[str, tuple[int, object]], journey: str
) -> None:
    """Each call has one of the faults, three times in a row at every second (of a push of everything only every second
    call has one); the long form has all of them."""
    calls, end = undisturbed[journey]
    for nth in range(1, calls + 1, 2 if journey == "push all" else 1):
        fault = FAULTS[(7 * nth) % len(FAULTS)]
        assert failed_at(made_once, tmp_path / str(nth), journey, nth, fault, 1 + 2 * (nth % 2)) == end, (nth, fault)


@pytest.mark.long
@pytest.mark.parametrize("times", [1, 3, 5])
@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("journey", ALL)
def test_every_fault_at_every_call(
    made_once: Path,
    tmp_path: Path,
    undisturbed: dict[str, tuple[int, object]],
    journey: str,
    fault: Fault,
    times: int,
) -> None:
    calls, end = undisturbed[journey]
    for nth in range(1, calls + 1):
        assert failed_at(made_once, tmp_path / str(nth), journey, nth, fault, times) == end, nth


def test_a_kill_between_chunks_of_a_pull(
    made_once: Path, tmp_path: Path, undisturbed: dict[str, tuple[int, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cvat_pull, "CHUNK", 2)
    _, end = undisturbed["pull"]
    for nth in range(1, 6):
        with fresh(made_once, tmp_path / str(nth)) as trip:
            arrive(trip, "pull")
            asked = cvat_pull.request(trip.db, 1, ADA).id
            left = [nth]

            def progress(_done: int, _total: int, _message: str, left: list[int] = left) -> None:
                left[0] -= 1
                if not left[0]:
                    raise Killed

            with pytest.raises(Killed):
                cvat_pull.run(trip.db, trip.settings, asked, progress, trip.connect)
            with opened(trip.settings, trip.standin) as again:
                pull(again, again.connect)
                assert end_of_pull(again) == end, nth


def worker_killed_at(made_once: Path, folder: Path, journey: str, nth: int) -> object:
    """A real worker, killed while it waits for the answer to its ``nth`` call, and another after it."""
    _, end = JOURNEYS[journey]
    with fresh(made_once, folder) as trip:
        arrive(trip, journey)
        trip.standin.plan = Plan(len(trip.standin.calls) + nth, Fault.HANG)
        if journey == "push":
            trip.plan()
        else:
            cvat_pull.request(trip.db, 1, ADA)
        with worker(trip.settings) as process:
            until(lambda: trip.standin.plan is not None and len(trip.standin.calls) >= trip.standin.plan.nth)
            process.kill()
            process.wait()
        trip.standin.plan = None

        def done() -> bool:
            with trip.db.read() as session:
                states = [one.state for one in receipts.of_batch(session, 1)]
                return "done" in states if journey == "pull" else cvat.find(session, 1).state == "at_cvat"

        with worker(trip.settings):
            until(done)
        return end(trip)


def test_a_killed_worker(made_once: Path, tmp_path: Path, undisturbed: dict[str, tuple[int, object]]) -> None:
    calls, end = undisturbed["push"]
    assert worker_killed_at(made_once, tmp_path / "data", "push", calls - 2) == end


@pytest.mark.long
@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_worker_killed_at_every_call(
    made_once: Path, tmp_path: Path, undisturbed: dict[str, tuple[int, object]], journey: str
) -> None:
    calls, end = undisturbed[journey]
    for nth in range(1, calls + 1):
        assert worker_killed_at(made_once, tmp_path / str(nth), journey, nth) == end, nth
