"""Suspected regions as the JSON that pages and API both give out."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.flows import predicted
from app.store import datasets, predictions, rasters, region_browse, regions
from app.store.region_browse import Filter
from app.store.tables import Dataset, Region, Sample

Json = dict[str, Any]


def of_sample(session: Session, one: Sample) -> Json:
    """Regions of the current mask, the likeliest first; URLs of what the newest model sees and suspects."""
    owner = session.get_one(Dataset, one.dataset_id)
    found = predictions.newest(session, one.id)
    heat = predicted.heat_map(session, one, found) if found is not None else None
    media = f"/media/samples/{one.id}"
    return {
        "regions": _described(session, owner, [(row, one) for row in regions.of_sample(session, one)]),
        "suggestion": f"{media}/suggestion.bin?v=run{found.run_id}" if found is not None else None,
        "suspicion": f"{media}/suspicion.png?v={heat.pixel_hash[:16]}" if heat is not None else None,
    }


def cards(session: Session, owner: Dataset, filter: Filter, after: int | None, limit: int) -> list[Json]:
    """Open regions of the data set with what a list shows of their samples."""
    found = region_browse.page(session, owner.id, filter, after, limit)
    described = _described(session, owner, found)
    return [
        {**said, "sample": one.id, "key": one.key, "version": one.version, "crop": crop_url(row, owner.class_version)}
        for said, (row, one) in zip(described, found, strict=True)
    ]


def crop_url(row: Region, class_version: int) -> str:
    return f"/media/regions/{row.id}/crop.png?v={crop_tag(row, class_version)}"


def crop_tag(row: Region, class_version: int) -> str:
    """What the crop shows changes with the mask that the region is on, and with the class list."""
    return f"{row.id}.{row.revision_id}.{class_version}"


def _described(session: Session, owner: Dataset, found: Sequence[tuple[Region, Sample]]) -> list[Json]:
    classes = datasets.classes(session, owner)
    weak = region_browse.weak_runs(session, [row.run_id for row, _ in found])
    size = rasters.sizes(session, {one.image_id for _, one in found})
    return [
        {
            "id": row.id,
            "revision": row.revision_id,
            "reason": row.reason,
            "text": regions.told(row, size[one.image_id], classes),
            "from": row.from_class,
            "to": row.to_class,
            "pixels": row.pixels,
            "box": {"x": row.x, "y": row.y, "width": row.width, "height": row.height},
            "rle": {"size": list(size[one.image_id]), "counts": row.rle},
            "probability": row.probability,
            "state": row.state,
            "run": row.run_id,
            "weak": row.run_id in weak,
        }
        for row, one in found
    ]
