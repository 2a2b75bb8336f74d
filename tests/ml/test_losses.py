"""Losses against sums written out in numpy."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from torch import Tensor

from ml.config import make
from ml.data import VOID
from ml.errors import Broken
from ml.losses import Loss, class_weights, insist_on_number
from ml.snapshot import Class
from tests.ml.made import CLASSES

TARGETS: tuple[Class, ...] = CLASSES[:3]


@pytest.fixture
def logits() -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(0, 2, (2, 3, 4, 5)))


@pytest.fixture
def target() -> Tensor:
    drawn = np.random.default_rng(2).integers(-1, 3, (2, 4, 5))
    drawn[0, 0, 0] = VOID
    return torch.from_numpy(drawn)


def flat(logits: Tensor, target: Tensor) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(pixels, classes) logits and their targets, void left out."""
    counted = target.numpy().reshape(-1) != VOID
    return logits.permute(0, 2, 3, 1).reshape(-1, 3).numpy()[counted], target.numpy().reshape(-1)[counted]


def test_cross_entropy(logits: Tensor, target: Tensor) -> None:
    rows, truth = flat(logits, target)
    expected = -log_softmax(rows, axis=1)[np.arange(len(truth)), truth].mean()
    assert float(Loss(make(), None)(logits, target)) == pytest.approx(expected, rel=1e-5)


def test_cross_entropy_without_background(logits: Tensor, target: Tensor) -> None:
    rows, truth = flat(logits, target)
    rows, truth = rows[truth != 0], truth[truth != 0]
    expected = -log_softmax(rows, axis=1)[np.arange(len(truth)), truth].mean()
    loss = Loss(make({"preset": "no_background"}), None, [0])
    assert float(loss(logits, target)) == pytest.approx(expected, rel=1e-5)
    nothing = torch.full_like(target, VOID)
    torch.testing.assert_close(loss(logits, target.masked_fill(target == 0, VOID)), loss(logits, target))
    assert float(loss(logits, nothing)) == 0


def test_class_and_pixel_weights(logits: Tensor, target: Tensor) -> None:
    rows, truth = flat(logits, target)
    weights = np.array([0.5, 1.0, 3.0])
    surprise = -log_softmax(rows, axis=1)[np.arange(len(truth)), truth]
    expected = (surprise * weights[truth]).sum() / weights[truth].sum()
    loss = Loss(make(), torch.from_numpy(weights))
    assert float(loss(logits, target)) == pytest.approx(expected, rel=1e-5)
    # A weight of nought is as good as void.
    weight = torch.from_numpy(np.random.default_rng(3).integers(0, 2, target.shape)).float()
    as_void = target.masked_fill(weight == 0, VOID)
    for keys in ({}, {"cross_entropy": 0, "dice": 1}, {"cross_entropy": 0, "focal": 1}):
        one = Loss(make(keys), None)
        torch.testing.assert_close(one(logits, target, weight), one(logits, as_void))


def test_focal(logits: Tensor, target: Tensor) -> None:
    rows, truth = flat(logits, target)
    right = softmax(rows, axis=1)[np.arange(len(truth)), truth]
    expected = (-((1 - right) ** 2) * np.log(right)).mean()
    loss = Loss(make({"cross_entropy": 0, "focal": 1}), None)
    assert float(loss(logits, target)) == pytest.approx(expected, rel=1e-5)
    plain = Loss(make({"cross_entropy": 0, "focal": 1, "focal_gamma": 0}), None)
    torch.testing.assert_close(plain(logits, target), Loss(make(), None)(logits, target))


def test_dice(logits: Tensor, target: Tensor) -> None:
    believed, truth = softmax(logits.numpy(), axis=1), target.numpy()
    terms = []
    for at in range(2):
        counted = truth[at] != VOID
        for one in range(3):
            given = (truth[at] == one)[counted].astype(float)
            if given.any():
                said = believed[at, one][counted]
                terms.append(1 - 2 * (said * given).sum() / (said.sum() + given.sum()))
    loss = Loss(make({"cross_entropy": 0, "dice": 1}), None)
    assert float(loss(logits, target)) == pytest.approx(np.mean(terms), rel=1e-4)
    sure = torch.nn.functional.one_hot(target.clamp_min(0), 3).permute(0, 3, 1, 2) * 50.0
    assert float(loss(sure, target)) == pytest.approx(0, abs=1e-5)


def test_the_sum_is_weighted(logits: Tensor, target: Tensor) -> None:
    def one(keys: dict[str, float]) -> float:
        return float(Loss(make(keys), None)(logits, target))

    parts = [one({"cross_entropy": 1}), one({"cross_entropy": 0, "dice": 1}), one({"cross_entropy": 0, "focal": 1})]
    mixed = one({"cross_entropy": 0.2, "dice": 0.5, "focal": 0.3})
    assert mixed == pytest.approx(np.dot([0.2, 0.5, 0.3], parts), rel=1e-5)


def test_parts_of_a_batch_add_up(logits: Tensor, target: Tensor) -> None:
    loss = Loss(make({"dice": 0.5, "focal": 0.5}), None)
    whole = loss.parts(logits, target)
    halves = [loss.parts(logits[at : at + 1], target[at : at + 1]) for at in range(2)]
    for at in range(2):
        torch.testing.assert_close(whole[at], halves[0][at] + halves[1][at])


def test_void_sends_no_gradient(target: Tensor) -> None:
    logits = torch.randn(2, 3, 4, 5, requires_grad=True)
    Loss(make({"dice": 1, "focal": 1}), None)(logits, target).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    silent = (logits.grad == 0).all(1)
    assert bool((silent == (target == VOID)).all())


def test_class_weights_follow_the_square_root() -> None:
    weights = class_weights(TARGETS, {0: 100, 1: 25, 255: 7})
    assert weights.tolist() == pytest.approx([2 / 3, 4 / 3, 0])


def test_no_number() -> None:
    insist_on_number(torch.tensor(1.0), 3)
    with pytest.raises(Broken, match=r"no number in epoch 3.*Lower learning_rate"):
        insist_on_number(torch.tensor(float("nan")), 3)
