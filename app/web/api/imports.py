"""Imports: upload, and what came of it."""

import json
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request, status
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.domain.actor import Actor
from app.domain.classes import parse_classes
from app.domain.errors import TooLarge
from app.domain.formats import registry
from app.store import datasets, imports, jobs
from app.store.db import Database
from app.web import shapes, uploads
from app.web.api.models import Started
from app.web.api.status import csv_line
from app.web.deps import Config, DatasetName, Db, Id, Owner, Read, Reviewer

router = APIRouter(tags=["imports"])
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "One zip or npz, or the files of a folder.",
                        },
                        "paths": {
                            "type": "string",
                            "description": "JSON list: the relative path of each file, in order.",
                            "examples": ['["set/images/a.png", "set/masks/a.png"]'],
                        },
                        "format": {"type": "string", "default": "auto", "description": "The annotation format."},
                        "classes": {
                            "type": "string",
                            "format": "binary",
                            "description": "Class list, CSV or JSON: id, name, role, colour.",
                        },
                    },
                }
            }
        },
    }
}


class ImportStarted(Started):
    """Files are in and will be read; once the job is done, its `result.import` names the report."""

    dataset: str


class RefusedFile(BaseModel):
    """A file that was not taken, and why."""

    file: str
    reason: str


class ReportOut(BaseModel):
    """What came of an import."""

    id: int
    source: str
    format: str
    imported: int
    unlabeled: int
    repeated: int = Field(description="There already with the same pixels.")
    pending: int = Field(description="Another mask for a known key: a revision that waits for a decision.")
    refused: list[RefusedFile]
    ignored: list[str] = Field(description="What a class map can't hold.")
    overlapped: int = Field(description="Pixels claimed by more than one instance.")
    seconds: float | None = Field(description="null while it runs.")
    at: str
    actor: str


class ReportList(BaseModel):
    imports: list[ReportOut]


@router.post("/datasets/{dataset}/imports", status_code=status.HTTP_202_ACCEPTED, openapi_extra=_UPLOAD)
async def start_import(
    request: Request, db: Db, settings: Config, dataset: DatasetName, actor: Reviewer
) -> ImportStarted:
    """Upload files and import them, in the background. The dataset is made where it isn't there."""
    if not datasets.NAME.fullmatch(dataset):
        raise datasets.BadName(datasets.NAME_RULE)
    told = request.headers.get("content-length", "")
    if told.isdecimal() and len(told) < 20 and int(told) > settings.max_upload:
        raise TooLarge(f"The upload is over the limit of {settings.max_upload:,} bytes; use `remask import` instead.")
    content_type = request.headers.get("content-type", "")
    upload = await uploads.receive(content_type, request.stream(), settings.uploads, settings.max_upload)
    try:
        return await run_in_threadpool(_request, db, upload, dataset, actor)
    except BaseException:
        upload.discard()
        raise


def _request(db: Database, upload: uploads.Upload, dataset: str, actor: Actor) -> ImportStarted:
    format = upload.fields.get("format") or "auto"
    if format != "auto":
        registry.by_name(format)
    said = upload.fields.get("classes", "").strip()
    classes = json.dumps(parse_classes(said).as_json()) if said else None
    args = {
        "path": str(upload.path.absolute()),
        "dataset": dataset,
        "format": format,
        "label": upload.label,
        "actor": actor.name,
        "classes": classes,
        "delete": True,
    }
    with db.write() as session:
        known = datasets.id_of(session, dataset)
        return ImportStarted(job=jobs.request(session, "import", known, args).id, dataset=dataset)


@router.get("/datasets/{dataset}/imports")
def reports(session: Read, owner: Owner) -> ReportList:
    """Every import of the dataset, the newest first."""
    rows = imports.of_dataset(session, owner.id)
    return ReportList(imports=[ReportOut(**shapes.report(session, row)) for row in rows])


@router.get("/imports/{id}")
def report(session: Read, id: Id) -> ReportOut:
    """One import: what was read, and what was refused, by name, with the reason."""
    return ReportOut(**shapes.report(session, imports.find(session, id)))


@router.get(
    "/imports/{id}/report.csv",
    response_class=StreamingResponse,
    responses={200: {"description": "The refused files.", "content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def report_csv(session: Read, id: Id) -> StreamingResponse:
    """The refused files as CSV."""
    imports.find(session, id)
    refused = imports.refusals(session, id)

    def lines() -> Iterator[str]:
        yield csv_line(["file", "reason"])
        yield from (csv_line([one.file, one.reason]) for one in refused)

    headers = {"Content-Disposition": f'attachment; filename="import-{id}.csv"'}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)
