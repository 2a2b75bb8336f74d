"""Thresholds with known answers, and a model whose confidence tells how often it is right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.believing import Changes, judgement, promise
from app.domain.calibrate import BINS, Calibration, Tally

NAMES = {0: "sky", 7: "rock"}


def tally(levels: dict[float, float], *, groups: int = 40, pixels: int = 400, seed: int = 0) -> Tally:
    """Pictures of which every pixel is predicted as class 0, at each of ``levels`` confidences an equal part, right by
    chance as often as ``levels`` says; class 7 is what is true elsewhere, 255 is void."""
    random = np.random.default_rng(seed)
    out = Tally((0, 7))
    for group in range(groups):
        sure = np.repeat(list(levels), pixels // len(levels))[None]
        right = random.random(sure.shape) < np.repeat(list(levels.values()), pixels // len(levels))[None]
        mask = np.where(right, 0, 7).astype(np.uint8)
        mask[0, ::10] = 255
        out.add(str(group), mask, [(slice(None), np.stack([sure, 1 - sure]))])
    return out


def test_the_threshold_is_the_lowest_confidence_that_is_right_often_enough() -> None:
    found = tally({0.6: 0.7, 0.8: 0.99, 0.95: 1.0}).calibrate(0.97)
    sky, rock = found.thresholds
    assert sky.confidence is not None and 0.6 < sky.confidence < 0.61  # nothing lies between there and 0.8
    assert sky.precision == pytest.approx(0.995, abs=0.005)
    assert sky.low is not None and sky.precision is not None and 0.97 <= sky.low <= sky.precision
    assert sky.share == pytest.approx(2 / 3, abs=0.01)
    assert (rock.confidence, rock.share, rock.best) == (None, 0.0, None)
    assert found.reached == pytest.approx(0.995, abs=0.01)
    assert found.share == pytest.approx(2 / 3, abs=0.01)
    assert (found.samples, found.groups, found.believed) == (40, 40, True)


def test_pixels_are_read_by_it() -> None:
    found = tally({0.6: 0.7, 0.8: 0.99, 0.95: 1.0}).calibrate(0.97)
    probabilities = np.array([[[0.96, 0.55, 0.1]], [[0.04, 0.45, 0.9]]])
    ids, sure = found.read([(slice(1), probabilities), (slice(1, 2), probabilities[:, :, ::-1])])
    assert ids.tolist() == [[0, 0, 7], [7, 0, 0]]
    assert sure[0, 0] == sure[1, 2] == 255
    assert sure[0, 1:].tolist() == [0, 0]  # too unsure; a class that is never believed


def test_a_model_that_is_never_right_enough_is_not_believed() -> None:
    found = tally({0.6: 0.5, 0.95: 0.8}).calibrate(0.97)
    assert not found.believed
    assert (found.reached, found.share) == (None, 0.0)
    assert "too weak to be believed: on 40 held-out samples" in promise(found, NAMES)
    assert "(sky)" in promise(found, NAMES)


def test_few_groups_prove_nothing_however_many_their_pixels() -> None:
    assert not tally({0.95: 1.0}, groups=5, pixels=10_000).calibrate(0.97).believed


def test_errors_of_one_group_count_as_one_piece_of_news() -> None:
    """A tenth of the groups is wrong throughout: pixel by pixel the lower bound would be close to 0.9."""
    out = Tally((0, 7))
    for group in range(20):
        mask = np.full((20, 20), 7 if group % 10 == 0 else 0, np.uint8)
        sure = np.full((2, 10, 20), [[[0.9]], [[0.1]]])
        out.add(str(group), mask, [(slice(10), sure), (slice(10, None), sure)])
    low = out.calibrate(0.97).thresholds[0].best
    assert low is not None and low < 0.85


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.9, 0.95, 0.99]))
def test_what_is_reached_elsewhere_is_what_was_asked_for(seed: int, wished: float) -> None:
    """Confidence of a calibrated model: other groups of the same kind are right nearly as often as wished."""
    levels = {share: share for share in (0.55, 0.7, 0.85, 0.92, 0.96, 0.998)}
    found = tally(levels, seed=seed, groups=60, pixels=600).calibrate(wished)
    elsewhere = tally(levels, seed=seed + 1, groups=60, pixels=600)
    floor = found.floors[0]
    if floor < BINS:
        right = elsewhere._right[:, 0, floor:].sum()
        wrong = elsewhere._wrong[:, 0, floor:].sum()
        assert right / (right + wrong) >= wished - 0.01
        assert found.reached is None or found.reached >= wished - 0.02


def test_the_promise_is_a_sentence() -> None:
    found = tally({0.6: 0.7, 0.8: 0.99, 0.95: 1.0}).calibrate(0.97)
    told = promise(found, NAMES)
    assert "of these pixels are expected right (97.0 % were asked for)" in told
    assert "40 held-out samples" in told
    assert "Never proposed, for want of precision: rock." in told


@pytest.mark.parametrize(
    ("changes", "right", "sentence"),
    [
        (Changes(100_000, 1_000, 50_000, 5_000), 0.9, "leaves fewer wrong pixels"),
        (Changes(100_000, 4_000, 50_000, 2_500), 0.2, "would make masks worse"),
        (Changes(100_000, 4_000, 50_000, 1_000), 0.0, "would make masks worse"),
        (Changes(100_000, 1_000, 500, 50), None, "can't be told"),
        (Changes(100_000, 1_000, 50_000, 0), None, "can't be told"),
    ],
)
def test_changes_are_worth_what_differs_beyond_the_usual(changes: Changes, right: float, sentence: str) -> None:
    assert changes.right == (None if right is None else pytest.approx(right))
    assert changes.help == (right is not None and right > 0.5)
    assert sentence in judgement(changes)


def test_an_empty_tally_believes_nothing() -> None:
    found: Calibration = Tally((0, 7)).calibrate(0.9)
    assert not found.believed
    assert "too weak" in promise(found, NAMES)
