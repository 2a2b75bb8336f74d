from app.cvat.answers import Label
from app.cvat.labels import reconcile
from app.domain.classes import ClassList, named

CLASSES = ClassList((named(0, "background"), named(1, " rock"), named(2, "sand"), named(3, "soil")))
PUSHED = {1: 11, 2: 12, 3: 13}


def label(id: int, name: str) -> Label:
    return Label(id, name, "#112233", "mask")


def test_labels_are_known_by_their_ids() -> None:
    found = [label(11, "rock"), label(12, "dune"), label(20, "soil"), label(21, "boat"), label(22, "cloud")]
    got = reconcile(found, PUSHED, CLASSES, {21: 2, 22: None})
    assert got.ids == {11: 1, 12: 2, 21: 2, 22: None}
    assert got.renamed == {2: "dune"}
    assert got.deleted == (3,)
    assert got.unknown == (label(20, "soil"),), "a new label of a class's name is still another label"


def test_nothing_changed() -> None:
    got = reconcile([label(11, "rock"), label(12, "sand"), label(13, "soil")], PUSHED, CLASSES, {})
    assert got == type(got)({11: 1, 12: 2, 13: 3}, {}, (), ())
