"""Checks and the demo set: asking for work."""

from fastapi import APIRouter, status
from pydantic import Field

from app.domain.checks import registry
from app.flows import demo
from app.store import datasets, jobs
from app.web.api.models import Asked, Started
from app.web.deps import DatasetName, Db, Reviewer

router = APIRouter(tags=["checks"])


class ChecksIn(Asked):
    only: list[str] = Field([], max_length=100, description="Names of checks; none: all.", examples=[["shared_mask"]])


class DemoStarted(Started):
    """The demo set is being drawn."""

    dataset: str


@router.post("/datasets/{dataset}/checks", status_code=status.HTTP_202_ACCEPTED)
def run_checks(db: Db, dataset: DatasetName, body: ChecksIn | None = None) -> Started:
    """Run the checks over the whole set, in the background."""
    only = body.only if body is not None else []
    for name in only:
        registry.by_name(name)
    with db.write() as session:
        owner = datasets.find(session, dataset)
        return Started(job=jobs.request(session, "check", owner.id, {"only": only} if only else {}).id)


@router.post("/demo", status_code=status.HTTP_202_ACCEPTED)
def start_demo(db: Db, actor: Reviewer) -> DemoStarted:
    """Draw the demo set and import it, in the background."""
    with db.write() as session:
        job = jobs.request(session, "demo", None, {"dataset": demo.NAME, "actor": actor.name})
        return DemoStarted(job=job.id, dataset=demo.NAME)
