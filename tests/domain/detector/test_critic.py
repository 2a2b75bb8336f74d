"""What a critic sees, and what becomes of what it says."""

from dataclasses import replace

import numpy as np
import pytest

from app.domain.detector import Detector, Predicted
from app.domain.detector.critic import COPIES, FEWEST, SIDE, Layers, Lessons, View, grid_of, on_grid, score, view_of
from app.domain.detector.judge import SCORES
from app.domain.detector.predicted import F32, LEAST, channels_of, scene_of
from app.domain.detector.rank import ranking_of
from tests.domain.detector.sets import classes, make, one_hot


def silent_layers(channels: int) -> list[F32]:
    """Layers that see nothing: whatever goes in, the last bias comes out."""
    sizes = [(4, 3 + 2 * channels), *[(4, 4)] * 5]
    shapes = [shape for after, before in sizes for shape in ((after, before, 3, 3), (after,))]
    out = [np.zeros(shape, np.float32) for shape in (*shapes, (2, 8), (2,), (1, 2), (1,))]
    out[-1][:] = -1.5
    return out


def counting_layers(channels: int, place: int) -> list[F32]:
    """Layers whose answer is the mean share of one class, times 2."""
    out = silent_layers(channels)
    for layer in range(6):
        out[2 * layer][0, 3 + place if layer == 0 else 0, 1, 1] = 1
    out[12][0, 0] = out[14][0, 0] = 1
    out[15][:] = 0
    return out


@pytest.mark.parametrize(
    ("aspect", "grid"), [(1, (96, 96)), (4 / 3, (96, 128)), (0.5, (192, 96)), (9, (96, 192)), (1.4, (96, 136))]
)
def test_the_grid_follows_the_pictures_within_bounds(aspect: float, grid: tuple[int, int]) -> None:
    assert grid_of(aspect) == grid
    assert min(grid) == SIDE and all(side % 8 == 0 for side in grid)


@pytest.mark.parametrize("shape", [(96, 96), (480, 480), (97, 101), (20, 31)])
def test_pictures_of_any_size_are_seen_on_one_grid(shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, np.uint8)
    mask[:, shape[1] // 2 :] = 1
    picture = np.where(mask == 1, 255, 0).astype(np.uint8)
    predicted = Predicted("a", picture, mask, one_hot(mask, 2))
    view = view_of(scene_of(predicted, channels_of(classes(2), 2)), (96, 96))
    assert view.picture.shape == (3, 96, 96) and view.chance.shape == (2, 48, 48)
    dark, light = view.picture[:, :, :46], view.picture[:, :, 50:]
    assert np.ptp(dark) == np.ptp(light) == 0 and abs(int(light.max()) - int(dark.max()) - 96) <= 4
    assert (view.chance[0, :, :23] == 255).all() and (view.chance[0, :, 25:] == 0).all()
    small = on_grid(mask.astype(np.int64), (96, 96))
    assert small.shape == (96, 96) and (small[:, :46] == 0).all() and (small[:, 50:] == 1).all()


def test_log_p_is_kept_between_the_least_and_one() -> None:
    chance = np.full((48, 48, 2), 0.5)
    scene = scene_of(
        Predicted("a", np.zeros((48, 48), np.uint8), np.zeros((48, 48), np.uint8), chance), channels_of(classes(2), 2)
    )
    assert set(np.unique(view_of(scene, (96, 96)).chance)) == {round(255 * (1 - np.log(0.5) / np.log(LEAST)))}


def test_known_answers() -> None:
    view = View(np.zeros((3, 8, 16), np.uint8), np.zeros((3, 4, 8), np.uint8))
    masks = np.zeros((3, 8, 16), np.uint8)
    masks[1, :, 8:] = 2  # half of it
    masks[2] = 2
    assert score(silent_layers(3), view, masks).tolist() == [-1.5, -1.5, -1.5]
    assert score(counting_layers(3, 2), view, masks) == pytest.approx([0, 1, 2])


def told(count: int, answer: list[F32], seen: list[Lessons]) -> tuple[Detector, list[Predicted]]:
    def teach(lessons: Lessons) -> tuple[Layers, Layers]:
        seen.append(lessons)
        return answer, answer

    made = make(count)
    return Detector(classes(3), teach=teach), [replace(one, fold=i % 3) for i, one in enumerate(made.samples)]


def test_critics_learn_from_masks_and_their_spoilt_copies_and_have_a_say() -> None:
    seen: list[Lessons] = []
    detector, samples = told(68, counting_layers(3, 1), seen)
    fitted = detector.fit(lambda: iter(samples))
    (lessons,) = seen
    scores = [fitted.score(one) for one in samples]
    # The quarter that softmin doubts most teaches nothing.
    doubt = np.array([one.parts["softmin"] for one in scores])
    trusted = [one for one, own in zip(samples, doubt, strict=True) if own <= np.quantile(doubt, 0.75)]
    assert len(trusted) == 51 > FEWEST
    assert lessons.pictures.shape == (51, 3, 96, 128) and lessons.chances.shape == (51, 3, 48, 64)
    assert lessons.masks.shape == (51, 1 + COPIES, 96, 128)
    assert lessons.halves.tolist() == [(one.fold or 0) % 2 for one in trusted]
    places = {id: place for place, id in enumerate(fitted.channels.ids)}
    for sample, masks in zip(trusted, lessons.masks, strict=True):
        given = np.vectorize(places.get)(sample.given)
        assert (masks[0] == np.repeat(np.repeat(given, 2, 0), 2, 1)).all()
        assert (masks[1:] != masks[0]).any(axis=(1, 2)).sum() >= 3
    for sample, one in zip(samples, scores, strict=True):
        given = np.vectorize(places.get)(sample.given)
        share = float((given[::4, ::4] == 1).mean())  # what a stride of 2, three times, comes by
        assert one.parts["critic"] == pytest.approx(2 * share, abs=1e-5)


def test_a_set_that_is_too_small_has_no_critic() -> None:
    seen: list[Lessons] = []
    detector, samples = told(FEWEST, silent_layers(3), seen)
    fitted = detector.fit(lambda: iter(samples))
    assert not seen and fitted.score(samples[0]).parts["critic"] == 0


def test_a_critic_that_sees_nothing_has_no_say() -> None:
    rng = np.random.default_rng(0)
    given, spoilt = rng.normal(0, 1, (80, len(SCORES))), rng.normal(1, 1, (80, len(SCORES)))
    given[:, SCORES.index("critic")] = spoilt[:, SCORES.index("critic")] = -1.5
    ranking = ranking_of(given, spoilt, ["missing"] * 80, np.full(80, np.nan))
    assert ranking.weights[SCORES.index("critic")] == 0 < ranking.weights[SCORES.index("softmin")]
    other = given[0].copy()
    other[SCORES.index("critic")] = 9
    assert ranking.of(other, np.nan) == ranking.of(given[0], np.nan)
