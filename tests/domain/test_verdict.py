from dataclasses import replace

import pytest

from app.domain.bootstrap import Estimate, Paired
from app.domain.verdict import Judging, Reading, notes, sentence, subject

JUDGING = Judging(samples=83, groups=80, verified=0, verified_groups=0, changed=0, left_out=0)


def estimate(difference: float, half: float) -> Estimate:
    return Estimate((0.5,), (0.5 + difference,), difference, difference - half, difference + half, None, 1.5 * half)


def reading(overall: Estimate, *classes: Estimate, verified: bool = False, groups: int = 80) -> Reading:
    names = ("sky", "soil", "big rock")[: len(classes)]
    return Reading("current", verified, names, Paired(overall, classes, 83, groups))


def test_a_gain_is_told_with_its_interval_and_the_class_that_gained_most() -> None:
    found = reading(estimate(0.021, 0.0127), estimate(0.1, 0.2), estimate(0.01, 0.005), estimate(0.05, 0.02))
    assert sentence("imported", "curated", found) == (
        "Curation gained 2.1 points of mean IoU, 95 % interval 0.8 to 3.4; big rock gained most."
    )


def test_a_loss_is_told_in_positive_numbers() -> None:
    found = reading(estimate(-0.021, 0.0127), estimate(0.3, 0.1), estimate(-0.01, 0.005))
    assert sentence("curated", "with_pseudo", found) == (
        "Adding pseudo-labels lost 2.1 points of mean IoU, 95 % interval 0.8 to 3.4; soil lost most."
    )
    assert sentence("imported", "curated", reading(estimate(-0.021, 0.0127))).endswith("0.8 to 3.4.")


def test_no_difference_says_what_the_test_set_could_have_shown() -> None:
    assert sentence("imported", "curated", reading(estimate(0.004, 0.02))) == (
        "No difference can be seen (0.4 points of mean IoU, 95 % interval −1.6 to 2.4); the test set of 83 images can "
        "only show differences above 3.0 points."
    )


def test_what_cannot_be_measured_is_said() -> None:
    nothing = Estimate((None,), (None,), None, None, None, None, None)
    assert "no foreground class" in sentence("imported", "curated", reading(nothing))


@pytest.mark.parametrize(
    ("found", "judging", "seeds", "words"),
    [
        (reading(estimate(0, 1)), JUDGING, 3, "confirmed none of the 83"),
        (reading(estimate(0, 1)), replace(JUDGING, verified=5, verified_groups=5), 3, "confirmed 5 of the 83"),
        (
            reading(estimate(0, 1), verified=True),
            replace(JUDGING, verified=60, verified_groups=60),
            3,
            "on the 60 test",
        ),
        (reading(estimate(0, 1)), JUDGING, 1, "With one seed"),
        (reading(estimate(0, 1), groups=4), JUDGING, 3, "only 4 pictures"),
        (reading(estimate(0, 1)), replace(JUDGING, changed=7), 3, "7 test masks were changed"),
        (reading(estimate(0, 1)), replace(JUDGING, left_out=2), 3, "2 test images were left out"),
    ],
)
def test_what_to_hold_against_it_is_told(found: Reading, judging: Judging, seeds: int, words: str) -> None:
    assert any(words in one for one in notes(found, judging, seeds))
    assert all(one.endswith(".") for one in notes(found, judging, seeds))


def test_enough_confirmed_masks_judge_alone() -> None:
    assert not replace(JUDGING, verified=29, verified_groups=29).enough_verified
    assert replace(JUDGING, verified=30, verified_groups=30).enough_verified


def test_any_two_arms_have_a_subject() -> None:
    assert subject("imported", "curated") == "Curation"
    assert subject("snapshot:3", "without_flagged") == "Without flagged, against snapshot 3,"
