"""A search for imprecise masks that says what a test tells it to say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.domain.checks.base import Finding
from app.domain.detector.region import Region as Found
from app.domain.mask import Mask
from app.domain.picture import Picture
from app.flows import child
from app.store import datasets, findings, predictions, rasters, regions, samples
from app.store.db import Database
from app.store.findings import Looked, Ran
from app.store.tables import Run
from ml import predictions as files


@dataclass(frozen=True)
class Said:
    """Of one sample: the suspected regions, and (H, W) what the model sees."""

    regions: Sequence[Found]
    seen: Mask


def search(
    db: Database, home: Path, dataset: str, said: Mapping[int, Said], classes: Sequence[int], weak: bool = False
) -> int:
    """A cross-validation that has ended and judged these samples: predictions, regions, heat maps, scores and flags."""
    with db.write() as session:
        owner = datasets.find(session, dataset)
        run = Run(dataset_id=owner.id, kind="crossval", name="", arm="curated", config={}, actor_name="ada")
        session.add(run)
        session.flush()
        rows = {id: samples.find(session, id) for id in said}
        predictions.add(session, run.id, dict.fromkeys(said, 1))
        notes, looked, found = [], [], []
        for id, one in said.items():
            heat = np.zeros(one.seen.shape, np.uint8)
            for region in one.regions:
                x, y, width, height = region.box
                heat[y : y + height, x : x + width] = round(255 * region.probability)
            [raster] = rasters.put_pictures(session, [Picture(heat)])
            current = rows[id].current_id or 0
            regions.add(session, run.id, rows[id], current, one.regions)
            worst = max(region.probability for region in one.regions)
            notes.append({"sample_id": id, "revision_id": current, "probability": worst, "suspicion_id": raster.id})
            looked.append(Looked(id, current, 1))
            found.append(Finding(id, worst, not weak, "A region is probably wrong."))
        predictions.judge(session, run.id, notes)
        regions.open_of_run(session, run.id)
        findings.record(session, owner.id, Ran("imprecise_mask", 2, "mask", run.id), looked, found, ())
        run.result = {
            "reason": "all folds", "folds": 2, "predicted": len(said), "flagged": 0 if weak else len(said),
            "regions": len(said), "share": 0.1, "miou": 0.2 if weak else 0.7, "weak": weak, "seconds": 1.0,
        }  # fmt: skip
        keys = {id: row.key for id, row in rows.items()}
        run_id = run.id
    folder = child.folder_of(home, run_id)
    folder.mkdir(parents=True)
    made = []
    for id, one in said.items():
        sure = (one.seen[None] == np.array(classes)[:, None, None]).astype(np.float32)
        made.append(files.Prediction(keys[id], sure, 1))
    files.write(folder / "predictions", made, list(classes), run="r", meta={})
    return run_id
