"""Suggestings as pages and the API tell of them."""

from typing import Any

from sqlalchemy.orm import Session

from app.store import suggestions
from app.store.tables import Dataset


def of_dataset(session: Session, owner: Dataset) -> list[dict[str, Any]]:
    """The newest first."""
    return [
        {
            "id": one.id,
            "run": one.run_id,
            "job": job.id,
            "state": job.state,
            "error": job.error,
            "method": one.method,
            "precision": one.wished,
            "only": one.only,
            "by": one.actor_name,
            "at": one.at,
            "result": one.result,
        }
        for one, job in suggestions.with_jobs(session, owner.id)
    ]
