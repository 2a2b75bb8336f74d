import threading

from app.store import jobs
from app.store.db import Database
from app.store.tables import Job, now


def test_an_equal_request_is_made_once(db: Database) -> None:
    with db.write() as session:
        first = jobs.request(session, "check", None, {})
        assert jobs.request(session, "check", None, {}).id == first.id
        assert jobs.request(session, "check", None, {"only": ["x"]}).id != first.id


def test_a_job_has_one_owner(db: Database) -> None:
    with db.write() as session:
        id = jobs.request(session, "check", None, {}).id
        assert jobs.claim(session, id, "a")
        assert not jobs.claim(session, id, "b")
        assert jobs.beat(session, id, "a", 1, 2, "half")
        assert not jobs.beat(session, id, "b", 1, 2, "half")


def test_a_job_whose_worker_went_away_can_be_taken_and_the_old_owner_has_to_stop(db: Database) -> None:
    with db.write() as session:
        id = jobs.request(session, "check", None, {}).id
        jobs.claim(session, id, "a")
        session.get_one(Job, id).heartbeat = now() - 2 * jobs.LOST_AFTER
        session.flush()
        assert [job.id for job in jobs.waiting(session)] == [id]
        assert jobs.claim(session, id, "b")
        assert not jobs.beat(session, id, "a", 1, 2, "late")


def test_a_claim_of_a_worker_ends_with_its_next(db: Database) -> None:
    """What a killed process of the same worker left is its to go on with; the killed one can't write any more."""
    with db.write() as session:
        id = jobs.request(session, "check", None, {}).id
        first, second, other = jobs.new_owner("host"), jobs.new_owner("host"), jobs.new_owner("host2")
        assert jobs.claim(session, id, first)
        assert not jobs.claim(session, id, other)
        assert jobs.claim(session, id, second)
        assert (jobs.owns(session, id, first), jobs.owns(session, id, second)) == (False, True)
        assert not jobs.beat(session, id, first, 1, 2, "late")
        assert not jobs.finish(session, id, "done", owner=first)
        assert jobs.finish(session, id, "done", owner=second)
        assert not jobs.claim(session, id, second)


def test_a_worker_is_given_one_job_of_a_lane_at_a_time(db: Database) -> None:
    with db.write() as session:
        check, train, second = (jobs.request(session, kind, None, {}).id for kind in ("check", "train", "import"))
        assert jobs.next_for(session, "a", {"check", "import"}) == check
        assert jobs.claim(session, check, jobs.new_owner("a"))
        assert jobs.next_for(session, "a", {"check", "import"}) is None
        assert jobs.next_for(session, "a", {"train"}) == train
        assert jobs.next_for(session, "b", {"check", "import"}) == second
        session.get_one(Job, check).heartbeat = now() - 2 * jobs.LOST_AFTER
        session.flush()
        assert jobs.next_for(session, "a", {"check", "import"}) == check


def test_many_claim_a_job_and_one_gets_it(db: Database) -> None:
    with db.write() as session:
        id = jobs.request(session, "check", None, {}).id
    got: list[str] = []

    def claim(owner: str) -> None:
        with db.write() as session:
            if jobs.claim(session, id, owner):
                got.append(owner)

    threads = [threading.Thread(target=claim, args=(jobs.new_owner(f"w{i}"),)) for i in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(got) == 1


def test_cancelling(db: Database) -> None:
    with db.write() as session:
        queued = jobs.request(session, "check", None, {})
        assert jobs.cancel(session, queued.id).state == "cancelled"
        running = jobs.request(session, "check", None, {"only": ["x"]})
        jobs.claim(session, running.id, "a")
        jobs.cancel(session, running.id)
        assert not jobs.beat(session, running.id, "a", 1, 2, "")
        jobs.finish(session, running.id, "cancelled")
        assert [job.state for job in jobs.recent(session)] == ["cancelled", "cancelled"]
