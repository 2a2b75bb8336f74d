import threading

from sqlalchemy import update

from app.store import jobs, parts
from app.store.db import Database
from app.store.parts import Wanted
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
        session.execute(update(Job).values(heartbeat=now() - 2 * jobs.LOST_AFTER))
        assert not jobs.beat(session, running.id, "a", 1, 2, "")
        assert not jobs.claim(session, running.id, "b")  # it is stopping, not lost
        jobs.finish(session, running.id, "cancelled")
        assert [job.state for job in jobs.recent(session)] == ["cancelled", "cancelled"]


def test_parts_are_seen_through_their_job_alone(db: Database) -> None:
    with db.write() as session:
        job = jobs.request(session, "check", None, {})
        jobs.claim(session, job.id, jobs.new_owner("a"))
        parts.ask(session, job.id, [Wanted("check", {}, 9), Wanted("look", {"after": 0}, 9)])
        parts.ask(session, job.id, [Wanted("check", {"only": ["other"]}, 9)])
        assert [part.kind for part in parts.of_job(session, job.id)] == ["check", "look"]
        assert [one.id for one in jobs.recent(session)] == [job.id]
        assert [one.id for one in jobs.lively(session, now())] == [job.id]
        assert (jobs.by_state(session)["queued"], jobs.oldest_queued(session)) == (0, None)
        asked = jobs.request(session, "check", None, {})
        assert asked.id not in [part.id for part in parts.of_job(session, job.id)]
        assert jobs.next_for(session, "b", {"check", "look"}) == asked.id, "what isn't a part goes first"


def test_a_part_is_taken_once_and_again_when_its_worker_is_gone(db: Database) -> None:
    with db.write() as session:
        job = jobs.request(session, "check", None, {}).id
        parts.ask(session, job, [Wanted("look", {"after": 0}, 9), Wanted("look", {"after": 9}, 9)])
        first, second = (parts.take(session, job, jobs.new_owner("a")) for _ in range(2))
        assert first is not None
        assert second is not None
        assert first < second
        assert parts.take(session, job, jobs.new_owner("a")) is None
        parts.reclaim(session, job, "b")
        assert parts.take(session, job, jobs.new_owner("b")) is None
        session.get_one(Job, second).heartbeat = now() - 2 * jobs.LOST_AFTER
        session.flush()
        owner = jobs.new_owner("b")
        assert parts.take(session, job, owner) == second
        assert jobs.finish(session, second, "done", {"found": 1}, owner=owner)
        assert list(parts.results(session, job)) == [("look", {"found": 1})]
        parts.reclaim(session, job, "a")
        assert parts.take(session, job, jobs.new_owner("a")) == first


def test_cancelling_a_job_stops_its_parts(db: Database) -> None:
    with db.write() as session:
        job = jobs.request(session, "crossval", None, {}).id
        jobs.claim(session, job, jobs.new_owner("a"))
        parts.ask(session, job, [Wanted("fold", {"fold": fold}, 9) for fold in range(2)])
        owner = jobs.new_owner("b")
        running = parts.take(session, job, owner)
        assert running is not None
        jobs.cancel(session, job)
        assert not jobs.beat(session, running, owner, 1, 2, "")
        session.expire_all()
        assert [part.state for part in parts.of_job(session, job)] == ["running", "cancelled"]


def test_models_of_folds_run_side_by_side(db: Database) -> None:
    kinds, beside = {"crossval", "fold", "train"}, {"fold"}
    with db.write() as session:
        job = jobs.request(session, "crossval", None, {}).id
        jobs.claim(session, job, jobs.new_owner("a"))
        parts.ask(session, job, [Wanted("fold", {"fold": fold}, 9) for fold in range(4)])
        for _ in range(2):
            found = jobs.next_for(session, "b", kinds, beside, 2)
            assert found is not None
            assert jobs.claim(session, found, jobs.new_owner("b"))
        assert jobs.next_for(session, "b", kinds, beside, 2) is None
        assert jobs.next_for(session, "a", kinds, beside, 2) is None, "it does folds of its own"
        train = jobs.request(session, "train", None, {}).id
        assert jobs.next_for(session, "b", kinds, beside, 3) != train
        assert jobs.next_for(session, "c", kinds, beside, 2) == train
