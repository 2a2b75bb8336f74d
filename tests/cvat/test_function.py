"""A trained network draws into a CVAT task, by the command's child process and as CVAT's own SDK calls it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cvat_sdk import auto_annotation, masks
from PIL import Image

from app.domain.errors import NotFound
from app.flows import cvat_annotate
from app.flows.child import folder_of
from app.store import datasets
from app.store.tables import Run
from ml import config as configs
from ml import cvat_function
from ml.cvat_function import annotate, create
from ml.data import Scaling
from ml.errors import Broken, Refused
from ml.models import Trained, build
from ml.snapshot import Class
from tests.cvat.faults import Fault, Plan
from tests.cvat.trip import DATASET, Trip

CLASSES = (Class(0, "background", "background", "#000000"), Class(1, "rock", "foreground", "#aa0000"))
TINY = {"epochs": 1, "width": 4, "depth": 1, "threads": 1, "precision": "fp32", "device": "cpu"}


def save_model(path: Path) -> None:
    """A network that was never trained: which pixels it takes for rock is luck, but always the same."""
    torch.manual_seed(3)
    config = configs.make(configs.PRESETS["baseline"], TINY)
    network = build(config, 1, len(CLASSES)).eval()
    with torch.no_grad():
        list(network.parameters())[-1].zero_()
    path.parent.mkdir(parents=True)
    Trained(network, config, CLASSES, 1, Scaling(0.0, 255.0, (0.5,), (0.25,)), {}).save(path)


class Context:
    frame_name = "x"
    conv_mask_to_poly = False

    def __init__(self, threshold: float | None = None) -> None:
        self.conf_threshold = threshold


def test_it_is_a_function_as_cvat_knows_them(tmp_path: Path) -> None:
    save_model(tmp_path / "run/model.pt")
    function = create(str(tmp_path / "run/model.pt"), threads=1)
    assert isinstance(function.spec, auto_annotation.DetectionFunctionSpec)
    assert [(one.name, one.type) for one in function.spec.labels] == [("rock", "mask")]
    pixels = np.random.default_rng(0).integers(0, 255, (17, 23), dtype=np.uint8)
    image = Image.fromarray(pixels)
    (rock,) = function.detect(Context(), image)
    area = masks.decode_mask(rock.points, image_width=23, image_height=17)
    assert 0 < area.sum() < area.size
    both = create(str(tmp_path / "run/model.pt"), threads=1, background=True).detect(Context(), image)
    areas = [masks.decode_mask(one.points, image_width=23, image_height=17) for one in both]
    assert (sum(one.astype(int) for one in areas) == 1).all()
    assert function.detect(Context(1.0), image) == []
    with pytest.raises(Refused, match="1 channels, and a picture has 3"):
        function.detect(Context(), image.convert("RGB"))


@pytest.fixture
def run(trip: Trip) -> int:
    with trip.db.write() as session:
        dataset = datasets.find(session, DATASET)
        row = Run(dataset_id=dataset.id, name="tiny", arm="curated", config={}, actor_name="ada")
        session.add(row)
        session.flush()
        return row.id


def test_it_draws_into_a_task(trip: Trip, run: int) -> None:
    batch = trip.pushed()
    task = batch.task_id or 0
    with pytest.raises(NotFound, match="no model yet"):
        cvat_annotate.run(trip.db, trip.settings, task, run, "lab")
    save_model(folder_of(trip.settings.home, run) / "model.pt")
    before = len(trip.standin.state.shapes[task])
    seen: list[int] = []

    def progress(done: int, _total: int, _message: str) -> None:
        seen.append(done)

    drawn = cvat_annotate.run(trip.db, trip.settings, task, run, "lab", progress=progress)
    held: list[dict[str, Any]] = trip.standin.state.shapes[task]
    assert drawn > 0 and len(held) == before + drawn and seen[-1] == 6
    assert {one["source"] for one in held[before:]} == {"auto"}
    assert {one["label_id"] for one in held[before:]} == {trip.labels(batch)[1]}


def test_it_takes_away_what_was_there_when_it_is_told_to(trip: Trip, tmp_path: Path) -> None:
    task = trip.pushed().task_id or 0
    save_model(tmp_path / "run/model.pt")
    server = {"url": trip.standin.url, "authorization": "Bearer full.token", "organization": None, "verify": True}
    drawn = annotate(server, tmp_path / "run/model.pt", task, True, "cpu", 1)
    assert drawn == len(trip.standin.state.shapes[task]) > 0
    with pytest.raises(Broken, match="CVAT broke off"):
        annotate(server, tmp_path / "run/model.pt", 999, True, "cpu", 1)
    for label in trip.standin.state.labels.values():
        label["name"] = f"other {label['id']}"
    with pytest.raises(Refused, match="no label called rock"):
        annotate(server, tmp_path / "run/model.pt", task, True, "cpu", 1)


def test_a_server_that_hangs_is_given_up(trip: Trip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = trip.pushed().task_id or 0
    save_model(tmp_path / "run/model.pt")
    monkeypatch.setattr(cvat_function, "PATIENCE", (2.0, 0.05))
    server = {"url": trip.standin.url, "authorization": "Bearer full.token", "organization": None, "verify": True}
    trip.standin.plan = Plan(len(trip.standin.calls) + 1, Fault.HANG, 50)
    with pytest.raises(Broken, match="CVAT broke off"):
        annotate(server, tmp_path / "run/model.pt", task, False, "cpu", 1)
