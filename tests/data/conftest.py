"""Tiny real files: DICOM made tag by tag, pictures made by Pillow."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from core.config import PixelSettings
from core.data.children import Recipe, decode_file
from core.data.picture import Failure, Picture, Raster
from core.data.readers.base import HEAD_BYTES, reader_for
from core.errors import DataError

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"

MakeDicom = Callable[..., bytes]
Read = Callable[..., Raster]
PeakOf = Callable[[Path], tuple[str, float, float]]
ReadAll = Callable[..., list[Raster | Failure]]


def _dicom(values: np.ndarray | None, *, syntax: str = EXPLICIT_LITTLE, **tags: Any) -> bytes:
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = UID(syntax)
    header.SOPClassUID, header.SOPInstanceUID = UID(SECONDARY_CAPTURE), UID("2.25.7")
    header.PatientID, header.PatientName, header.Modality = "4711", "DOE^JANE", "OT"
    if values is not None:
        header.Rows, header.Columns = values.shape[:2]
        header.SamplesPerPixel = 3 if values.ndim == 3 else 1
        header.PhotometricInterpretation = "RGB" if values.ndim == 3 else "MONOCHROME2"
        if values.ndim == 3:
            header.PlanarConfiguration = 0
        header.BitsAllocated = header.BitsStored = 8 * values.dtype.itemsize
        header.HighBit = header.BitsStored - 1
        header.PixelRepresentation = int(values.dtype.kind == "i")
        header.PixelData = values.tobytes()
    for name, value in tags.items():
        if value is None:
            delattr(header, name)
        else:
            setattr(header, name, value)
    written = io.BytesIO()
    header.save_as(written, enforce_file_format=True)
    return written.getvalue()


@pytest.fixture
def make_dicom() -> MakeDicom:
    """Bytes of a DICOM file with these stored values; other arguments set (None: remove) tags."""
    return _dicom


@pytest.fixture
def read_all(tmp_path: Path) -> ReadAll:
    """Every picture or failure in these bytes, decoded as the child does, in this process."""

    def decode(content: bytes, **settings: Any) -> list[Raster | Failure]:
        reader = reader_for(content[:HEAD_BYTES])
        assert reader is not None, "no reader recognises the file"
        return list(reader.read(content, PixelSettings.model_validate(settings), tmp_path))

    return decode


@pytest.fixture
def read(read_all: ReadAll) -> Read:
    """The only picture in these bytes; its failure is raised."""

    def decode(content: bytes, **settings: Any) -> Raster:
        (result,) = read_all(content, **settings)
        if isinstance(result, Failure):
            raise DataError(result.code, result.reason)
        return result

    return decode


@pytest.fixture
def decode_path(tmp_path: Path) -> Callable[..., list[Picture | Failure]]:
    """Every result of one file, as the decoding child makes it, in this process."""
    folder = tmp_path / "decoder"
    folder.mkdir()

    def decode(path: Path, **settings: Any) -> list[Picture | Failure]:
        recipe = Recipe(PixelSettings.model_validate({"size_px": 64, **settings}), b"key")
        return list(decode_file(path, recipe, folder))

    return decode


_PEAK = """
import json, resource, sys, tempfile, time, warnings
from pathlib import Path
from core.config import PixelSettings
from core.data.children import Recipe, decode_file
from core.data.readers.base import reader_for
warnings.simplefilter("ignore")
reader_for(b"")
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, started = peak(), time.process_time()
with tempfile.TemporaryDirectory() as folder:
    done = list(decode_file(Path(sys.argv[1]), Recipe(PixelSettings(), b"k"), Path(folder)))
print(json.dumps([getattr(done[0], "code", ""), peak() - before, time.process_time() - started]))
"""


@pytest.fixture
def peak_of() -> PeakOf:
    """A file's code, the megabytes and processor seconds of its decoding, in its own process."""
    pytest.importorskip("resource", reason="measures with getrusage")
    root = Path(__file__).resolve().parents[2]

    def measure(path: Path) -> tuple[str, float, float]:
        command = [sys.executable, "-c", _PEAK, str(path)]
        done = subprocess.run(command, cwd=root, capture_output=True, check=True)
        code, megabytes, seconds = json.loads(done.stdout)
        return code, megabytes, seconds

    return measure


@pytest.fixture
def write_picture() -> Callable[..., Path]:
    """Write a random grey PNG that no other seed resembles."""

    def write(path: Path, seed: int = 0, size: tuple[int, int] = (40, 40)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
        Image.fromarray(values).save(path)
        return path

    return write
