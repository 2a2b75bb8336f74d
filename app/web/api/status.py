"""Label status: of one sample by key, of many, of all as a stream of JSON or CSV."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.domain import cells
from app.domain.status import WHY, Status
from app.store import samples
from app.store.db import Database
from app.store.tables import Sample
from app.web.api.models import Key
from app.web.deps import Db, Owner, Read

router = APIRouter(tags=["status"])
FIELDS = ("sample", "status", "why", "version", "revision")


class StatusOut(BaseModel):
    """The label status of a sample."""

    sample: str = Field(description="Its key.", examples=["training_set/00062"])
    status: Status
    why: str
    version: int
    revision: int | None


class StatusList(BaseModel):
    samples: list[StatusOut]


class Keys(BaseModel):
    keys: list[Key] = Field(max_length=100_000, examples=[["training_set/00062"]])


class StatusOfKeys(StatusList):
    missing: list[str] = Field(description="Keys that aren't there.")


@router.get("/datasets/{dataset}/samples/{key:path}/status")
def status_of_one(session: Read, owner: Owner, key: str) -> StatusOut:
    """The status of the sample with this key, which may hold slashes."""
    return _status_of(samples.by_key(session, owner.id, key))


@router.get(
    "/datasets/{dataset}/status",
    response_class=StreamingResponse,
    responses={
        200: {
            "model": StatusList,
            "description": "Every sample by id.",
            "content": {"text/csv": {"schema": {"type": "string"}}},
        }
    },
)
def status_of_all(
    db: Db, owner: Owner, format: Annotated[Literal["json", "csv"], Query()] = "json"
) -> StreamingResponse:
    """The status of every sample, streamed. CSV cells that a spreadsheet would take for a formula get an apostrophe."""
    if format == "csv":
        headers = {"Content-Disposition": f'attachment; filename="{owner.name}-status.csv"'}
        return StreamingResponse(_as_csv(db, owner.id), media_type="text/csv; charset=utf-8", headers=headers)
    return StreamingResponse(_as_json(db, owner.id), media_type="application/json")


@router.post("/datasets/{dataset}/status")
def status_of_keys(session: Read, owner: Owner, body: Keys) -> StatusOfKeys:
    """The status of these samples, in the order asked; keys that aren't there are listed as missing."""
    found = {one.key: one for one in samples.by_keys(session, owner.id, list(dict.fromkeys(body.keys)))}
    return StatusOfKeys(
        samples=[_status_of(found[key]) for key in body.keys if key in found],
        missing=[key for key in body.keys if key not in found],
    )


def csv_line(values: list[Any]) -> str:
    """One CSV line, safe to open in a spreadsheet, ended as RFC 4180 has it."""
    return cells.line(values, "\r\n")


def _status(key: str, status: str, version: int, revision: int | None) -> dict[str, Any]:
    return {"sample": key, "status": status, "why": WHY[Status(status)], "version": version, "revision": revision}


def _status_of(sample: Sample) -> StatusOut:
    return StatusOut(**_status(sample.key, sample.status, sample.version, sample.current_id))


def _walk(db: Database, dataset_id: int) -> Iterator[dict[str, Any]]:
    with db.read() as session:
        for standing in samples.standings(session, dataset_id):
            yield _status(*standing)


def _as_csv(db: Database, dataset_id: int) -> Iterator[str]:
    yield from _joined([csv_line(list(FIELDS))], (csv_line(list(one.values())) for one in _walk(db, dataset_id)))


def _as_json(db: Database, dataset_id: int) -> Iterator[str]:
    lines = (("" if index == 0 else ",\n") + json.dumps(one) for index, one in enumerate(_walk(db, dataset_id)))
    yield from _joined(['{"samples": [\n'], lines)
    yield "\n]}\n"


def _joined(head: list[str], lines: Iterator[str], together: int = 2000) -> Iterator[str]:
    """``lines`` in chunks: a stream of single lines would cost a task switch each."""
    chunk = head
    for line in lines:
        chunk.append(line)
        if len(chunk) >= together:
            yield "".join(chunk)
            chunk = []
    yield "".join(chunk)
