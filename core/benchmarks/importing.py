"""What an import costs beside bare decoding, where the time goes, and how much memory it takes.

Import and bare decoding alternate and the medians are compared, so that a busy machine slows both
alike. Bare decoding is one library in a plain loop on one core; the import is all of it: children
started, labels, hashes, cache, journal and manifest written. The files are made here.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from pydicom import dcmread
from rich.table import Table

from core.benchmarks.base import BENCHMARKS
from core.benchmarks.made_files import write_pictures, write_slices, write_small_pictures
from core.benchmarks.peak import measure_peak
from core.benchmarks.stages import time_stages
from core.config import DataSettings
from core.data.decoding import workers_for
from core.data.scan import import_dataset
from core.types import Reporter, SilentReporter

SIZES = (1_000, 10_000)
LARGE = 100_000
MOST_MB = 1_000.0
SHOWN_SPLIT = "cost of one image, µs"


def decode_slice(path: Path) -> None:
    """Bare decoding of a DICOM file."""
    _ = dcmread(path).pixel_array


def decode_picture(path: Path) -> None:
    """Bare decoding of a PNG file."""
    with Image.open(path) as image:
        image.load()


@dataclass(frozen=True)
class Rival:
    """One kind of files, and the library the import is compared with.

    Attributes:
        name: Of the ratio.
        kind: Of the files, in words.
        write: Makes the files.
        decode: Bare decoding of one of them.
        least: The ratio to be reached.
    """

    name: str
    kind: str
    write: Callable[[Path, int], list[Path]]
    decode: Callable[[Path], None]
    least: float


RIVALS = (
    Rival("dicom_over_pydicom", "DICOM, 512 px, 16 bits", write_slices, decode_slice, 1.6),
    Rival("png_over_pillow", "PNG, 256 px, 8 bits", write_pictures, decode_picture, 1.0),
)


@dataclass(frozen=True)
class ImportCosts:
    """The ratios to bare decoding, the cost split of one image, and the peak of the memory.

    Attributes:
        files: Of each kind, for the ratios.
        split: Files of each kind, for the cost split.
        repeats: Of import and bare decoding, for the ratios.
        sizes: Numbers of small images for the memory.
    """

    files: int = 1_000
    split: int = 200
    repeats: int = 3
    sizes: tuple[int, ...] = SIZES

    def measure(
        self, reporter: Reporter, folders: Sequence[Path] = (), *, scale: bool = False
    ) -> dict[str, Any]:
        """Measure on files made for it; needs no images.

        Returns:
            ``dicom_over_pydicom`` and ``png_over_pillow`` (medians of images per second, import
            over bare decoding), ``kinds`` with the figures behind them, ``stages`` (microseconds
            per image, see `core.benchmarks.stages`), ``peak_mb`` and ``seconds`` by the number of
            images; besides ``files``, ``repeats`` and ``workers``.
        """
        kinds, stages = {}, {}
        for rival in RIVALS:
            with tempfile.TemporaryDirectory(prefix="bedside-bench-") as folder:
                reporter.phase("bench", f"Writing {self.files:,} files: {rival.kind}")
                files = rival.write(Path(folder) / "images", self.files)
                kinds[rival.name] = self._compare(rival, files, Path(folder), reporter)
                reporter.phase("bench", f"Splitting the cost: {rival.kind}")
                stages[rival.name] = time_stages(files[: self.split])
        peaks = {
            str(count): _peak(count, reporter)
            for count in (*self.sizes, *((LARGE,) if scale else ()))
        }
        return {
            "benchmark": "import",
            **{name: found["ratio"] for name, found in kinds.items()},
            "kinds": kinds,
            "stages": stages,
            "peak_mb": {count: found["peak_mb"] for count, found in peaks.items()},
            "seconds": {count: found["seconds"] for count, found in peaks.items()},
            "files": self.files,
            "repeats": self.repeats,
            "workers": workers_for(self.files),
        }

    def table(self, result: dict[str, Any]) -> Table:
        """The ratios, the split, and the memory, each with what it should be."""
        shown = Table(
            "measured", "value", "wanted", "",
            title=f"Import of {result['files']:,} files by {result['workers']} processes",
            box=None, header_style="dim",
        )  # fmt: skip
        for rival in RIVALS:
            found = result["kinds"][rival.name]
            shown.add_row(f"{rival.kind}: import, images/s", f"{found['import_per_second']:.0f}")
            shown.add_row("  bare decoding, images/s", f"{found['bare_per_second']:.0f}")
            kept = _verdict(found["ratio"] >= rival.least)
            shown.add_row("  import / bare", f"{found['ratio']:.2f}", f"≥ {rival.least}", kept)
        for rival in RIVALS:
            shown.add_row(f"{rival.kind}: {SHOWN_SPLIT}")
            for stage, microseconds in result["stages"][rival.name].items():
                shown.add_row(f"  {stage}", f"{microseconds:.0f}")
        for count, peak in result["peak_mb"].items():
            name = f"{int(count):,} small images: peak, MB"
            shown.add_row(name, f"{peak:.0f}", f"≤ {MOST_MB:.0f}", _verdict(peak <= MOST_MB))
            shown.add_row("  seconds", f"{result['seconds'][count]:.1f}")
        return shown

    def _compare(
        self, rival: Rival, files: Sequence[Path], folder: Path, reporter: Reporter
    ) -> dict[str, Any]:
        settings = DataSettings(source=str(files[0].parents[1]))
        reporter.phase("bench", f"Timing {rival.kind}")
        bare, whole = [], []
        for repeat in range(self.repeats):
            started = time.perf_counter()
            for path in files:
                rival.decode(path)
            bare.append(len(files) / (time.perf_counter() - started))
            workspace = folder / f"workspace-{repeat}"
            workspace.mkdir()
            started = time.perf_counter()
            import_dataset(settings, workspace, SilentReporter())
            whole.append(len(files) / (time.perf_counter() - started))
            reporter.progress(repeat + 1, self.repeats)
        return {
            "ratio": statistics.median(whole) / statistics.median(bare),
            "import_per_second": statistics.median(whole),
            "bare_per_second": statistics.median(bare),
            "repeats": [
                {"import_per_second": ours, "bare_per_second": theirs}
                for ours, theirs in zip(whole, bare, strict=True)
            ],
        }


BENCHMARKS.register("import", __name__)(ImportCosts())


def _peak(count: int, reporter: Reporter) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="bedside-bench-") as name:
        folder = Path(name)
        reporter.phase("bench", f"Writing {count:,} small images")
        write_small_pictures(folder / "images", count)
        reporter.phase("bench", f"Importing {count:,} small images")
        return measure_peak(folder / "images", folder / "workspace")


def _verdict(kept: bool) -> str:
    return "kept" if kept else "missed"
