"""Masks as arrays: what is one, what its identity is, and PNG without loss."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from app.domain.mask import BadMask, as_mask, class_counts, encode_png, pixel_hash
from app.domain.picture import decode

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
MASKS = st.one_of(hnp.arrays(np.uint8, SHAPES), hnp.arrays(np.uint16, SHAPES))
_DTYPES = ["i1", "i2", ">i4", "i8", "u1", ">u2", "u4", "u8", "f2", ">f4", "f8", "?"]


@given(hnp.arrays(np.uint8, SHAPES, elements=st.integers(0, 100)), st.sampled_from(_DTYPES))
def test_whole_numbers_of_any_dtype_are_a_mask(ids: npt.NDArray[np.uint8], dtype: str) -> None:
    if dtype == "?":
        ids = (ids > 50).astype(np.uint8)
    mask = as_mask(ids.astype(dtype))
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, ids)


@given(MASKS)
def test_a_mask_keeps_its_ids_and_its_smallest_dtype(mask: npt.NDArray[np.generic]) -> None:
    taken = as_mask(mask.astype(np.int64)[:, :, None])
    assert np.array_equal(taken, mask)
    assert taken.dtype == (np.uint8 if int(mask.max()) <= 255 else np.uint16)


@given(MASKS)
def test_png_keeps_every_id(mask: npt.NDArray[np.generic]) -> None:
    back = decode(encode_png(mask)).pixels
    assert np.array_equal(back, mask)
    assert back.dtype == mask.dtype
    assert sum(class_counts(as_mask(mask)).values()) == mask.size


@given(MASKS, st.data())
def test_identity_is_pixels_dtype_and_shape(mask: npt.NDArray[np.generic], data: st.DataObject) -> None:
    same = np.asfortranarray(mask).astype(mask.dtype.newbyteorder(">"))
    assert pixel_hash(same) == pixel_hash(mask)
    assert pixel_hash(mask.astype(np.uint32)) != pixel_hash(mask)
    assert pixel_hash(mask.reshape(-1, 1)) != pixel_hash(mask) or mask.shape[1] == 1
    changed = mask.copy()
    at = data.draw(st.integers(0, mask.size - 1))
    changed.flat[at] ^= 1  # type: ignore[operator]
    assert pixel_hash(changed) != pixel_hash(mask)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((2, 2, 3)),
        np.zeros((0, 2)),
        np.array([[0.5]]),
        np.array([[np.nan]]),
        np.array([[np.inf]]),
        np.array([[-1]]),
        np.array([[70000]]),
        np.array([[1 + 1j]]),
        np.array([["rock"]]),
    ],
)
def test_what_is_no_mask_is_refused(values: npt.NDArray[np.generic]) -> None:
    with pytest.raises(BadMask):
        as_mask(values)


def test_counts_name_the_classes_that_occur() -> None:
    assert class_counts(np.array([[0, 3], [3, 300]], np.uint16)) == {0: 1, 3: 2, 300: 1}
