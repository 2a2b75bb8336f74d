"""Samples that go to CVAT: servers, batches, pulls, and labels that somebody has to answer for."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, status
from pydantic import BaseModel, Field, model_validator

from app.flows import cvat_answers, cvat_batches, cvat_link, cvat_pull
from app.flows.cvat_batches import MOST, Options
from app.flows.review import Selection
from app.store import cvat, receipts
from app.web import cvat_shapes
from app.web.api.decisions import FilterIn, RowId
from app.web.api.models import Asked, Key, Refused, Started
from app.web.deps import MAX_ID, Config, DatasetName, Db, Id, Owner, Read, Reviewer

router = APIRouter(tags=["cvat"])
ServerName = Annotated[str, Path(max_length=64, description="Name of the server in the settings.")]


class ServerOut(BaseModel):
    """A configured server; its secrets are never given out."""

    name: str
    url: str


class ServerList(BaseModel):
    servers: list[ServerOut]


class Tested(BaseModel):
    """How a connection test went."""

    good: bool
    sentence: str = Field(description="What is right, or what is wrong and what to do.")
    user: str | None


class CvatJob(BaseModel):
    """A job in CVAT, as it was last seen."""

    id: int
    samples: int
    state: str = Field(description="new, in progress, completed or rejected.")
    stage: str = Field(description="annotation, validation or acceptance.")
    assignee: str | None
    link: str | None


class UnderWay(BaseModel):
    """The job here that pushes or pulls."""

    job: int
    state: str


class CvatBatchOut(BaseModel):
    """Samples that go to CVAT as one task, and how far that is."""

    id: int
    dataset: str
    name: str
    server: str
    state: str = Field(description="planned, creating, uploading, waiting, annotating, at_cvat, closed; file: by hand.")
    source: str
    background: bool
    samples: int
    frames: dict[str, int] = Field(description="Samples by state: planned, out, back, refused, closed, sent.")
    task: int | None
    link: str | None = Field(description="The task in CVAT.")
    jobs: list[CvatJob]
    error: str | None = Field(description="Why the push stopped, where it did.")
    push: UnderWay | None
    receipt: int | None = Field(description="The newest receipt.")
    pull: UnderWay | None
    pull_error: str | None = Field(description="Why the newest pull failed, where it did.")
    actor: str
    at: str
    pulled_at: str | None


class CvatBatchList(BaseModel):
    batches: list[CvatBatchOut]


class PushIn(Asked):
    """What goes to CVAT, and how. Samples are given by id, by key, as a group, by the check that flags them, or as all
    that match a filter."""

    samples: list[RowId] | None = Field(None, max_length=200_000)
    keys: list[Key] | None = Field(None, max_length=200_000)
    group: RowId | None = None
    flag: str | None = Field(None, max_length=40, description="The check that flags them.", examples=["shared_mask"])
    filter: FilterIn | None = None
    server: str | None = Field(None, max_length=64, description="May be left out where there is only one.")
    source: Literal["given", "suggestion", "both"] = Field("given", description="Which mask: both shows it beside.")
    background: bool = Field(False, description="Background becomes shapes, too.")
    size: int = Field(500, ge=1, le=MOST, description="Samples a task.")
    segment: int = Field(50, ge=1, le=MOST, description="Samples a job.")

    @model_validator(mode="after")
    def _one_selection(self) -> "PushIn":
        told = (self.samples, self.keys, self.group, self.flag, self.filter)
        if sum(one is not None for one in told) != 1:
            raise ValueError("give just one of samples, keys, group, flag and filter")
        return self

    def selection(self) -> Selection:
        """Raises BadFilter."""
        chosen = FilterIn.model_validate({"check": self.flag}) if self.flag is not None else self.filter
        return Selection(self.samples or (), self.keys or (), self.group, None if chosen is None else chosen.read())


class Pushing(BaseModel):
    """Batches that are pushed in the background, and samples that don't go."""

    batches: list[CvatBatchOut]
    refused: list[Refused]


class PullIn(Asked):
    finished_only: bool = Field(False, description="Only frames of completed jobs.")
    samples: list[RowId] | None = Field(None, max_length=MOST, description="Only these.")
    confirm: bool = Field(False, description="Unchanged masks count as confirmed in unfinished jobs, too.")

    @model_validator(mode="after")
    def _one_choice(self) -> "PullIn":
        if self.finished_only and self.samples:
            raise ValueError("give finished_only or samples, not both")
        return self


class Pulling(Started):
    """A pull that was asked for; `receipt` tells of it once the job is done."""

    receipt: int


class Question(BaseModel):
    """A label of CVAT that is no class here."""

    server: str
    label: int
    name: str
    colour: str
    answer: str | None = Field(description="map, create or ignore; null: nobody has said.")
    class_: int | None = Field(alias="class")
    actor: str | None
    at: str


class Questions(BaseModel):
    questions: list[Question]


class AnswerIn(Asked):
    """What a label is."""

    answer: Literal["map", "create", "ignore"]
    class_: int | None = Field(None, alias="class", ge=0, le=65535, description="The class that map means.")
    server: str | None = Field(None, max_length=64)


@router.get("/cvat/servers")
def servers(settings: Config) -> ServerList:
    """The CVAT servers of the settings, by name."""
    return ServerList(servers=[ServerOut(**one) for one in cvat_shapes.servers(settings)])


@router.post("/cvat/servers/{server}/test")
def test_server(settings: Config, server: ServerName) -> Tested:
    """Try address, certificate, version, login and rights, and say in one sentence how that went."""
    found = cvat_link.test(settings, server)
    return Tested(good=found.good, sentence=found.sentence, user=found.user)


@router.post("/datasets/{dataset}/cvat/batches", status_code=status.HTTP_202_ACCEPTED)
def push(db: Db, settings: Config, dataset: DatasetName, body: PushIn, actor: Reviewer) -> Pushing:
    """Send samples to CVAT with their masks, as one task a batch. What can't go is listed in `refused`."""
    options = Options(body.size, body.segment, body.background, body.source)
    planned = cvat_batches.plan(db, settings, dataset, body.selection(), actor, body.server, options)
    refused = [Refused(sample=one.sample, key=one.key, reason=one.reason) for one in planned.refused]
    return Pushing(batches=[_batch(db, one.id) for one in planned.batches], refused=refused)


@router.get("/datasets/{dataset}/cvat/batches")
def batches(session: Read, owner: Owner) -> CvatBatchList:
    """Every batch of the dataset, the newest first, with its jobs in CVAT as they were last seen."""
    return CvatBatchList(batches=[CvatBatchOut(**one) for one in cvat_shapes.batches(session, owner)])


@router.get("/cvat/batches/{batch}")
def one_batch(session: Read, batch: Id) -> CvatBatchOut:
    """One batch."""
    return CvatBatchOut(**cvat_shapes.one_batch(session, cvat.find(session, batch)))


@router.post("/cvat/batches/{batch}/pull", status_code=status.HTTP_202_ACCEPTED)
def pull(db: Db, batch: Id, body: PullIn, actor: Reviewer) -> Pulling:
    """Bring masks back from CVAT, in the background; 409 for a batch that isn't there."""
    which: cvat_pull.Which = "finished" if body.finished_only else "samples" if body.samples else "all"
    made = cvat_pull.request(db, batch, actor, which, body.samples or (), body.confirm)
    return Pulling(job=made.job_id or 0, receipt=made.id)


@router.post("/cvat/batches/{batch}/retry", status_code=status.HTTP_202_ACCEPTED)
def retry(db: Db, batch: Id) -> CvatBatchOut:
    """Go on with a push that stopped."""
    return _batch(db, cvat_batches.retry(db, batch).id)


@router.post("/cvat/batches/{batch}/refresh")
def refresh(db: Db, settings: Config, batch: Id) -> CvatBatchOut:
    """Ask CVAT for the state, stage and assignee of its jobs, without a pull; 409 for a batch that isn't there."""
    return _batch(db, cvat_batches.refresh(db, settings, batch).id)


@router.post("/cvat/batches/{batch}/close")
def close(db: Db, settings: Config, batch: Id) -> CvatBatchOut:
    """Let a batch rest: no more pulls. A push under way is cancelled, and what it had made in CVAT is deleted."""
    return _batch(db, cvat_batches.close(db, settings, batch).id)


@router.get("/datasets/{dataset}/cvat/questions")
def questions(session: Read, owner: Owner) -> Questions:
    """Labels that a pull met and that are no class here, until somebody says what they are."""
    found = receipts.questions(session, owner.id)
    return Questions(questions=[Question(**cvat_shapes.question(one)) for one in found])


@router.post("/datasets/{dataset}/cvat/questions/{label}")
def answer(
    db: Db,
    dataset: DatasetName,
    label: Annotated[int, Path(ge=0, le=MAX_ID, description="Number of the CVAT label.")],
    body: AnswerIn,
    actor: Reviewer,
) -> Question:
    """Say what a label is: `map` it to a class, `create` a class of its name and colour, or `ignore` its shapes. It
    holds for later pulls; pull again for those that waited."""
    told = cvat_answers.answer(db, dataset, label, body.answer, actor, body.class_, body.server)
    return Question(**cvat_shapes.question(told))


def _batch(db: Db, id: int) -> CvatBatchOut:
    with db.read() as session:
        return CvatBatchOut(**cvat_shapes.one_batch(session, cvat.find(session, id)))
