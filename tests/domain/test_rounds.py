from app.domain.rounds import Pseudo, Round, best, figure_of, sentence

SAID = Pseudo(pool=40, samples=30, share=0.4, precision=0.96, classes=("sky",))


def rounds(*figures: float | None, test: dict[int, float] | None = None) -> list[Round]:
    """Rounds with these mean IoUs on validation, and the reverse of them on foreground."""
    return [
        Round(at, one, None if one is None else 1 - one, 3, 10.0, SAID if at else None, (test or {}).get(at))
        for at, one in enumerate(figures)
    ]


def test_the_best_on_validation_is_kept_and_of_equals_the_first() -> None:
    assert best(rounds(0.5, 0.6, 0.55), "miou").number == 1
    assert best(rounds(0.5, 0.6, 0.55), "miou_on_foreground").number == 0
    assert best(rounds(0.5, 0.5, 0.5), "miou").number == 0
    assert best(rounds(None, 0.0), "miou").number == 1
    assert best(rounds(None), "miou").number == 0


def test_rounds_are_not_compared_by_a_loss() -> None:
    assert [figure_of(one) for one in ("miou", "miou_on_foreground", "loss")] == ["miou", "miou_on_foreground", "miou"]


def test_what_came_of_it_is_said_of_validation_and_of_test() -> None:
    assert sentence(rounds(0.5, 0.6, test={0: 0.48, 1: 0.47}), "miou") == (
        "Round 1 did best on validation and is kept: mean IoU 60.0 % in place of 50.0 %. "
        "On the test samples, mean IoU 47.0 % in place of 48.0 %."
    )
    assert sentence(rounds(0.5, 0.4, test={0: 0.48}), "miou") == (
        "No round did better on validation than people's masks alone, so the model of round 0 is kept."
    )
    assert sentence(rounds(0.5), "miou", "Too weak.") == "Too weak."
    assert sentence(rounds(0.5, 0.4), "miou", "Too weak.").endswith("is kept. Too weak.")
