"""Exports: asked for as a job, fetched as a file."""

from typing import Literal

from fastapi import APIRouter, status
from fastapi.responses import FileResponse
from pydantic import Field

from app.domain.errors import Conflict, NotFound
from app.store import datasets, jobs
from app.web.api.models import Asked, Started
from app.web.deps import Config, DatasetName, Db, Id, Read, Reviewer
from app.web.media import attachment

router = APIRouter(tags=["exports"])


class ExportIn(Asked):
    format: Literal["npz", "folder", "coco", "voc", "cvat-datumaro", "cvat-images", "cvat-coco", "cvat-masks"]
    only: Literal["curated", "all"] = Field("curated", description="curated leaves excluded samples out.")
    pictures: bool = Field(True, description="Of the cvat formats: whether pictures go along.")


class ExportStarted(Started):
    """An export is being written; `export` names its file once the job is done."""

    export: int


class NotReady(Conflict):
    """An export whose file isn't there yet."""


@router.post("/datasets/{dataset}/exports", status_code=status.HTTP_202_ACCEPTED)
def start_export(db: Db, dataset: DatasetName, body: ExportIn, actor: Reviewer) -> ExportStarted:
    """Write the set, with the masks that are current now, into one file."""
    with db.write() as session:
        owner = datasets.find(session, dataset)
        args: dict[str, object] = {"format": body.format, "only": body.only}
        if body.format.startswith("cvat-"):
            args |= {"pictures": body.pictures, "actor": actor.name}
        job = jobs.request(session, "export", owner.id, args)
        return ExportStarted(job=job.id, export=job.id)


@router.get(
    "/exports/{export}/file",
    response_class=FileResponse,
    responses={
        200: {
            "description": "The file.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
def export_file(session: Read, settings: Config, export: Id) -> FileResponse:
    """The exported file; 409 while it is being written."""
    job = jobs.find(session, export)
    if job.kind != "export":
        raise NotFound(f"There is no export {export}.")
    if job.state != "done" or not job.result:
        raise NotReady(f"Export {export} is {job.state}; it has no file{'' if job.state in jobs.ENDED else ' yet'}.")
    path = settings.exports / job.result["path"]
    if path.parent != settings.exports or not path.is_file():
        raise NotFound(f"The file of export {export} is gone; export again.")
    headers = {"Content-Disposition": attachment(path.name)}
    return FileResponse(path, media_type="application/octet-stream", headers=headers)
