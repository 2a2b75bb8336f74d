import csv

import numpy as np
import pytest

from app.domain.checks.shared_mask import SharedMask
from benchmarks.replicas import Image, Mask, Plant, Replica, plants_of, relit, replica, scene
from tests.domain.checks.views import CLASSES, course_set, flagged, folder_set, judge, views
from tests.shared import shared


def planted(made: Replica) -> set[int]:
    return {i for i, group in enumerate(made.planted) if group >= 0}


def honest_scenes(count: int, seed: int) -> list[tuple[Image, Mask]]:
    rng = np.random.default_rng(seed)
    return [scene(rng) for _ in range(count)]


@pytest.mark.parametrize(
    "plant",
    [
        Plant(5, "disc", "exact"),
        Plant(5, "drawn", "exact"),
        Plant(40, "drawn", "pixels"),
        Plant(25, "star", "shift"),
        Plant(30, "blot", "flip"),
        Plant(300, "star", "mixed"),
    ],
    ids=lambda plant: f"{plant.size}-{plant.kind}-{plant.variant}",
)
def test_a_contamination_group_is_flagged_whole_and_alone(plant: Plant) -> None:
    made = replica(7, 200, [plant])
    findings, groups = judge(SharedMask(CLASSES), views(made.images, made.masks))
    assert flagged(findings) == planted(made)
    assert groups[0].flagged
    assert "boundary pixels" in groups[0].reason


def test_several_contamination_groups_at_once_are_all_found() -> None:
    made = replica(3, 250, [Plant(60, "drawn", "exact"), Plant(12, "star", "exact"), Plant(7, "blot", "exact")])
    findings, groups = judge(SharedMask(CLASSES), views(made.images, made.masks))
    assert flagged(findings) == planted(made)
    assert sum(group.flagged for group in groups) == 3


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_set_without_contamination_has_groups_but_no_flags(seed: int) -> None:
    made = replica(seed, 300, [])
    findings, groups = judge(SharedMask(CLASSES), views(made.images, made.masks))
    assert not flagged(findings)
    assert len(findings) == len(made.images)
    assert len(groups) > 3


def test_copies_of_one_picture_share_their_mask_honestly() -> None:
    rng = np.random.default_rng(5)
    scenes = honest_scenes(30, 5)
    image, mask = scenes[max(range(30), key=lambda i: int((scenes[i][1][1:] != scenes[i][1][:-1]).sum()))]
    pairs = scenes + [(relit(rng, image), mask) for _ in range(12)] + [(image[:, ::-1], mask[:, ::-1])]
    findings, groups = judge(
        SharedMask(CLASSES), views([i for i, _ in pairs], [np.ascontiguousarray(m) for _, m in pairs])
    )
    assert not flagged(findings)
    assert max(len(group.members) for group in groups) == 14
    assert groups[0].reason.startswith("14 copies of one picture")


def test_two_different_pictures_with_one_rich_mask_are_a_copying_error() -> None:
    scenes = honest_scenes(40, 11)
    rich = sorted(range(40), key=lambda i: int((scenes[i][1][1:] != scenes[i][1][:-1]).sum()))
    masks = [mask for _, mask in scenes]
    masks[rich[0]] = masks[rich[-1]]
    findings, _ = judge(SharedMask(CLASSES), views([image for image, _ in scenes], masks))
    assert flagged(findings) == {rich[0], rich[-1]}


def test_an_exact_pair_of_pictures_with_one_mask_is_no_contamination() -> None:
    scenes = honest_scenes(10, 2)
    pairs = scenes + scenes
    findings, _ = judge(SharedMask(CLASSES), views([i for i, _ in pairs], [m for _, m in pairs]))
    assert not flagged(findings)


def test_renaming_classes_and_the_order_of_seeing_change_nothing() -> None:
    made = replica(4, 120, [Plant(9, "star", "mixed")])
    seen = views(made.images, made.masks)
    plain, groups = judge(SharedMask(CLASSES), seen)
    shuffled, _ = judge(SharedMask(CLASSES), [seen[i] for i in np.random.default_rng(0).permutation(len(seen))])
    assert shuffled == plain
    names = np.array([7, 3, 9, 1, 0], np.uint8)
    renamed, others = judge(SharedMask(CLASSES), views(made.images, [names[mask] for mask in made.masks]))
    assert flagged(renamed) == flagged(plain)
    assert {group.members for group in groups if group.flagged} == {g.members for g in others if g.flagged}


def test_flipping_the_whole_set_changes_no_flag() -> None:
    made = replica(6, 120, [Plant(9, "drawn", "exact")])
    flips = views([i[:, ::-1] for i in made.images], [np.ascontiguousarray(m[:, ::-1]) for m in made.masks])
    assert flagged(judge(SharedMask(CLASSES), flips)[0]) == planted(made)


def test_samples_without_a_mask_are_not_judged() -> None:
    image, mask = honest_scenes(1, 0)[0]
    findings, groups = judge(SharedMask(CLASSES), views([image, image], [None, mask]))
    assert list(findings) == [1]
    assert not groups


def test_the_mars_replica_has_its_one_group_first_and_whole() -> None:
    path = shared("data/mars_replica/mars_for_students.npz")
    with path.with_name("truth.csv").open() as file:
        truth = {int(row["row"]) for row in csv.DictReader(file) if row["contaminated"] == "1"}
    findings, groups = judge(SharedMask(CLASSES), course_set(path))
    assert flagged(findings) == truth
    assert set(groups[0].members) == truth
    assert "4 classes" in groups[0].reason


@pytest.mark.parametrize("name", ["camvid_240x180", "nuclei_dsb2018", "marsdata", "mars_real"])
def test_clean_real_sets_have_no_flags(name: str) -> None:
    assert not flagged(judge(SharedMask(CLASSES), folder_set(shared(f"data/{name}")))[0])


@pytest.mark.long
def test_planted_groups_are_found_in_sixty_replicas() -> None:
    """All groups whose mask is drawn (not borrowed from an honest sample) whole but for one in a hundred samples."""
    found = total = false = 0
    for seed in range(60):
        plants = [plant for plant in plants_of(seed) if plant.kind != "borrowed"]
        made = replica(seed, 500, plants)
        hits = flagged(judge(SharedMask(CLASSES), views(made.images, made.masks))[0])
        found += len(hits & planted(made))
        total += len(planted(made))
        false += len(hits - planted(made))
    assert found >= 0.99 * total
    assert false == 0
