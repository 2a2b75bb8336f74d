from typing import Any

from app.domain.experiment_tables import markdown


def figures(miou: float, **more: Any) -> dict[str, Any]:
    one = {
        "miou": miou,
        "by_seed": [miou],
        "difference": 0.0,
        "low": 0.0,
        "high": 0.0,
        "clear": False,
        "smallest": None,
    }
    shares = ("accuracy", "miou_on_foreground", "foreground_precision", "foreground_recall", "background_accuracy")
    return dict.fromkeys(shares, 0.5) | one | {"classes": {"sand": one, "rock": one}, "on_foreground": one} | more


def row(name: str, against: str = "baseline", **more: Any) -> dict[str, Any]:
    facts = {"name": name, "family": "leakage", "title": f"about {name}", "against": against, "seeds": [0]}
    return facts | {"val": figures(0.6), "test": figures(0.4), "parameters": 12345, "seconds": 65.4} | more


def results(*rows: dict[str, Any], background: bool = False) -> dict[str, Any]:
    split = {"train": 7, "val": 2, "test": 3}
    return {
        "data": {"snapshot": "0123456789abcdef", "samples": split, "groups": split, "background": background},
        "machine": {"device": "cpu", "cores": 2, "processor": "x86_64"},
        "config": {"epochs": 3, "batch": 4, "learning_rate": 0.003, "width": 8, "crop": 512, "precision": "bf16"},
        "asked": {"dataset": "mars"},
        "experiments": list(rows),
        "seconds": 600,
        "luck": None,
        "left": {"given_masks": "no mask was changed"},
        "failed": {"marsseg, seed 0": "The memory is not enough."},
    }


def test_a_clear_difference_is_bold_and_one_against_another_says_so() -> None:
    clear = figures(0.5, difference=0.1, low=0.02, high=0.18, clear=True)
    unclear = figures(0.45, difference=-0.05, low=-0.16, high=0.06)
    text = markdown(
        results(
            row("baseline", family="presets"),
            row("class_balance", family="classes", test=clear),
            row("pseudo_labels", "half_of_labels", family="pseudo", test=unclear),
        )
    )
    assert "| about baseline | 50.0 | 60.0 | 50.0 | 40.0 |  | 12,345 | 65 |" in text
    assert "| **+10.0 (+2.0 to +18.0)** |" in text
    assert "| −5.0 (−16.0 to +6.0) against half_of_labels |" in text
    assert "given_masks, since no mask was changed." in text
    assert "Failed: marsseg, seed 0: The memory is not enough." in text
    assert "3 runs in 10 minutes." in text


def test_the_trap_shows_validation_beside_test() -> None:
    leak = figures(0.8, difference=0.2, low=0.1, high=0.3, clear=True)
    rows = (row("baseline", family="presets"), row("clean_copies"), row("leaking_copies", "clean_copies", val=leak))
    text = markdown(results(*rows))
    assert "| about leaking_copies | 80.0 | 40.0 | +40.0 | **+20.0 (+10.0 to +30.0)** against clean_copies |" in text
    assert "The trap" not in markdown(results(rows[0]))


def test_the_price_of_the_background_is_shown_where_there_is_one() -> None:
    one = row("baseline", family="presets")
    assert "Background accuracy" in markdown(results(one, background=True))
    assert "Background accuracy" not in markdown(results(one))


def test_seeds_and_what_cannot_be_measured() -> None:
    several = figures(0.4, by_seed=[0.38, 0.42], smallest=0.03)
    text = markdown(
        results(
            row("baseline", family="presets", test=several, seeds=[0, 1]),
            row(
                "half_of_labels",
                family="pseudo",
                test=figures(0.1, difference=None),
                pseudo={"sure": 0.5, "right": None},
            ),
        )
    )
    assert "by seed: 38.0, 42.0." in text
    assert "| 65 x 2 |" in text
    assert "| not measurable |" in text
    assert "sure of 50.0 % of the hidden pixels." in text
    assert "about 3.0 points" in text


def test_what_seeds_do_is_told() -> None:
    assert "no difference is bold" in markdown(results(row("baseline")))
    told = markdown(results(row("baseline")) | {"luck": {"deviation": 0.012, "freedom": 4}})
    assert "by 1.2 points (standard deviation, 4 degrees of freedom)" in told


def test_nothing_trained_yet_is_still_a_page() -> None:
    assert markdown(results()).startswith("- Data set mars: 7 train")
