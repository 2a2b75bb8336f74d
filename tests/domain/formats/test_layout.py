"""Which files belong together, by names alone."""

import pytest

from app.domain.formats.layout import Layout, Pair, lay_out


def laid(*names: str, **lists: list[list[str]]) -> Layout:
    return lay_out(sorted(names), lists)


def keys(layout: Layout) -> list[tuple[str, bool, str | None]]:
    return [(pair.key, pair.mask is not None, pair.split) for pair in layout.pairs]


@pytest.mark.parametrize(
    ("names", "key", "split"),
    [
        (("images/a.jpg", "masks/a.png"), "a", None),
        (("images/a.jpg", "labels/a.png"), "a", None),
        (("images/a.jpg", "annotations/a.png"), "a", None),
        (("images/a.jpg", "gt/a.png"), "a", None),
        (("JPEGImages/a.jpg", "SegmentationClass/a.png"), "a", None),
        (("train/a.png", "trainannot/a.png"), "train/a", "train"),
        (("train/a.png", "train_mask/a.png"), "train/a", "train"),
        (("images_prepped_train/a.png", "annotations_prepped_train/a.png"), "train/a", "train"),
        (("images/train/0001.jpg", "masks/train/0001.png"), "train/0001", "train"),
        (("train/images/0001.jpg", "train/masks/0001.png"), "train/0001", "train"),
        (("valid/a.jpg", "valid/a_mask.png"), "valid/a", "val"),
        (("images/validation/a.jpg", "masks/validation/a.png"), "validation/a", "val"),
        (("images/val2017/a.jpg", "masks/val2017/a.png"), "val2017/a", "val"),
        (("test_images/a.jpg", "test_masks/a.png"), "test/a", "test"),
        (("a.jpg", "a_mask.png"), "a", None),
        (("a.jpg", "a_label.png"), "a", None),
        (("a.jpg", "a-seg.png"), "a", None),
        (("0001TP_1.png", "0001TP_1_L.png"), "0001TP_1", None),
        (("12_sat.jpg", "12_mask.png"), "12_sat", None),
        (("day/x.jpg", "day/x_mask.png"), "day/x", None),
        (("images/a.jpg", "masks/a_mask.png"), "a", None),
        (("images/a.jpg", "masks/a.jpg.png"), "a", None),
        (("images/image_1.png", "masks/gt_1.png"), "image_1", None),
        (("data/set/images/a.jpg", "data/set/masks/a.png"), "a", None),
        (("images/city/b/a.jpg", "masks/city/b/a.png"), "city/b/a", None),
        (("RGB/Left/a.png", "GT/COLOR/Left/a.png"), "Left/a", None),
        (("train/images/1.jpg", "train/v1.2/labels/1.png"), "train/1", "train"),
        (("images/a.jpg", "masks_fixed/a.png"), "a", None),
    ],
)
def test_a_pair_is_found(names: tuple[str, str], key: str, split: str | None) -> None:
    layout = laid(*names)
    assert layout.pairs == [Pair(key, *names, split)]
    assert (layout.refused, layout.ignored) == ([], {})


def test_sub_folders_keep_samples_of_one_name_apart() -> None:
    layout = laid("images/a/1.jpg", "images/b/1.jpg", "masks/a/1.png", "masks/b/1.png")
    assert [(one.key, one.image[7], one.mask) for one in layout.pairs] == [
        ("a/1", "a", "masks/a/1.png"),
        ("b/1", "b", "masks/b/1.png"),
    ]


def test_images_alone_are_unlabelled() -> None:
    assert keys(laid("a.jpg", "sub/gas_mask.jpg")) == [("a", False, None), ("sub/gas_mask", False, None)]
    assert keys(laid("images/a.jpg", "images/b.jpg", "masks/b.png")) == [("a", False, None), ("b", True, None)]


def test_masks_without_image_are_refused_by_name() -> None:
    layout = laid("images/a.jpg", "masks/a.png", "masks/b.png")
    assert layout.refused == [("masks/b.png", "no image of that name")]
    layout = laid("a.jpg", "a_mask.png", "b_mask.png")
    assert keys(layout) == [("a", True, None)]
    assert layout.refused == [("b_mask.png", "no image of that name")]


def test_a_second_set_of_masks_is_counted_not_taken() -> None:
    layout = laid("images/a.png", "images/b.png", "masks/a.png", "masks/b.png", "masks_fixed/a.png", "preview.png")
    assert [one.mask for one in layout.pairs] == ["masks/a.png", "masks/b.png"]
    assert layout.ignored == {"masks_fixed": 1, ".": 1}
    layout = laid("training/image_2/1.png", "training/semantic/1.png", "training/instance/1.png")
    assert [one.mask for one in layout.pairs] == ["training/semantic/1.png"]
    assert layout.ignored == {"training/instance": 1}


def test_duplicate_keys_are_refused_by_name() -> None:
    layout = laid("images/a.jpg", "images/a.png", "masks/a.png", "masks/a.tif")
    assert [(one.image, one.mask) for one in layout.pairs] == [("images/a.jpg", "masks/a.png")]
    assert sorted(layout.refused) == [
        ("images/a.png", "duplicate key: images/a.jpg has the same name"),
        ("masks/a.tif", "duplicate key: a second mask of images/a.jpg, beside masks/a.png"),
    ]


def test_lists_give_splits_and_pairs() -> None:
    names = ("images/a.jpg", "images/b.jpg", "images/c.jpg", "masks/a.png", "masks/b.png")
    layout = laid(*names, train=[["a"]], val=[["images/b.jpg"]], test=[["gone"]])
    assert keys(layout) == [("a", True, "train"), ("b", True, "val"), ("c", False, None)]
    layout = laid("x/a.png", "y/7.png", train=[["/SegNet/x/a.png", "/SegNet/y/7.png"]])
    assert layout.pairs == [Pair("x/a", "x/a.png", "y/7.png", "train")]
    layout = laid("images/a b.png", "masks/a b.png", test=[["a", "b.png"]])
    assert keys(layout) == [("a b", True, "test")]


def test_masks_are_not_paired_across_folders_that_differ() -> None:
    layout = laid("images_a/1.png", "images_b/1.png", "masks_b/1.png", "masks_c/1.png")
    assert [(one.key, one.mask) for one in layout.pairs] == [("a/1", None), ("b/1", "masks_b/1.png")]
    assert layout.refused == [("masks_c/1.png", "no image of that name")]


def test_nothing_is_nothing() -> None:
    assert laid() == Layout()
