"""The trip by hand: CVAT's own zips written, edited as CVAT would, and read back with a receipt."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from app import jobs
from app.__main__ import app
from app.cvat.archives.registry import MANIFEST
from app.cvat.wire import CantPush
from app.domain.classes import ClassList, named
from app.domain.errors import NotFound, RemaskError
from app.flows import classes, cvat_answers, cvat_file_read, edit, export
from app.flows.cvat_files import FORMATS, NoFile
from app.store import cvat, datasets, receipts
from app.store.tables import CvatPull
from tests.cvat.trip import ADA, CLASSES, DATASET, Trip, masks_of
from tests.shared import shared

KEY = "a/höhe 0"
RECTANGLE = '<box label="{}" xtl="1" ytl="1" xbr="3" ybr="3" occluded="0" z_order="1"></box></image>'


def send(trip: Trip, path: Path, format: str = "cvat-images", pictures: bool = True) -> Path:
    export.run(trip.db, path, DATASET, format, pictures=pictures, actor=ADA)
    return path


def read(trip: Trip, path: Path, batch: int | None = None, confirm: bool = False) -> CvatPull:
    asked = cvat_file_read.request(trip.db, path, DATASET, ADA, batch, confirm)
    jobs.run(trip.db, trip.settings, asked.job_id or 0, "test")
    with trip.db.read() as session:
        return receipts.find(session, asked.id)


def rewritten(path: Path, out: Path, **changes: tuple[str, str] | None) -> Path:
    """A copy as CVAT exports it, without our manifest; ``changes``: what is replaced in a file of that name."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w") as made:
        for name in source.namelist():
            if name == MANIFEST:
                continue
            data = source.read(name)
            for old, new in filter(None, (changes.get(name.replace(".", "_")),)):
                assert old.encode() in data
                data = data.replace(old.encode(), new.encode(), 1)
            made.writestr(name, data)
    return out


def edited(path: Path, out: Path, label: str = "big sand") -> Path:
    """As if somebody had drawn a rectangle of a label on the first frame."""
    return rewritten(path, out, annotations_xml=("</image>", RECTANGLE.format(label)))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("pictures", [True, False])
def test_what_nobody_changed_comes_back_identical(trip: Trip, tmp_path: Path, format: str, pictures: bool) -> None:
    before = {key: trip.mask(key) for key in masks_of()}
    path = rewritten(send(trip, tmp_path / "out.zip", format, pictures), tmp_path / "back.zip")
    with zipfile.ZipFile(path) as held:
        assert any(name.endswith(f"{KEY}.png") for name in held.namelist() if "Segmentation" not in name) == pictures
    assert set(trip.statuses().values()) == {"unreviewed", "unlabeled"}, "nobody knows whether it ever gets there"
    pull = read(trip, path, confirm=True)
    assert (pull.state, pull.counts) == ("done", {"unchanged": 5, "skipped": 1})
    for key, mask in before.items():
        assert np.array_equal(trip.mask(key), mask) and trip.mask(key).dtype == mask.dtype
    assert trip.statuses() == {**dict.fromkeys(masks_of(), "accepted"), "b/new": "unlabeled"}
    assert trip.plan() != [], "they can be pushed still"


def test_an_edit_becomes_a_revision_once(trip: Trip, tmp_path: Path) -> None:
    path = edited(send(trip, tmp_path / "out.zip"), tmp_path / "back.zip")
    pull = read(trip, path)
    assert pull.counts == {"changed": 1, "unchanged": 4, "skipped": 1}
    line = trip.lines(pull)[KEY]
    assert line.pixels == int((masks_of()[KEY] != trip.mask(KEY)).sum()) > 0
    assert (trip.mask(KEY)[1:3, 1:3] == 2).all() and trip.statuses()[KEY] == "corrected"
    assert trip.statuses()["a/höhe 2"] == "unreviewed", "nobody said that the others are right"
    before = trip.everything()
    assert read(trip, path).counts == {"unchanged": 5, "skipped": 1}
    assert trip.everything() == before


def test_changed_here_since_it_was_written_is_a_conflict(trip: Trip, tmp_path: Path) -> None:
    path = edited(send(trip, tmp_path / "out.zip"), tmp_path / "back.zip")
    sample = trip.samples()[KEY]
    ours = np.full((6, 9), 1, np.uint8)
    edit.finish(trip.db, sample.id, ours, ADA, sample.current_id)
    assert read(trip, path).counts == {"conflict": 1, "unchanged": 4, "skipped": 1}
    assert np.array_equal(trip.mask(KEY), ours) and trip.statuses()[KEY] == "conflict"


def test_the_manifest_says_which_file_it_was(trip: Trip, tmp_path: Path) -> None:
    first = send(trip, tmp_path / "first.zip")
    sample = trip.samples()[KEY]
    edit.finish(trip.db, sample.id, np.full((6, 9), 1, np.uint8), ADA, sample.current_id)
    second = send(trip, tmp_path / "second.zip")
    with trip.db.read() as session:
        newest, oldest = [one.id for one in cvat.of_dataset(session, datasets.find(session, DATASET).id)]
    assert read(trip, first).batch_id == oldest and read(trip, second).batch_id == newest
    bare = rewritten(first, tmp_path / "bare.zip")
    assert read(trip, bare, batch=oldest).counts == {"unchanged": 5, "skipped": 1}
    with pytest.raises(NoFile, match=f"Batches {newest} and {oldest} were both written"):
        read(trip, bare)
    assert trip.statuses()[KEY] == "corrected"


def test_folders_before_names_and_frames_that_are_not_there(trip: Trip, tmp_path: Path) -> None:
    """A task made of our zip has the zip's folders in its names; deleted frames aren't in an export."""
    path = send(trip, tmp_path / "out.zip")
    with zipfile.ZipFile(path) as held:
        text = (
            held.read("annotations.xml")
            .decode()
            .replace('name="', 'name="images/')
            .replace('label="images/', 'label="')
        )
    start = text.index("<image ", text.index("</image>"))
    text = text[:start] + text[text.index("</image>", start) + len("</image>") :]
    back = tmp_path / "annotations.xml"
    back.write_text(text.replace("</annotations>", '<image name="odd.png" width="9" height="6"></image></annotations>'))
    pull = read(trip, back)
    assert pull.counts == {"unchanged": 4, "skipped": 2}
    assert "odd" in " ".join(pull.notes)
    assert [line.reason for line in trip.lines(pull).values() if "isn't in the file" in line.reason] != []


def test_an_unknown_label_is_asked_about_and_kept_in_mind(trip: Trip, tmp_path: Path) -> None:
    path = send(trip, tmp_path / "out.zip")
    middle = edited(path, tmp_path / "middle.zip", "boulder")
    back = rewritten(
        middle, tmp_path / "back.zip", annotations_xml=("<labels>", "<labels><label><name>boulder</name></label>")
    )
    pull = read(trip, back)
    assert pull.state == "asks" and "boulder" in trip.lines(pull)[KEY].reason
    with trip.db.read() as session:
        (asked,) = receipts.questions(session, datasets.find(session, DATASET).id)
    cvat_answers.answer(trip.db, DATASET, asked.label_id, "map", ADA, 1)
    assert read(trip, back).counts["changed"] == 1
    assert (trip.mask(KEY)[1:3, 1:3] == 1).all()


def test_files_that_are_not_ours(trip: Trip, tmp_path: Path) -> None:
    path = send(trip, tmp_path / "out.zip")
    (tmp_path / "other.xml").write_text(
        '<annotations><meta/><image name="x.png" width="9" height="6"></image></annotations>'
    )
    pull = read(trip, tmp_path / "other.xml")
    assert pull.state == "failed" and "is called like one of batch" in (pull.error or "")
    with pytest.raises(NoFile, match="no file that was written"):
        cvat_file_read.request(trip.db, path, DATASET, ADA, 99)
    with pytest.raises(RemaskError, match="none of CVAT's exports"):
        (tmp_path / "nothing.txt").write_text("x")
        cvat_file_read.request(trip.db, tmp_path / "nothing.txt", DATASET, ADA)
    with pytest.raises(NotFound):
        cvat_file_read.request(trip.db, path, "none", ADA)


def test_without_any_export_nothing_can_be_read(trip: Trip) -> None:
    with pytest.raises(NoFile, match="export it with a cvat format first"):
        cvat_file_read.request(trip.db, shared("cvat/exports/sub/CVAT_for_images_1.1.zip"), DATASET, ADA)


def test_a_class_that_cvat_cannot_hold(trip: Trip, tmp_path: Path) -> None:
    classes.put(trip.db, DATASET, ClassList((*CLASSES.classes[1:], named(0, "x" * 70))), ADA)
    with pytest.raises(CantPush):
        send(trip, tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


def test_by_commands(trip: Trip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMASK_HOME", str(trip.settings.home))

    def remask(*words: str) -> str:
        done = CliRunner().invoke(app, [*words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    written = remask("export", DATASET, str(tmp_path / "out.zip"), "--format", "cvat-images", "--no-pictures")
    assert "Wrote 5 labelled and 1 unlabelled" in written and "It is batch 1" in written
    back = edited(tmp_path / "out.zip", tmp_path / "back.zip")
    told = remask("cvat", "read", str(back), DATASET, "--as", "bo")
    assert f"changed {KEY}" in told and "Read from a file of CVAT for images 1.1." in told
    again = json.loads(remask("cvat", "read", str(back), DATASET, "--confirm", "--json"))
    assert again["counts"] == {"unchanged": 5, "skipped": 1}
