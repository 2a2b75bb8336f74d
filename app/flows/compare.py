"""Did it help: two arms trained alike on several seeds, judged on the same masks, and a verdict with its interval."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.errors import Conflict, NotFound
from app.flows import child, train, trainer
from app.flows.judged import verdict
from app.flows.progress import Progress, part, quiet
from app.flows.runs import config_of
from app.flows.snapshot import CantTrain, freeze_together, path_of
from app.store import comparisons, datasets, jobs, runs
from app.store.db import Database
from app.store.members import ARMS, Arm
from app.store.tables import Comparison, Job, Run, Snapshot
from ml import snapshot as frozen

SNAPSHOT = "snapshot:"
MOST_SEEDS = 20


class NotEnded(Conflict):
    """A comparison that is in another state than what is asked of it needs."""


def request(
    db: Database,
    dataset: str,
    actor: Actor,
    *,
    before: str = "imported",
    after: str = "curated",
    seeds: int = 3,
    preset: str = "baseline",
    keys: Mapping[str, Any] | None = None,
) -> Comparison:
    """Ask for a comparison: its row and its job, in one transaction.

    ``before``, ``after``: arms, or ``snapshot:ID`` of an earlier frozen set. The seeds count up from the config's.
    Raises CantTrain for what it is told, NotFound.
    """
    if not 1 <= seeds <= MOST_SEEDS:
        raise CantTrain(f"Compare on 1 to {MOST_SEEDS} seeds, not {seeds}.")
    if before == after:
        raise CantTrain(f"Both sides are {before!r}; choose two different arms.")
    config = train.config_from(preset, keys or {})
    with db.write() as session:
        row = datasets.find(session, dataset)
        for side in (before, after):
            if side not in ARMS and _snapshot(session, row.id, side) is None:
                raise CantTrain(f"There is no arm {side!r}; choose two of {', '.join(ARMS)}, or {SNAPSHOT}ID.")
        comparison = Comparison(
            dataset_id=row.id,
            before=before,
            after=after,
            config=config.as_json(),
            seeds=[config.seed + one for one in range(seeds)],
            actor_name=actor.name,
        )
        session.add(comparison)
        session.flush()
        comparison.job_id = jobs.request(session, "compare", row.id, {"comparison": comparison.id}).id
        return comparison


def result_of(db: Database, id: int) -> dict[str, Any]:
    """What a comparison came to; empty before its end. Raises NotFound."""
    with db.read() as session:
        return comparisons.find(session, id).result or {}


def resume(db: Database, id: int, dataset: str | None = None) -> Job:
    """Ask for the rest of a comparison (of ``dataset``, if named) that failed or was cancelled.

    Raises NotEnded, NotFound.
    """
    with db.write() as session:
        comparison = comparisons.find(session, id)
        if dataset is not None and comparison.dataset_id != datasets.find(session, dataset).id:
            raise NotFound(f"There is no comparison {id} in {dataset}.")
        job = jobs.find(session, comparison.job_id or 0)
        if job.state not in ("failed", "cancelled"):
            raise NotEnded(f"Comparison {id} is {job.state}; only one that failed or was cancelled is resumed.")
        again = jobs.request(session, "compare", comparison.dataset_id, {"comparison": id})
        comparison.job_id = again.id
        for run in comparisons.runs_of(session, id):
            run.job_id = run.job_id if run.result else again.id
        return again


def cancel(db: Database, id: int) -> Job:
    """Ask a comparison to stop; runs that are done stay. Raises NotEnded, NotFound."""
    with db.write() as session:
        job = jobs.find(session, comparisons.find(session, id).job_id or 0)
        if job.state in jobs.ENDED:
            raise NotEnded(f"Comparison {id} has ended already.")
        return jobs.cancel(session, job.id)


def run(db: Database, home: Path, id: int, progress: Progress = quiet) -> dict[str, Any]:
    """Freeze, train every seed of both arms, judge, and write the verdict down; started again, it goes on.

    Raises CantTrain, TrainingFailed.
    """
    with db.read() as session:
        comparison = comparisons.find(session, id)
    if comparison.before_snapshot_id is None:
        comparison = _freeze(db, home, comparison, progress)
    with db.read() as session:
        mine = comparisons.runs_of(session, id)
        references = [runs.find_snapshot(session, one) for one in comparison.reference_ids or ()]
    epochs = comparison.config["epochs"]
    steps = (epochs + len(references)) * len(mine)  # judging a model by one reference counts as an epoch

    for done, one in enumerate(mine):
        if one.result is None:
            where = f"run {done + 1} of {len(mine)}"
            _share_choices(db, home, mine[0], one)
            train.run(db, home, one.id, part(progress, done * epochs, epochs, steps, where))
    folder = home / "comparisons" / str(id)
    for at, reference in enumerate(references):
        begin = epochs * len(mine) + at * len(mine)
        _judge(home, folder, reference, mine, comparison.config, part(progress, begin, len(mine), steps, "judging"))
    result = verdict(db, home, folder, comparison, mine, references)
    with db.write() as session:
        comparisons.find(session, id).result = result
    return result


def _freeze(db: Database, home: Path, comparison: Comparison, progress: Progress) -> Comparison:
    """Freeze both arms and the masks that judge at one moment, and write down the runs to train."""
    with db.read() as session:
        dataset = datasets.by_id(session, comparison.dataset_id).name
    named = [cast(Arm, one) for one in (comparison.before, comparison.after) if one in ARMS]
    written = freeze_together(db, home, dataset, ["test_current", "test_imported", *named], progress)
    references, fresh = written[:2], dict(zip(named, written[2:], strict=True))
    with db.read() as session:
        before, after = (
            fresh.get(cast(Arm, one)) or cast(Snapshot, _snapshot(session, comparison.dataset_id, one))
            for one in (comparison.before, comparison.after)
        )
    _insist_on_difference(frozen.read(path_of(home, before)), frozen.read(path_of(home, after)), comparison)
    current = frozen.read(path_of(home, references[0]))
    if not current.rows:
        raise CantTrain("There are no labelled test samples to judge by; label some more samples first.")
    with db.write() as session:
        row = comparisons.find(session, comparison.id)
        row.before_snapshot_id, row.after_snapshot_id = before.id, after.id
        row.reference_ids = [one.id for one in (references if current.meta["changed"] else references[:1])]
        for seed in row.seeds:
            for side, snapshot in (("before", before), ("after", after)):
                session.add(
                    Run(
                        dataset_id=row.dataset_id,
                        snapshot_id=snapshot.id,
                        job_id=row.job_id,
                        name=f"comparison {row.id}, seed {seed}",
                        arm=snapshot.arm,
                        config={**row.config, "seed": seed},
                        actor_name=row.actor_name,
                        comparison_id=row.id,
                        side=side,
                    )
                )
                session.flush()
        return row


def _insist_on_difference(before: frozen.Snapshot, after: frozen.Snapshot, comparison: Comparison) -> None:
    """Raises CantTrain where both sides would learn from the same masks, or can't be judged alike."""
    if [one.id for one in before.targets] != [one.id for one in after.targets]:
        raise CantTrain("The two sides have different classes; compare snapshots of one class list.")
    rows = [{row.key: row for row in one.rows if row.split in ("train", "val")} for one in (before, after)]
    if rows[0].keys() == rows[1].keys() and all(
        row.pixels == rows[1][key].pixels and (before.mask(row) == after.mask(rows[1][key])).all()
        for key, row in rows[0].items()
    ):
        raise CantTrain(
            f"{comparison.before} and {comparison.after} hold the same masks, so there is nothing to compare; "
            "exclude or correct samples first."
        )


def _snapshot(session: Session, dataset_id: int, side: str) -> Snapshot | None:
    """The earlier snapshot that ``snapshot:ID`` names, of this data set."""
    id = side.removeprefix(SNAPSHOT)
    if not side.startswith(SNAPSHOT) or not (id.isascii() and id.isdigit() and len(id) < 19):
        return None
    found = session.get(Snapshot, int(id))
    return found if found is not None and found.dataset_id == dataset_id and found.arm in ARMS else None


def _share_choices(db: Database, home: Path, first: Run, one: Run) -> None:
    """Let a run take what was measured at the start of the first."""
    if one.id != first.id:
        chosen = config_of(home, first)
        with db.write() as session:
            row = runs.find(session, one.id)
            row.config = {**row.config, **{key: chosen[key] for key in trainer.MEASURED}}


def _judge(
    home: Path, folder: Path, reference: Snapshot, mine: Sequence[Run], config: Mapping[str, Any], progress: Progress
) -> None:
    """Judge every model by one reference: ``<arm of the reference>/<run>.json`` in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    models = folder / "models.json"
    models.write_text(json.dumps({str(one.id): str(child.folder_of(home, one.id) / "model.pt") for one in mine}))
    arguments = ["ml.judge", str(path_of(home, reference)), "--models", str(models)]
    arguments += ["--out", str(folder / reference.arm), "--device", config["device"]]

    progress(0, 0, "")
    hear = child.counting(progress, "judged", "done", "models", "")
    child.see_done([*arguments, "--threads", str(config["threads"])], folder, hear)
