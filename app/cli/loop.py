"""The command that says when to stop."""

from app.cli import console
from app.cli.shared import DatasetName, Json, open_data
from app.flows import remaining
from app.store import datasets


def remaining_(dataset: DatasetName, json: Json = False) -> None:
    """Estimate how many bad masks remain, and what the next reviews should find.

    Example: remask remaining mars
    """
    _, db = open_data()
    with db.read() as session:
        found = remaining.outlook(session, datasets.find(session, dataset).id)
    if json:
        console.dump(found.as_json() if found else remaining.unjudged())
    else:
        console.say(found.sentence if found else remaining.UNJUDGED)
