"""Acceptance cases 1 to 15 of `reference/reliability.md` f: public DICOM files, by number."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import generate_frames

from core.config import DataSettings
from core.data.grey_header import grey_of
from core.data.header import align_bits, check_layout, read_header
from core.data.picture import Failure, Picture
from core.data.pixels import modality_values
from core.data.scan import import_dataset
from core.data.stored import stored_values
from core.types import SilentReporter
from tests.data.conftest import PeakOf, ReadAll

pytestmark = [pytest.mark.realdata, pytest.mark.filterwarnings("ignore::UserWarning")]
Decode = Callable[..., list[Picture | Failure]]
LOSSLESS_JPEG = "1.2.840.10008.1.2.4.70"


@pytest.fixture
def files(real_data: Path) -> Path:
    return real_data / "dicom" / "pydicom_test_files"


def values(path: Path, temporary: Path, frame: int = 0) -> np.ndarray:
    """Values after the modality step."""
    header, uid = read_header(path.read_bytes())
    check_layout(header, uid)
    bits, shift = int(header.BitsStored), align_bits(header, uid)
    stored, _ = stored_values(header, uid, temporary, frame)
    return modality_values(stored >> shift, grey_of(header, bits, frame))


def only_failure(results: list[Picture | Failure]) -> Failure:
    (failure,) = results
    assert isinstance(failure, Failure)
    return failure


def imported(source: Path, workspace: Path, **changes: Any) -> Any:
    settings = {"source": str(source), "labels": "none", "pixels": {"size_px": 32}} | changes
    return import_dataset(DataSettings.model_validate(settings), workspace, SilentReporter())


def test_case_01_hounsfield_units(files: Path, tmp_path: Path, decode_path: Decode) -> None:
    units = values(files / "CT_small.dcm", tmp_path)
    assert (units.min(), units.max()) == (-896, 1167)
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(files / "CT_small.dcm")))
    assert np.array_equal(theirs[0], units)
    (picture,) = decode_path(files / "CT_small.dcm")
    assert isinstance(picture, Picture)


def as_lossless_jpeg(stored: np.ndarray, folder: Path) -> bytes:
    """Stored values as the frame of a lossless JPEG file, which only SimpleITK decodes."""
    path = folder / "lossless.dcm"
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(path))
    writer.SetImageIO("GDCMImageIO")
    writer.SetUseCompression(True)
    writer.SetCompressor("JPEG")
    writer.Execute(sitk.GetImageFromArray(stored))
    written = dcmread(path)
    assert written.file_meta.TransferSyntaxUID == LOSSLESS_JPEG
    return bytes(written.PixelData)


@pytest.mark.parametrize("name", ["CR1/6154", "CR2/6247", "CR3/6278"])
def test_case_02_monochrome1_is_inverted_once_on_both_paths(
    files: Path, tmp_path: Path, read_all: ReadAll, name: str
) -> None:
    path = files / "dicomdirtests" / "77654033" / name
    (plain,) = read_all(path.read_bytes())
    header = dcmread(path)
    stored = header.pixel_array
    header.PixelData = as_lossless_jpeg(stored, tmp_path)
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    header.file_meta.TransferSyntaxUID = LOSSLESS_JPEG
    written = io.BytesIO()
    header.save_as(written)
    (fallback,) = read_all(written.getvalue())
    assert fallback.decoder.startswith("SimpleITK")
    assert plain.decoder.startswith("pydicom")
    assert np.array_equal(fallback.pixels, plain.pixels)
    assert np.corrcoef(stored.ravel(), plain.pixels.ravel())[0, 1] < -0.9
    assert plain.window.endswith("MONOCHROME1 inverted")


def test_case_03_palette_becomes_colour(files: Path, read_all: ReadAll) -> None:
    (raster,) = read_all((files / "examples_palette.dcm").read_bytes())
    assert (raster.pixels.dtype, raster.pixels.shape) == (np.uint8, (350, 800, 3))
    assert raster.pixels.max() == 255
    header = dcmread(files / "examples_palette.dcm")
    index = header.pixel_array[200, 400]
    red = np.frombuffer(header.RedPaletteColorLookupTableData, "<u2")[index] >> 8
    assert raster.pixels[200, 400, 0] == red


def test_case_04_a_film_of_thirty_frames(
    files: Path, tmp_path: Path, workspace: Path, read_all: ReadAll
) -> None:
    content = (files / "examples_ybr_color.dcm").read_bytes()
    rasters = read_all(content)
    assert [raster.place.frame for raster in rasters] == list(range(30))
    encoded = generate_frames(dcmread(io.BytesIO(content)).PixelData, number_of_frames=30)
    for raster, jpeg in zip(rasters, encoded, strict=True):
        once = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
        assert np.array_equal(raster.pixels, once)
    folder = tmp_path / "film"
    folder.mkdir()
    shutil.copy(files / "examples_ybr_color.dcm", folder)
    everything = imported(folder, workspace)
    assert "1 file holds several pictures (30 together); 30 of them" in " ".join(everything.notes)
    assert everything.images["frame"].tolist() == list(range(30))
    assert everything.images["image"].is_unique
    assert everything.images["patient"].nunique() == 1
    middle = imported(folder, workspace, pixels={"size_px": 32, "frames": "middle"})
    assert middle.images["frame"].tolist() == [14]


def test_case_05_a_cut_file_is_skipped_and_the_import_goes_on(
    files: Path, tmp_path: Path, workspace: Path
) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    for name in ("MR_truncated.dcm", "MR_small.dcm"):
        shutil.copy(files / name, folder)
    dataset = imported(folder, workspace)
    assert dataset.excluded().values.tolist() == [
        ["D12", "The file is cut short (8130 of 8192 bytes).", 1]
    ]
    assert len(dataset.usable()) == 1


def test_case_06_a_number_of_frames_that_is_none(files: Path, decode_path: Decode) -> None:
    failure = only_failure(decode_path(files / "badVR.dcm"))
    assert (failure.code, failure.reason) == ("D21", "The number of frames is not a number.")


@pytest.mark.parametrize("name", ["meta_missing_tsyntax", "nested_priv_SQ", "UN_sequence"])
def test_case_07_odd_files_have_a_code(files: Path, decode_path: Decode, name: str) -> None:
    failure = only_failure(decode_path(files / f"{name}.dcm"))
    assert failure.code == "D01"
    assert not any(word in failure.reason for word in ("Error", "Missing", "attribute"))


def test_case_08_no_meta_header_and_other_files(
    files: Path, tmp_path: Path, workspace: Path
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    for name in ("no_meta.dcm", "README.txt", "CT_small.dcm", "ExplVR_LitEndNoMeta.dcm"):
        shutil.copy(files / name, folder)
    (folder / "facts.json").write_text("{}")
    (folder / "zipMR.gz").write_bytes(b"\x1f\x8b" + bytes(50))
    (folder / "random").write_bytes(np.random.default_rng(0).bytes(3000))
    (folder / "picture").write_bytes(b"\x89PNG\r\n\x1a\n")
    dataset = imported(folder, workspace)
    assert dataset.ignored == 4  # text, JSON, gz, random bytes: no images, no errors
    excluded = dict(dataset.excluded()[["code", "count"]].values.tolist())
    # no_meta.dcm begins with a stray byte, so that not even its first tag is one: no DICOM at all
    assert excluded == {"D01": 1, "P01": 1, "P10": 1}
    assert len(dataset.usable()) == 1


def test_case_09_reports_plans_and_curves_are_no_images(
    files: Path, tmp_path: Path, workspace: Path
) -> None:
    folder = tmp_path / "others"
    folder.mkdir()
    names = ("reportsi.dcm", "test-SR.dcm", "rtplan.dcm", "rtstruct.dcm", "waveform_ecg.dcm")
    for name in (*names, "CT_small.dcm", "dicomdirtests/DICOMDIR-bigEnd", "dicomdirtests/DICOMDIR"):
        shutil.copy(files / name, folder)
    dataset = imported(folder, workspace)
    assert dataset.excluded().values.tolist() == [
        ["D01", "A DICOM file of another kind than an image.", 6]
    ]
    assert dataset.ignored == 1  # the DICOMDIR under its own name


def test_case_10_a_damaged_stream_takes_no_memory(files: Path, peak_of: PeakOf) -> None:
    code, grown, _ = peak_of(files / "JPEG2000-embedded-sequence-delimiter.dcm")
    assert code == "D31"
    assert grown < 300


@pytest.mark.parametrize(
    ("name", "most"),
    [("SC_rgb_jpeg_gdcm", 255), ("JPGExtended", 264), ("JPEG-lossy", 264)],
)
def test_case_11_what_only_simpleitk_decodes(
    files: Path, tmp_path: Path, name: str, most: int
) -> None:
    header, uid = read_header((files / f"{name}.dcm").read_bytes())
    check_layout(header, uid)
    stored, decoder = stored_values(header, uid, tmp_path)
    assert decoder.startswith("SimpleITK")
    assert stored.max() == most
    assert not list(tmp_path.glob("*.dcm"))


def test_case_12_sixteen_bit_colour_in_runs(files: Path, tmp_path: Path) -> None:
    header, uid = read_header((files / "SC_rgb_rle_16bit.dcm").read_bytes())
    check_layout(header, uid)
    stored, _ = stored_values(header, uid, tmp_path)
    assert stored[5, 5].tolist() == [65535, 0, 0]
    assert stored[15, 5].tolist() == [65535, 32896, 32896]


def test_case_13_big_endian_dose_equals_little(files: Path, tmp_path: Path) -> None:
    for frame in (0, 7, 14):
        little = values(files / "rtdose.dcm", tmp_path, frame)
        assert np.array_equal(values(files / "rtdose_expb.dcm", tmp_path, frame), little)
        assert np.array_equal(values(files / "rtdose_rle.dcm", tmp_path, frame), little)
        assert 0.7 < little.min() < little.max() < 1.3  # gray, by the dose grid's factor


def test_case_14_a_missing_component_is_named(real_data: Path) -> None:
    path = real_data / "dicom" / "pydicom_data" / "HTJ2K_08_RGB.dcm"
    code = (
        "import importlib.metadata, sys, tempfile\n"
        "found = importlib.metadata.entry_points\n"  # as if it were not installed
        "wanted = lambda **k: [] if 'pylibjpeg' in str(k) else found(**k)\n"
        "importlib.metadata.entry_points = wanted\n"
        "sys.modules['openjpeg'] = None\n"
        "from pathlib import Path\n"
        "from core.config import PixelSettings\n"
        "from core.data.children import Recipe, decode_file\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    done = decode_file(Path(sys.argv[1]), Recipe(PixelSettings(), b'k'), Path(folder))\n"
        "    print(*[f'[{r.code}] {r.reason}' for r in done])\n"
    )
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-W", "ignore", "-c", code, str(path)]
    done = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True)
    assert "[D33]" in done.stdout
    assert "High-Throughput JPEG 2000" in done.stdout
    assert "needs the component pylibjpeg-openjpeg" in done.stdout
