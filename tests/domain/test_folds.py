import pytest

from app.domain.folds import SawIt, unseen_by, verify_unseen

GROUPS = {"a": "1", "b": "1", "c": "2", "d": "3"}


def test_models_that_saw_nothing_of_it_may_judge() -> None:
    verify_unseen({"a": 0, "b": 0, "c": 1, "d": 1}, [{"c", "d"}, {"a", "b"}], GROUPS)


@pytest.mark.parametrize(
    ("predicted", "sentence"),
    [
        ({"c": 0}, "fold 0 learned from c"),
        ({"a": 1}, "fold 1 learned from b, which shows the same as a"),
        ({"d": 2}, "isn't known"),
        ({"d": -1}, "isn't known"),
    ],
)
def test_a_model_that_saw_it_or_its_like_is_refused_by_name(predicted: dict[str, int], sentence: str) -> None:
    with pytest.raises(SawIt, match=sentence):
        verify_unseen(predicted, [{"c", "d"}, {"b"}], GROUPS)


def test_a_sample_without_a_group_is_alone() -> None:
    verify_unseen({"x": 0}, [{"y"}], {})


def test_who_may_predict_a_sample() -> None:
    learned = [{"c"}, {"b"}, set[str]()]
    assert unseen_by(["a", "c", "x"], learned, GROUPS) == {"a": [0, 2], "c": [1, 2], "x": [0, 1, 2]}
