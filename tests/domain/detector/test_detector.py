"""The detector as a whole: what it promises of any set."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.domain.detector import BadPrediction, Detector, Fitted, ImageScore, Predicted, Reason
from app.domain.detector.foreign import Belonging, kappa_of
from app.domain.formats.rle import coco_decode
from tests.domain.detector.sets import Made, classes, make, one_hot

SET = make(60, kinds=4)


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return Detector(classes(4)).fit(SET.stream)


@pytest.fixture(scope="module")
def scores(fitted: Fitted) -> list[ImageScore]:
    return [fitted.score(one) for one in SET.samples]


def test_spoiled_masks_come_first(scores: list[ImageScore]) -> None:
    wrong = np.array([one.key in SET.wrong for one in SET.samples])
    order = np.argsort([-one.score for one in scores])
    assert wrong[order[: wrong.sum()]].mean() > 0.6 > 2 * wrong.mean() - 0.1


def test_scores_are_in_their_ranges_and_regions_say_where(scores: list[ImageScore]) -> None:
    for sample, one in zip(SET.samples, scores, strict=True):
        assert 0 <= one.score <= 1 and 0 <= one.probability <= 1
        assert one.pixel_map.shape == sample.given.shape and one.pixel_map.dtype == np.float32
        assert float(one.pixel_map.min()) >= 0 and float(one.pixel_map.max()) <= 1
        probabilities = [region.probability for region in one.regions]
        assert probabilities == sorted(probabilities, reverse=True)
        for region in one.regions:
            inside = coco_decode({"size": list(sample.given.shape), "counts": list(region.counts)})
            left, top, width, height = region.box
            assert inside.sum() == region.pixels == inside[top : top + height, left : left + width].sum()
            assert 0 < region.probability <= 1 and region.reason in set(Reason)
            assert region.given in range(4) and region.seen in range(4)


def test_pixels_of_errors_are_hotter(scores: list[ImageScore]) -> None:
    off, on = [], []
    for sample, one in zip(SET.samples, scores, strict=True):
        wrong = sample.given != SET.truth[sample.key]
        off.append(one.pixel_map[~wrong].mean())
        on += one.pixel_map[wrong].tolist()
    assert np.mean(on) > 2 * np.mean(off)


def test_it_is_deterministic(scores: list[ImageScore]) -> None:
    again = Detector(classes(4)).fit(SET.stream)
    for sample, one in zip(SET.samples[:10], scores[:10], strict=True):
        other = again.score(sample)
        assert (other.score, other.probability, other.regions) == (one.score, one.probability, one.regions)
        assert (other.pixel_map == one.pixel_map).all()


def test_a_perfect_model_and_clean_masks_give_no_flags() -> None:
    clean = make(40, bad=0).changed(lambda one: replace(one, probabilities=one_hot(one.given, 3)))
    fitted = Detector(classes(3)).fit(clean.stream)
    for one in map(fitted.score, clean.samples):
        assert one.probability < 0.5
        assert not [region for region in one.regions if region.probability >= 0.5]


def test_relabelling_classes_by_a_permutation_changes_nothing(scores: list[ImageScore]) -> None:
    new = np.array([2, 0, 3, 1])

    def relabelled(one: Predicted) -> Predicted:
        return replace(
            one, given=new[one.given].astype(np.uint8), probabilities=one.probabilities[:, :, np.argsort(new)]
        )

    other = SET.changed(relabelled)
    again = Detector(classes(4)).fit(other.stream)
    for sample, one in zip(other.samples, scores, strict=True):
        score = again.score(sample)
        assert score.score == pytest.approx(one.score, abs=1e-3)
        assert score.probability == pytest.approx(one.probability, abs=2e-2)
        assert [new[r.given] for r in one.regions] == [r.given for r in score.regions]


def fliplr(array: Any) -> Any:
    return array[:, ::-1]


def flipud(array: Any) -> Any:
    return array[::-1]


def transposed(array: Any) -> Any:
    return array.swapaxes(0, 1)


@pytest.mark.parametrize("turn", [fliplr, flipud, transposed])
def test_flips_and_transposes_commute(fitted: Fitted, scores: list[ImageScore], turn: Callable[[Any], Any]) -> None:
    for sample, one in list(zip(SET.samples, scores, strict=True))[:12]:
        turned = replace(
            sample, image=turn(sample.image), given=turn(sample.given), probabilities=turn(sample.probabilities)
        )
        other = fitted.score(turned)
        assert other.score == pytest.approx(one.score, abs=0.02)
        assert other.pixel_map == pytest.approx(turn(one.pixel_map), abs=0.02)
        assert sorted(r.pixels for r in other.regions) == sorted(r.pixels for r in one.regions)


def with_void(made: Made) -> Made:
    """Class 3 of the set becomes void, and one clear object of class 1 in every tenth mask is given as void."""

    def change(one: Predicted) -> Predicted:
        given = one.given.copy()
        if int(one.key[1:]) % 10 == 0:
            given[given == 1] = 3
        return replace(one, given=given)

    return made.changed(change)


def test_a_dropped_object_in_void_is_looked_at() -> None:
    made = with_void(make(80, kinds=4, bad=0, noise=0.3))
    fitted = Detector(classes(4, void=3)).fit(made.stream)
    dropped = [one for one in made.samples if int(one.key[1:]) % 10 == 0 and (one.given != made.truth[one.key]).any()]
    kept = [one for one in made.samples if int(one.key[1:]) % 10]
    scores = [fitted.score(one) for one in dropped]
    assert np.mean([one.score for one in scores]) > np.mean([fitted.score(one).score for one in kept]) + 0.15
    found = [region for one in scores for region in one.regions if region.given == 3]
    assert {region.reason for region in found} == {Reason.MISSING}


@pytest.mark.parametrize(
    ("made", "kinds"),
    [
        (make(1, bad=0), 3),
        (make(4), 3),
        (make(30, kinds=2), 2),
        (make(12, shape=(7, 5)), 3),
        (make(12, shape=(1, 1)), 3),
        (
            make(30).changed(
                lambda one: replace(
                    one, given=np.zeros_like(one.given), probabilities=one_hot(np.zeros_like(one.given), 3)
                )
            ),
            3,
        ),
    ],
    ids=["one image", "four images", "two classes", "small", "single pixels", "constant"],
)
def test_odd_sets_are_scored_all_the_same(made: Made, kinds: int) -> None:
    fitted = Detector(classes(kinds)).fit(made.stream)
    for one in map(fitted.score, made.samples):
        assert np.isfinite([one.score, one.probability]).all() and np.isfinite(one.pixel_map).all()


def test_pictures_of_many_sizes_and_kinds_go_together() -> None:
    first, second = make(20, shape=(40, 30)), make(20, shape=(33, 64), seed=1)
    colour = second.changed(
        lambda one: replace(one, key="b" + one.key, image=np.repeat(one.image[:, :, None], 3, axis=2))
    )
    both = [*first.samples, *colour.samples]
    fitted = Detector(classes(3)).fit(lambda: iter(both))
    assert len({fitted.score(one).pixel_map.shape for one in both}) == 2


def test_a_foreign_picture_is_called_one() -> None:
    made = make(60, bad=0, noise=0.3)
    rng = np.random.default_rng(1)
    strange = [
        replace(
            one, key=f"f{i}", image=rng.integers(0, 2, one.given.shape).astype(np.uint8) * 255,
            given=np.ones_like(one.given), probabilities=rng.dirichlet((1, 1, 1), one.given.shape),
        )
        for i, one in enumerate(made.samples[:3])
    ]  # fmt: skip
    both = [*made.samples, *strange]
    fitted = Detector(classes(3)).fit(lambda: iter(both))
    scores = [fitted.score(one) for one in both]
    odd = [one.parts["foreign"] for one in scores]
    assert min(odd[60:]) > max(odd[:60])
    assert [one.score for one in scores[60:]] > [0.7] * 3
    assert all(one.regions[0].reason is Reason.FOREIGN for one in scores[60:] if one.probability >= 0.1)


def test_kappa_is_agreement_beyond_chance() -> None:
    seen, mask = np.array([[0, 0], [1, 1]]), np.array([[0, 1], [1, 1]])
    assert kappa_of(seen, mask, 3) == pytest.approx((0.75 - 0.5) / (1 - 0.5))
    assert kappa_of(mask, mask, 2) == 1
    assert kappa_of(np.zeros((2, 2), np.int64), np.zeros((2, 2), np.int64), 2) == 1
    assert kappa_of(seen, 1 - seen, 2) == -1


def test_a_picture_of_another_kind_with_a_mask_of_its_own_is_not_foreign() -> None:
    belonging = Belonging(np.zeros(2), np.ones(2), np.eye(2), (0.1, 0.02), 3.0)
    far = np.array([5.0, 5.0])
    assert [belonging.score(far, 0.2, kappa)[1] for kappa in (0.49, 0.5)] == [True, False]
    assert belonging.score(far, 0.2, 0.1)[0] == belonging.score(far, 0.2, 0.9)[0]  # the rank of it stays


def test_a_set_without_predictions_is_refused() -> None:
    with pytest.raises(BadPrediction, match="no predictions"):
        Detector(classes(3)).fit(lambda: iter(()))


def test_folds_keep_their_images_together() -> None:
    made = make(24)
    samples = [replace(one, fold=i % 3) for i, one in enumerate(made.samples)]
    fitted = Detector(classes(3)).fit(lambda: iter(samples))
    assert all(0 <= fitted.score(one).score <= 1 for one in samples)


def test_only_some_images_are_kept_of_a_large_set() -> None:
    made = make(40)
    fitted = Detector(classes(3), images=10, copies=1).fit(made.stream)
    assert 0 < len(fitted.ranking.plain) < 25
