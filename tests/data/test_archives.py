"""Zip archives as a source: cases 36 and 37, and an import that leaves no copy behind."""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.config import DataSettings
from core.data import archive, table_files
from core.data.archive import Archive
from core.data.manifest import read_paths
from core.data.scan import import_dataset
from core.data.sources import open_source
from core.data.table_files import find_table, read_table
from core.errors import DataError
from core.types import SilentReporter

Entry = tuple[str | zipfile.ZipInfo, bytes]


def png(seed: int = 0) -> bytes:
    written = io.BytesIO()
    values = np.random.default_rng(seed).integers(0, 256, (20, 20), dtype=np.uint8)
    Image.fromarray(values).save(written, "PNG")
    return written.getvalue()


def packed(path: Path, *entries: Entry) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return path


def settings(source: Path) -> DataSettings:
    return DataSettings.model_validate({"source": str(source), "pixels": {"size_px": 32}})


def link(name: str, target: bytes) -> Entry:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target


UNSAFE: dict[str, tuple[str, list[Entry]]] = {
    "parent": ("I34", [("a/1.png", b""), ("../evil.png", b"x")]),
    "inner parent": ("I34", [("a/../../evil.png", b"x")]),
    "absolute": ("I34", [("/etc/evil.png", b"x")]),
    "drive": ("I34", [("C:evil.png", b"x")]),
    "backslash": ("I34", [("..\\evil.png", b"x")]),
    "symlink": ("I34", [link("a.png", b"/etc/passwd")]),
    "duplicate": ("I34", [("a/1.png", b"x"), ("a/1.png", b"y")]),
    "case": ("I34", [("a/A.png", b"x"), ("a/a.png", b"y")]),
    "unicode": ("I34", [("\u00e4.png", b"x"), ("a\u0308.png", b"y")]),
    "file and folder": ("I34", [("a", b"x"), ("a/b.png", b"y")]),
    "reserved": ("I34", [("a/CON.png", b"x")]),
    "reserved folder": ("I34", [("nul/a.png", b"x")]),
    "long": ("I34", [("x" * 300 + ".png", b"x")]),
    "nested zip": ("I36", [("more.zip", b"x")]),
    "nested tar": ("I36", [("more.tar.gz", b"x")]),
    "bomb": ("I33", [("a.dcm", bytes(64 * 2**20))]),
}


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("kind", UNSAFE)
def test_case_36_an_unsafe_archive_is_refused_as_a_whole(
    tmp_path: Path, workspace: Path, kind: str
) -> None:
    code, entries = UNSAFE[kind]
    inside = tmp_path / "inside"
    inside.mkdir()
    path = packed(inside / "source.zip", *entries)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError) as caught:
        import_dataset(settings(path), workspace, SilentReporter())
    assert caught.value.code == code
    assert "evil" not in caught.value.sentence
    left = set(tmp_path.rglob("*")) - set(before) - {workspace / "site.key"}
    assert left <= {workspace / "datasets"}
    if code == "I34":
        assert re.search(r"its entry [12] (has|is|points)", caught.value.sentence)


def test_case_36_names_that_zipfile_would_cut_at_a_nul(tmp_path: Path) -> None:
    path = packed(tmp_path / "nul.zip", ("good.pngX.exe", png()))
    path.write_bytes(path.read_bytes().replace(b"good.pngX", b"good.png\0"))
    with pytest.raises(DataError, match=r"I34.*control character"):
        Archive.at(path)


def test_case_36_an_encrypted_archive(tmp_path: Path) -> None:
    path = packed(tmp_path / "secret.zip", ("a.png", png()))
    raw = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = raw.index(magic) + offset
        raw[place] |= 1
    path.write_bytes(raw)
    with pytest.raises(DataError, match="I35"):
        Archive.at(path)


def test_case_36_entries_that_share_their_bytes(tmp_path: Path) -> None:
    """Two directory entries that point at one file: a few kilobytes could become gigabytes."""
    path = packed(tmp_path / "overlap.zip", ("a.png", png(1)), ("b.png", png(2)))
    raw = bytearray(path.read_bytes())
    second = raw.index(b"PK\x01\x02", raw.index(b"PK\x01\x02") + 4)
    struct.pack_into("<I", raw, second + 42, 0)
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"I34.*overlaps"):
        Archive.at(path)


def test_case_36_an_entry_longer_than_it_says(tmp_path: Path, workspace: Path) -> None:
    path = packed(tmp_path / "lie.zip", ("a/1.png", png() + bytes(5000)))
    raw = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", raw, raw.index(magic) + offset, 100)
    path.write_bytes(raw)
    with pytest.raises(DataError, match="I32"):
        import_dataset(settings(path), workspace, SilentReporter())
    assert not list((workspace / "datasets").iterdir())


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ""])
def test_case_37_tar_archives_are_refused(tmp_path: Path, workspace: Path, ending: str) -> None:
    path = tmp_path / f"source{ending}"
    with tarfile.open(path, "w:gz" if ending == ".tar.gz" else "w") as archive:
        escape = tarfile.TarInfo("link")
        escape.type, escape.linkname = tarfile.SYMTYPE, "/"
        archive.addfile(escape)
    with pytest.raises(DataError, match="I31"):
        import_dataset(settings(path), workspace, SilentReporter())


def test_an_archive_is_a_source_like_a_folder(
    tmp_path: Path, workspace: Path, make_dicom: Callable[..., bytes]
) -> None:
    stored = np.arange(64, dtype=np.uint16).reshape(8, 8)
    path = packed(
        tmp_path / "Müller.zip",
        ("sick/DOE^JANE/IM0001", make_dicom(stored)),
        ("sick/DOE^JANE/1.png", png(1)),
        ("well/2.png", png(2)),
        ("well/readme.docx", b"text"),
        ("well/empty/", b""),
        ("__MACOSX/._1.png", b"text"),
    )
    before = path.stat()
    dataset = import_dataset(settings(path), workspace, SilentReporter())
    assert dataset.classes == ("sick", "well")
    assert len(dataset.usable()) == 3
    assert dataset.ignored == 2
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    paths = read_paths(dataset.folder)
    assert set(paths.values()) == {"sick/DOE^JANE/IM0001", "sick/DOE^JANE/1.png", "well/2.png"}
    assert sorted(folder.name for folder in (workspace / "datasets").iterdir()) == [dataset.id]
    again = import_dataset(settings(path), workspace, SilentReporter())
    assert (again.id, again.sha256) == (dataset.id, dataset.sha256)


def test_a_label_table_in_an_archive(tmp_path: Path, workspace: Path) -> None:
    table = b"file;label;patient_id\nimg/1.png;x;7\nimg/2.png;y;8\n"
    path = packed(
        tmp_path / "s.zip", ("img/1.png", png(1)), ("img/2.png", png(2)), ("labels.csv", table)
    )
    dataset = import_dataset(settings(path), workspace, SilentReporter())
    assert dataset.classes == ("x", "y")
    assert dataset.usable()["patient_source"].unique().tolist() == ["column"]


@pytest.mark.parametrize("outer", ["Export/", "Export/2024/"])
def test_the_folder_around_everything_is_no_class(
    tmp_path: Path, workspace: Path, outer: str
) -> None:
    """What a system makes of a folder that is zipped: the folder stands before every name."""
    classes = packed(
        tmp_path / "classes.zip",
        (f"{outer}sick/1.png", png(1)), (f"{outer}well/2.png", png(2)), ("__MACOSX/._1.png", b""),
    )  # fmt: skip
    dataset = import_dataset(settings(classes), workspace, SilentReporter())
    assert dataset.classes == ("sick", "well")
    assert set(read_paths(dataset.folder).values()) == {"sick/1.png", "well/2.png"}
    table = packed(
        tmp_path / "table.zip",
        (f"{outer}1.png", png(1)), (f"{outer}2.png", png(2)),
        (f"{outer}labels.csv", b"file,label\n1.png,x\n2.png,y\n"),
    )  # fmt: skip
    assert import_dataset(settings(table), workspace, SilentReporter()).classes == ("x", "y")
    plain = packed(tmp_path / "plain.zip", ("sick/1.png", png(1)), ("sick/2.png", png(2)))
    assert import_dataset(settings(plain), workspace, SilentReporter()).classes == ("sick",)


def test_a_table_is_read_without_unpacking_the_images(tmp_path: Path) -> None:
    path = packed(
        tmp_path / "s.zip", ("img/1.png", png(1)), ("labels.tsv", b"file\tlabel\nimg/1.png\tx\n")
    )
    source = open_source(path)
    with source.tables() as place:
        found = find_table(place, "labels.csv")
        assert read_table(found).columns == ("file", "label")
        assert list(found.parent.iterdir()) == [found]
        assert not find_table(place, "../s.zip").is_file()
    assert not found.parent.exists()
    path.write_bytes(path.read_bytes()[:100])
    with source.tables() as place, pytest.raises(DataError, match="I32"):
        place("labels.tsv")


def test_a_table_too_large_is_not_written_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tmp_path / "s.zip", ("img/1.png", png(1)), ("labels.csv", b"file,label\n" * 9))
    for module in (archive, table_files):
        monkeypatch.setattr(module, "TABLE_LIMIT", 20)
    with open_source(path).tables() as place:
        assert place("labels.csv").stat().st_size == 21
        with pytest.raises(DataError, match="L11"):
            read_table(place("labels.csv"))


@pytest.mark.skipif(os.name != "posix", reason="needs modes")
def test_the_unpacked_copy_is_private_and_short_lived(tmp_path: Path) -> None:
    path = packed(tmp_path / "s.zip", ("DOE^JANE/1.png", png(1)))
    archive = Archive.at(path)
    assert archive is not None
    target = tmp_path / "copy"
    with archive.unpacked(target) as places:
        assert target.stat().st_mode & 0o777 == 0o700
        assert [file.name for file in target.rglob("*")] == ["000000.png"]
        assert places["DOE^JANE/1.png"].read_bytes() == png(1)
    assert not target.exists()


def test_what_is_no_archive(tmp_path: Path, workspace: Path) -> None:
    path = tmp_path / "one.png"
    path.write_bytes(png())
    assert Archive.at(path) is None
    alone: Any = import_dataset(
        DataSettings.model_validate(
            {"source": str(path), "labels": "none", "pixels": {"size_px": 32}}
        ),
        workspace,
        SilentReporter(),
    )
    assert len(alone.usable()) == 1
