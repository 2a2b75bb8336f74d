"""Labels of CVAT that are no class here: a person says what they are."""

from typing import Literal, get_args

from app.domain.actor import Actor
from app.domain.classes import Class, ClassList, guess_role
from app.domain.errors import Invalid, NotFound
from app.store import datasets, receipts
from app.store.db import Database
from app.store.tables import CvatAnswer

Answer = Literal["map", "create", "ignore"]


class BadAnswer(Invalid):
    """An answer that doesn't say what a label is."""


def answer(
    db: Database,
    dataset: str,
    label_id: int,
    how: Answer,
    actor: Actor,
    class_id: int | None = None,
    server: str | None = None,
) -> CvatAnswer:
    """Say what a label is that a pull asked about: ``map`` it to the class ``class_id``, ``create`` a class of its name
    and colour, or ``ignore`` its shapes. It holds for every later pull from that server, and can be given anew.

    ``server`` may be left out where only one asked about that label. Raises NotFound, BadAnswer.
    """
    if how not in get_args(Answer) or (how == "map") != (class_id is not None):
        raise BadAnswer("Say map together with a class, create, or ignore.")
    with db.write() as session:
        row = datasets.find(session, dataset)
        asked = [one for one in receipts.about_label(session, row.id, label_id) if server in (None, one.server)]
        if not asked:
            raise NotFound(f"No pull of {dataset} has asked about a label {label_id}.")
        if len(asked) > 1:
            raise BadAnswer(f"Several servers have a label {label_id}; say which one is meant.")
        classes = datasets.classes(session, row)
        if how == "create":
            made = _class_for(asked[0], classes)
            datasets.set_classes(session, row, ClassList((*classes.classes, made), classes.guessed), actor)
            class_id = made.id
        elif class_id is not None and classes.by_id(class_id) is None:
            raise NotFound(f"There is no class {class_id} in {dataset}.")
        asked[0].answer, asked[0].class_id, asked[0].actor_name = how, class_id, actor.name
        return asked[0]


def _class_for(label: CvatAnswer, classes: ClassList) -> Class:
    """A class of the label's name and colour, with the next id. Raises BadAnswer where that name is taken."""
    name = label.name.strip()
    if classes.by_name(name) is not None:
        raise BadAnswer(f"There is a class {name} already; map the label to it.")
    taken = classes.ids | {255}  # which says void to most programs
    id = next(id for id in range(max(classes.ids - {255}, default=0) + 1, 1 << 17) if id not in taken)
    return Class(id, name, guess_role(id, name), label.colour.lower())
