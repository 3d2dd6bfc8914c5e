"""What every image format promises, whichever file it is in, whatever bytes it is given."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from core.config import PixelSettings
from core.data.phantom import write_demo
from core.data.picture import Raster
from core.data.readers.base import HEAD_BYTES, READERS, reader_for
from core.errors import DataError


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Real files: DICOM and PNG of the demo, volumes, arrays."""
    folder = write_demo(tmp_path_factory.mktemp("demo"), patients=4, size_px=32)
    noise = np.random.default_rng(0).integers(0, 256, (3, 40, 40), dtype=np.uint8)
    for ending in ("nii", "nii.gz", "mha", "nrrd"):
        sitk.WriteImage(sitk.GetImageFromArray(noise), str(folder / f"volume.{ending}"))
    np.savez_compressed(folder / "arrays.npz", train_images=noise)
    wanted = {".dcm", ".png", ".nii", ".gz", ".mha", ".nrrd", ".npz"}
    images = [file for file in sorted(folder.rglob("*")) if file.suffix in wanted]
    assert {file.suffix for file in images} == wanted
    return [file.read_bytes() for file in images]


@pytest.mark.parametrize("name", READERS.names())
def test_endings_and_damage_are_declared(name: str) -> None:
    reader = READERS.get(name)
    assert all(end == end.lower() and end.startswith(".") for end in reader.suffixes)
    code, sentence = reader.damaged
    assert code[0].isupper()
    assert len(sentence) > 10


@pytest.mark.parametrize("name", READERS.names())
@pytest.mark.parametrize("head", [b"", b"\x00" * HEAD_BYTES, b"hello" * 60])
def test_does_not_claim_what_is_no_image(name: str, head: bytes) -> None:
    assert not READERS.get(name).recognises(head[:HEAD_BYTES])


def test_every_file_is_claimed_by_one_reader_only(files: list[bytes]) -> None:
    for content in files:
        claims = [n for n in READERS.names() if READERS.get(n).recognises(content[:HEAD_BYTES])]
        assert len(claims) == 1


def test_pixels_are_as_a_raster_promises(files: list[bytes], tmp_path: Path) -> None:
    temporary = tmp_path / "decoder"
    temporary.mkdir()
    for content in files:
        reader = reader_for(content[:HEAD_BYTES])
        assert reader is not None
        for frame, raster in enumerate(reader.read(content, PixelSettings(), temporary)):
            assert isinstance(raster, Raster)
            assert raster.pixels.ndim in {2, 3}
            assert raster.pixels.dtype.name in {"uint8", "float32"}
            if raster.pixels.dtype.name == "float32":
                assert 0 <= raster.pixels.min() <= raster.pixels.max() <= 1
            assert raster.decoder
            assert raster.place.frame == frame < raster.place.frames
            assert not list(temporary.iterdir())


@pytest.mark.filterwarnings("ignore")  # the decoding child counts them; here only errors matter
def test_cut_files_are_refused_with_a_code_or_decoded(files: list[bytes], tmp_path: Path) -> None:
    chance = random.Random(0)
    for content in files:
        cut = content[: chance.randrange(264, len(content) - 1)]
        reader = reader_for(cut[:HEAD_BYTES])
        if reader is None:
            continue
        with pytest.raises((DataError, OSError, ValueError, AttributeError, EOFError)) as caught:
            next(reader.read(cut, PixelSettings(), tmp_path))
        if isinstance(caught.value, DataError):
            assert caught.value.code
