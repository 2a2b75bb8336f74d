"""Drafts, the revision that they become, conflicts and merges: nothing is lost, and undo restores everything."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.domain.actor import person
from app.domain.checks.base import Finding
from app.domain.classes import ClassList, Role
from app.domain.errors import NotFound
from app.domain.mask import Mask
from app.flows import edit, ingest, merge, review
from app.flows.edit import Moved, UnfitMask
from app.flows.merge import NothingTaken, Side
from app.flows.review import Selection
from app.store import datasets, drafts, findings, rasters, revisions, samples
from app.store.blobs import Damaged
from app.store.db import Database
from app.store.decisions import Wish
from app.store.drafts import OtherPart, SavedElsewhere
from app.store.tables import Draft, Raster, Revision, Sample
from app.store.windows import Box
from tests.sets import every_sample, small_tiles

ADA, BOB = person("ada"), person("bob")


@pytest.fixture
def ids(db: Database, npz: Path) -> list[int]:
    """Twelve labelled samples and three without a mask; the first has an open flag on its mask."""
    ingest.run(db, npz, "mars", ADA)
    with db.write() as session:
        dataset = datasets.find(session, "mars")
        rows = every_sample(session, dataset.id)
        looked = [findings.Looked(rows[0].id, rows[0].current_id)]
        found = [Finding(rows[0].id, 0.9, True, "odd")]
        findings.record(session, dataset.id, findings.Ran("unusual_mask", 1, "mask"), looked, found, [])
    return [one.id for one in rows]


def sample(db: Database, id: int) -> Sample:
    with db.read() as session:
        return samples.find(session, id)


def mask_of(db: Database, revision: int | None) -> Mask:
    with db.read() as session:
        one = revisions.find(session, revision or 0)
        return rasters.mask(session, session.get_one(Raster, one.mask_id))


def states(db: Database, id: int) -> dict[int, str]:
    with db.read() as session:
        return {one.id: one.state for one in revisions.of_sample(session, id)}


def drawn(db: Database, id: int, value: int = 4) -> Mask:
    """The sample's mask with a block of ``value`` painted into it."""
    mask = mask_of(db, sample(db, id).current_id).copy()
    mask[2:6, 3:9] = value
    return mask


def test_what_is_drawn_becomes_one_decided_revision(db: Database, ids: list[int]) -> None:
    before = sample(db, ids[0])
    assert before.status == "flagged"
    mask = drawn(db, ids[0])
    result = edit.finish(db, ids[0], mask, ADA, before.current_id, before.version)
    after = sample(db, ids[0])
    assert (after.current_id, after.confirmed_id, after.status) == (result.revision, result.revision, "corrected")
    assert after.version == before.version + 1
    np.testing.assert_array_equal(mask_of(db, result.revision), mask)
    with db.read() as session:
        made = revisions.find(session, result.revision or 0)
        assert (made.parent_id, made.source, made.actor_name) == (before.current_id, "brush", "ada")


def test_undo_and_redo_restore_everything(db: Database, ids: list[int]) -> None:
    for id in (ids[0], ids[12]):  # one with a mask and a flag, one without a mask
        before = sample(db, id)
        stood = states(db, id)
        mask = drawn(db, id) if before.current_id else np.ones((16, 24), np.uint8)
        result = edit.finish(db, id, mask, ADA, before.current_id)
        done = states(db, id)
        undone = review.undo(db, result.batch or 0, ADA)
        now = sample(db, id)
        assert [now.current_id, now.confirmed_id, now.status, now.worst] == [
            before.current_id, before.confirmed_id, before.status, before.worst,
        ]  # fmt: skip
        assert states(db, id) == stood | {result.revision: "superseded"}
        review.undo(db, undone.batch or 0, ADA)
        assert states(db, id) == done
        assert sample(db, id).status == "corrected"


def test_unchanged_pixels_make_no_revision(db: Database, ids: list[int]) -> None:
    before = sample(db, ids[0])
    mask = mask_of(db, before.current_id)
    edit.save_draft(db, ids[0], mask, ADA, before.current_id, 1)
    result = edit.finish(db, ids[0], mask, ADA, before.current_id)
    assert (result.revision, result.batch) == (None, None)
    assert sample(db, ids[0]).version == before.version
    assert draft(db, ids[0]) is None


def draft(db: Database, id: int, reviewer: str = "ada") -> Draft | None:
    with db.read() as session:
        return drafts.newest(session, id, reviewer)


def test_a_draft_is_kept_by_reviewer_and_base_and_goes_when_it_is_done(db: Database, ids: list[int]) -> None:
    base = sample(db, ids[0]).current_id
    first, second = drawn(db, ids[0], 3), drawn(db, ids[0], 4)
    edit.save_draft(db, ids[0], first, ADA, base, 1)
    edit.save_draft(db, ids[0], first, BOB, base, 1)
    edit.save_draft(db, ids[0], second, ADA, base, 2)
    kept = draft(db, ids[0])
    assert kept is not None
    np.testing.assert_array_equal(drafts.mask(kept), second)
    edit.finish(db, ids[0], second, ADA, base)
    assert draft(db, ids[0]) is None
    theirs = draft(db, ids[0], "bob")
    assert theirs is not None
    np.testing.assert_array_equal(drafts.mask(theirs), first)
    assert edit.discard(db, ids[0], BOB, base) == 1
    assert draft(db, ids[0], "bob") is None


def test_a_draft_sent_twice_is_saved_once_and_another_window_is_not_overwritten(db: Database, ids: list[int]) -> None:
    base = sample(db, ids[0]).current_id
    first, second = drawn(db, ids[0], 3), drawn(db, ids[0], 4)
    edit.save_draft(db, ids[0], first, ADA, base, 1)
    again = edit.save_draft(db, ids[0], first, ADA, base, 1)
    assert again.counter == 1
    for counter in (1, 3, 0):
        with pytest.raises(SavedElsewhere, match="another window"):
            edit.save_draft(db, ids[0], second, ADA, base, counter)
    kept = draft(db, ids[0])
    assert kept is not None
    np.testing.assert_array_equal(drafts.mask(kept), first)


def test_a_damaged_draft_is_told(db: Database, ids: list[int]) -> None:
    edit.save_draft(db, ids[0], drawn(db, ids[0]), ADA, sample(db, ids[0]).current_id, 1)
    for data in (b"no", None):
        with db.write() as session:
            kept = drafts.newest(session, ids[0], "ada")
            assert kept is not None
            kept.data = data or kept.data
            kept.pixel_hash = "0" * 64
            with pytest.raises(Damaged):
                drafts.mask(kept)


def test_ids_past_255_are_kept(db: Database, ids: list[int]) -> None:
    with db.write() as session:
        dataset = datasets.find(session, "mars")
        datasets.set_classes(session, dataset, datasets.classes(session, dataset).with_ids([300]), ADA)
    base = sample(db, ids[0]).current_id
    mask = drawn(db, ids[0]).astype(np.uint16)
    mask[0, 0] = 300
    edit.save_draft(db, ids[0], mask, ADA, base, 1)
    kept = draft(db, ids[0])
    assert kept is not None
    np.testing.assert_array_equal(drafts.mask(kept), mask)
    np.testing.assert_array_equal(mask_of(db, edit.finish(db, ids[0], mask, ADA, base).revision), mask)


def test_what_does_not_fit_is_refused_in_a_sentence(db: Database, ids: list[int]) -> None:
    one = sample(db, ids[0])
    with pytest.raises(UnfitMask, match="16 x 24, its picture 24 x 16"):
        edit.finish(db, ids[0], np.zeros((24, 16), np.uint8), ADA, one.current_id)
    with pytest.raises(UnfitMask, match="No class has the id 77"):
        edit.finish(db, ids[0], drawn(db, ids[0], 77), ADA, one.current_id)
    with pytest.raises(NotFound):
        edit.save_draft(db, ids[0], drawn(db, ids[0]), ADA, sample(db, ids[1]).current_id, 1)
    assert sample(db, ids[0]).version == one.version


def test_somebody_was_faster_and_both_masks_are_merged_by_region(db: Database, ids: list[int]) -> None:
    base = sample(db, ids[0]).current_id
    given = mask_of(db, base)
    mine, theirs = given.copy(), given.copy()
    mine[0:3, 0:4] = (given[0, 0] + 1) % 5
    theirs[10:13, 20:24] = (given[10, 20] + 2) % 5
    edit.save_draft(db, ids[0], mine, ADA, base, 1)
    done = edit.finish(db, ids[0], theirs, BOB, base)
    with pytest.raises(Moved) as caught:
        edit.finish(db, ids[0], mine, ADA, base)
    assert (caught.value.base, caught.value.version) == (base, None)
    kept = draft(db, ids[0])
    assert kept is not None
    np.testing.assert_array_equal(drafts.mask(kept), mine)

    aside = edit.finish(db, ids[0], mine, ADA, base, aside=True)
    assert sample(db, ids[0]).status == "conflict"
    assert states(db, ids[0])[aside.revision or 0] == "pending"
    with db.read() as session:
        found = merge.compare(session, ids[0], aside.revision or 0, done.revision or 0)
    taken: dict[int, Side] = {one.number: "mine" for one in found.regions if one.box[3] <= 3}
    version = sample(db, ids[0]).version
    with pytest.raises(Moved):
        merge.merge(db, ids[0], aside.revision or 0, done.revision or 0, {}, "mine", ADA, version - 1)
    both = merge.merge(db, ids[0], aside.revision or 0, done.revision or 0, taken, "theirs", ADA, version)
    wanted = mine.copy()
    wanted[10:13, 20:24] = theirs[10:13, 20:24]
    np.testing.assert_array_equal(mask_of(db, both.revision), wanted)
    with db.read() as session:
        row = session.get_one(Revision, both.revision)
        assert (row.parent_id, row.merged_id) == (done.revision, aside.revision)
    assert states(db, ids[0])[aside.revision or 0] == "superseded"
    assert sample(db, ids[0]).status == "corrected"
    review.undo(db, both.batch or 0, ADA)
    assert states(db, ids[0])[aside.revision or 0] == "pending"
    assert sample(db, ids[0]).current_id == done.revision


def test_a_sample_that_was_decided_meanwhile_is_not_written_over(db: Database, ids: list[int]) -> None:
    before = sample(db, ids[1])
    review.decide(db, "mars", Selection(ids=[ids[1]]), Wish("exclude"), BOB)
    with pytest.raises(Moved, match="decided since"):
        edit.finish(db, ids[1], drawn(db, ids[1]), ADA, before.current_id, before.version)
    assert sample(db, ids[1]).current_id == before.current_id


def test_a_merge_that_takes_nothing_is_refused(db: Database, ids: list[int]) -> None:
    base = sample(db, ids[1]).current_id
    aside = edit.finish(db, ids[1], drawn(db, ids[1]), ADA, base, aside=True)
    with pytest.raises(NothingTaken, match="reject"):
        merge.merge(db, ids[1], aside.revision or 0, base or 0, {}, "theirs", ADA)


PART = Box(5, 3, 9, 6)
INSIDE = (slice(3, 9), slice(5, 14))


@pytest.fixture(params=[False, True])
def tiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        small_tiles(monkeypatch)


@pytest.mark.usefixtures("tiled")
def test_a_part_is_put_into_its_mask_and_all_else_stays(db: Database, ids: list[int]) -> None:
    before = sample(db, ids[0])
    wanted = mask_of(db, before.current_id).copy()
    drawn_part = np.full((6, 9), 3, np.uint8)
    wanted[INSIDE] = drawn_part
    edit.save_draft(db, ids[0], drawn_part, ADA, before.current_id, 1, PART)
    kept = draft(db, ids[0])
    assert kept is not None
    assert drafts.part_of(kept) == PART
    np.testing.assert_array_equal(drafts.mask(kept), drawn_part)
    result = edit.finish(db, ids[0], drawn_part, ADA, before.current_id, before.version, part=PART)
    np.testing.assert_array_equal(mask_of(db, result.revision), wanted)
    assert draft(db, ids[0]) is None
    assert edit.finish(db, ids[0], drawn_part, ADA, result.revision, part=PART).revision is None
    review.undo(db, result.batch or 0, ADA)
    assert sample(db, ids[0]).current_id == before.current_id


@pytest.mark.parametrize(("role", "empty"), [(Role.BACKGROUND, 2), (Role.VOID, 3), (None, 0)])
def test_without_a_mask_what_is_not_drawn_is_background(
    db: Database, ids: list[int], role: Role | None, empty: int
) -> None:
    with db.write() as session:
        dataset = datasets.find(session, "mars")
        roles = {2: Role.BACKGROUND, 3: Role.VOID} if role is Role.BACKGROUND else {3: role} if role else {}
        listed = tuple(
            replace(one, role=roles.get(one.id, Role.FOREGROUND)) for one in datasets.classes(session, dataset).classes
        )
        datasets.set_classes(session, dataset, ClassList(listed, guessed=False), ADA)
    wanted = np.full((16, 24), empty, np.uint8)
    wanted[INSIDE] = 1
    result = edit.finish(db, ids[12], np.ones((6, 9), np.uint8), ADA, None, part=PART)
    np.testing.assert_array_equal(mask_of(db, result.revision), wanted)


def test_a_draft_of_another_part_is_not_written_over(db: Database, ids: list[int]) -> None:
    base = sample(db, ids[0]).current_id
    first = np.full((6, 9), 3, np.uint8)
    edit.save_draft(db, ids[0], first, ADA, base, 1, PART)
    for counter in (1, 2):
        with pytest.raises(OtherPart, match="finish or discard it"):
            edit.save_draft(db, ids[0], first, ADA, base, counter, Box(6, 3, 9, 6))
        with pytest.raises(OtherPart):
            edit.save_draft(db, ids[0], drawn(db, ids[0]), ADA, base, counter)
    edit.save_draft(db, ids[0], first, ADA, None, 1, Box(6, 3, 9, 6))  # on another base it is another draft


def test_a_part_that_does_not_fit_is_refused_in_a_sentence(db: Database, ids: list[int]) -> None:
    base = sample(db, ids[0]).current_id
    part = np.zeros((6, 9), np.uint8)
    for box in (Box(16, 3, 9, 6), Box(5, 11, 9, 6), Box(1 << 30, 0, 9, 6)):
        for save in (
            lambda box=box: edit.save_draft(db, ids[0], part, ADA, base, 1, box),
            lambda box=box: edit.finish(db, ids[0], part, ADA, base, part=box),
        ):
            with pytest.raises(UnfitMask, match="reaches out of its picture of 24 x 16"):
                save()
    with pytest.raises(UnfitMask, match="9 x 6, its part 8 x 6"):
        edit.finish(db, ids[0], part, ADA, base, part=Box(5, 3, 8, 6))
    with pytest.raises(UnfitMask, match="No class has the id 77"):
        edit.finish(db, ids[0], part + 77, ADA, base, part=PART)


def test_a_part_of_a_mask_that_moved_on_keeps_its_draft_and_waits_aside(db: Database, ids: list[int]) -> None:
    base = sample(db, ids[0]).current_id
    mine = mask_of(db, base).copy()
    part = np.full((6, 9), 3, np.uint8)
    mine[INSIDE] = part
    edit.save_draft(db, ids[0], part, ADA, base, 1, PART)
    edit.finish(db, ids[0], drawn(db, ids[0]), BOB, base)
    with pytest.raises(Moved):
        edit.finish(db, ids[0], part, ADA, base, part=PART)
    assert draft(db, ids[0]) is not None
    aside = edit.finish(db, ids[0], part, ADA, base, aside=True, part=PART)
    assert states(db, ids[0])[aside.revision or 0] == "pending"
    np.testing.assert_array_equal(mask_of(db, aside.revision), mine)
