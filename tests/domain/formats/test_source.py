"""Sources: folders and zips from strangers; names can't climb out, nothing is read past a bound."""

import io
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import NotFound, TooLarge
from app.domain.formats import registry
from app.domain.formats import source as source_module
from app.domain.formats.source import BROKEN, BadSource, FolderSource, ZipSource, open_source


def zipped(entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return out


def test_a_folder_gives_its_files_sorted_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b/2.png", "a.txt", "__MACOSX/b/2.png", "b/._2.png", ".DS_Store"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    source = open_source(tmp_path)
    assert source.names == ["a.txt", "b/2.png"]
    assert source.read("b/2.png") == b"b/2.png"
    assert source.size("a.txt") == 5
    assert source.text("a.txt") == "a.txt"
    assert source.match("*.PNG") == ["b/2.png"]
    with source.open("a.txt") as stream:
        assert stream.read(3) == b"a.t"
    with pytest.raises(BadSource, match="not there"):
        source.open("../a.txt")
    with pytest.raises(BadSource, match="not there"):
        source.read("../a.txt")


def test_links_out_of_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("secret")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "link.txt").symlink_to(tmp_path / "out.txt")
    source = FolderSource(folder)
    assert source.names == []
    assert source.refused == [("link.txt", "a link that leads out of the folder")]
    assert open_source(folder / "link.txt").read("link.txt") == b"secret"


def test_one_file_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"x")
    (tmp_path / "b.txt").write_bytes(b"x")
    assert open_source(tmp_path / "a.npz").names == ["a.npz"]
    with pytest.raises(NotFound, match="no file or folder"):
        open_source(tmp_path / "c")


def test_a_file_that_went_away_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x")
    source = FolderSource(tmp_path)
    (tmp_path / "a.txt").unlink()
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(BadSource, match=r"a\.txt can't be read"):
        source.read("a.txt")


@given(st.dictionaries(st.text("ab/", min_size=1, max_size=5), st.binary(max_size=99), max_size=4))
def test_a_zip_gives_back_its_files(files: dict[str, bytes]) -> None:
    files = {name: data for name, data in files.items() if not name.startswith("/") and not name.endswith("/")}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        source = ZipSource(zipped(list(files.items()), method))
        assert {name: source.read(name) for name in source.names} == files
        for name, data in files.items():
            with source.open(name) as stream:
                assert stream.read() == data
        source.close()


@pytest.mark.parametrize("name", ["../a.png", "a/../../b.png", "/etc/passwd", "C:/a.png", "a\\b.png", "..", "a/.."])
def test_names_that_lead_out_are_refused(name: str) -> None:
    archive = zipped([("good.png", b"x")])
    with zipfile.ZipFile(archive, "a") as more:
        entry = zipfile.ZipInfo("placeholder")
        entry.filename = name
        more.writestr(entry, b"bad")
    source = ZipSource(archive)
    assert source.names == ["good.png"]
    assert [reason for _, reason in source.refused] == ["a name that leads out of the archive"]


def test_names_that_are_not_unicode_are_refused_escaped(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes Unicode names alone")
    source = open_source(tmp_path)
    assert source.names == ["a.png"]
    assert source.refused == [("\\udcff\\udcfe.png", "a name that is not valid Unicode")]
    alone = FolderSource(tmp_path, "\udcff\udcfe.png")
    assert (alone.names, alone.label) == ([], "\\udcff\\udcfe.png")


def test_a_zip_with_such_a_name_says_so() -> None:
    data = zipped([("ö.png", b"x")]).getvalue().replace("ö".encode(), b"\xff\xfe")
    with pytest.raises(BadSource) as caught:
        ZipSource(io.BytesIO(data), "up.zip")
    assert str(caught.value) == "up.zip is not a zip that can be read (one of its names is not valid Unicode)."


def test_links_encrypted_entries_and_second_entries_are_refused() -> None:
    archive = zipped([("a.png", b"x")])
    with zipfile.ZipFile(archive, "a") as more:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        more.writestr(link, b"/etc/passwd")
        with pytest.warns(UserWarning, match="Duplicate"):
            more.writestr("a.png", b"second")
        more.writestr("locked.png", b"x")
        more.infolist()[-1].flag_bits |= 1
    source = ZipSource(archive)
    assert source.read("a.png") == b"x"
    assert source.refused == [
        ("link.png", "a link"),
        ("a.png", "a second entry of the same name"),
        ("locked.png", "encrypted"),
    ]


def test_bombs_are_refused_by_their_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "_RATIO_FREE", 1 << 20)
    source = ZipSource(zipped([("bomb.png", bytes(8 << 20)), ("small.png", bytes(1000))]))
    assert source.names == ["small.png"]
    assert source.refused == [("bomb.png", "unpacks to over a thousand times its size")]


def test_an_entry_is_never_longer_than_it_says() -> None:
    archive = zipped([("a.bin", bytes(5000))])
    data = bytearray(archive.getvalue())
    size = (5000).to_bytes(4, "little")
    while size in data:
        data[data.index(size) : data.index(size) + 4] = (100).to_bytes(4, "little")
    source = ZipSource(io.BytesIO(bytes(data)))
    with pytest.raises(BadSource, match="can't be unpacked"):
        source.read("a.bin")
    with source.open("a.bin") as stream, pytest.raises(BROKEN):
        stream.read(5000)


def test_too_large_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(100))
    monkeypatch.setattr(source_module, "MAX_FILE", 99)
    with pytest.raises(TooLarge):
        FolderSource(tmp_path).read("a.bin")
    archive = zipped([("a.bin", bytes(100))])
    assert ZipSource(archive, limit=99).names == []
    with pytest.raises(TooLarge):
        ZipSource(archive, limit=1000).read("a.bin")


@given(st.integers(0, 300), st.integers(0, 255))
def test_a_damaged_zip_gives_a_reason(at: int, value: int) -> None:
    data = bytearray(zipped([("a.txt", b"some words to pack, some words"), ("b.txt", bytes(50))]).getvalue())
    data[at % len(data)] = value
    try:
        source = ZipSource(io.BytesIO(bytes(data)), "upload.zip")
        for name in source.names:
            source.read(name)
    except BadSource as error:
        assert str(error)


def test_what_is_no_zip_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(BadSource) as caught:
        open_source(path)
    assert str(caught.value) == "a.zip is not a zip that can be read (File is not a zip file)."
    path.write_bytes(zipped([("a.txt", b"x")]).getvalue())
    source = open_source(path)
    assert source.names == ["a.txt"]
    assert source.label == "a.zip"
    with pytest.raises(BadSource, match="not there"):
        source.open("b.txt")
    source.close()


def test_a_zip_among_other_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x")
    (tmp_path / "more.ZIP").write_bytes(zipped([("a.png", b"")]).getvalue())
    source = open_source(tmp_path)
    reason = "a zip among other files isn't opened; import it by itself"
    assert (source.names, source.refused) == (["a.txt"], [("more.ZIP", reason)])
    with pytest.raises(registry.UnknownFormat, match=rf"pairs\. more\.ZIP: {reason}\.$"):
        registry.detect(source)
