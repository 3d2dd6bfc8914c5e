"""NIfTI, MHA and NRRD as series of slices."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from core.config import DataSettings
from core.data.picture import Raster
from core.data.scan import import_dataset
from core.errors import DataError
from core.types import SilentReporter
from tests.data.conftest import PeakOf, ReadAll

ENDINGS = (".nii", ".nii.gz", ".mha", ".nrrd")
SHAPE = (6, 8, 10)  # z, y, x


def body() -> np.ndarray:
    """A volume that tells its sides apart: 1000 at the head, 2000 at the front, 3000 at the right.

    ``[Z, Y, X]`` int16 in LPS: z to the head, y to the back, x to the left.
    """
    values = (np.arange(np.prod(SHAPE)) % 40).astype(np.int16).reshape(SHAPE)
    values[-1] += 1000
    values[:, 0] += 2000
    values[:, :, 0] += 3000
    return values


def written(
    folder: Path, ending: str, values: np.ndarray, spacing: tuple[float, ...] = (1.0, 1.0, 1.0)
) -> bytes:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing)
    image.SetOrigin([10.0, 20.0, 30.0][: image.GetDimension()])
    path = folder / f"volume{ending}"
    sitk.WriteImage(image, str(path))
    content = path.read_bytes()
    path.unlink()
    return content


def rasters(results: Any) -> list[Raster]:
    assert all(isinstance(result, Raster) for result in results), results
    return list(results)


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_gives_the_same_slices(tmp_path: Path, read_all: ReadAll, ending: str) -> None:
    found = rasters(read_all(written(tmp_path, ending, body(), (1, 1, 2.5))))
    assert len(found) == 6  # the largest distance is along z
    assert [raster.place.position_mm for raster in found] == [30 + 2.5 * n for n in range(6)]
    plain = rasters(read_all(written(tmp_path, ".mha", body(), (1, 1, 2.5))))
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(found, plain, strict=True))
    top = found[-1]
    assert top.pixels[0].min() > top.pixels[1:, 1:].max()  # the front is at the top
    assert top.pixels[:, 0].min() > top.pixels[1:, 1:].max()  # the patient's right is at the left
    assert (top.place.row_mm, top.place.column_mm) == (1.0, 1.0)
    assert top.notes == ("axial slices",)
    assert not list((tmp_path).glob("volume*"))


def test_where_pixels_are_finest_and_what_is_asked_for(tmp_path: Path, read_all: ReadAll) -> None:
    content = written(tmp_path, ".nii.gz", body(), (1.0, 3.0, 1.0))
    coronal = rasters(read_all(content))
    assert len(coronal) == 8
    assert coronal[0].notes == ("coronal slices",)
    assert coronal[4].pixels.shape == (6, 10)
    assert coronal[4].pixels[0].mean() > coronal[4].pixels[1:].mean()  # the head is at the top
    sagittal = rasters(read_all(content, slice_axis="sagittal"))
    assert len(sagittal) == 10
    assert sagittal[5].pixels[:, 0].mean() > sagittal[5].pixels[:, 1:].mean()  # faces left
    assert (sagittal[5].place.row_mm, sagittal[5].place.column_mm) == (1.0, 3.0)
    assert [r.place.frame for r in read_all(content, frames="every", every_nth=3)] == [0, 3, 6]
    assert [r.place.frame for r in read_all(content, frames="middle")] == [3]


def test_one_range_for_the_whole_volume_or_the_window_chosen(
    tmp_path: Path, read_all: ReadAll
) -> None:
    values = np.arange(6 * 64, dtype=np.int16).reshape(6, 8, 8)
    content = written(tmp_path, ".nii", values)
    found = rasters(read_all(content))
    assert len({raster.window for raster in found}) == 1
    assert found[0].window.startswith("percentiles 1-99 of the volume")
    assert found[0].pixels.mean() < found[5].pixels.mean()
    chosen = rasters(read_all(content, window={"center": 200.0, "width": 100.0}))
    np.testing.assert_allclose(
        chosen[3].pixels, np.clip((values[3] - 200.0) / 100 + 0.5, 0, 1), atol=1e-6
    )
    assert rasters(read_all(content, window_name="lung"))[0].window.startswith("preset lung")


def test_numbers_that_are_none_do_not_spoil_the_rest(tmp_path: Path, read_all: ReadAll) -> None:
    values = np.linspace(0, 1, 6 * 64, dtype=np.float32).reshape(6, 8, 8)
    values[2, 3, 3], values[2, 3, 4] = np.nan, np.inf
    for raster in rasters(read_all(written(tmp_path, ".nrrd", values))):
        assert np.isfinite(raster.pixels).all()


def test_colours_masks_flat_pictures_and_time(tmp_path: Path, read_all: ReadAll) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    path = tmp_path / "colour.mha"
    sitk.WriteImage(sitk.GetImageFromArray(colour, isVector=True), str(path))
    assert rasters(read_all(path.read_bytes()))[1].pixels.shape == (8, 8, 3)
    mask = (np.indices((4, 8, 8))[2] > 4).astype(np.uint8)
    (note,) = {raster.notes[1] for raster in read_all(written(tmp_path, ".nii", mask))}
    assert "perhaps a mask" in note
    assert len(read_all(written(tmp_path, ".nrrd", body()[2], (1.0, 1.0)))) == 1
    times = sitk.JoinSeries([sitk.GetImageFromArray(body() + 100 * n) for n in range(3)])
    sitk.WriteImage(times, str(tmp_path / "times.nii"))
    found = rasters(read_all((tmp_path / "times.nii").read_bytes()))
    assert [raster.place.frame for raster in found] == list(range(18))
    assert found[0].place.position_mm == found[6].place.position_mm


def as_nifti2(content: bytes) -> bytes:
    """The same volume with the header of NIfTI-2, which ITK does not read."""
    header = bytearray(540)
    struct.pack_into("<i8s", header, 0, 540, b"n+2\0\r\n\x1a\n")
    for source, place, target, where in (
        ("2h", 70, "2h", 12), ("8h", 40, "8q", 16), ("8f", 76, "8d", 104),
        ("2f", 112, "2d", 176), ("2h", 252, "2i", 344), ("6f", 256, "6d", 352),
        ("12f", 280, "12d", 400), ("B", 123, "i", 500),
    ):  # fmt: skip
        values = struct.unpack_from(f"<{source}", content, place)
        struct.pack_into(f"<{target}", header, where, *values)
    struct.pack_into("<q", header, 168, 544)
    return bytes(header) + bytes(4) + content[352:]


def test_nifti_2_equals_nifti_1(tmp_path: Path, read_all: ReadAll) -> None:
    first = written(tmp_path, ".nii", body(), (1, 1, 2.5))
    for one, two in zip(
        rasters(read_all(first)), rasters(read_all(gzip.compress(as_nifti2(first)))), strict=True
    ):
        assert np.array_equal(one.pixels, two.pixels)
        assert one.place == two.place


MHA = "ObjectType = Image\nNDims = 2\nDimSize = {size}\nElementType = MET_UCHAR\n"
NRRD = "NRRD0004\ntype: uint8\ndimension: 2\nsizes: {size}\nencoding: raw\n"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (MHA.format(size="4 4") + "ElementDataFile = /etc/passwd\n", "P21"),
        (MHA.format(size="4 4") + "ElementDataFile = LIST\n/etc/passwd\n", "P21"),
        (MHA.format(size="4 4") + "ElementDataFile = LOCAL\nshort", "P20"),
        (MHA.format(size="90000 90000") + "ElementDataFile = LOCAL\nshort", "P22"),
        (MHA.format(size="4 4") + "CompressedData = True\nElementDataFile = LOCAL\nxxxx", "P20"),
        (MHA.format(size="four") + "ElementDataFile = LOCAL\n" + "x" * 16, "P23"),
        (MHA.format(size="4 4").replace("_UCHAR", "_ODD") + "ElementDataFile = LOCAL\nx", "P23"),
        (NRRD.format(size="4 4").replace("raw", "gzip") + "\nshort", "P20"),
        (NRRD.format(size="4 4") + "data file: /etc/passwd\n\n", "P21"),
        (NRRD.format(size="4 4") + "\nshort", "P20"),
        (NRRD.format(size="4 4").replace("raw", "hex") + "\nshort", "P23"),
        (NRRD.format(size="90000 90000") + "\nshort", "P22"),
    ],
)
def test_headers_that_lie_or_point_elsewhere(read_all: ReadAll, content: str, code: str) -> None:
    with pytest.raises(DataError, match=code):
        read_all(content.encode())


def test_nifti_headers_that_lie(tmp_path: Path, read_all: ReadAll) -> None:
    good = written(tmp_path, ".nii", body())
    for place, form, values, code in (
        (42, "h", (9999, 9999, 9999), "P22"),
        (42, "h", (0,), "P20"),
        (42, "h", (100, 100), "P20"),
        (70, "h", (32,), "P23"),  # complex numbers
        (344, "4s", (b"ni1\0",), "P21"),
    ):
        bad = bytearray(good)
        struct.pack_into(f"<{len(values)}{form}" if form == "h" else form, bad, place, *values)
        with pytest.raises(DataError, match=code):
            read_all(bytes(bad))


def test_a_packed_bomb_is_refused(tmp_path: Path, peak_of: PeakOf) -> None:
    good = bytearray(written(tmp_path, ".nii", body()))
    path = tmp_path / "bomb.nii.gz"
    with gzip.open(path, "wb") as packed:
        packed.write(bytes(good))
        for _ in range(600):
            packed.write(bytes(2**20))
    code, megabytes, _ = peak_of(path)
    assert (code, megabytes < 1200) == ("P22", True)


def test_volumes_through_an_import(tmp_path: Path, workspace: Path) -> None:
    for label, shift in (("sick", 0), ("well", 7)):
        folder = tmp_path / "source" / label
        folder.mkdir(parents=True)
        noise = np.random.default_rng(shift).integers(0, 900, SHAPE).astype(np.int16)
        (folder / "scan.nii.gz").write_bytes(written(tmp_path, ".nii.gz", noise, (1, 1, 4)))
    (tmp_path / "source" / "well" / "cut.nii").write_bytes(written(tmp_path, ".nii", body())[:-9])
    settings = DataSettings.model_validate(
        {"source": str(tmp_path / "source"), "pixels": {"size_px": 32}}
    )
    dataset = import_dataset(settings, workspace, SilentReporter())
    assert dataset.excluded()["code"].tolist() == ["P20"]
    usable = dataset.usable()
    assert usable.groupby("stack").size().tolist() == [6, 6]
    assert usable["patient"].nunique() == 2  # a volume is one patient's, however many slices
    assert sorted(usable["slice"]) == sorted([*range(1, 7)] * 2)


@pytest.mark.realdata
def test_public_volumes(real_data: Path, read_all: ReadAll) -> None:
    counts = {}
    for path in sorted((real_data / "nifti").rglob("*.nii*")):
        found = rasters(read_all(path.read_bytes()))
        counts[path.name.split(".")[0][:16]] = (len(found), found[0].notes[0])
    assert counts == {
        "58PF_noPAT_noPOS": (60, "axial slices"),
        "ax_asc_35sl_6": (70, "axial slices"),
        "cor_asc_35sl_16": (70, "coronal slices"),
        "sag_asc_35sl_22": (70, "sagittal slices"),
        "anatomical": (25, "axial slices"),
        "example4d": (48, "axial slices"),
        "example_nifti2": (24, "axial slices"),
        "functional": (60, "axial slices"),
        "reoriented_anat_": (22, "axial slices"),
        "resampled_anat_m": (3, "axial slices"),
        "standard": (5, "coronal slices"),
    }
