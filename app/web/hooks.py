"""Where programs elsewhere call: CVAT, when one of its jobs changes. They have no token and no Origin; each call is
signed, and nothing is looked at before the signature is."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, status
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from app.flows import cvat_schedule
from app.settings import Settings
from app.store.db import Database
from app.web.api.models import FAILURES
from app.web.deps import Config, Db

router = APIRouter(prefix="/hooks", tags=["hooks"], responses=FAILURES)
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}


class Taken(BaseModel):
    """What a call brings about."""

    receipts: list[int] = Field(description="Pulls that were asked for; none where no job of ours was completed.")


@router.post("/cvat/{server}", status_code=status.HTTP_202_ACCEPTED, openapi_extra=_BODY)
async def cvat_called(
    request: Request,
    db: Db,
    settings: Config,
    server: Annotated[str, Path(max_length=64, description="Name of the server in the settings.")],
    signature: Annotated[str, Header(alias="X-Signature-256", description="sha256=<HMAC of the raw body>.")] = "",
) -> Taken:
    """A delivery of CVAT's webhook: where it tells of a completed job, finished jobs are pulled. 401 where it isn't
    signed with REMASK_CVAT_SECRET. The same delivery once more changes nothing."""
    return await run_in_threadpool(_take, db, settings, server, await request.body(), signature)


def _take(db: Database, settings: Settings, server: str, body: bytes, signature: str) -> Taken:
    pulls = cvat_schedule.on_webhook(db, settings, server, body, signature)
    return Taken(receipts=[one.id for one in pulls])
