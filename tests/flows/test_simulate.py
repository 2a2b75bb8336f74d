"""The whole loop on a tiny set, by the real trainer and detector; stopped, it goes on; other settings are refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.domain.classes import ClassList, Role, named
from app.flows import simulate
from app.flows.progress import quiet
from app.flows.simulate import BadSimulation, OtherSimulation, Plan
from app.flows.simulation_data import NAME, Wanted, prepare, right_mask, wrong_pixels
from app.store import datasets, rasters
from app.store.db import open_database
from app.store.tables import Raster, Revision
from tests.sets import every_sample

TINY = {"epochs": 1, "width": 4, "depth": 1, "augment": [], "precision": "fp32", "layout": "contiguous", "samples": 0}
PLAN = Plan(Wanted(None, None, 24, 0.5, 0), 8, folds=2, keys=TINY)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    out = tmp_path_factory.mktemp("out")
    return out, simulate.run(out, PLAN)


def test_every_order_is_reviewed_and_told(ended: tuple[Path, dict[str, object]]) -> None:
    out, results = ended
    told = json.loads((out / "results.json").read_text())
    assert told == results
    assert list(told["orders"]) == ["ours", "queue", "softmin", "random"]
    assert 0 < told["bad"] < told["masks"]
    for one in told["orders"].values():
        assert one["left"][0] == told["wrong"]
        assert one["left"][-1] == 0
        assert one["left"] == sorted(one["left"], reverse=True)
        assert one["removed"]["value"] == pytest.approx(1 - one["left"][8] / told["wrong"])
        assert one["found"]["value"] == pytest.approx(one["bad_found"] / told["bad"])
        assert one["early"]["found"]["30%"] >= one["early"]["found"]["10%"]
        assert one["remaining"]["low"] <= one["remaining"]["mean"] <= one["remaining"]["high"]
    assert (out / "plot.svg").read_text().count("<polyline") == 4


def test_each_mask_is_told_with_its_place_in_every_order(ended: tuple[Path, dict[str, object]]) -> None:
    told = json.loads((ended[0] / "results.json").read_text())
    assert sum(one["wrong"] for one in told["each"]) == told["wrong"]
    for name, order in told["orders"].items():
        assert sorted(one["places"][name] for one in told["each"]) == list(range(told["masks"]))
        assert order["bad_found"] == sum(one["wrong"] > 0 and one["places"][name] < 8 for one in told["each"])


def test_the_reviews_are_in_the_set(ended: tuple[Path, dict[str, object]]) -> None:
    out, results = ended
    db = open_database(out / "random" / "remask.sqlite")
    left = 0
    with db.read() as session:
        listed = every_sample(session, datasets.find(session, NAME).id)
        for one in listed:
            revision = session.get_one(Revision, one.current_id)
            given = rasters.mask(session, session.get_one(Raster, revision.mask_id))
            left += int((given != right_mask(out / "loop", one)).sum())
        settled = sum(one.status in ("accepted", "corrected") for one in listed)
    db.close()
    assert settled == 8
    assert left == results["orders"]["random"]["left"][8]  # type: ignore[index]


def test_every_sample_is_reviewed_where_no_network_is_to_be_judged(ended: tuple[Path, dict[str, object]]) -> None:
    out, results = ended
    kinds = json.loads((out / "loop" / "set.json").read_text())
    assert {one["split"] for one in kinds.values()} == {"train", "val"}
    assert results["masks"] == len(kinds)
    assert results["bad"] == sum(bool(one["kind"]) for one in kinds.values())


def test_test_samples_are_right(tmp_path: Path) -> None:
    prepare(tmp_path / "loop", Wanted(None, None, 40, 1.0, 0), True, quiet)
    kinds = json.loads((tmp_path / "loop" / "set.json").read_text())
    assert {bool(one["kind"]) for one in kinds.values() if one["split"] == "test"} == {False}
    assert {bool(one["kind"]) for one in kinds.values() if one["split"] != "test"} == {True}


def test_it_goes_on_where_it_was(ended: tuple[Path, dict[str, object]]) -> None:
    out, results = ended
    trained = sorted((out / "loop" / "runs").rglob("model.pt"))
    times = [one.stat().st_mtime_ns for one in trained]
    (out / "random.json").unlink()
    (out / "results.json").unlink()
    assert simulate.run(out, PLAN) == results
    assert [one.stat().st_mtime_ns for one in trained] == times


def test_other_settings_need_another_folder(ended: tuple[Path, dict[str, object]]) -> None:
    with pytest.raises(OtherSimulation, match="another --out"):
        simulate.run(ended[0], Plan(Wanted(None, None, 24, 0.5, 1), 8, folds=2, keys=TINY))


@pytest.mark.parametrize("plan", [Plan(PLAN.wanted, 0), Plan(PLAN.wanted, 5, ("best",))])
def test_what_cant_be_simulated_is_refused(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(BadSimulation):
        simulate.run(tmp_path / "out", plan)
    assert not (tmp_path / "out").exists()


def folder(path: Path, masks: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Path:
    rng = np.random.default_rng(4)
    (path / "images").mkdir(parents=True)
    (path / "masks").mkdir()
    for number, mask in enumerate(masks):
        image = (mask * 90 + rng.integers(0, 30, mask.shape)).astype(np.uint8)
        Image.fromarray(image).save(path / "images" / f"{number:02}.png")
        Image.fromarray(mask).save(path / "masks" / f"{number:02}.png")
    return path


def real(tmp_path: Path) -> Wanted:
    """Twenty masks, the first four of which somebody corrected."""
    right = np.random.default_rng(3).integers(0, 2, (20, 8, 8), dtype=np.uint8).repeat(4, 1).repeat(4, 2)
    given = right.copy()
    given[:4, 8:20, 8:20] = 1 - given[:4, 8:20, 8:20]
    return Wanted(folder(tmp_path / "given", given), folder(tmp_path / "right", right), 20, 0.0, 0)


def test_real_corrections_are_taken_as_they_are(tmp_path: Path) -> None:
    home = tmp_path / "loop"
    prepare(home, real(tmp_path), False, quiet)
    db = open_database(home / "remask.sqlite")
    with db.read() as session:
        owner = datasets.find(session, NAME)
        listed = every_sample(session, owner.id)
        masks = [session.get_one(Revision, one.current_id).mask_id for one in listed]
        given = [rasters.mask(session, session.get_one(Raster, id)) for id in masks]
        classes = datasets.classes(session, owner)
    db.close()
    wrong = [wrong_pixels(home, one, mask, classes) for one, mask in zip(listed, given, strict=True)]
    assert sorted(wrong) == [0] * 16 + [144] * 4
    assert {one.split for one in listed} == {"train", "val"}


def test_pixels_that_a_class_list_calls_void_are_never_wrong(tmp_path: Path) -> None:
    classes = ClassList((named(0, "ground"), named(1, "void", role=Role.VOID)), guessed=False)
    home = tmp_path / "loop"
    prepare(home, replace(real(tmp_path), classes=classes), False, quiet)
    db = open_database(home / "remask.sqlite")
    with db.read() as session:
        owner = datasets.find(session, NAME)
        listed = every_sample(session, owner.id)
        known = datasets.classes(session, owner)
    db.close()
    assert known.void_ids == {1}
    one = listed[0]
    right = right_mask(home, one)
    assert wrong_pixels(home, one, 1 - right, known) == int((right == 0).sum())


@pytest.mark.long
def test_real_corrections_are_reviewed(tmp_path: Path) -> None:
    plan = Plan(real(tmp_path), 5, ("ours", "random"), folds=2, keys=TINY)
    results = simulate.run(tmp_path / "out", plan)
    assert (results["masks"], results["bad"], results["wrong"]) == (20, 4, 4 * 144)


@pytest.mark.long
def test_networks_are_trained_before_and_after(tmp_path: Path) -> None:
    plan = Plan(Wanted(None, None, 40, 0.5, 0), 8, ("ours", "random"), folds=2, retrain=1, keys=TINY)
    orders = simulate.run(tmp_path / "out", plan)["orders"]
    for one in orders.values():
        assert one["iou"]["low"] <= one["iou"]["difference"] <= one["iou"]["high"]
        assert one["iou_per_100"] == pytest.approx(one["iou"]["difference"] * 100 / 8)
    # Before the reviews both orders had the same networks, which were trained once.
    assert orders["ours"]["iou"]["before"] == orders["random"]["iou"]["before"]
    times = [
        sorted(
            (one.parent.name, one.stat().st_mtime_ns) for one in (tmp_path / "out" / name / "runs").rglob("model.pt")
        )
        for name in orders
    ]
    assert len(set(times[0]) & set(times[1])) == 1
