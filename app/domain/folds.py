"""That nobody is judged by a model which saw him: who predicted whom, and who learned from whom."""

from collections.abc import Collection, Mapping, Sequence

from app.domain.errors import Conflict


class SawIt(Conflict):
    """A prediction of a model that learned from the sample, or from another one of its content group."""


def verify_unseen(
    predicted: Mapping[str, int], learned: Sequence[Collection[str]], group_of: Mapping[str, str]
) -> None:
    """Raises SawIt where a sample was predicted by a model that saw it, or another one of its content group.

    ``predicted``: sample -> the fold whose model predicted it; ``learned``: for each fold, the samples that its model
    learned from or stopped by; ``group_of``: sample -> content group, one that has none is alone.
    """
    seen = [{group_of.get(key, key): key for key in sorted(keys)} for keys in learned]
    for key in sorted(predicted):
        fold = predicted[key]
        if not 0 <= fold < len(seen):
            raise SawIt(f"Which model predicted {key} isn't known; find imprecise masks again.")
        if key in learned[fold]:
            raise SawIt(f"The model of fold {fold} learned from {key}, so can't judge it; find imprecise masks again.")
        other = seen[fold].get(group_of.get(key, key))
        if other is not None:
            raise SawIt(
                f"The model of fold {fold} learned from {other}, which shows the same as {key}, so can't judge it; "
                "find imprecise masks again."
            )


def unseen_by(
    keys: Collection[str], learned: Sequence[Collection[str]], group_of: Mapping[str, str]
) -> dict[str, list[int]]:
    """sample -> numbers of the models that saw neither it nor another one of its content group; see ``verify_unseen``
    for what is given."""
    seen = [{group_of.get(key, key) for key in of_model} for of_model in learned]
    own = [frozenset(of_model) for of_model in learned]
    return {
        key: [at for at in range(len(learned)) if key not in own[at] and group_of.get(key, key) not in seen[at]]
        for key in keys
    }
