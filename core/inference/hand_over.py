"""Handing a trained student over: its folder copied, or packed into one file; needs no torch."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from core.errors import ExportError
from core.files import require_free, write_bytes, write_json
from core.inference.card import (
    CARD_FILE,
    ONNX_FILE,
    PARITY_FILE,
    README_FILE,
    WEIGHTS_FILE,
    ModelCard,
    open_card,
)
from core.runs.layout import RunFolder

FILES = (WEIGHTS_FILE, ONNX_FILE, PARITY_FILE, README_FILE, CARD_FILE)  # the card enters last
REPORT = "report.html"
MARKER = "handed_over"  # in the run's folder: that it has been, and when
PIECE = 1 << 20


def require_whole(folder: Path) -> ModelCard:
    """Verify every file of an export against the checksums on its card.

    Raises:
        ModelError: M40 to M42, the export is incomplete, damaged or changed.
    """
    card = open_card(folder, WEIGHTS_FILE)
    for name in card.files:
        open_card(folder, name)
    return card


def hand_over_files(run: RunFolder) -> dict[str, Path]:
    """What belongs to the hand-over folder of a run, by its name there: verified, and complete.

    The report goes along where there is one; it names no patient, file or path.

    Raises:
        ModelError: M40 to M42, the export is incomplete, damaged or changed.
    """
    require_whole(run.export)
    report = run.report / REPORT
    files = {REPORT: report} if report.is_file() else {}
    return files | {name: run.export / name for name in FILES if (run.export / name).is_file()}


def hand_over(run: RunFolder, target: Path) -> list[str]:
    """Copy the hand-over folder of `run` to `target`, whole or not at all.

    Args:
        run: A completed run.
        target: From `choose_target`.

    Returns:
        Names of the files.

    Raises:
        ModelError: M40 to M42, the export is incomplete, damaged or changed.
        ExportError: X12, the folder cannot be made.
        SystemError_: E01 or E02, it cannot be written or the disk is too small.
    """
    files = hand_over_files(run)
    require_free(
        target, sum(file.stat().st_size for file in files.values()), "The hand-over folder"
    )
    new = not target.exists()
    try:
        target.mkdir(exist_ok=True)
    except OSError as error:
        raise ExportError(
            "X12",
            f"The folder cannot be made there ({(error.strerror or 'unknown reason').lower()})",
            todo="Choose a place that you may write to.",
        ) from error
    try:
        _copy(files, target)
        require_whole(target)
    except BaseException:
        for name in files:
            (target / name).unlink(missing_ok=True)
        if new:
            target.rmdir()
        raise
    mark_handed_over(run)
    return list(files)


def choose_target(text: str, workspace: Path) -> Path:
    """The folder to copy to that the user has typed.

    Raises:
        ExportError: X10, it is no path of a folder; X11, it is there and not empty; X13, the
            folder that is to hold it is not there; X14, it lies in Bedside's own.
    """
    typed = text.strip().strip('"')
    target = Path(typed).expanduser()
    if not typed or not target.is_absolute():
        raise ExportError(
            "X10",
            "This is not the whole path of a folder",
            todo="Write it from its beginning, such as /media/usb/student or D:\\student.",
        )
    target = target.resolve()
    if target.is_relative_to(workspace.resolve()):
        raise ExportError(
            "X14",
            "The folder lies inside Bedside's own, where it would be lost",
            todo="Choose a place outside the workspace.",
        )
    if target.exists() and not target.is_dir():
        raise ExportError(
            "X10", "There is a file of that name", todo="Add the name of a new folder to the path."
        )
    if not target.parent.is_dir():
        raise ExportError(
            "X13",
            "The place where the folder is to be made is not there",
            todo="Check the spelling, or connect the drive.",
        )
    if target.is_dir() and next(target.iterdir(), None) is not None:
        raise ExportError(
            "X11",
            "The folder exists and is not empty; nothing in it is replaced",
            todo="Add the name of a new folder to the path, such as /student.",
        )
    return target


def mark_handed_over(run: RunFolder) -> None:
    """Note in the run that its student was handed over; where to is nobody's business."""
    write_json(run.path / MARKER, {"ts": datetime.now(UTC).isoformat(timespec="seconds")})


def zip_pieces(files: Mapping[str, Path], folder: str) -> Iterator[bytes]:
    """A .zip of `files`, piece by piece as it is made, with a flat memory.

    Args:
        files: Name in the archive's folder to file.
        folder: The one folder that the archive holds.
    """
    buffer = _Buffer()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # weights do not shrink
        for name, file in files.items():
            entry = zipfile.ZipInfo.from_file(file, f"{folder}/{name}")
            with file.open("rb") as source, archive.open(entry, "w") as target:
                while piece := source.read(PIECE):
                    target.write(piece)
                    yield buffer.take()
            yield buffer.take()
    yield buffer.take()


class _Buffer:
    """What `zipfile` writes to: a stream that cannot go back."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, content: bytes) -> int:
        self._held += content
        return len(content)

    def flush(self) -> None:
        """Nothing to do: `take` empties it."""

    def close(self) -> None:
        """Nothing to do either."""

    def take(self) -> bytes:
        """What has been written since the last call."""
        content = bytes(self._held)
        self._held.clear()
        return content


def _copy(files: Mapping[str, Path], target: Path) -> None:
    for name, file in files.items():
        write_bytes(target / name, file.read_bytes())
