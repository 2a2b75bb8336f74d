"""Known answers of every building block."""

import numpy as np
import pytest
from hypothesis import given as example
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from app.domain.detector import BadPrediction, Predicted
from app.domain.detector.components import components
from app.domain.detector.expect import BINS, Tally, boundary_of, distance_to, surprise_of
from app.domain.detector.ground import ground_of
from app.domain.detector.learned import curve_of_odds, curve_within, grow_trees, share_of
from app.domain.detector.overview import softmin
from app.domain.detector.pixels import evidence_of
from app.domain.detector.predicted import LEAST, channels_of, places_of, scene_of, unit_of
from app.domain.detector.rank import manner_of, ranking_of
from app.domain.detector.reading import learn_to_read
from app.domain.detector.sums import Kept, boxes, total
from tests.domain.detector.sets import classes, one_hot


def predicted(mask: list[list[int]], chance: list[list[list[float]]]) -> Predicted:
    given = np.array(mask, np.uint8)
    return Predicted("a", np.zeros(given.shape, np.uint8), given, np.array(chance, np.float32))


@example(arrays.arrays(np.int64, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 2)))
@settings(max_examples=150, deadline=None)
def test_components_are_those_of_each_value(values: "np.ndarray[tuple[int, int], np.dtype[np.int64]]") -> None:
    labels, count = components(values)
    assert set(np.unique(labels)) == set(range(count))
    expected = 0
    for value in np.unique(values):
        own, n = ndimage.label(values == value)
        expected += n
        for k in range(1, n + 1):
            assert np.unique(labels[own == k]).size == 1
    assert count == expected


def test_boxes_and_sums_of_labels() -> None:
    labels = np.array([[0, 0, 1], [2, 0, 1]])
    assert boxes(labels, 4).tolist() == [[0, 0, 2, 2], [0, 2, 2, 3], [1, 0, 2, 1], [0, 0, 1, 1]]
    assert total(labels, 3, np.array([[1.0, 2, 3], [4, 5, 6]])).tolist() == [8, 9, 4]
    kept = Kept(labels, 3, np.array([1, 2]))
    assert kept.mean(np.array([[1.0, 2, 3], [4, 5, 6]])).tolist() == [4.5, 4]
    assert kept.peak(np.array([[1, 2, 3], [4, 5, 6]], np.float32)).tolist() == [6, 4]
    where = kept.mean_where(np.array([[1, 2, 3], [4, 5, 6]], np.float32), labels == 1)
    assert where[0] == 4.5 and np.isnan(where[1])


def test_surprise_is_the_log_ratio_of_the_best_and_the_given_class() -> None:
    one = predicted([[0, 1]], [[[0.8, 0.2], [0.8, 0.2]]])
    channels = channels_of(classes(2), 2)
    scene = scene_of(one, channels)
    assert surprise_of(scene, places_of(one.given, channels))[0].tolist() == pytest.approx([0, np.log(4)])


def test_nothing_is_believed_below_the_least_probability() -> None:
    one = predicted([[0, 1]], [[[1, 0], [1, 0]]])
    scene = scene_of(one, channels_of(classes(2), 2))
    assert surprise_of(scene, np.array([[0, 1]]))[0].tolist() == pytest.approx([0, -np.log(LEAST)])


def test_eight_bit_probabilities_are_the_same_as_float_ones() -> None:
    mask, chance = np.zeros((2, 3), np.uint8), np.full((2, 3, 2), 128, np.uint8)
    scene = scene_of(Predicted("a", mask, mask, chance), channels_of(classes(2), 2))
    assert scene.chance == pytest.approx(np.full((2, 3, 2), 0.5))


def test_void_without_a_channel_is_what_the_model_is_unsure_of() -> None:
    one = predicted([[0, 2]], [[[0.9, 0.1], [0.5, 0.5]]])
    channels = channels_of(classes(3, void=2), 2)
    scene = scene_of(one, channels)
    void = channels.void.index(True)
    assert scene.chance[0, :, void].tolist() == pytest.approx([0.1, 0.5])
    assert places_of(one.given, channels).tolist() == [[0, void]]


def test_an_id_that_nothing_stands_for_is_void_or_refused() -> None:
    given = np.array([[7]], np.uint8)
    with_void, without = channels_of(classes(3, void=2), 3), channels_of(classes(2), 2)
    assert places_of(given, with_void)[0, 0] == 2
    with pytest.raises(BadPrediction, match="id 7"):
        places_of(given, without)


@pytest.mark.parametrize("channels", [1, 5])
def test_a_number_of_channels_that_fits_no_class_list_is_refused(channels: int) -> None:
    with pytest.raises(BadPrediction, match="Predict with the same classes"):
        channels_of(classes(3), channels)


def test_shapes_that_do_not_fit_and_broken_numbers_are_refused() -> None:
    channels = channels_of(classes(2), 2)
    mask = np.zeros((2, 2), np.uint8)
    for chance in (np.ones((2, 3, 2)), np.full((2, 2, 2), np.nan), np.full((2, 2, 2), -1.0), np.ones((2, 2, 3))):
        with pytest.raises(BadPrediction):
            scene_of(Predicted("a", mask, mask, chance), channels)


def test_the_boundary_and_the_distance_to_it() -> None:
    mask = np.array([[0, 0, 0, 1, 1]])
    assert boundary_of(mask).tolist() == [[False, False, True, True, False]]
    assert distance_to(boundary_of(mask)).tolist() == [[2, 1, 0, 0, 1]]
    assert distance_to(boundary_of(np.zeros((2, 3), np.int64))).min() == 3


def test_what_is_usual_is_taken_off_and_a_permutation_reorders_it() -> None:
    mask = np.repeat([[0, 1]], 400, axis=0).repeat(20, axis=1)
    scene = scene_of(
        Predicted("a", np.zeros(mask.shape, np.uint8), mask.astype(np.uint8), np.full((*mask.shape, 2), (0.7, 0.3))),
        channels_of(classes(2), 2),
    )
    tally = Tally(2)
    tally.add(scene, mask)
    assert tally.given.tolist() == [8000, 8000]
    expected = tally.expected(np.array([0, 1]))
    assert expected.mean.shape == (2, BINS)
    far = -1
    assert expected.mean[0, far] < 0.1 and expected.mean[1, far] == pytest.approx(np.log(7 / 3), abs=0.05)
    assert tally.expected(np.array([1, 0])).mean[0, far] == expected.mean[1, far]
    less, _ = expected.excess(surprise_of(scene, mask), mask, distance_to(boundary_of(mask)))
    assert abs(float(less.mean())) < 0.05


def test_softmin_leans_to_the_worst_pixel() -> None:
    mask = np.zeros((1, 2), np.int64)
    ground = ground_of(scene_of(predicted([[0, 0]], [[[0.9, 0.1], [0.4, 0.6]]]), channels_of(classes(2), 2)))
    weights = np.exp((1 - np.array([0.9, 0.4])) / 0.1)
    assert softmin(ground, mask) == pytest.approx(1 - (weights * (0.9, 0.4)).sum() / weights.sum(), abs=1e-4)


def test_the_share_of_wrong_rows_is_found_where_errors_look_practised() -> None:
    rng = np.random.default_rng(0)
    practised = rng.normal(6, 1, 2000)
    unlabelled = np.concatenate([rng.normal(0, 1, 1700), rng.normal(6, 1, 300)])
    assert share_of(unlabelled, practised) == pytest.approx(0.15, abs=0.02)
    curve, _ = curve_of_odds(unlabelled, practised)
    assert curve.chance(np.array([0.0]))[0] < 0.02
    assert curve.chance(np.array([6.0]))[0] > 0.9


def test_no_share_is_claimed_of_too_few() -> None:
    assert share_of(np.zeros(3), np.ones(300)) == 0
    curve, share = curve_of_odds(np.zeros(3), np.ones(3))
    assert share == 0 and curve.chance(np.array([5.0]))[0] == 0
    assert curve_within(np.arange(9.0), np.zeros(9, np.bool_)).chance(np.array([5.0]))[0] == 0


def test_a_curve_within_known_rows_is_their_frequency() -> None:
    scores = np.repeat([0.0, 1.0], 100)
    wrong = np.tile([True, False, False, False, False], 40)
    wrong[100:] = np.tile([True, True, True, True, False], 20)
    assert curve_within(scores, wrong).chance(np.array([0.0, 1.0])).tolist() == pytest.approx([0.2, 0.8])


def test_trees_tell_practised_rows_from_given_ones_or_say_nothing() -> None:
    rng = np.random.default_rng(0)
    given, spoiled = rng.normal(0, 1, (300, 2)).astype(np.float32), rng.normal(2, 1, (100, 2)).astype(np.float32)
    trees = grow_trees(given, spoiled, 20, 0)
    assert trees.score(spoiled).mean() > 0.5 > 0 > trees.score(given).mean()
    assert grow_trees(given[:3], spoiled, 20, 0).score(spoiled).tolist() == [0] * 100


def test_trees_do_without_what_nowhere_could_be_measured() -> None:
    rng = np.random.default_rng(0)
    given, spoiled = rng.normal(0, 1, (300, 2)).astype(np.float32), rng.normal(2, 1, (100, 2)).astype(np.float32)
    given[:, 1] = spoiled[:, 1] = np.nan
    trees = grow_trees(given, spoiled, 20, 0)
    assert trees.score(spoiled).mean() > 0 > trees.score(given).mean()


def test_reading_needs_two_classes_and_some_segments() -> None:
    reader = learn_to_read(np.ones((50, 3), np.float32), np.zeros(50, np.int64), 0)
    assert reader.members == ()


def test_evidence_adds_up() -> None:
    values = np.array([1, 2], np.float32), np.array([0, -1]), np.array([4.0]), (0.5, 1.0)
    assert evidence_of(*values, 3.0, 0.5).tolist() == [1 + 0.75 * 0.5 * 4 + 3 / 2, 2 + 3 / 2]
    assert evidence_of(*values, 3.0, 1.0)[1] == pytest.approx(2 + (3 + np.log(0.98 / 0.02)) / 2)


def test_two_manners_of_drawing_are_told_and_a_tail_is_not() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 0.1, 200), rng.normal(1, 0.1, 100)
    assert manner_of(np.concatenate([one, other])) == 1
    assert manner_of(one) == 0
    assert manner_of(np.concatenate([one, other[:6]])) == 0
    assert manner_of(one[:10]) == 0
    assert manner_of(np.concatenate([one, other / 50 + 1])) == 0  # all but equal masks, no hand
    assert manner_of(np.concatenate([one, other, [np.nan] * 300])) == 1


def test_a_score_that_finds_no_practised_error_has_no_say() -> None:
    rng = np.random.default_rng(0)
    given, spoiled = rng.normal(size=(200, 2)), rng.normal(size=(100, 2))
    spoiled[:, 0] += 3
    ranking = ranking_of(given, spoiled, ["missing"] * 100, np.zeros(200))
    assert ranking.weights[0] > 0.15 and ranking.weights[1] < 0.01
    assert ranking.trust(0) == 1 > 0.4 > ranking.trust(1)
    assert ranking.of(np.array([9.0, 0.0]), 0.0) > 0.95
    assert ranking.of(np.array([-9.0, 0.0]), 0.0) < 0.05


def test_lengths_grow_with_the_picture() -> None:
    assert unit_of((96, 500)) == 1 and unit_of((20, 30)) == 1 and unit_of((960, 2000)) == 10


def test_one_hot_is_what_it_says() -> None:
    assert one_hot(np.array([[1]]), 2).tolist() == [[[0, 1]]]
