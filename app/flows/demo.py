"""The demo set: drawn by the program's own generator, imported like any other file, its truth kept beside it."""

from pathlib import Path
from tempfile import TemporaryDirectory

from app.domain import demo
from app.domain.actor import Actor
from app.flows import ingest
from app.flows.progress import Progress, quiet
from app.flows.report import Report
from app.store.db import Database

NAME = "demo"


def run(
    db: Database,
    home: Path,
    dataset: str,
    actor: Actor,
    *,
    seed: int = 0,
    count: int = 600,
    progress: Progress = quiet,
) -> Report:
    """Generate and import ``count`` labelled samples and a tenth as many unlabelled ones.

    The truth (sample, kind of fault, group) is written to ``demo-truth.csv`` in the data folder.
    """
    progress(0, count + count // 10, "drawing")
    home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=home, prefix=".demo-") as folder:
        path = Path(folder) / "demo.npz"
        demo.as_npz(path, seed, count)
        path.with_suffix(".truth.csv").replace(home / "demo-truth.csv")
        return ingest.run(db, path, dataset, actor, classes=demo.CLASSES, label="the demo generator", progress=progress)
