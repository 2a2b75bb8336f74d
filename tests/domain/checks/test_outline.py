import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.domain.checks.maskpair import fit
from app.domain.checks.outline import Outline, description_bits, outline, plain
from app.domain.mask import Mask

masks = arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20)), elements=st.integers(0, 3))


def disc(radius: float, top: float = 32, left: float = 64) -> Mask:
    y, x = np.mgrid[:64, :128]
    return np.asarray((y - top) ** 2 + (x - left) ** 2 < radius**2, np.uint8)


def test_constant_masks_and_thin_frames_say_nothing_and_discs_grow() -> None:
    framed = np.ones((64, 128), np.uint8)
    framed[:2] = framed[:, -3:] = 0
    assert outline(np.zeros((64, 128), np.uint8)).bits == 0
    assert outline(framed).bits == 0
    assert 50 < outline(disc(6)).bits < outline(disc(12)).bits < outline(disc(24)).bits < 500


def test_straight_cuts_are_cheap_and_noise_is_dear() -> None:
    half = np.zeros((64, 128), np.uint8)
    half[30:] = 1
    noise = np.random.default_rng(0).integers(0, 2, (64, 128)).astype(np.uint8)
    assert description_bits(half) < 10
    assert description_bits(noise) == pytest.approx(64 * 128, rel=0.05)


@given(masks, st.permutations([0, 1, 2, 3]))
def test_renaming_classes_changes_nothing(mask: Mask, names: list[int]) -> None:
    renamed = np.array(names, np.uint8)[mask]
    assert description_bits(renamed) == pytest.approx(description_bits(mask))
    same(outline(renamed), outline(mask))


def same(one: Outline, other: Outline) -> None:
    assert (one.length, one.classes) == (other.length, other.classes)
    assert one.bits == pytest.approx(other.bits)
    assert np.allclose(one.signature, other.signature, atol=1e-4)


@given(masks)
def test_description_is_finite_and_not_negative(mask: Mask) -> None:
    assert 0 <= description_bits(mask) < 10 * mask.size + 100


def test_the_signature_stays_near_for_flips_shifts_and_few_pixels() -> None:
    mask = disc(15, 25, 50)
    specks = mask.copy()
    specks[5, 5] = specks[60, 100] = specks[25, 50] = 2
    own = outline(mask).signature
    for other in (mask[::-1], mask[:, ::-1], np.roll(mask, (2, 3), (0, 1)), specks):
        assert np.linalg.norm(outline(other).signature - own) < 0.15
    assert np.linalg.norm(outline(disc(25)).signature - own) > 0.18


def test_lone_pixels_are_not_part_of_a_drawing() -> None:
    mask = disc(10)
    specks = mask.copy()
    specks[0, 0] = specks[32, 64] = specks[60, 120] = 3
    assert np.array_equal(plain(specks), mask)


def test_a_fit_finds_the_flip_and_the_shift() -> None:
    mask = disc(14, 28, 40)
    bits = outline(mask).bits
    moved = np.roll(mask[:, ::-1], (2, -3), (0, 1))
    found = fit(mask, moved, bits)
    assert found.near and found.moved and found.flip == (False, True)
    assert found.differs == 0 and found.common == bits
    assert not fit(mask, disc(20, 28, 40), bits).near


def test_a_fit_of_another_size_still_knows_the_drawing() -> None:
    mask = disc(14)
    assert fit(mask, np.kron(mask, np.ones((2, 2), np.uint8)), outline(mask).bits).near
