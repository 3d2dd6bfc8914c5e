"""All 303 DICOM test files outside the CT set: image or named reason, as the index says or better.

`../shared/data/dicom/dicom_index.csv` says what pydicom 3.0.2 with every plugin (pylibjpeg-libjpeg
too, which is not installed here) makes of each file. Every difference stands in a table below.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from core.config import PixelSettings
from core.data.decode import DecoderPool
from core.data.grey_header import grey_of
from core.data.header import GREY, align_bits, check_layout, read_header
from core.data.palette import colours
from core.data.picture import Failure, Picture
from core.data.pixels import modality_values
from core.data.stored import stored_frames
from core.data.transfer import LOSSY

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning"),
]

# The index fails, we do not.
BETTER = {
    "CTImage.dcm_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm": "by SimpleITK",
    "CTImage.dcm_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53.dcm": "by SimpleITK",
    "JPEG-lossy.dcm": "by SimpleITK, which forgives the scan's header",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "lacks its last eight bytes, and no frame",
    "OT-PAL-8-face.dcm": "names no encoding; read as plain pixels, whose length agrees",
}
# The index decodes numbers, we refuse: they are masks, and no images to be classified.
MASKS = {"Segmentation Storage", "1.2.840.10008.5.1.4.1.1.66.7"}
# Both fail; our reason.
FAILING = {
    "MR_truncated.dcm": "D12", "badVR.dcm": "D21", "meta_missing_tsyntax.dcm": "D01",
    "nested_priv_SQ.dcm": "D01", "JPEG2000-embedded-sequence-delimiter.dcm": "D31",
}  # fmt: skip
WITHOUT_PIXELS = {"D01", "D02", "P01"}

# SimpleITK is wrong (`reliability.md` finding 2), or gives up, or leaves a step out.
WRONG_THERE = {
    "SC_rgb_rle_16bit.dcm", "SC_rgb_rle_16bit_2frame.dcm", "SC_rgb_rle_32bit.dcm",
    "SC_rgb_rle_32bit_2frame.dcm", "rtdose_expb.dcm",
}  # fmt: skip
UNREAD_THERE = {
    "rtdose_1frame.dcm", "rtdose_expb_1frame.dcm", "rtdose_rle_1frame.dcm",
    "JLSL_08_07_0_1F.dcm", "parametric_map_float.dcm", "parametric_map_double_float.dcm",
    "emri_small_jpeg_2k_lossless_too_short.dcm",
}  # fmt: skip
LEFT_OUT_THERE = {
    "mlut_18.dcm": "ignores the modality look-up table",
    "rtdose.dcm": "ignores the dose grid's factor",
    "rtdose_rle.dcm": "ignores the dose grid's factor",
    "gdcm-US-ALOKA-16.dcm": "gives 16-bit colours, of which the upper byte is the picture",
}


@pytest.fixture(scope="module")
def index(real_data: Path) -> pd.DataFrame:
    table = pd.read_csv(real_data / "dicom" / "dicom_index.csv", dtype={"frames": str})
    table = table[~table["path"].str.contains("tcga_luad")]
    table["ok"] = table["decode"].astype(str).str.startswith("ok")
    table["name"] = table["path"].str.split("/").str[-1]
    table["mask"] = table["sop"].isin(MASKS)
    return table


@pytest.fixture(scope="module")
def results(real_data: Path, index: pd.DataFrame) -> dict[str, list[Picture | Failure]]:
    """What the children make of every file."""
    found: dict[str, list[Picture | Failure]] = defaultdict(list)
    root = real_data / "dicom"
    with DecoderPool(2, PixelSettings(size_px=32)) as pool:
        for name, result in pool.decode((path, root / path) for path in index["path"]):
            found[name].append(result)
        assert pool.restarts == 0
    return found


def test_every_file_is_an_image_or_has_the_expected_reason(
    index: pd.DataFrame, results: dict[str, list[Picture | Failure]]
) -> None:
    assert len(index) == len(results) == 303
    wrong = []
    for row in index.itertuples():
        codes = {getattr(result, "code", "") for result in results[row.path]}
        if row.mask:
            expected = {"D03"}
        elif row.ok or row.name in BETTER:
            expected = {""}
        else:
            expected = {FAILING[row.name]} if row.name in FAILING else codes & WITHOUT_PIXELS
        frames = int(row.frames) if str(row.frames).isdecimal() else 1
        frames = 10 if row.name.startswith("emri_small") else frames
        if codes != expected or (expected == {""} and len(results[row.path]) != frames):
            wrong.append((row.path, codes, expected, len(results[row.path]), frames))
    assert wrong == []
    images = sum(not isinstance(found[0], Failure) for found in results.values())
    assert images == index["ok"].sum() - (index["ok"] & index["mask"]).sum() + len(BETTER) == 193


def test_no_reason_carries_a_name(
    index: pd.DataFrame, results: dict[str, list[Picture | Failure]]
) -> None:
    said = " ".join(
        f"{result.reason}" if isinstance(result, Failure) else f"{result.notes} {result.window}"
        for found in results.values()
        for result in found
    )
    patients = {text for text in index["patient_id"].dropna().astype(str) if len(text) > 4}
    assert len(patients) > 10
    assert not any(patient in said for patient in patients)


@contextmanager
def silence() -> Iterator[None]:
    """ITK's complaints about 12-bit JPEG go to the process's error stream."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def ours(path: Path, temporary: Path) -> tuple[np.ndarray, np.ndarray, Any]:
    """Stored values, values after the modality step, ``[F, H, W, ...]``, and the header."""
    header, uid = read_header(path.read_bytes())
    check_layout(header, uid)
    bits, shift = int(header.BitsStored), align_bits(header, uid)
    stored, values = [], []
    for frame, decode in stored_frames(header, uid, temporary, range(int(header.NumberOfFrames))):
        array, _ = decode()
        array = array >> shift if shift else array
        stored.append(array)
        if header.PhotometricInterpretation in GREY:
            values.append(modality_values(array, grey_of(header, bits, frame)))
        else:
            values.append(
                colours(array, header, bits)[0] if array.ndim == 2 else array.astype(np.float64)
            )
    return np.stack(stored), np.stack(values), header


def theirs(path: Path, header: Any) -> np.ndarray:
    """What SimpleITK gives, its inversion of MONOCHROME1 (before the rescale) undone."""
    with silence():
        found = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(np.float64)
    if header.PhotometricInterpretation == "MONOCHROME1":
        grey = grey_of(header, int(header.BitsStored))
        stored = 2 ** int(header.BitsStored) - 1 - (found - grey.intercept) / grey.slope
        found = stored * grey.slope + grey.intercept
    return found


def test_pixel_statistics(real_data: Path, index: pd.DataFrame, tmp_path: Path) -> None:
    """Stored minima and maxima as in the index; every value as SimpleITK's where that is right."""
    wrong: list[tuple[str, str]] = []
    compared = 0
    for row in index[(index["ok"] & ~index["mask"]) | index["name"].isin(BETTER)].itertuples():
        path = real_data / "dicom" / row.path
        stored, values, header = ours(path, tmp_path)
        slack = 3 if header.file_meta.TransferSyntaxUID in LOSSY else 1e-6  # decoders differ
        edges = np.array([stored.min(), stored.max()], dtype=np.float64)
        if row.ok and not np.allclose(edges, [row.min, row.max], rtol=1e-6, atol=slack):
            wrong.append((row.path, f"{edges} is not {row.min}, {row.max}"))
        if row.name in UNREAD_THERE:
            with pytest.raises(RuntimeError), silence():
                sitk.ReadImage(str(path))
            continue
        there = theirs(path, header)
        same = there.size == values.size and np.allclose(
            there.reshape(values.shape), values, rtol=1e-6, atol=1e-6
        )
        compared += same
        if same == (row.name in {*WRONG_THERE, *LEFT_OUT_THERE}):
            wrong.append((row.path, "differs from" if not same else "unexpectedly equals"))
    assert wrong == []
    assert compared == 193 - len(UNREAD_THERE) - len(WRONG_THERE) - len(LEFT_OUT_THERE) == 177


def test_what_simpleitk_leaves_out(real_data: Path, tmp_path: Path) -> None:
    """The four files of `LEFT_OUT_THERE`, with the missing step added by hand."""
    folder = real_data / "dicom"
    for name in ("rtdose.dcm", "rtdose_rle.dcm"):
        path = folder / "pydicom_test_files" / name
        _, values, header = ours(path, tmp_path)
        np.testing.assert_allclose(theirs(path, header) * float(header.DoseGridScaling), values)
    path = folder / "pydicom_data" / "gdcm-US-ALOKA-16.dcm"
    _, values, header = ours(path, tmp_path)
    assert np.array_equal(theirs(path, header).astype(int).reshape(values.shape) >> 8, values)
    path = folder / "pydicom_data" / "mlut_18.dcm"
    stored, values, header = ours(path, tmp_path)
    item = header.ModalityLUTSequence[0]
    entries, first, _ = item.LUTDescriptor
    lut = np.frombuffer(item["LUTData"].value, "<u2") if isinstance(
        item["LUTData"].value, bytes
    ) else np.array(item["LUTData"].value)  # fmt: skip
    first = first - 65536 if first > 32767 else first
    assert np.array_equal(lut[np.clip(stored - first, 0, (entries or 65536) - 1)], values)
