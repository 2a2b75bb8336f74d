"""What holds for every check, whatever it looks for."""

import json
from collections.abc import Callable
from math import isfinite

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.domain.checks.bad_image import BadImage
from app.domain.checks.base import Divisible, Finding, Group, View
from app.domain.checks.duplicate_image import DuplicateImage
from app.domain.checks.foreign_image import ForeignImage
from app.domain.checks.registry import CHECKS, DIVISIBLE, UnknownCheck, by_name
from app.domain.checks.shared_mask import SharedMask
from app.domain.checks.unusual_mask import UnusualMask
from app.domain.mask import Mask
from benchmarks.replicas import Plant, replica
from tests.domain.checks.views import CLASSES, Array, judge, views

CheckClass = type[SharedMask] | type[DuplicateImage] | type[ForeignImage] | type[UnusualMask] | type[BadImage]
MADE = replica(1, 60, [Plant(6, "drawn", "exact")])
SEEN = views(MADE.images, MADE.masks)
every = pytest.mark.parametrize("check", CHECKS, ids=lambda one: str(one.name))


def sound(seen: list[View], findings: dict[int, Finding], groups: list[Group], subject: str) -> None:
    judged = {view.sample for view in seen if subject == "image" or view.mask is not None}
    assert set(findings) == judged
    by_print = {group.fingerprint: group for group in groups}
    assert len(by_print) == len(groups)
    for one in findings.values():
        assert 0 <= one.score <= 1 and isfinite(one.score) and type(one.flagged) is bool
        assert bool(one.reason) >= one.flagged
        assert not one.reason or one.reason.endswith(".")
        assert one.group is None or one.sample in by_print[one.group].members
    for group in groups:
        assert len(group.members) >= 2 and list(group.members) == sorted(set(group.members))
        assert 0 <= group.score <= 1 and type(group.flagged) is bool
        assert all(findings[sample].group == group.fingerprint for sample in group.members)


@every
def test_names_are_found(check: CheckClass) -> None:
    assert by_name(check.name) is check
    with pytest.raises(UnknownCheck, match="choose from shared_mask"):
        by_name("nothing")


@every
def test_findings_are_sound_and_flags_follow_the_threshold(check: CheckClass) -> None:
    made = check(CLASSES)
    findings, groups = judge(made, SEEN)
    sound(SEEN, findings, groups, made.subject)
    assert all(one.flagged == (one.score >= made.threshold) for one in findings.values())


@every
def test_the_order_of_seeing_changes_nothing(check: CheckClass) -> None:
    shuffled = [SEEN[i] for i in np.random.default_rng(3).permutation(len(SEEN))]
    assert judge(check(CLASSES), shuffled) == judge(check(CLASSES), SEEN)


@pytest.mark.parametrize("name", ["mixed", "lines"])
@pytest.mark.parametrize("check", DIVISIBLE, ids=lambda one: str(one.name))
def test_what_several_have_noted_is_judged_like_what_one_has(check: type[Divisible], name: str) -> None:
    seen, whole = SETS[name](), check(CLASSES)
    for start in range(0, len(seen), 7):
        part = check(CLASSES)
        for view in seen[start : start + 7]:
            part.see(view)
        whole.add(json.loads(json.dumps(part.notes())))
    assert judge(whole, []) == judge(check(CLASSES), seen)


@every
def test_flipping_the_whole_set_flags_the_same_samples(check: CheckClass) -> None:
    flips = views([i[:, ::-1] for i in MADE.images], [np.ascontiguousarray(m[:, ::-1]) for m in MADE.masks])
    plain, flipped = judge(check(CLASSES), SEEN)[0], judge(check(CLASSES), flips)[0]
    # One pair of copies at the very threshold may fall to either side.
    assert sum(plain[i].flagged != flipped[i].flagged for i in plain) <= 2


@every
def test_renaming_foreground_classes_changes_no_flag(check: CheckClass) -> None:
    names = np.array([0, 3, 1, 4, 2], np.uint8)
    renamed = judge(check(CLASSES), views(MADE.images, [names[mask] for mask in MADE.masks]))[0]
    assert {i: one.flagged for i, one in renamed.items()} == {
        i: one.flagged for i, one in judge(check(CLASSES), SEEN)[0].items()
    }


def constant(shape: tuple[int, ...], value: float, dtype: type) -> Array:
    return np.full(shape, value, dtype)


SETS: dict[str, Callable[[], list[View]]] = {
    "nothing": list,
    "one": lambda: SEEN[:1],
    "two": lambda: SEEN[:2],
    "one picture many times": lambda: views([MADE.images[0]] * 30, [MADE.masks[0]] * 30),
    "constant": lambda: views([constant((8, 9), 7, np.uint8)] * 20, [np.zeros((8, 9), np.uint8)] * 20),
    "different constants": lambda: views(
        [constant((8, 9), i, np.uint8) for i in range(30)], [np.full((8, 9), i % 12, np.uint8) for i in range(30)]
    ),
    "no masks": lambda: views(MADE.images, [None] * len(MADE.images)),
    "one pixel": lambda: views([constant((1, 1), i, np.uint8) for i in range(20)], [np.zeros((1, 1), np.uint8)] * 20),
    "lines": lambda: views(
        [np.arange(700 + i, dtype=np.uint8)[None] for i in range(20)],
        [(np.arange(700 + i)[None] % 3).astype(np.uint8) for i in range(20)],
    ),
    "mixed": lambda: views(
        [
            *MADE.images[:20],
            np.random.default_rng(0).random((40, 30, 3)),
            np.random.default_rng(1).integers(0, 65535, (300, 500)).astype(np.uint16),
            np.full((20, 20), np.nan, np.float32),
            np.full((20, 20, 4), np.inf, np.float64),
            np.array([[-1e30, 1e30], [0, np.nan]]),
            np.zeros((5, 1000, 2), np.int32),
            np.eye(33, dtype=bool),
            np.random.default_rng(2).integers(-9, 9, (30, 30, 7)).astype(np.int16),
        ],
        [
            *MADE.masks[:20],
            np.full((40, 30), 60000, np.uint16),
            np.random.default_rng(1).integers(0, 12, (300, 500)).astype(np.uint8),
            None,
            np.zeros((20, 20), np.uint8),
            np.array([[0, 65535], [1, 2]], np.uint16),
            None,
            np.eye(33, dtype=np.uint8),
            np.zeros((30, 30), np.uint8),
        ],
    ),
}


@every
@pytest.mark.parametrize("name", SETS)
def test_odd_sets_are_judged_like_any_other(check: CheckClass, name: str) -> None:
    seen, made = SETS[name](), check(CLASSES)
    findings, groups = judge(made, seen)
    sound(seen, findings, groups, made.subject)


shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))
images = st.one_of(
    arrays(np.uint8, shapes),
    arrays(np.uint16, shapes),
    arrays(np.float32, shapes, elements=st.floats(width=32)),
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))),
)


@st.composite
def sample(draw: st.DrawFn) -> tuple[Array, Mask | None]:
    image = draw(images)
    ids = arrays(np.uint8, image.shape[:2], elements=st.integers(0, 3))
    return image, draw(st.none() | ids)


@every
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(sample(), max_size=20))
def test_no_set_of_pictures_breaks_a_check(check: CheckClass, pairs: list[tuple[Array, Mask | None]]) -> None:
    seen, made = views([image for image, _ in pairs], [mask for _, mask in pairs]), check(CLASSES)
    findings, groups = judge(made, seen)
    sound(seen, findings, groups, made.subject)
