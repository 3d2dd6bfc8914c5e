"""What the viewer is given: values that equal pydicom's, and the windows that make the picture."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.pixels.processing import apply_modality_lut
from pydicom.sequence import Sequence

from core.config import PixelSettings, Window
from core.data.decode import DecoderPool
from core.data.fit import place_in_square
from core.data.phantom import write_demo
from core.data.picture import Array, Failure
from core.data.pixels import windowed
from core.data.view import Levels, View, levels_of_picture, view_picture, write_levels

SMALL = PixelSettings(size_px=64)
Read = Callable[..., Any]


def view(read: Read, content: bytes, settings: PixelSettings = SMALL) -> View:
    return view_picture(read(content, **settings.model_dump()), settings, "0" * 64, b"key")


def values(levels: Levels) -> Array:
    return levels.codes * levels.slope + levels.intercept


def drawn(levels: Levels) -> Array:
    """What the browser draws with the networks' window, in [0, 1] (`levels.js`)."""
    window = levels.windows[0] if levels.windows else None
    if levels.curve is not None and (window is None or window.kind != "chosen"):
        shown = levels.curve[levels.codes] / 255
    else:
        assert window is not None
        shown = windowed(values(levels), window.center, window.width, window.function)
    shown = 1 - shown if levels.inverted else shown
    if levels.padding:
        low, high = levels.padding
        shown = np.where((levels.codes >= low) & (levels.codes <= high), 0, shown)
    return np.asarray(shown)


def test_values_of_the_phantom_are_pydicoms_and_its_window_makes_the_picture(
    tmp_path: Path, read: Read
) -> None:
    images = write_demo(tmp_path / "demo", seed=4, patients=8, images_per_patient=2, size_px=64)
    inverted = set()
    for file in sorted(images.glob("*.dcm")):
        header = dcmread(file)
        found = view(read, file.read_bytes())
        assert np.allclose(values(found.levels), apply_modality_lut(header.pixel_array, header))
        (window,) = found.levels.windows
        assert (window.kind, window.function) == ("file", "LINEAR")
        assert (window.center, window.width) == (header.WindowCenter, header.WindowWidth)
        assert np.abs(drawn(found.levels) - found.pixels[0] / 65535).max() < 1e-4
        inverted.add(found.levels.inverted)
        assert found.levels.inverted == (header.PhotometricInterpretation == "MONOCHROME1")
    assert inverted == {True, False}


@pytest.mark.parametrize(
    ("stored", "tags"),
    [
        (np.array([[-2000, -1000], [0, 3000]], np.int16), {"RescaleIntercept": -24.0}),
        (np.array([[0, 1], [65534, 65535]], np.uint16), {"RescaleSlope": 0.1}),
        (np.array([[0, 50], [100, 255]], np.uint8), {"PhotometricInterpretation": "MONOCHROME1"}),
        (
            np.array([[-2000, -1000], [0, 900]], np.int16),
            {"PixelPaddingValue": -2000, "PhotometricInterpretation": "MONOCHROME1"},
        ),
        (
            np.arange(64, dtype=np.uint16).reshape(8, 8),
            {"WindowCenter": 30, "WindowWidth": 20, "VOILUTFunction": "SIGMOID"},
        ),
        (np.arange(64, dtype=np.uint16).reshape(8, 8), {"WindowCenter": 9, "WindowWidth": 0}),
    ],
)
@pytest.mark.parametrize("chosen", [None, Window(center=10.0, width=100.0)])
def test_the_first_window_makes_the_networks_picture(
    make_dicom: Any, read: Read, stored: Array, tags: dict[str, Any], chosen: Window | None
) -> None:
    settings = PixelSettings(size_px=64, window=chosen)
    content = make_dicom(stored, **tags)
    raster = read(content, **settings.model_dump())
    found = view(read, content, settings).levels
    slope, intercept = tags.get("RescaleSlope", 1), tags.get("RescaleIntercept", 0)
    assert np.allclose(values(found), stored.astype(float) * slope + intercept)
    assert np.abs(drawn(found) - raster.pixels).max() < 1e-6
    assert (found.windows[0].kind == "chosen") == (chosen is not None)


def _table(values: list[int], first: int = 0) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(values), first, 16])
    item.add_new("LUTData", "OW", np.array(values, "<u2").tobytes())
    item.add_new("ModalityLUTType", "LO", "US")
    return Sequence([item])


def test_tables_of_the_file_are_kept(make_dicom: Any, read: Read) -> None:
    stored = np.arange(16, dtype=np.uint16).reshape(4, 4)
    raised = make_dicom(stored, ModalityLUTSequence=_table([3 * k * k for k in range(16)]))
    assert np.array_equal(values(view(read, raised).levels), 3.0 * stored.astype(float) ** 2)
    curved = make_dicom(stored, VOILUTSequence=_table([100 * k * k for k in range(16)]))
    found = view(read, curved).levels
    assert found.windows == ()
    assert np.abs(drawn(found) - (stored / 15.0) ** 2).max() < 1 / 255


def test_more_than_16_bits_are_shown_in_65536_steps(make_dicom: Any, read: Read) -> None:
    stored = np.array([[0, 1_000_000], [2_000_000, 4_000_000]], np.uint32)
    found = view(read, make_dicom(stored)).levels
    assert found.codes.dtype == np.uint16
    assert np.abs(values(found) - stored).max() <= 4_000_000 / 65535


def _png(pixels: Array) -> bytes:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


def test_pictures_show_their_stored_values(read: Read) -> None:
    ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    deep = view(read, _png(ramp)).levels
    assert np.array_equal(deep.codes, ramp)
    assert (deep.windows[0].center, deep.windows[0].width) == (2047.5, 4095.0)
    colours = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert np.array_equal(view(read, _png(colours)).levels.codes, colours)
    grey = np.repeat(colours[..., :1], 3, axis=2)
    assert np.array_equal(view(read, _png(grey)).levels.codes, colours[..., 0])


def test_a_very_large_image_is_averaged_down(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data.view.MOST_PIXELS", 1000)
    pixels = np.random.default_rng(0).integers(0, 256, (101, 60), dtype=np.uint8)
    found = view(read, _png(pixels)).levels
    assert found.shrunk == 3
    assert found.codes.shape == (33, 20)
    assert found.codes[1, 2] == round(pixels[3:6, 6:9].mean())


def test_edges_and_spacing_come_from_the_header(make_dicom: Any, read: Read) -> None:
    stored = np.zeros((4, 4), np.uint16)
    axial = make_dicom(
        stored,
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        PixelSpacing=[0.7, 0.5],
        ImagerPixelSpacing=[9, 9],
    )
    found = view(read, axial).levels
    assert found.edges == ("R", "A", "L", "P")
    assert found.spacing == (0.7, 0.5)
    named = view(read, make_dicom(stored, PatientOrientation=["L", "FP"])).levels
    assert named.edges == ("R", "HA", "L", "FP")
    for wrong in ({}, {"PatientOrientation": ["X", "F"]}, {"PatientOrientation": "LF"},
                  {"ImageOrientationPatient": [1, 0, 0]}, {"PixelSpacing": [0, 1]}):  # fmt: skip
        nothing = view(read, make_dicom(stored, **wrong)).levels
        assert (nothing.edges, nothing.spacing) == ((), None)


def test_what_is_written_can_be_read_back(tmp_path: Path, make_dicom: Any, read: Read) -> None:
    stored = np.arange(15, dtype=np.uint16).reshape(3, 5)
    content = make_dicom(stored, VOILUTSequence=_table(list(range(15))))
    write_levels(view(read, content).levels, {"modality": "CT"}, tmp_path / "view.bin")
    written = (tmp_path / "view.bin").read_bytes()
    length = int.from_bytes(written[:4], "little")
    header = json.loads(written[4 : 4 + length])
    assert (header["height"], header["width"], header["modality"]) == (3, 5, "CT")
    codes = np.frombuffer(written, "<u2", 15, 4 + length).reshape(3, 5)
    assert np.array_equal(codes, stored)
    assert (4 + length) % 4 == 0
    assert len(written) == 4 + length + 30 + header["curve"] == 4 + length + 45


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_cached_picture_can_stand_in(shape: tuple[int, int, int], kind: type) -> None:
    pixels = np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape, dtype=kind)
    found = levels_of_picture(pixels)
    most = 255 if shape[0] == 3 else np.iinfo(kind).max
    shown = found.codes if shape[0] == 1 else found.codes.transpose(2, 0, 1)
    assert np.abs(shown / most - pixels / np.iinfo(kind).max).max() <= 0.5 / 255
    assert found.windows[0].width == most


def test_the_place_in_the_square_is_where_the_picture_lies(read: Read) -> None:
    pixels = np.full((30, 50), 255, np.uint8)
    settings = PixelSettings(size_px=64)
    top, left, rows, columns = place_in_square(30, 50, settings)
    square = view(read, _png(pixels), settings).pixels[0]
    lit = np.argwhere(square == 255)
    assert lit.min(axis=0).tolist() == [top, left]
    assert lit.max(axis=0).tolist() == [top + rows - 1, left + columns - 1]
    assert place_in_square(30, 50, PixelSettings(size_px=64, fit="stretch")) == (0, 0, 64, 64)


def test_children_make_views_within_the_same_limits(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(_png(np.eye(40, dtype=np.uint8) * 255))
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:60])
    names = ["good.png", "cut.png"]
    with DecoderPool(1, SMALL, make=view_picture) as pool:
        found = dict(pool.decode((name, tmp_path / name) for name in names))
    assert isinstance(found["good.png"], View)
    assert found["good.png"].levels.codes.shape == (40, 40)
    failed = found["cut.png"]
    assert isinstance(failed, Failure)
    assert failed.code == "P10"


@pytest.mark.realdata
def test_a_real_ct_slice_has_pydicoms_hounsfield_units(real_data: Path, read: Read) -> None:
    files = sorted((real_data / "dicom" / "tcga_luad_ct_contrast").rglob("*.dcm"))[:3]
    assert files
    for file in files:
        header = dcmread(file)
        found = view(read, file.read_bytes())
        units = apply_modality_lut(header.pixel_array, header)
        assert np.array_equal(values(found.levels), units)
        assert found.modality == "CT"
        assert units.min() < -500
        assert len(found.levels.edges) == 4
