"""The REST API, version 1: one noun a module."""

from fastapi import APIRouter

from app.web.api import (
    batches,
    checks,
    comparisons,
    crossval,
    cvat,
    cvat_files,
    cvat_receipts,
    datasets,
    decisions,
    drafts,
    exports,
    groups,
    imports,
    jobs,
    leases,
    masks,
    me,
    regions,
    remaining,
    runs,
    samples,
    status,
    suggestions,
)
from app.web.api.models import FAILURES

router = APIRouter(prefix="/api/v1", responses=FAILURES)
for module in (
    datasets,
    samples,
    status,
    groups,
    decisions,
    drafts,
    masks,
    batches,
    leases,
    imports,
    checks,
    exports,
    runs,
    regions,
    comparisons,
    crossval,
    suggestions,
    remaining,
    cvat,
    cvat_files,
    cvat_receipts,
    jobs,
    me,
):
    router.include_router(module.router)
