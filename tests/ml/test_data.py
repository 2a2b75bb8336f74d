from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ml import data
from ml.config import make
from ml.data import VOID, Item, Pictures, ahead, epoch_batches, rare_keys
from ml.errors import Refused
from ml.snapshot import Sample, Snapshot, read, write
from tests.ml.made import CLASSES, made, samples


def of(tmp_path: Path, *given: Sample) -> Snapshot:
    return read(write(tmp_path, given, CLASSES)[1])


def picture(key: str, height: int, width: int, channels: int = 1, kind: type[np.generic] = np.uint8) -> Sample:
    random = np.random.default_rng(len(key))
    image = random.integers(0, 200, (height, width, channels)).astype(kind)
    mask = random.choice([0, 1, 2, 255], (height, width)).astype(np.uint8)
    return Sample(key, key, "train", "label", image, mask)


def test_a_batch_is_the_pixels_padded_with_void(tmp_path: Path) -> None:
    snapshot = of(tmp_path, picture("a", 5, 9), picture("bb", 7, 6))
    batch = Pictures(snapshot, size=64, multiple=4).gather([Item(row) for row in snapshot.rows], whole=True)
    assert batch.image.shape == (2, 8, 12, 1)
    assert batch.image.dtype == torch.uint8
    for at, row in enumerate(snapshot.rows):
        height, width = row.shape[:2]
        np.testing.assert_array_equal(batch.image[at, :height, :width], snapshot.image(row))
        mask = snapshot.mask(row)
        np.testing.assert_array_equal(batch.target[at, :height, :width], np.where(mask == 255, VOID, mask.astype(int)))
        assert (batch.target[at, height:] == VOID).all()
        assert (batch.target[at, :, width:] == VOID).all()
    assert batch.weight is None


def test_ids_become_places_among_the_classes(tmp_path: Path) -> None:
    classes = tuple(replace(one, id=id) for one, id in zip(CLASSES, (40_000, 7, 300, 0), strict=True))
    mask = np.array([[0, 7, 300, 40_000]], np.uint16)
    path = write(tmp_path, [Sample("a", "a", "train", "label", np.zeros((1, 4), np.uint8), mask)], classes)[1]
    snapshot = read(path)
    batch = Pictures(snapshot, size=8, multiple=1).gather([Item(snapshot.rows[0])])
    assert batch.target.tolist() == [[[VOID, 0, 1, 2]]]


def test_large_pictures_are_cut_at_random_places(tmp_path: Path) -> None:
    snapshot = of(tmp_path, picture("large", 50, 33), picture("small", 10, 12))
    pictures = Pictures(snapshot, size=16, multiple=8)
    config = make({"batch": 4, "crop": 16, "overlap": 0})
    batches = epoch_batches(snapshot.rows, pictures, config, 0, set())
    items = [item for batch in batches for item in batch]
    assert len(items) == 12  # 13 cuts in batches of 4 would leave a batch of one
    large = [item for item in items if item.row.key == "large"]
    assert len({(item.top, item.left) for item in large}) > 6
    for item in large:
        batch = pictures.gather([item])
        assert batch.image.shape == (1, 16, 16, 1)
        expected = snapshot.image(item.row)[item.top : item.top + 16, item.left : item.left + 16]
        np.testing.assert_array_equal(batch.image[0], expected)
    for items in batches:
        assert pictures.gather(items).image.shape[1:3] == (16, 16)


def test_an_epoch_follows_from_seed_and_number(tmp_path: Path) -> None:
    snapshot = read(made(tmp_path))
    pictures = Pictures(snapshot, size=64, multiple=16)
    config = make({"batch": 4})

    def order(epoch: int, seed: int = 0) -> list[str]:
        chosen = make({"batch": 4, "seed": seed})
        batches = epoch_batches(snapshot.rows, pictures, chosen, epoch, set())
        return [item.row.key for items in batches for item in items]

    assert order(3) == order(3)
    assert order(3) != order(4)
    assert order(3) != order(3, seed=1)
    assert sorted(order(3)) == sorted(row.key for row in snapshot.rows)
    assert all(item.augment for items in epoch_batches(snapshot.rows, pictures, config, 0, set()) for item in items)


def test_versions_and_copies(tmp_path: Path) -> None:
    snapshot = read(made(tmp_path, {"train": 4}))
    pictures = Pictures(snapshot, size=64, multiple=16)
    config = make({"versions": 3, "oversample": 5})
    batches = epoch_batches(snapshot.rows, pictures, config, 0, {"train/001"})
    seen = Counter((item.row.key, item.augment) for items in batches for item in items)
    assert seen[("train/000", False)] == 1
    assert seen[("train/000", True)] == 3
    assert seen[("train/001", True)] == 8


def test_a_last_batch_of_one_is_left_out(tmp_path: Path) -> None:
    snapshot = read(made(tmp_path, {"train": 5}))
    pictures = Pictures(snapshot, size=64, multiple=16)
    assert [len(one) for one in epoch_batches(snapshot.rows, pictures, make({"batch": 4}), 0, set())] == [4]
    assert [len(one) for one in epoch_batches(snapshot.rows[:1], pictures, make({"batch": 4}), 0, set())] == [1]


def test_rare_samples(tmp_path: Path) -> None:
    plain = list(samples({"train": 40}))
    without = [replace(one, mask=one.mask - (one.mask == 2)) for one in plain[4:] if one.mask is not None]
    snapshot = read(write(tmp_path, [*plain[:4], *without], CLASSES)[1])
    rows = snapshot.rows
    assert rare_keys(rows, snapshot, make()) == set()
    rare = {f"train/00{at}" for at in range(4)}
    assert rare_keys(rows, snapshot, make({"oversample": 24})) == rare
    assert rare_keys(rows, snapshot, make({"oversample": 24, "oversample_pixels": 97})) == set()
    everywhere = rare_keys(rows, snapshot, make({"oversample": 24, "oversample_classes": "soil"}))
    assert len(everywhere) == 40
    with pytest.raises(Refused, match="'boulder', which is no class"):
        rare_keys(rows, snapshot, make({"oversample": 2, "oversample_classes": "boulder"}))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_scaled_training_pictures_have_mean_0_and_deviation_1(tmp_path: Path, kind: type[np.generic]) -> None:
    snapshot = of(tmp_path, picture("a", 20, 30, 3, kind), picture("bb", 12, 16, 3, kind))
    pictures = Pictures(snapshot, size=64, multiple=1)
    scaling = pictures.scaling(snapshot.rows)
    scaled = [
        scaling.standard(scaling.unit(pictures.gather([Item(row)]).image)).permute(1, 0, 2, 3).reshape(3, -1)
        for row in snapshot.rows
    ]
    flat = torch.cat(scaled, 1)
    torch.testing.assert_close(flat.mean(1), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(flat.std(1), torch.ones(3), atol=1e-2, rtol=0)
    assert scaling.unit(pictures.gather([Item(snapshot.rows[0])]).image).max() <= 1


def test_large_pictures_are_scaled_by_strips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = of(tmp_path, picture("a", 50, 30, 3, np.uint16))
    pictures = Pictures(snapshot, size=64, multiple=1)
    whole = pictures.scaling(snapshot.rows)
    monkeypatch.setattr(data, "_STRIP", 7 * 30)
    strips = pictures.scaling(snapshot.rows)
    np.testing.assert_allclose(strips.mean + strips.deviation, whole.mean + whole.deviation, rtol=1e-6)


def test_channels(tmp_path: Path) -> None:
    mixed = of(tmp_path, picture("a", 8, 8, 1), picture("bb", 8, 8, 3))
    pictures = Pictures(mixed, size=8, multiple=1)
    batch = pictures.gather([Item(row) for row in mixed.rows])
    assert (batch.image[0] == batch.image[0, :, :, :1]).all()
    assert len(pictures.scaling(mixed.rows).mean) == 3
    with pytest.raises(Refused, match="have 2 and 3 channels"):
        Pictures(of(tmp_path, picture("a", 8, 8, 2), picture("bb", 8, 8, 3)), size=8, multiple=1)


def test_pixel_weights_and_pseudo_labels(tmp_path: Path) -> None:
    weighted = replace(picture("a", 8, 8), weight=np.full((8, 8), 0.25, np.float32))
    snapshot = of(tmp_path, weighted, replace(picture("b", 8, 8), kind="pseudo"))
    pictures = Pictures(snapshot, size=8, multiple=1, pseudo_weight=0.5)
    weight = pictures.gather([Item(row) for row in snapshot.rows]).weight
    assert weight is not None
    assert (weight[0] == 0.25).all()
    assert (weight[1] == 0.5).all()


def test_batches_arrive_in_order_from_the_other_thread(tmp_path: Path) -> None:
    snapshot = read(made(tmp_path, {"train": 6}))
    pictures = Pictures(snapshot, size=64, multiple=16)
    plan = epoch_batches(snapshot.rows, pictures, make({"batch": 2}), 0, set())
    meta = torch.device("meta")
    assert [len(batch.augment) for batch in ahead(plan, pictures, meta)] == [2, 2, 2]
    here = [batch.image for batch in ahead(plan, pictures, torch.device("cpu"))]
    assert all(torch.equal(image, pictures.gather(items).image) for image, items in zip(here, plan, strict=True))
