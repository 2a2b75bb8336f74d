"""Metrics against scikit-learn and scipy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_cdt
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score, precision_score, recall_score

from ml.data import VOID
from ml.metrics import Tally, boundary_counts, confusion, from_confusion
from tests.ml.made import CLASSES

TARGETS = CLASSES[:3]
CPU = torch.device("cpu")


def drawn(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(seed)
    raw = random.random((3, 3, 10, 12)) ** 3
    return torch.from_numpy(raw / raw.sum(1, keepdims=True)).float(), torch.from_numpy(
        random.integers(-1, 3, (3, 10, 12))
    )


def test_figures_agree_with_scikit_learn() -> None:
    tally = Tally(TARGETS, CPU)
    truths, predictions = [], []
    for seed in (1, 2):
        believed, target = drawn(seed)
        each, likeliest = tally.add(believed, target)
        counted = target != VOID
        truths.append(target[counted].numpy())
        predictions.append(likeliest[counted].numpy())
        assert int(each.sum()) == int(counted.sum())
    truth, predicted = np.concatenate(truths), np.concatenate(predictions)
    figures = tally.summary()
    np.testing.assert_array_equal(figures["confusion"], confusion_matrix(truth, predicted))
    assert figures["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
    iou = jaccard_score(truth, predicted, average=None)
    for at, one in enumerate(TARGETS):
        row = figures["classes"][one.name]
        assert row["iou"] == pytest.approx(iou[at])
        assert row["precision"] == pytest.approx(precision_score(truth, predicted, average=None)[at])
        assert row["recall"] == pytest.approx(recall_score(truth, predicted, average=None)[at])
    assert figures["miou"] == pytest.approx(iou[1:].mean())
    assert figures["miou_all"] == pytest.approx(iou.mean())
    assert figures["dice"] == pytest.approx(f1_score(truth, predicted, average=None)[1:].mean())
    on_foreground = jaccard_score(truth[truth != 0], predicted[truth != 0], average=None, labels=[1, 2])
    assert figures["miou_on_foreground"] == pytest.approx(on_foreground.mean())


def test_calling_all_foreground_pays_only_where_background_is_not_counted() -> None:
    figures = from_confusion(torch.tensor([[0, 50, 0], [0, 30, 0], [0, 0, 20]]), TARGETS)
    assert figures["miou_on_foreground"] == 1
    assert figures["miou"] == pytest.approx((30 / 80 + 1) / 2)
    assert figures["classes"]["sky"]["recall"] == 0
    assert figures["classes"]["soil"]["precision"] == pytest.approx(30 / 80)


def test_what_never_occurs_is_not_averaged() -> None:
    figures = from_confusion(torch.tensor([[5, 0, 0], [0, 5, 0], [0, 0, 0]]), TARGETS)
    assert figures["classes"]["rock"]["iou"] is None
    assert figures["miou"] == 1
    assert from_confusion(torch.zeros(3, 3), TARGETS)["miou"] is None


def test_calibration_error() -> None:
    tally = Tally(TARGETS, CPU)
    believed = torch.tensor([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.2, 0.6, 0.2], [0.2, 0.6, 0.2]])
    believed = believed.T.reshape(1, 3, 2, 2)
    tally.add(believed, torch.tensor([[[0, 1], [1, 1]]]))
    # Sure by 0.9 and half right, sure by 0.6 and all right: half of 0.4 and half of 0.4.
    assert tally.summary()["calibration_error"] == pytest.approx(0.4)


def test_confusion_of_each_picture() -> None:
    believed, target = drawn(4)
    each = confusion(believed.argmax(1), target, 3)
    for at in range(3):
        counted = target[at] != VOID
        expected = confusion_matrix(target[at][counted], believed[at].argmax(0)[counted], labels=[0, 1, 2])
        np.testing.assert_array_equal(each[at], expected)


@pytest.mark.parametrize(("size", "strip"), [((20, 24), 1 << 24), ((150, 200), 1 << 24), ((150, 200), 1)])
def test_boundaries_agree_with_distances(size: tuple[int, int], strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.metrics._STRIP", strip)
    random = np.random.default_rng(5)
    given = np.kron(random.integers(0, 3, (5, 6)), np.ones((size[0] // 5, size[1] // 6), int))
    height, width = given.shape
    said = np.roll(given, 1, axis=1)
    reach = max(1, round(0.0075 * float(np.hypot(height, width))))

    def edges(labels: np.ndarray, one: int) -> np.ndarray:
        padded = np.pad(labels, 1, mode="edge")
        around = [padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1]]
        return np.asarray((labels == one) & np.any([one_side != labels for one_side in around], axis=0))

    counts = boundary_counts(torch.from_numpy(said)[None], torch.from_numpy(given)[None], 3)
    for one in range(3):
        of_given, of_said = edges(given, one), edges(said, one)
        to_given = distance_transform_cdt(~of_given, metric="chessboard")
        to_said = distance_transform_cdt(~of_said, metric="chessboard")
        expected = [(of_said & (to_given <= reach)).sum(), of_said.sum(), (of_given & (to_said <= reach)).sum()]
        assert counts[:, one].tolist() == [*expected, of_given.sum()]


def test_a_perfect_prediction() -> None:
    target = torch.zeros(1, 12, 12, dtype=torch.long)
    target[:, 4:8, 4:8] = 1
    target[:, 9:, 9:] = VOID
    tally = Tally(TARGETS, CPU)
    believed = torch.nn.functional.one_hot(target.clamp_min(0), 3).permute(0, 3, 1, 2).float()
    tally.add(believed, target)
    tally.add_boundaries(believed.argmax(1), target)
    figures = tally.summary()
    assert figures["boundary_f"] == 1
    assert figures["calibration_error"] == 0
    assert figures["accuracy"] == 1
