import hashlib
from collections import Counter, defaultdict
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from app.domain import demo
from app.domain.classes import Role
from app.domain.mask import pixel_hash


@lru_cache(maxsize=1)
def whole() -> list[demo.DemoSample]:
    return list(demo.generate())


def digest(samples: list[demo.DemoSample]) -> str:
    parts = [f"{s.key} {s.kind} {s.group} {pixel_hash(s.image)} {pixel_hash(s.mask)}" for s in samples]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def test_a_seed_means_the_same_pixels() -> None:
    assert digest(list(demo.generate(seed=3, count=24))) == digest(list(demo.generate(seed=3, count=24)))
    assert digest(list(demo.generate(seed=3, count=24))) != digest(list(demo.generate(seed=4, count=24)))


def test_a_seed_means_the_same_pixels_on_every_machine() -> None:
    assert (
        digest(list(demo.generate(seed=0, count=40)))
        == "a8b73b4bad7a4968a9b03e7fdaedec8a2635c506609e9c0f501e091d932dd1d9"
    )


def test_it_streams() -> None:
    first = next(iter(demo.generate(count=100_000)))
    assert first.key == "training_set/00000"


def test_classes_are_the_five_of_the_course() -> None:
    names = [(one.id, one.name) for one in demo.CLASSES.classes]
    assert names == [(0, "background"), (1, "soil"), (2, "bedrock"), (3, "sand"), (4, "big rock")]
    assert [one.role for one in demo.CLASSES.classes] == [Role.BACKGROUND] + [Role.FOREGROUND] * 4


def test_shapes_keys_and_ids() -> None:
    for n, sample in enumerate(whole()):
        assert sample.key == f"training_set/{n:05d}"
        for pixels in (sample.image, sample.mask, sample.truth_mask):
            assert pixels.shape == (64, 128) and pixels.dtype == np.uint8
        assert max(sample.mask.max(), sample.truth_mask.max()) <= 4
    assert len(whole()) == 600


def test_shares_of_the_kinds() -> None:
    share = {kind: n / 600 for kind, n in Counter(s.kind for s in whole()).items()}
    assert 0.035 <= share["contaminated"] <= 0.05
    assert 0.18 <= sum(share[kind] for kind in demo.IMPRECISE) <= 0.22
    assert 0.18 <= share["honest_duplicate"] <= 0.25
    assert 0.01 <= share["bad_image"] <= 0.03
    assert share["near_duplicate"] > 0 and share["conflicting_duplicate"] > 0 and share["foreign_image"] > 0
    assert share["clean"] > 0.4


def test_the_mask_differs_from_the_truth_exactly_where_it_is_said_to() -> None:
    for sample in whole():
        wrong = float((sample.mask != sample.truth_mask).mean())
        assert (wrong >= 0.01) == (sample.kind in demo.WRONG) and (wrong == 0) == (sample.kind not in demo.WRONG)


def test_the_contaminated_share_one_drawn_mask_over_different_pictures() -> None:
    bad = [s for s in whole() if s.kind == "contaminated"]
    assert {s.group for s in bad} == {0}
    assert len({pixel_hash(s.mask) for s in bad}) == 1
    assert len({pixel_hash(s.image) for s in bad}) == len(bad)
    assert len(np.unique(bad[0].mask)) >= 3
    others = {pixel_hash(s.mask) for s in whole() if s.kind != "contaminated"}
    assert pixel_hash(bad[0].mask) not in others


def test_honest_duplicates_share_plain_masks_over_different_pictures() -> None:
    groups: dict[int | None, list[demo.DemoSample]] = defaultdict(list)
    for sample in whole():
        if sample.kind == "honest_duplicate":
            groups[sample.group].append(sample)
    sizes = sorted((len(members) for members in groups.values()), reverse=True)
    assert len(sizes) == 7 and sizes[0] > 25 + sizes[1] and sizes[-1] >= 5
    assert sizes[0] > sum(s.kind == "contaminated" for s in whole())
    for members in groups.values():
        assert len({pixel_hash(s.mask) for s in members}) == 1
        assert len({pixel_hash(s.image) for s in members}) == len(members)
        assert len(np.unique(members[0].mask)) <= 2


def test_copies_stand_in_a_group_with_their_source() -> None:
    groups: dict[int, list[str]] = defaultdict(list)
    for sample in whole():
        if sample.group is not None and sample.kind in {"clean", "near_duplicate", "conflicting_duplicate"}:
            groups[sample.group].append(sample.kind)
    assert groups
    for kinds in groups.values():
        assert len(kinds) == 2 and kinds.count("clean") == 1


def test_big_rock_is_rare() -> None:
    share = float(np.mean([(s.truth_mask == 4).mean() for s in whole()]))
    assert 0.001 <= share <= 0.003


@pytest.mark.parametrize("size", [(32, 32), (50, 70), (128, 128), (96, 200)])
def test_other_sizes(size: tuple[int, int]) -> None:
    samples = list(demo.generate(seed=1, count=60, size=size))
    assert {s.image.shape for s in samples} == {size} == {s.mask.shape for s in samples}
    assert "contaminated" in {s.kind for s in samples}


def test_unlabelled_pictures_are_others() -> None:
    pictures = list(demo.generate_unlabelled(count=10))
    assert [key for key, _, _ in pictures] == [f"test_set/{n:05d}" for n in range(10)]
    known = {pixel_hash(s.image) for s in whole()}
    assert not known & {pixel_hash(image) for _, image, _ in pictures}


def test_as_npz_is_the_course_layout_with_the_truth_beside_it(tmp_path: Path) -> None:
    demo.as_npz(tmp_path / "demo.npz", seed=2, count=40)
    with np.load(tmp_path / "demo.npz") as arrays:
        assert set(arrays.files) == {"training_set", "test_set"}
        training, test = arrays["training_set"], arrays["test_set"]
    assert training.shape == (40, 2, 64, 128) and training.dtype == np.uint8
    assert test.shape == (4, 64, 128) and test.dtype == np.uint8
    for row, sample in zip(training, demo.generate(seed=2, count=40), strict=True):
        assert np.array_equal(row[0], sample.image) and np.array_equal(row[1], sample.mask)
    lines = (tmp_path / "demo.truth.csv").read_text().splitlines()
    assert lines[0] == "sample,kind,group" and len(lines) == 41
    assert lines[1].startswith("training_set/00000,")
