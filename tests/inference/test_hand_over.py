"""Handing over: whole or not at all, nothing of the user's replaced, one file packed on the fly."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from core.errors import BedsideError, ExportError, ModelError, SystemError_
from core.files import sha256_file
from core.inference import hand_over as module
from core.inference.card import read_card
from core.inference.hand_over import (
    FILES,
    MARKER,
    choose_target,
    hand_over,
    hand_over_files,
    zip_pieces,
)
from core.runs.layout import RunFolder
from tests.inference.conftest import Exported


@pytest.fixture
def run(tmp_path: Path, exported: Exported) -> RunFolder:
    """A run's folder with an export and a report."""
    folder = RunFolder(tmp_path / "runs" / "20260101-000000-run-0000")
    shutil.copytree(exported.folder, folder.export)
    folder.report.mkdir()
    (folder.report / "report.html").write_text("<p>The report</p>")
    return folder


def refusal(text: str, workspace: Path) -> str:
    with pytest.raises(ExportError) as caught:
        choose_target(text, workspace)
    assert caught.value.todo
    return caught.value.code


def test_everything_is_copied_and_noted(run: RunFolder, tmp_path: Path) -> None:
    target = tmp_path / "usb" / "student"
    target.parent.mkdir()
    names = hand_over(run, choose_target(f' "{target}" ', tmp_path / "workspace"))
    assert set(names) == {*FILES, "report.html"}
    assert {file.name for file in target.iterdir()} == set(names)
    assert all(sha256_file(target / name) == sha256_file(run.export / name) for name in FILES)
    assert (run.path / MARKER).exists()
    assert "usb" not in (run.path / MARKER).read_text()


def test_an_empty_folder_is_filled(run: RunFolder, tmp_path: Path) -> None:
    target = tmp_path / "empty"
    target.mkdir()
    hand_over(run, choose_target(str(target), tmp_path / "workspace"))
    assert read_card(target).files


def test_places_that_cannot_be_are_refused_with_a_reason(workspace: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    assert refusal("", workspace) == "X10"
    assert refusal("student", workspace) == "X10"
    assert refusal(str(full / "mine.txt"), workspace) == "X10"
    assert refusal(str(full), workspace) == "X11"
    assert refusal(str(tmp_path / "no" / "such"), workspace) == "X13"
    assert refusal(str(workspace / "runs" / "student"), workspace) == "X14"
    assert (full / "mine.txt").read_text() == "mine"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_may_not_be_written_to(run: RunFolder, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(ExportError) as caught:
        hand_over(run, closed / "student")
    assert caught.value.code == "X12"


def test_a_parent_that_is_a_file_cannot_hold_a_folder(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError) as caught:
        hand_over(run, tmp_path / "file" / "student")
    assert caught.value.code == "X12"
    assert not (run.path / MARKER).exists()


def test_a_disk_that_fills_up_leaves_nothing(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def full(target: Path, content: bytes) -> None:
        if len(written) == 2:
            raise SystemError_("E01", "A file could not be written (No space left on device)")
        written.append(target)
        target.write_bytes(content)

    monkeypatch.setattr(module, "write_bytes", full)
    with pytest.raises(SystemError_, match="No space left"):
        hand_over(run, tmp_path / "student")
    assert len(written) == 2
    assert not (tmp_path / "student").exists()
    assert not (run.path / MARKER).exists()


def test_a_disk_that_is_too_small_is_said_before(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    with pytest.raises(SystemError_) as caught:
        hand_over(run, tmp_path / "student")
    assert caught.value.code == "E02"
    assert not (tmp_path / "student").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "model.onnx"])
def test_a_changed_file_is_not_handed_over(run: RunFolder, tmp_path: Path, name: str) -> None:
    with (run.export / name).open("ab") as opened:
        opened.write(b"x")
    with pytest.raises(ModelError) as caught:
        hand_over(run, tmp_path / "student")
    assert caught.value.code == "M42"
    assert not (tmp_path / "student").exists()


def test_the_packed_file_holds_the_same(run: RunFolder) -> None:
    files = hand_over_files(run)
    pieces = list(zip_pieces(files, "student"))
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        assert {name.removeprefix("student/") for name in archive.namelist()} == set(files)
        for name, file in files.items():
            assert archive.read(f"student/{name}") == file.read_bytes()


def test_packing_keeps_no_more_than_a_piece_in_memory(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(5 * module.PIECE + 17))
    pieces = list(zip_pieces({"large": large}, "folder"))
    assert sum(map(len, pieces)) > 5 * module.PIECE
    assert max(map(len, pieces)) < 2 * module.PIECE


def test_the_report_is_optional(run: RunFolder) -> None:
    (run.report / "report.html").unlink()
    assert "report.html" not in hand_over_files(run)
    (run.export / "model.onnx").unlink()
    with pytest.raises(BedsideError) as caught:
        hand_over_files(run)
    assert caught.value.code == "M40"
