"""A teacher's file that was dropped: its parts become one file again, in their order."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import own_teacher
from app.ingest import Incoming
from app.own_teacher import dropped_place, known_teacher, typed_place
from core.errors import BedsideError, ConfigError, DataError
from tests.app.test_ingest import arrive
from tests.tiny import write_tiny_teacher


@pytest.fixture
def incoming(workspace: Path) -> Incoming:
    return Incoming(workspace)


def test_parts_become_the_file_whatever_their_number(incoming: Incoming) -> None:
    parts = {f"vit b.pth.part-{n:04d}": bytes([n]) * 3 for n in (2, 1, 11, 3)}
    place = dropped_place(incoming, arrive(incoming, parts))
    assert place.name == "vit b.pth"
    assert place.read_bytes() == bytes([1] * 3 + [2] * 3 + [3] * 3 + [11] * 3)
    assert list(place.parent.iterdir()) == [place]


def test_a_description_beside_it_stays_beside_it(incoming: Incoming) -> None:
    files = {"m.bin.part-0001": b"a", "m.bin.part-0002": b"b", "config.json": b"{}"}
    place = dropped_place(incoming, arrive(incoming, files))
    assert {path.name: path.read_bytes() for path in place.iterdir()} == {
        "m.bin": b"ab",
        "config.json": b"{}",
    }


def test_what_is_too_large_is_not_kept(incoming: Incoming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_teacher, "LARGEST", 2)
    name = arrive(incoming, {"m.bin": b"abc"})
    with pytest.raises(DataError, match="I42"):
        dropped_place(incoming, name)
    with pytest.raises(DataError, match="I45"):
        dropped_place(incoming, name)


def test_only_a_whole_path_of_something_that_is_there(tmp_path: Path) -> None:
    assert typed_place(f' "{tmp_path}" ') == tmp_path
    for typed, code in (("teacher.bin", "C41"), ("", "C41"), (str(tmp_path / "x"), "C42")):
        with pytest.raises(ConfigError, match=code):
            typed_place(typed)


def test_a_link_keeps_its_name(tmp_path: Path) -> None:
    """The hub's own folders hold links to files without an ending."""
    (tmp_path / "blob").write_bytes(b"a")
    link = tmp_path / "model.safetensors"
    link.symlink_to(tmp_path / "blob")
    (tmp_path / "x").mkdir()
    assert typed_place(str(tmp_path / "x" / ".." / link.name)) == link


def test_a_card_names_a_teacher_and_a_bad_card_is_not_passed_over(tmp_path: Path) -> None:
    file = write_tiny_teacher(tmp_path)
    assert known_teacher(file) == str(file)
    file.with_suffix(".json").rename(tmp_path / "elsewhere.json")
    assert known_teacher(file) == ""
    file.with_suffix(".json").write_text('{"spec": {}}')
    with pytest.raises(BedsideError, match="M27"):
        known_teacher(file)
