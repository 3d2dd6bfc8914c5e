"""An import that was stopped, killed or made before: nothing is decoded twice, nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.config import DataSettings, PixelSettings
from core.data.cache import PixelCache
from core.data.decode import DecoderPool
from core.data.journal import NAME, entry_places
from core.data.manifest import Dataset
from core.data.scan import import_dataset
from core.types import SilentReporter, Stopped

ROOT = Path(__file__).resolve().parents[2]
FILES = 60
IMPORT = """
import sys, time
from pathlib import Path
from core.config import DataSettings, PixelSettings
from core.data.scan import import_dataset
from core.types import SilentReporter
class Slow(SilentReporter):
    def progress(self, done, total):
        time.sleep(0.02)
settings = DataSettings(source=sys.argv[1], pixels=PixelSettings(size_px=32))
import_dataset(settings, Path(sys.argv[2]), Slow())
"""


class StopAfter(SilentReporter):
    """Stops an import after so many files."""

    def __init__(self, files: int = 1 << 30) -> None:
        self.files = files
        self.seen: list[int] = []

    def progress(self, done: int, total: int) -> None:
        self.seen.append(done)

    def stop_requested(self) -> bool:
        return bool(self.seen) and self.seen[-1] >= self.files


@pytest.fixture
def source(tmp_path: Path, write_picture: Callable[..., Path]) -> Path:
    root = tmp_path / "images"
    for number in range(FILES):
        write_picture(root / ("sick" if number % 2 else "well") / f"{number:03d}.png", number)
    (root / "well" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    return root


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that children are given from now on."""
    names: list[str] = []
    decode = DecoderPool.decode

    def noted(pool: DecoderPool, items: object) -> object:
        def passing() -> object:
            for name, path in items:  # type: ignore[attr-defined]
                names.append(name)
                yield name, path

        return decode(pool, passing())  # type: ignore[arg-type]

    monkeypatch.setattr(DecoderPool, "decode", noted)
    return names


def read(source: Path, workspace: Path, reporter: SilentReporter | None = None) -> Dataset:
    settings = DataSettings(source=str(source), pixels=PixelSettings(size_px=32))
    return import_dataset(settings, workspace, reporter or SilentReporter())


def assert_same(one: Dataset, other: Dataset, workspaces: tuple[Path, Path]) -> None:
    """Equal manifests (ids depend on the site's key, so both have it) and equal pixels."""
    assert one.sha256 == other.sha256
    columns = [name for name in one.images.columns if name != "row"]
    pd.testing.assert_frame_equal(one.images[columns], other.images[columns])
    usable = one.images["code"] == ""
    pictures = [
        PixelCache(workspace / "datasets" / each.id).read(each.images.loc[usable, "row"].to_numpy())
        for each, workspace in zip((one, other), workspaces, strict=True)
    ]
    assert np.array_equal(*pictures)


@pytest.fixture
def elsewhere(tmp_path: Path, workspace: Path) -> Path:
    """Another workspace of the same site: the same key."""
    from core.data.keys import site_key

    other = tmp_path / "elsewhere"
    other.mkdir()
    site_key(workspace)
    for file in workspace.glob("*.key"):
        (other / file.name).write_bytes(file.read_bytes())
        (other / file.name).chmod(0o600)
    return other


def working(workspace: Path) -> Path:
    (found,) = (workspace / "datasets").glob(".*")
    return found


def test_a_stopped_import_goes_on(
    source: Path, workspace: Path, elsewhere: Path, decoded: list[str]
) -> None:
    with pytest.raises(Stopped):
        read(source, workspace, StopAfter(20))
    kept = len(list(entry_places(working(workspace) / NAME)))
    assert kept >= 20
    decoded.clear()
    reporter = StopAfter()
    dataset = read(source, workspace, reporter)
    assert len(decoded) == FILES + 1 - kept
    assert reporter.seen[0] == kept
    assert reporter.seen[-1] == FILES + 1
    assert [path.name for path in (workspace / "datasets").iterdir()] == [dataset.id]
    assert_same(dataset, read(source, elsewhere), (workspace, elsewhere))


def test_a_killed_import_goes_on(
    source: Path, workspace: Path, elsewhere: Path, decoded: list[str]
) -> None:
    arguments = [sys.executable, "-c", IMPORT, str(source), str(workspace)]
    process = subprocess.Popen(arguments, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    deadline = time.monotonic() + 60
    try:
        while not any(path.stat().st_size > 4096 for path in workspace.rglob(NAME)):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    kept = len(list(entry_places(working(workspace) / NAME)))
    assert 0 < kept < FILES + 1
    dataset = read(source, workspace)
    missing = FILES + 1 - kept
    assert missing <= len(decoded) <= missing + 8  # what had not reached the disk
    assert_same(dataset, read(source, elsewhere), (workspace, elsewhere))


@pytest.mark.parametrize("fault", ["torn line", "lost pixels", "rotten pixel", "other head"])
def test_what_an_interruption_tore_is_read_again(
    source: Path, workspace: Path, elsewhere: Path, decoded: list[str], fault: str
) -> None:
    with pytest.raises(Stopped):
        read(source, workspace, StopAfter(30))
    place = working(workspace)
    journal, pixels = place / NAME, place / "pixels.npy"
    before = len(list(entry_places(journal)))
    if fault == "torn line":
        journal.write_bytes(journal.read_bytes()[:-7])
    elif fault == "lost pixels":
        pixels.write_bytes(pixels.read_bytes()[: -3 * 32 * 32])
    elif fault == "rotten pixel":
        content = bytearray(pixels.read_bytes())
        content[-1] ^= 0xFF
        pixels.write_bytes(content)
    else:
        journal.write_bytes(b'{"version": 0}\n')
    decoded.clear()
    dataset = read(source, workspace)
    missing = FILES + 1 - before
    assert len(decoded) > missing
    assert len(decoded) <= (FILES + 1 if fault == "other head" else missing + 4)
    assert_same(dataset, read(source, elsewhere), (workspace, elsewhere))


def test_only_what_changed_is_decoded_again(
    source: Path,
    workspace: Path,
    elsewhere: Path,
    decoded: list[str],
    write_picture: Callable[..., Path],
) -> None:
    first = read(source, workspace)
    write_picture(source / "sick" / "001.png", 500)
    os.utime(source / "sick" / "001.png", ns=(1, 1))
    write_picture(source / "well" / "new.png", 501)
    (source / "well" / "002.png").unlink()
    decoded.clear()
    second = read(source, workspace)
    assert sorted(decoded) == ["sick/001.png", "well/new.png"]
    assert len(second.images) == len(first.images)
    assert_same(second, read(source, elsewhere), (workspace, elsewhere))


def test_a_new_label_table_decodes_nothing(
    source: Path, workspace: Path, decoded: list[str]
) -> None:
    read(source, workspace)
    names = [f"{'sick' if number % 2 else 'well'}/{number:03d}.png" for number in range(FILES)]
    lines = [f"{name},{'a' if place < 30 else 'b'}" for place, name in enumerate(names)]
    (source / "labels.csv").write_text("\n".join(["file,label", *lines]), encoding="utf-8")
    decoded.clear()
    dataset = read(source, workspace)
    assert decoded == []
    assert dataset.classes == ("a", "b")


def test_pixels_that_rotted_are_not_taken_over(
    source: Path, workspace: Path, decoded: list[str], write_picture: Callable[..., Path]
) -> None:
    """Case 64."""
    first = read(source, workspace)
    pixels = workspace / "datasets" / first.id / "pixels.npy"
    content = bytearray(pixels.read_bytes())
    content[-1] ^= 0xFF
    pixels.write_bytes(content)
    write_picture(source / "well" / "new.png", 501)
    decoded.clear()
    read(source, workspace)
    assert len(decoded) == 2  # the new one, and the one whose pixels changed


def test_an_import_that_nobody_went_on_with_is_given_up(source: Path, workspace: Path) -> None:
    with pytest.raises(Stopped):
        read(source, workspace, StopAfter(5))
    left = working(workspace).rename(workspace / "datasets" / ".0123456789abcdef.999999999-1")
    for path in (*left.iterdir(), left):
        os.utime(path, (1, 1))
    (source / "well" / "000.png").unlink()  # another data set from now on
    read(source, workspace)
    assert not left.exists()
