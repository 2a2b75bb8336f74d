import numpy as np
import pytest

from app.domain.checks import links
from app.domain.checks.base import Finding, Group, View
from app.domain.checks.candidates import candidates
from app.domain.checks.descriptor import LENGTH, WINDOWS, describe, described
from app.domain.checks.duplicate_image import DuplicateImage
from benchmarks.replicas import Plant, replica
from tests.domain.checks.views import CLASSES, views


@pytest.fixture(scope="module")
def seen() -> list[View]:
    """Many copies of few scenes, some of which look like each other's parts."""
    made = replica(3, 150, [Plant(10, "drawn", "exact")])
    return views(made.images, list(made.masks))


def told(seen: list[View]) -> tuple[list[Finding | Group], dict[int, int], list[int]]:
    """What is found, the content groups, and the samples that were looked at again."""
    check, looked = DuplicateImage(CLASSES), list[int]()
    by_sample = {view.sample: view for view in seen}
    for view in seen:
        check.see(view)

    def look(sample: int) -> View:
        looked.append(sample)
        return by_sample[sample]

    return list(check.finish(look)), check.content_groups(), looked


def test_pairs_put_together_find_what_pairs_in_their_own_order_find(
    seen: list[View], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "_READY", 8)
    found, content, looked = told(seen)
    monkeypatch.setattr(links, "_TOGETHER", 0)  # one pair at a time
    found_in_order, content_in_order, looked_in_order = told(seen)
    assert found == found_in_order and content == content_in_order
    assert len(set(content.values())) < 0.6 * len(seen)
    assert len(looked) < len(looked_in_order)


def test_a_picture_and_its_mask_are_looked_at_once_while_it_is_kept(seen: list[View]) -> None:
    _, _, looked = told(seen)
    assert len(looked) == len(set(looked)) > 0.5 * len(seen)


def test_descriptors_come_out_of_their_bytes(seen: list[View]) -> None:
    packed = [one for view in seen if (one := describe(view.image)) is not None]
    vectors, flips = described(packed)
    assert vectors.shape == (len(packed), len(WINDOWS), LENGTH) and flips.shape == (len(packed), len(WINDOWS), 2)
    assert np.allclose(np.linalg.norm(vectors.astype(float), axis=2), 127, rtol=0.02)
    assert [v.tobytes() + f.tobytes() for v, f in zip(vectors, flips, strict=True)] == packed


def test_candidates_are_few_and_no_pair_comes_twice(seen: list[View]) -> None:
    packed = [one for view in seen if (one := describe(view.image)) is not None]
    vectors, flips = described(packed)
    found = candidates(vectors, flips)
    pairs = {frozenset(pair) for pair in zip(found.one.tolist(), found.other.tolist(), strict=True)}
    assert len(pairs) == len(found.one) > len(packed) and all(len(pair) == 2 for pair in pairs)
    assert np.bincount(found.one).max() <= 8
