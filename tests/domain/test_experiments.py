from dataclasses import replace

import pytest

from app.domain.experiments import BASELINE, Facts, UnknownExperiment, catalogue, chosen

RICH = Facts(background=True, foreground=4, contaminated=3, corrected=2, rare="rock", copies=4)


def test_every_experiment_is_compared_with_one_that_stands_before_it() -> None:
    experiments, left = catalogue(RICH)
    assert left == []
    names = [one.name for one in experiments]
    assert names[0] == BASELINE
    assert len(set(names)) == len(names)
    assert all(one.against in names[: at + 1] for at, one in enumerate(experiments))


@pytest.mark.parametrize(
    ("poorer", "gone"),
    [
        ({"background": False}, {"no_background", "no_background_contaminated"}),
        ({"foreground": 1}, {"no_background", "no_background_contaminated"}),
        ({"contaminated": 0}, {"contaminated", "no_background_contaminated"}),
        ({"corrected": 0}, {"given_masks"}),
        ({"copies": 0}, {"oversample"}),
        ({"background": False, "contaminated": 0}, {"no_background", "contaminated", "no_background_contaminated"}),
    ],
)
def test_what_a_data_set_gives_no_ground_for_is_left_with_a_reason(poorer: dict[str, int], gone: set[str]) -> None:
    experiments, left = catalogue(replace(RICH, **poorer))  # type: ignore[arg-type]
    assert {one.name for one in left} == gone
    assert {one.name for one in catalogue(RICH)[0]} - {one.name for one in experiments} == gone


def test_naming_some_brings_what_they_are_compared_with() -> None:
    experiments, left = catalogue(RICH)
    assert [one.name for one in chosen(experiments, left, ["longer"])] == ["baseline", "longer"]
    assert [one.name for one in chosen(experiments, left, ["pseudo_labels"])] == [
        "baseline",
        "half_of_labels",
        "pseudo_labels",
    ]
    assert {one.name for one in chosen(experiments, left, ["no_background_contaminated", "networks"])} == {
        "baseline",
        "no_background",
        "no_background_contaminated",
        "marsseg",
        "transformer",
        "transformer_bottleneck",
        "pyramid_pooling",
    }
    assert chosen(experiments, left, []) == experiments


def test_a_name_that_is_none_is_refused_with_what_there_is() -> None:
    experiments, left = catalogue(replace(RICH, corrected=0))
    with pytest.raises(UnknownExperiment, match=r"no experiment 'marseg'.*marsseg"):
        chosen(experiments, left, ["marseg"])
    with pytest.raises(UnknownExperiment, match="no mask to learn from was changed"):
        chosen(experiments, left, ["given_masks"])
