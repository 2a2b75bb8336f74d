"""A picture that equals its mask still does after it was moved."""

import pytest
import torch
from torch import Tensor

from ml.augment import augment, cutmix, sampling_grid, warp
from ml.config import GEOMETRIC, PHOTOMETRIC
from ml.data import VOID

EVERY = torch.ones(16, dtype=torch.bool)


def blocks(seed: int = 0) -> tuple[Tensor, Tensor]:
    """16 pictures of large blocks: (16, 1, 48, 64) of 0, 0.5 and 1, and the classes 0, 1, 2 that they equal."""
    target = torch.randint(3, (16, 6, 8), generator=torch.Generator().manual_seed(seed))
    target = target.repeat_interleave(8, 1).repeat_interleave(8, 2)
    return target.unsqueeze(1) / 2, target


@pytest.mark.parametrize("name", [*GEOMETRIC, "cutmix", "all"])
def test_picture_and_mask_move_together(name: str) -> None:
    torch.manual_seed(3)
    image, target = blocks()
    weight = target.float() + 1
    names = (*GEOMETRIC, "cutmix") if name == "all" else (name,)
    moved, labels, weights = augment(image, target, weight, EVERY, names, 1.0)
    assert (labels != target).any()
    inside = labels != VOID
    assert inside.float().mean() > 0.6
    # Bilinear against nearest: they differ at block edges only.
    agree = ((moved[:, 0] * 2).round() == labels)[inside].float().mean()
    assert agree > 0.93
    assert weights is not None
    torch.testing.assert_close(weights[inside], labels[inside].float() + 1)
    assert (weights[~inside] == 0).all()


@pytest.mark.parametrize("name", ["hflip", "vflip"])
def test_a_flip_is_exact(name: str) -> None:
    torch.manual_seed(0)
    image, target = blocks()
    moved, labels, _ = augment(image, target, None, EVERY, (name,), 1.0)
    axis = 2 if name == "hflip" else 1
    flipped = (labels == target.flip(axis)).all((1, 2))
    kept = (labels == target).all((1, 2))
    assert (flipped | kept).all()
    assert 0 < int(flipped.sum()) < 16
    torch.testing.assert_close(moved[:, 0], labels / 2, atol=1e-4, rtol=0)


def test_what_comes_from_outside_is_void_and_of_the_mean_grey() -> None:
    image, target = blocks()
    grid = sampling_grid(48, 64, torch.zeros(16, dtype=torch.bool), (), 1.0)
    moved, labels, _ = warp(image, target, None, grid + torch.tensor([1.0, 0.0]))
    assert (labels[:, :, 33:] == VOID).all()
    assert (labels[:, :, :31] == target[:, :, 32:63]).all()
    expected = image.mean((2, 3), keepdim=True).expand(-1, -1, 48, 31)
    torch.testing.assert_close(moved[:, :, :, 33:], expected)


def test_void_stays_void() -> None:
    image, target = blocks()
    torch.manual_seed(1)
    _, labels, _ = augment(image, torch.full_like(target, VOID), None, EVERY, GEOMETRIC, 1.0)
    assert (labels == VOID).all()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", PHOTOMETRIC)
def test_colours_change_and_nothing_moves(name: str, channels: int) -> None:
    torch.manual_seed(2)
    image = torch.rand(16, channels, 32, 40)
    _, target = blocks()
    target = target[:, :32, :40]
    changed, labels, _ = augment(image, target, None, EVERY, (name,), 1.0)
    assert labels is target
    assert changed.shape == image.shape
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1
    if not (name == "gray" and channels == 1):
        touched = (changed != image).flatten(1).any(1)
        assert 0 < int(touched.sum()) < 16


def test_only_what_is_chosen_is_touched() -> None:
    torch.manual_seed(4)
    image, target = blocks()
    which = torch.arange(16) < 8
    moved, labels, _ = augment(image, target, None, which, ("affine", "elastic", "noise", "cutmix"), 1.0)
    assert (labels[8:] == target[8:]).all()
    torch.testing.assert_close(moved[8:], image[8:], atol=1e-4, rtol=0)
    assert (labels[:8] != target[:8]).any()
    assert augment(image, target, None, torch.zeros(16, dtype=torch.bool), GEOMETRIC, 1.0)[0] is image


def test_cutmix_takes_a_box_of_the_neighbour() -> None:
    torch.manual_seed(5)
    image, target = blocks()
    mixed, labels, _ = cutmix(image, target, None, EVERY)
    from_neighbour = labels == target.roll(1, 0)
    assert ((labels == target) | from_neighbour).all()
    torch.testing.assert_close(mixed[:, 0], labels / 2)
    assert 0.05 < float((labels != target).float().mean()) < 0.6


def test_turning_keeps_angles_in_an_oblong_picture() -> None:
    """Distances between sampled points are those of a turn and a zoom in pixels, whatever the sides are."""
    torch.manual_seed(6)
    grid = sampling_grid(40, 160, torch.ones(64, dtype=torch.bool), ("affine",), 1.0)
    pixels = grid * torch.tensor([80.0, 20.0])
    right, down = pixels[:, 10, 11] - pixels[:, 10, 10], pixels[:, 11, 10] - pixels[:, 10, 10]
    ratio = right.norm(dim=1) / down.norm(dim=1)
    assert float((ratio - 1).abs().max()) < 0.15


def test_the_same_seed_draws_the_same() -> None:
    image, target = blocks()
    names = (*GEOMETRIC, *PHOTOMETRIC, "cutmix")
    torch.manual_seed(7)
    first = augment(image, target, None, EVERY, names, 1.0)
    torch.manual_seed(7)
    second = augment(image, target, None, EVERY, names, 1.0)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
