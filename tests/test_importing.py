"""Decoded pictures that rotted on the disk are read from the user's files again."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config import RunConfig
from core.data.cache import PixelCache
from core.data.scan import import_dataset
from core.errors import DataError
from core.importing import intact_dataset
from core.types import SilentReporter
from tests.tiny import ListReporter, tiny_config, write_images


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return tiny_config(write_images(tmp_path / "demo", patients=6), tmp_path / "teacher")


@pytest.mark.parametrize("cut", [False, True])
def test_a_corrupted_picture_is_made_anew(config: RunConfig, tmp_path: Path, cut: bool) -> None:
    """Case 64."""
    first = import_dataset(config.data, tmp_path, SilentReporter())
    pixels = first.folder / "pixels.npy"
    whole = pixels.read_bytes()
    pixels.write_bytes(whole[:-5000] if cut else whole[:-1] + bytes([whole[-1] ^ 0xFF]))
    reporter = ListReporter()
    dataset = intact_dataset(config, tmp_path, reporter)
    # a cut file is noticed when it is opened, a changed picture by its hash
    assert [code for _, code, _ in reporter.alerts] == ([] if cut else ["I19"])
    assert dataset.sha256 == first.sha256
    assert pixels.read_bytes() == whole
    PixelCache(dataset.folder).verify(dataset.usable())
    assert [path.name for path in (tmp_path / "datasets").iterdir()] == [dataset.id]


def test_what_cannot_be_made_anew_stays(config: RunConfig, tmp_path: Path) -> None:
    """Case 64: the rest of a damaged data set is not thrown away when its files are gone."""
    first = import_dataset(config.data, tmp_path, SilentReporter())
    pixels = first.folder / "pixels.npy"
    pixels.write_bytes(pixels.read_bytes()[:-1] + b"\xaa")

    class Unplugged(ListReporter):
        def phase(self, name: str, text: str) -> None:
            if name == "import" and self.alerts:
                raise DataError("I01", "The folder disappeared")

    with pytest.raises(DataError, match="I01"):
        intact_dataset(config, tmp_path, Unplugged())
    assert pixels.is_file()
