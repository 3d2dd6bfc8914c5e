"""NIfTI, MHA and NRRD: volumes as series of slices, cut where their pixels are finest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.config import PixelSettings
from core.data.frames import chosen_frames
from core.data.grey import UNKNOWN_UNIT, Grey
from core.data.picture import Array, Failure, Place, Raster
from core.data.pixels import FALLBACK_PERCENTILES, PRESETS, render
from core.data.readers.base import READERS
from core.data.versions import versioned
from core.data.volume_files import VolumeFile, check_volume, volume_kind
from core.errors import DataError

AXES = ("sagittal", "coronal", "axial")  # x, y and z once the patient lies as DICOM has it (LPS)
SAME_SPACING = 1.01  # distances closer than this are equal: then axial slices
SAMPLE = 500_000  # voxels from which the range of a volume is taken
FEW_VALUES = 8


class VolumeReader:
    """Volumes of research tools; they name no patient."""

    suffixes: tuple[str, ...] = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr")
    damaged = ("P20", "The volume is damaged or cut short")
    labelled = False

    def recognises(self, head: bytes) -> bool:
        """By the magic of NIfTI (packed or not) and NRRD, or the first key of MHA."""
        return volume_kind(head) != ""

    def read(
        self, content: bytes, settings: PixelSettings, temporary: Path
    ) -> Iterator[Raster | Failure]:
        """Decode the chosen slices; several volumes in time follow one another.

        Raises:
            DataError: P20 to P23; see `core.data.volume_files`.
        """
        volumes = _volumes(_decoded(check_volume(content), temporary))
        cut = _Cut.of(volumes[0], settings.slice_axis)
        each = volumes[0].values.shape[cut.place]
        scale = _Scale.of(volumes, settings)
        for frame in chosen_frames(each * len(volumes), settings):
            volume = volumes[frame // each]
            values = cut.slice(volume.values, frame % each)
            pixels, window = scale.shown(values)
            yield Raster(
                pixels=pixels,
                bits=scale.bits,
                modality="",
                decoder=versioned("SimpleITK"),
                window=window,
                notes=(f"{AXES[2 - cut.place]} slices", *scale.notes),
                place=cut.placed(volume, frame, frame % each, each * len(volumes)),
                stored=None if scale.colour else values,
                grey=scale.grey(),
            )

    def tag(self, content: bytes, name: str) -> str:
        """Volumes have no header fields to label by."""
        return ""


@dataclass(frozen=True)
class _Volume:
    """One volume as the patient lies: x to the left, y to the back, z to the head.

    Attributes:
        values: ``[Z, Y, X]`` or ``[Z, Y, X, 3]``.
        spacing: Millimetres along x, y, z.
        origin: Of the first voxel.
        directions: Columns are the directions of x, y, z; ``[3, 3]``.
    """

    values: Array
    spacing: tuple[float, ...]
    origin: Array
    directions: Array


def _decoded(file: VolumeFile, temporary: Path) -> Any:
    import SimpleITK as sitk  # 0.3 s and 100 MB that most data sets never need

    path = temporary / f"volume{file.suffix}"
    try:
        path.write_bytes(file.content)
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)  # type: ignore[no-untyped-call]
        return sitk.ReadImage(str(path), imageIO=file.reader)
    except RuntimeError as error:
        raise DataError("P20", "The volume is damaged or cut short") from error
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _volumes(image: Any) -> list[_Volume]:
    """Every three-dimensional volume of an image, turned to LPS."""
    import SimpleITK as sitk

    if image.GetDimension() == 2:
        image = sitk.JoinSeries(image)  # type: ignore[no-untyped-call]
    series = (
        [image[:, :, :, time] for time in range(image.GetSize()[3])]
        if (image.GetDimension() == 4)
        else [image]
    )
    found = []
    for volume in series:
        turned: Any = sitk.DICOMOrient(volume, "LPS")  # type: ignore[no-untyped-call]
        found.append(
            _Volume(
                np.asarray(sitk.GetArrayFromImage(turned)),
                tuple(turned.GetSpacing()),
                np.array(turned.GetOrigin()),
                np.array(turned.GetDirection()).reshape(3, 3),
            )
        )
    if found[0].values.ndim == 4 and found[0].values.shape[3] != 3:
        raise DataError("P23", "The volume is of a kind that is not read")
    return found


@dataclass(frozen=True)
class _Cut:
    """The direction of the slices.

    Attributes:
        place: Axis of the array ``[Z, Y, X]`` that is cut: 0 axial, 1 coronal, 2 sagittal.
    """

    place: int

    @classmethod
    def of(cls, volume: _Volume, wanted: str) -> _Cut:
        """The axis asked for, else the one of the largest distance."""
        if wanted in AXES:
            return cls(2 - AXES.index(wanted))
        x, y, z = volume.spacing
        largest = max(x, y, z)
        return cls(next(i for i, mm in enumerate((z, y, x)) if mm * SAME_SPACING >= largest))

    def slice(self, values: Array, index: int) -> Array:
        """One slice as it is looked at: front or head at the top, the patient's right at left."""
        cut: Array = np.take(values, index, axis=self.place)
        return cut if self.place == 0 else cut[::-1]

    def placed(self, volume: _Volume, frame: int, index: int, frames: int) -> Place:
        """Where a slice lies."""
        x, y, z = volume.directions.T
        row, column, normal, step = [
            (x, y, z, volume.spacing[2]),
            (x, -z, y, volume.spacing[1]),
            (y, -z, x, volume.spacing[0]),
        ][self.place]
        rows = volume.spacing[1] if self.place == 0 else volume.spacing[2]
        columns = volume.spacing[1] if self.place == 2 else volume.spacing[0]
        directions = (f"{value:.2f}" for value in (*row, *column))
        return Place(
            frame=frame,
            frames=frames,
            orientation=",".join(directions).replace("-0.00", "0.00"),
            position_mm=float(volume.origin @ normal) + index * step,
            number=frame + 1,
            row_mm=float(rows),
            column_mm=float(columns),
            spacing="patient",
        )


@dataclass(frozen=True)
class _Scale:
    """How a volume's values become [0, 1]: alike in all its slices."""

    settings: PixelSettings
    bits: int
    colour: bool
    low: float
    high: float
    words: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, volumes: list[_Volume], settings: PixelSettings) -> _Scale:
        """Full range up to 8 bits, percentiles of all voxels above."""
        values = volumes[0].values
        if values.ndim == 4:
            if values.dtype != np.uint8:
                raise DataError("P23", "The volume is of a kind that is not read")
            return cls(settings, 8, True, 0, 255, "colour, full range")
        step = max(1, len(volumes) * values.size // SAMPLE)
        sample = np.concatenate([volume.values.ravel()[::step] for volume in volumes])
        sample = sample[np.isfinite(sample)]
        notes: tuple[str, ...] = ()
        if sample.dtype.kind in "iu" and len(np.unique(sample)) <= FEW_VALUES:
            notes = ("few different values: perhaps a mask, not an image",)
        if values.dtype == np.uint8:
            return cls(settings, 8, False, 0, 255, "full range 0..255 (volume)", notes)
        low, high = np.percentile(sample, FALLBACK_PERCENTILES) if len(sample) else (0.0, 0.0)
        if high <= low and len(sample):
            low, high = sample.min(), sample.max()
        lower, upper = FALLBACK_PERCENTILES
        words = f"percentiles {lower:g}-{upper:g} of the volume: {low:g}..{high:g}"
        return cls(settings, 16, False, float(low), float(high), words, notes)

    def grey(self) -> Grey:
        """The same for a viewer: the range is the one window, and the unit is not known."""
        span = self.high - self.low if self.high > self.low else 1.0
        whole = (self.low + span / 2, span)
        return Grey(self.bits, True, windows=(whole,), function="LINEAR_EXACT", unit=UNKNOWN_UNIT)

    def shown(self, values: Array) -> tuple[Array, str]:
        """One slice as pixels, and the window in words."""
        if self.colour:
            return np.ascontiguousarray(values), self.words
        wanted = self.settings.window_name.strip().casefold()
        if self.settings.window is not None or wanted in PRESETS:
            return render(values, self.grey(), self.settings.window, wanted)
        span = self.high - self.low if self.high > self.low else 1.0
        finite = np.nan_to_num(values.astype(np.float64), nan=self.low, posinf=self.high)
        shown = np.clip((finite - self.low) / span, 0.0, 1.0)
        return shown.astype(np.float32), self.words


READERS.register("volume", __name__)(VolumeReader())
