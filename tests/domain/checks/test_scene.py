import numpy as np

from app.domain.checks.edges import edge_fit
from app.domain.checks.luma import luma, structure
from app.domain.checks.scene import SAME, agreement, scene
from benchmarks.replicas import pasted, relit, sprite
from benchmarks.replicas import scene as terrain


def test_one_picture_in_another_light_is_the_same_scene_and_another_is_not() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        image, other = terrain(rng)[0], terrain(rng)[0]
        moved = np.roll(relit(rng, image), (2, -4), (0, 1))
        assert agreement(scene(image), scene(moved)) >= SAME
        assert agreement(scene(image), scene(other)) < SAME


def test_one_shared_object_does_not_make_two_pictures_one() -> None:
    rng = np.random.default_rng(1)
    thing = sprite(rng)
    for seed in range(20):
        one, other = (pasted(np.random.default_rng(seed), terrain(rng)[0], thing) for _ in range(2))
        assert agreement(scene(one), scene(other)) < SAME


def test_pictures_without_texture_agree_on_nothing() -> None:
    flat = scene(np.full((20, 30), 9, np.uint8))
    assert agreement(flat, flat) == 0.0


def test_structure_ignores_brightness_and_contrast() -> None:
    image = terrain(np.random.default_rng(2))[0].astype(np.float32)
    assert np.allclose(structure(image), structure(image * 3 + 50), atol=1e-3)


def test_luma_is_reduced_finite_and_in_the_units_of_the_picture() -> None:
    assert luma(np.full((300, 400, 3), 1000, np.uint16), 100).shape == (75, 100)
    assert float(luma(np.full((3, 4), 1000, np.uint16), 100)[0, 0]) == 1000
    broken = np.array([[np.nan, np.inf], [1.0, -np.inf]], np.float64)
    assert np.isfinite(luma(broken, 10)).all()
    assert luma(np.zeros((1, 5000), np.uint8), 100).shape == (1, 100)
    assert luma(np.zeros((4, 4, 2), np.uint8), 100).shape == (4, 4)


def test_an_outline_on_the_edges_of_its_picture_fits_and_elsewhere_it_does_not() -> None:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:64, :128]
    mask = ((y - 30) ** 2 + (x - 50) ** 2 < 300).astype(np.uint8)
    image = (80 + 80 * mask + rng.normal(0, 8, mask.shape)).clip(0, 255).astype(np.uint8)
    assert edge_fit(image, mask) > 0.5
    assert edge_fit(image, np.roll(mask, (15, 50), (0, 1))) == 0.0
    assert edge_fit(image, np.zeros_like(mask)) == 0.0
