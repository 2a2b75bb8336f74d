"""A zip that CVAT exported, read back by hand."""

from typing import Any

from fastapi import APIRouter, Request, status
from fastapi.concurrency import run_in_threadpool

from app.domain.actor import Actor
from app.domain.errors import Invalid
from app.flows import cvat_file_read
from app.store.db import Database
from app.web import uploads
from app.web.api.cvat import Pulling
from app.web.deps import MAX_ID, Config, Db, Owner, Reviewer

router = APIRouter(tags=["cvat"])
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "batch": {"type": "string", "description": "As what it was sent, if not the newest export."},
                        "confirm": {"type": "string", "description": "1: unchanged masks count as confirmed."},
                    },
                }
            }
        },
    }
}


class BadBatch(Invalid):
    """A batch that isn't a number."""


@router.post("/datasets/{dataset}/cvat/files", status_code=status.HTTP_202_ACCEPTED, openapi_extra=_UPLOAD)
async def read_file(request: Request, db: Db, settings: Config, owner: Owner, actor: Reviewer) -> Pulling:
    """Read a file of CVAT's *Export dataset*, of any format that Remask writes too, as a pull with its receipt."""
    content_type = request.headers.get("content-type", "")
    upload = await uploads.receive(content_type, request.stream(), settings.uploads, settings.max_upload)
    try:
        return await run_in_threadpool(_request, db, upload, owner.name, actor)
    except BaseException:
        upload.discard()
        raise


def _request(db: Database, upload: uploads.Upload, dataset: str, actor: Actor) -> Pulling:
    said = upload.fields.get("batch", "").strip()
    if said and not (said.isdecimal() and len(said) < 20 and 0 < int(said) <= MAX_ID):
        raise BadBatch("The field `batch` has to be the number of a batch.")
    confirm = upload.fields.get("confirm", "") not in ("", "0", "false")
    pull = cvat_file_read.request(db, upload.path, dataset, actor, int(said) if said else None, confirm, delete=True)
    return Pulling(job=pull.job_id or 0, receipt=pull.id)
