"""The class list of a dataset, as a person puts it."""

from app.domain.actor import Actor
from app.domain.classes import ClassList, InvalidClasses
from app.store import datasets
from app.store.db import Database


def put(db: Database, dataset: str, listed: ClassList, actor: Actor) -> int:
    """Put ``listed`` in force as a new version; the version. Raises NotFound, and InvalidClasses where it leaves out a
    class that a mask of the dataset holds, be it a superseded one."""
    if nameless := [one.id for one in listed.classes if not one.name]:
        raise InvalidClasses(f"Class {nameless[0]} needs a name.")
    with db.write() as session:
        row = datasets.find(session, dataset)
        if missing := datasets.class_ids(session, row.id) - listed.ids:
            ids = ", ".join(str(id) for id in sorted(missing)[:10])
            raise InvalidClasses(f"Masks of {dataset} hold class ids that the list leaves out: {ids}; list them too.")
        return datasets.set_classes(session, row, listed, actor)
