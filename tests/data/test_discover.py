"""Looking through folders that bite."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.data.discover import Listing, list_folder, sniff_files
from core.errors import DataError

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs links and pipes")


def looked_through(root: Path) -> Listing:
    listing = list_folder(root)
    sniff_files(root, listing)
    return listing


def test_images_claims_and_the_rest(tmp_path: Path, write_picture: Callable[..., Path]) -> None:
    write_picture(tmp_path / "Ünï cöde #1" / "a b%.PNG")
    write_picture(tmp_path / "c.png").rename(tmp_path / "no ending")
    for name in (".hidden.png", "Thumbs.db", "SHA256SUMS", "notes.txt"):
        (tmp_path / name).write_text("text")
    (tmp_path / "text.jpg").write_text("text")
    (tmp_path / "empty.dcm").touch()
    listing = looked_through(tmp_path)
    assert {found.relative: found.code for found in listing.found} == {
        "Ünï cöde #1/a b%.PNG": "",
        "no ending": "",
        "text.jpg": "P01",
        "empty.dcm": "P02",
    }
    assert listing.ignored == 4


@posix_only
def test_case_40_links_pipes_and_closed_places(
    tmp_path: Path, write_picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    write_picture(root / "in.png")
    write_picture(outside / "out.png")
    (root / "good.png").symlink_to(root / "in.png")
    (root / "bad.png").symlink_to(outside / "out.png")
    (root / "loop.png").symlink_to(root / "loop.png")
    (root / "folder").symlink_to(outside)
    os.mkfifo(root / "pipe.png")
    monkeypatch.chdir(root)  # a socket's path may not be long
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("socket.png")
    codes = {found.relative: found.code for found in looked_through(root).found}
    assert codes == {
        "in.png": "", "good.png": "", "bad.png": "I04", "loop.png": "I04", "folder": "I04",
        "pipe.png": "I05", "socket.png": "I05",
    }  # fmt: skip


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder every user of the machine may enter; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@posix_only
def test_case_40_what_may_not_be_read_is_listed(
    open_folder: Path, write_picture: Callable[..., Path]
) -> None:
    write_picture(open_folder / "a.png").chmod(0)
    write_picture(open_folder / "b.png").chmod(0o644)
    (open_folder / "closed").mkdir(mode=0)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(65534)  # nobody: root may read everything
        listing = looked_through(open_folder)
    finally:
        if root:
            os.seteuid(0)
    assert {found.relative: found.code for found in listing.found} == {
        "a.png": "I02", "b.png": "", "closed": "I02",
    }  # fmt: skip


def test_the_fingerprint_follows_the_files(
    tmp_path: Path, write_picture: Callable[..., Path]
) -> None:
    path = write_picture(tmp_path / "a.png")
    before = list_folder(tmp_path).fingerprint
    assert list_folder(tmp_path).fingerprint == before
    os.utime(path, ns=(1, 1))
    assert list_folder(tmp_path).fingerprint != before


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="I01"):
        list_folder(tmp_path / "gone")
