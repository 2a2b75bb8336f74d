"""The demo set: mostly clean samples of invented terrain, and a known share of everything that Remask looks for."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from app.domain.classes import ClassList, Role, named
from app.domain.demo import faults
from app.domain.demo.terrain import BACKGROUND, BEDROCK, ROCK, SAND, SOIL, U8, Recipe, ground, scene

CLASSES = ClassList(
    (
        named(BACKGROUND, "background", role=Role.BACKGROUND),
        named(SOIL, "soil"),
        named(BEDROCK, "bedrock"),
        named(SAND, "sand"),
        named(ROCK, "big rock"),
    ),
    guessed=False,
)
SIZE = (64, 128)

# Kinds whose given mask is not the true one; of all others it is, pixel by pixel.
IMPRECISE = frozenset(faults.IMPRECISE) | {"conflicting_duplicate"}
WRONG = IMPRECISE | {"contaminated"}


class _Honest(NamedTuple):
    """A mask that many different pictures rightly share: one class, and maybe a thin edge of background."""

    share: float
    id: int
    edge: tuple[slice, slice] | None


_ALL = slice(None)
_HONEST = (
    _Honest(0.090, SOIL, None),
    _Honest(0.036, SAND, None),
    _Honest(0.034, BEDROCK, None),
    _Honest(0.019, SOIL, (slice(0, 3), _ALL)),
    _Honest(0.015, BEDROCK, (slice(-1, None), _ALL)),
    _Honest(0.011, BEDROCK, (_ALL, slice(-1, None))),
    _Honest(0.010, SOIL, (_ALL, slice(-1, None))),
)
_CONTAMINATED, _BAD, _FOREIGN, _NEAR, _CONFLICTING = 0.042, 0.02, 0.007, 0.03, 0.013
_EACH_IMPRECISE = 0.031  # of the six kinds; with the conflicting ones a fifth of the set
_LEAST_WRONG = 0.012  # an imprecise mask differs from the truth in at least this share of its pixels
_WITH_ROCK, _WITH_SKY, _WITH_DECK = 0.06, 0.34, 0.2
_MIXES = ((SOIL, BEDROCK), (SOIL, SAND), (BEDROCK, SAND), (SOIL, BEDROCK, SAND), (SOIL, BEDROCK, SAND))


@dataclass(frozen=True)
class DemoSample:
    """One sample with what is true of it.

    ``image``, ``mask`` (as given to Remask) and ``truth_mask`` are uint8 (H, W); ``kind`` is "clean" or what is odd
    about it; samples of one ``group`` share a mask (0: the contaminated ones) or a picture. ``key`` is the one that the
    sample gets from the file that ``as_npz`` writes.
    """

    key: str
    image: U8
    mask: U8
    truth_mask: U8
    kind: str
    group: int | None


@dataclass(frozen=True)
class _Slot:
    """What one sample is going to be; ``source`` is the slot that a near-duplicate copies."""

    kind: str
    group: int | None = None
    variant: int = 0
    source: int | None = None


def generate(seed: int = 0, count: int = 600, size: tuple[int, int] = SIZE) -> Iterator[DemoSample]:
    """``count`` samples, one at a time, the same for a seed on any machine. ``size``: (H, W), at least (32, 32).

    About 5 ms a sample of 64 x 128.
    """
    for index, slot in enumerate(_plan(seed, count)):
        image, mask, truth = _make(seed, index, slot, size)
        yield DemoSample(f"training_set/{index:05d}", image, mask, truth, slot.kind, slot.group)


def generate_unlabelled(seed: int = 0, count: int = 60, size: tuple[int, int] = SIZE) -> Iterator[tuple[str, U8, U8]]:
    """Pictures of the same world that nobody labelled, as (key, image, true mask)."""
    for index in range(count):
        image, truth = _mixed(_rng(seed, 1, index), seed, size)
        yield f"test_set/{index:05d}", image, truth


def _rng(seed: int, *path: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, *path]))


def _plan(seed: int, count: int) -> list[_Slot]:
    """What each sample will be. Odd ones lie scattered; a copy's source is a clean sample, and joins its group."""
    slots = [_Slot("contaminated", 0)] * round(_CONTAMINATED * count)
    for group, honest in enumerate(_HONEST, start=1):
        slots += [_Slot("honest_duplicate", group, group - 1)] * round(honest.share * count)
    for kind in faults.IMPRECISE:
        slots += [_Slot(kind)] * round(_EACH_IMPRECISE * count)
    slots += [_Slot("bad_image", variant=n) for n in range(round(_BAD * count))]
    slots += [_Slot("foreign_image")] * round(_FOREIGN * count)
    copies = ["near_duplicate"] * round(_NEAR * count) + ["conflicting_duplicate"] * round(_CONFLICTING * count)
    slots += [_Slot(kind, variant=n) for n, kind in enumerate(copies)]
    slots += [_Slot("clean")] * (count - len(slots))

    order = _rng(seed, 0).permutation(count)
    plan = [slots[n] for n in order]
    clean = iter([int(n) for n in _rng(seed, 3).permutation(count) if plan[n].kind == "clean"])
    group = len(_HONEST) + 1
    for index, slot in enumerate(plan):
        if slot.kind in {"near_duplicate", "conflicting_duplicate"}:
            source = next(clean)
            plan[index] = replace(slot, group=group, source=source)
            plan[source] = replace(plan[source], group=group)
            group += 1
    return plan


def _make(seed: int, index: int, slot: _Slot, size: tuple[int, int]) -> tuple[U8, U8, U8]:
    """Picture, given mask and true mask of one slot."""
    rng = _rng(seed, 2, index)
    match slot.kind:
        case "contaminated":
            image, truth = faults.prank(*_mixed(rng, seed, size), rng)
            return image, faults.prank_mask(size), truth
        case "honest_duplicate":
            return _plain(rng, seed, size, _HONEST[slot.variant])
        case "bad_image":
            image, truth = _mixed(rng, seed, size)
            return faults.bad_image(image, rng, slot.variant), truth, truth
        case "foreign_image":
            truth = np.zeros(size, np.uint8)
            return faults.foreign_image(size, rng), truth, truth
        case "near_duplicate" | "conflicting_duplicate":
            source = _mixed(_rng(seed, 2, slot.source or 0), seed, size)
            image, truth = faults.near_copy(*source, rng, slot.variant)
            mask = _spoilt("swapped", truth, rng) if slot.kind == "conflicting_duplicate" else truth
            return image, truth if mask is None else mask, truth
        case "clean":
            image, truth = _mixed(rng, seed, size)
            return image, truth, truth
        case _:
            while True:
                image, truth = _mixed(rng, seed, size, rock=True if slot.kind == "missing_object" else None)
                mask = _spoilt(slot.kind, truth, rng)
                if mask is not None:
                    return image, mask, truth


def _spoilt(kind: str, truth: U8, rng: np.random.Generator) -> U8 | None:
    """The truth spoilt in the way of ``kind``; None where that left it nearly as it was."""
    for _ in range(4):
        mask = faults.IMPRECISE[kind](truth, rng)
        if (mask != truth).sum() >= _LEAST_WRONG * truth.size:
            return mask
    return None


def _mixed(rng: np.random.Generator, seed: int, size: tuple[int, int], rock: bool | None = None) -> tuple[U8, U8]:
    """A scene of at least two kinds of ground, each with a twentieth of the picture or more."""
    rock = rng.random() < _WITH_ROCK if rock is None else rock
    chance = rng.random()
    sky, deck = chance < _WITH_SKY, chance > 1 - _WITH_DECK
    while True:
        terrain = _MIXES[int(rng.integers(len(_MIXES)))]
        image, truth = scene(rng, ground(seed), Recipe(terrain, int(rock), sky, deck), size)
        if np.sort(np.bincount(truth.ravel(), minlength=5)[1:4])[-2] >= truth.size // 20:
            return image, truth


def _plain(rng: np.random.Generator, seed: int, size: tuple[int, int], honest: _Honest) -> tuple[U8, U8, U8]:
    """A scene of one kind of ground; the edge, where there is one, is the dark rim of the sensor."""
    image, truth = scene(rng, ground(seed), Recipe((honest.id,)), size)
    if honest.edge is not None:
        image[honest.edge] //= 5
        truth[honest.edge] = BACKGROUND
    return image, truth, truth


def as_npz(path: Path, seed: int = 0, count: int = 600, size: tuple[int, int] = SIZE) -> None:
    """The demo set as a file in the course's layout, a tenth as many unlabelled pictures with it; beside it
    ``<name>.truth.csv`` with sample, kind and group of each labelled one.

    Arrays: ``training_set`` (N, 2, H, W) and ``test_set`` (M, H, W), uint8.
    """
    training = np.empty((count, 2, *size), np.uint8)
    with path.with_suffix(".truth.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("sample", "kind", "group"))
        for row, sample in zip(training, generate(seed, count, size), strict=True):
            row[0], row[1] = sample.image, sample.mask
            table.writerow((sample.key, sample.kind, "" if sample.group is None else sample.group))
    test = [image for _, image, _ in generate_unlabelled(seed, max(1, count // 10), size)]
    np.savez_compressed(path, training_set=training, test_set=np.stack(test))
