"""Public images: the numbers of `reference/reliability.md` f, and the data sets of the issue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from core.config import DataSettings, SplitSettings
from core.data.cache import PixelCache
from core.data.decode import DecoderPool
from core.data.grey_header import grey_of
from core.data.header import check_layout, read_header
from core.data.picture import Failure
from core.data.pixels import modality_values
from core.data.scan import import_dataset
from core.data.split import check_split, split_images
from core.data.stored import stored_values
from core.types import SilentReporter
from tests.near import near_duplicates

pytestmark = pytest.mark.realdata


@pytest.fixture
def dicom(real_data: Path) -> Path:
    return real_data / "dicom"


def values(path: Path, temporary: Path) -> np.ndarray:
    header, uid = read_header(path.read_bytes())
    check_layout(header, uid)
    stored, _ = stored_values(header, uid, temporary)
    return modality_values(stored, grey_of(header, header.BitsStored))


def test_hounsfield_units(dicom: Path, tmp_path: Path) -> None:
    units = values(dicom / "pydicom_test_files" / "CT_small.dcm", tmp_path)
    assert (units.min(), units.max()) == (-896, 1167)


@pytest.mark.filterwarnings("ignore:.*:UserWarning", "ignore:.*:DeprecationWarning")
def test_one_image_in_every_lossless_encoding(dicom: Path, tmp_path: Path) -> None:
    folder = dicom / "cornerstone_wado"
    plain = values(folder / "CTImage.dcm", tmp_path)
    ends = ("1.2", "1.2.1", "1.2.2", "1.2.1.99", "1.2.5", "4.57", "4.70", "4.80", "4.90")
    for end in ends:
        (path,) = folder.glob(
            f"CTImage.dcm_*_1.2.840.10008.{'1.2.' if end[0] == '4' else ''}{end}.dcm"
        )
        assert np.array_equal(values(path, tmp_path), plain), end
    assert not any(tmp_path.glob("*.dcm"))


@pytest.mark.filterwarnings("ignore:.*:UserWarning", "ignore:.*:DeprecationWarning")
def test_known_traps(dicom: Path, tmp_path: Path, read: Any) -> None:
    folder = dicom / "pydicom_test_files"

    def picture(name: str) -> Any:
        return read(next(folder.rglob(name)).read_bytes())

    palette = picture("examples_palette.dcm")
    assert (palette.pixels.dtype, palette.pixels.shape[2], palette.pixels.max()) == (
        np.uint8,
        3,
        255,
    )
    rle = picture("SC_rgb_rle_16bit.dcm").pixels
    assert rle[0, 0].tolist() == [1.0, 0.0, 0.0]
    assert picture("SC_rgb_jpeg_gdcm.dcm").pixels.max() == 255
    assert picture("examples_overlay.dcm").window.startswith("file 1 of 2")
    ybr = picture("SC_ybr_full_422_uncompressed.dcm").pixels
    assert ybr[5, 5, 0] > 200  # red stays red: converted once


CODES = {
    "MR_truncated.dcm": "D12", "meta_missing_tsyntax.dcm": "D01", "nested_priv_SQ.dcm": "D01",
    "UN_sequence.dcm": "D01", "test-SR.dcm": "D01", "rtplan.dcm": "D01", "waveform_ecg.dcm": "D01",
    "JPEG2000-embedded-sequence-delimiter.dcm": "D31",
    "README.txt": "P01",
}  # fmt: skip


def test_every_test_file_ends_as_picture_or_code(dicom: Path) -> None:
    index = pd.read_csv(dicom / "dicom_index.csv")
    paths = [path for path in dicom.rglob("*") if path.is_file()]
    names = {str(number): path.name for number, path in enumerate(paths)}
    with DecoderPool(2, DataSettings(source="x").pixels) as pool:
        results = dict(pool.decode((str(number), path) for number, path in enumerate(paths)))
        assert pool.restarts == 0
    failed = {names[key]: result for key, result in results.items() if isinstance(result, Failure)}
    assert len(results) == len(paths)
    assert {name: failed[name].code for name in CODES} == CODES
    assert len(results) - len(failed) >= 210
    patients = {text for text in index["patient_id"].dropna().astype(str) if len(text) > 4}
    said = " ".join(result.reason for result in failed.values())
    assert not any(patient in said for patient in patients)


def test_a_labelled_dicom_folder(dicom: Path, workspace: Path) -> None:
    settings = DataSettings(source=str(dicom / "tcga_luad_ct_contrast"))
    dataset = import_dataset(settings, workspace, SilentReporter())
    usable = dataset.usable()
    assert dataset.classes == ("contrast", "no_contrast")
    assert len(dataset.images) == 66
    assert usable["patient"].nunique() == 36
    assert usable["patient_source"].unique().tolist() == ["header"]
    assert PixelCache(dataset.folder).read(usable["row"].to_numpy()).dtype == np.uint16
    split = split_images(dataset.images, dataset.task, SplitSettings())
    check_split(split.applied(dataset.images))
    assert not any(
        "header" in note for note in dataset.notes
    )  # header and table name the same patient


@pytest.mark.slow
def test_breast_ultrasound_and_its_copies(real_data: Path, workspace: Path) -> None:
    settings = DataSettings(source=str(real_data / "folders" / "busi_256"))
    dataset = import_dataset(settings, workspace, SilentReporter())
    usable = dataset.usable()
    assert dataset.excluded().values.tolist() == [
        ["L07", "The same picture occurs 2 times under different labels.", 2]
    ]
    assert len(usable) == 778
    pairs = near_duplicates(usable["phash"].tolist())
    pixels = (
        PixelCache(dataset.folder).read(usable["row"].to_numpy()).mean(axis=1, dtype=np.float32)
    )
    small = np.stack(
        [np.asarray(Image.fromarray(one).resize((24, 24), 2)).ravel() for one in pixels]
    )
    alike = np.corrcoef(small)
    true = {(int(i), int(j)) for i, j in np.argwhere(np.triu(alike > 0.995, 1))}
    assert len(true & set(pairs)) >= 0.9 * len(true)
    assert min(alike[pair] for pair in pairs) > 0.97  # every pair found shows the same scan
    split = split_images(dataset.images, dataset.task, SplitSettings())
    divided = split.applied(dataset.images)
    check_split(divided)
    assert divided.groupby("group").size()[lambda sizes: sizes.index != ""].max() <= 4
    parts = divided[divided["code"] == ""]["split"].tolist()
    assert not any(parts[a] != parts[b] for a, b in pairs)
