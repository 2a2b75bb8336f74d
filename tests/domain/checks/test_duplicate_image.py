import csv
import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from scipy.spatial import cKDTree

from app.domain.checks.duplicate_image import DuplicateImage
from app.domain.checks.neighbours import near, nearest_first
from app.domain.checks.unions import Unions
from benchmarks.replicas import Image as Pixels
from benchmarks.replicas import relit, scene
from tests.domain.checks.views import CLASSES, Array, course_set, flagged, folder_set, judge, views
from tests.shared import shared

SCENES = [scene(np.random.default_rng(seed)) for seed in range(40)]


def resize(image: Pixels, width: int, height: int) -> Pixels:
    return np.asarray(Image.fromarray(image).resize((width, height)))


def jpeg(image: Pixels) -> Pixels:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=40)
    return np.asarray(Image.open(out))


COPIES: dict[str, Callable[[Pixels], Array]] = {
    "exact": lambda image: image,
    "flipped left-right": lambda image: image[:, ::-1],
    "flipped up-down": lambda image: image[::-1],
    "another light": lambda image: relit(np.random.default_rng(1), image),
    "re-encoded": jpeg,
    "half the size": lambda image: resize(image, 64, 32),
    "cropped": lambda image: resize(image[3:57, 8:120], 128, 64),
    "as RGB": lambda image: np.repeat(image[:, :, None], 3, axis=2),
    "as 16 bit": lambda image: image.astype(np.uint16) * 257,
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_found_and_nothing_else(how: str) -> None:
    """At least nine of ten copies, each with its own picture only."""
    images = [image for image, _ in SCENES]
    seen = views([*images, *(COPIES[how](image) for image in images[:20])], [None] * 60)
    findings, groups = judge(DuplicateImage(CLASSES), seen)
    assert all(group.members[1] == group.members[0] + 40 and len(group.members) == 2 for group in groups)
    assert len(groups) >= (18 if how != "cropped" else 16)
    assert len(flagged(findings)) == 2 * len(groups)


def test_conflicting_masks_weigh_more_than_equal_ones() -> None:
    (image, mask), (other, other_mask) = SCENES[0], SCENES[1]
    wrong = mask.copy()
    wrong[20:60, 30:90] = 4
    images = [image, image, other, other, relit(np.random.default_rng(0), image)]
    findings, groups = judge(DuplicateImage(CLASSES), views(images, [mask, wrong, other_mask, other_mask, mask]))
    assert findings[1].score == pytest.approx(0.9)
    assert findings[2].score == findings[3].score == 0.6
    assert "masks differ in 29 % of the pixels" in findings[1].reason
    assert findings[2].reason == "Exactly the same picture as 1 other sample."
    assert groups[0].members == (0, 1, 4)


def test_a_flipped_copy_with_its_mask_flipped_does_not_conflict() -> None:
    image, mask = SCENES[2]
    flipped = np.ascontiguousarray(mask[:, ::-1])
    findings, _ = judge(DuplicateImage(CLASSES), views([image, image[:, ::-1]], [mask, flipped]))
    assert findings[0].score == findings[1].score == 0.5
    findings, _ = judge(DuplicateImage(CLASSES), views([image, image[:, ::-1]], [mask, 4 - flipped]))
    assert findings[0].score == pytest.approx(0.9)


def test_flat_pictures_are_no_copies_unless_they_are_equal() -> None:
    flat = [np.full((20, 30), value, np.uint8) for value in (0, 40, 200, 200)]
    _, groups = judge(DuplicateImage(CLASSES), views(flat, [None] * 4))
    assert [group.members for group in groups] == [(2, 3)]


def test_content_groups_cover_every_sample_and_follow_the_copies() -> None:
    images = [image for image, _ in SCENES[:10]]
    check = DuplicateImage(CLASSES)
    judge(check, views([*images, images[3], images[4][:, ::-1]], [None] * 12))
    groups = check.content_groups()
    assert set(groups) == set(range(12))
    assert groups[10] == groups[3] == 3 and groups[11] == groups[4] == 4
    assert len(set(groups.values())) == 10


def test_the_order_of_seeing_changes_nothing() -> None:
    images = [image for image, _ in SCENES]
    seen = views(images + [image[::-1] for image in images[:10]], [None] * 50)
    plain = judge(DuplicateImage(CLASSES), seen)
    assert judge(DuplicateImage(CLASSES), [seen[i] for i in np.random.default_rng(0).permutation(50)]) == plain


def test_copies_on_the_mars_replica_never_join_two_scenes() -> None:
    path = shared("data/mars_replica/mars_for_students.npz")
    with path.with_name("truth.csv").open() as file:
        base = [row["base"] for row in csv.DictReader(file)]
    # Pairs of base pictures that are flips of each other.
    same = {"m023": "m011", "m037": "m012", "m018": "m014", "m019": "m015", "m020": "m016"}
    base = [same.get(one, one) for one in base]
    seen = [view for view, one in zip(course_set(path), base, strict=True) if one < "m020"]
    check = DuplicateImage(CLASSES)
    judge(check, seen)
    groups = check.content_groups()
    assert all(base[sample] == base[first] for sample, first in groups.items())
    assert len(set(groups.values())) < len(seen) / 4


def test_nuclei_have_no_copies() -> None:
    assert not flagged(judge(DuplicateImage(CLASSES), folder_set(shared("data/nuclei_dsb2018")))[0])


def test_cells_find_nearly_all_neighbours_that_a_full_search_finds() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(9000, 12)).astype(np.float32)
    vectors[1::2] = vectors[::2] + 0.2 * rng.normal(size=(4500, 12)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = vectors[:600]
    query, answer, cosine = map(np.concatenate, zip(*near(queries, vectors, 0.9, 2000), strict=True))
    every = np.count_nonzero(queries @ vectors.T >= 0.9)
    assert 0.95 * every <= len(query) <= every
    assert np.allclose((queries[query] * vectors[answer]).sum(axis=1), cosine, atol=1e-5)


def test_of_a_crowded_cell_the_nearest_are_enough() -> None:
    rng = np.random.default_rng(0)
    vectors = 1 + 0.1 * rng.normal(size=(500, 12)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    [(query, answer, _)] = near(vectors[:3], vectors, 0.5, 10)
    for one in range(3):
        assert set(answer[query == one]) == set(np.argsort(-(vectors @ vectors[one]))[:10])


@pytest.mark.parametrize("spread", [0.0, 0.01, 1.0])
def test_neighbours_come_nearest_first_and_each_once(spread: float) -> None:
    rng = np.random.default_rng(1)
    points = np.repeat(rng.normal(size=(5, 3)), 40, axis=0) + spread * rng.normal(size=(200, 3))
    apart = ((points - points[70]) ** 2).sum(axis=1)
    expected = [int(one) for one in np.argsort(apart, kind="stable") if one != 70 and apart[one] <= 0.25]
    assert list(nearest_first(cKDTree(points), 70, 0.5)) == expected


def test_unions_join_and_weigh() -> None:
    unions = Unions([1, 2, 3, 4])
    unions.join(2, 0)
    unions.join(0, 2)
    assert unions.sets() == {0: [0, 2], 1: [1], 3: [3]}
    assert unions.weight[unions.root(2)] == 4
