"""A folder of images as people name it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.errors import DataError
from core.sources import source_folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with something in it and a name that needs care."""
    folder = tmp_path / "Studie 7 (größer) #1%"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"x")
    return folder


@pytest.mark.parametrize(
    "form",
    ["{}", "  {}\n", '"{}"', "'{}'", "“{}”", '"{}" ', "{}/", "{}/../{name}", "{address}",
     "{address}/", "file://localhost{quoted}"],
)  # fmt: skip
def test_every_way_to_write_it(images: Path, workspace: Path, form: str) -> None:
    address = images.as_uri()
    quoted = address.removeprefix("file://")
    written = form.format(images, name=images.name, address=address, quoted=quoted)
    assert source_folder(written, workspace) == images


def test_home(images: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(images.parent))
    monkeypatch.setenv("USERPROFILE", str(images.parent))
    assert source_folder(f"~/{images.name}", workspace) == images


@pytest.mark.parametrize(
    ("written", "code"),
    [("", "I10"), ('  "" ', "I10"), (r"\\server\share\images", "I11"), ("//server/share", "I11"),
     ("file://server/share", "I11"), ("images", "I12"), ("./images", "I12"), ("a\0b", "I12"),
     ("~nobody-of-this-name/x", "I12"), ("/x\0y", "I12")],
)  # fmt: skip
def test_what_names_no_folder(workspace: Path, written: str, code: str) -> None:
    with pytest.raises(DataError, match=code) as refusal:
        source_folder(written, workspace)
    assert refusal.value.todo


def test_the_first_part_that_is_missing_is_named(images: Path, workspace: Path) -> None:
    with pytest.raises(DataError, match="I14") as refusal:
        source_folder(str(images / "b" / "c" / "d"), workspace)
    assert refusal.value.item == str(images / "b")
    with pytest.raises(DataError, match="I14") as refusal:
        source_folder(str(images / "b"), workspace)
    assert refusal.value.item == str(images / "b")


def test_a_file_leads_to_its_folder(images: Path, workspace: Path) -> None:
    with pytest.raises(DataError, match="I13") as refusal:
        source_folder(str(images / "a.png"), workspace)
    assert str(images) in refusal.value.todo


def test_an_empty_folder(tmp_path: Path, workspace: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="I17"):
        source_folder(str(tmp_path / "empty"), workspace)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may open every folder")
def test_a_closed_folder(images: Path, workspace: Path) -> None:
    images.chmod(0)
    try:
        for path in (images, images / "below"):
            with pytest.raises(DataError, match="I15"):
                source_folder(str(path), workspace)
    finally:
        images.chmod(0o700)


def test_bedsides_own_files_are_no_images(workspace: Path, tmp_path: Path) -> None:
    for own in (workspace, workspace / "datasets", tmp_path):
        own.mkdir(exist_ok=True)
        (own / "x").touch()
        with pytest.raises(DataError, match="I16"):
            source_folder(str(own), workspace)
    dropped = workspace / "incoming" / ("0" * 16) / "files"
    dropped.mkdir(parents=True)
    (dropped / "x").touch()
    assert source_folder(str(dropped), workspace) == dropped
