"""What became of the labels that were pushed: renamed, deleted, joined by others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.cvat.answers import Label
from app.domain.classes import ClassList


@dataclass(frozen=True)
class Labels:
    """``ids``: label id -> class id, as ``shapes.compose`` takes it, None for labels that are to be ignored.

    ``renamed``: class id -> the name that its label has now; ``deleted``: classes whose label is gone, and with it all
    its shapes; ``unknown``: labels that somebody has to map, create a class for, or ignore.
    """

    ids: dict[int, int | None]
    renamed: dict[int, str]
    deleted: tuple[int, ...]
    unknown: tuple[Label, ...]


def reconcile(
    found: Sequence[Label], pushed: Mapping[int, int], classes: ClassList, answers: Mapping[int, int | None]
) -> Labels:
    """``found``: the task's labels now; ``pushed``: class id -> label id as recorded at the push; ``answers``: what a
    person said about labels that aren't ours, label id -> class id or None.

    A label is known by its id alone: a new one with a class's name is asked about like any other.
    """
    class_of = {label: class_id for class_id, label in pushed.items()}
    ids: dict[int, int | None] = {}
    renamed: dict[int, str] = {}
    unknown: list[Label] = []
    for label in found:
        if label.id in class_of:
            class_id = class_of[label.id]
            known = classes.by_id(class_id)
            ids[label.id] = class_id
            if known is not None and known.name.strip() != label.name:
                renamed[class_id] = label.name
        elif label.id in answers:
            ids[label.id] = answers[label.id]
        else:
            unknown.append(label)
    here = {label.id for label in found}
    deleted = tuple(sorted(class_id for class_id, label in pushed.items() if label not in here))
    return Labels(ids, renamed, deleted, tuple(unknown))
