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
