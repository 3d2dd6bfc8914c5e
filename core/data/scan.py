"""Import: a folder of images becomes a manifest and a cache of decoded pictures.

The source is only ever read. The result appears whole or not at all, under a name made of the
folder's listing and the settings, so an unchanged folder is not read twice.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import psutil

from core.config import DataSettings
from core.data.cache import CacheWriter, PixelCache, require_room
from core.data.checks import label_conflicts
from core.data.decode import DecoderPool
from core.data.discover import Found, Listing, list_folder, sniff_files
from core.data.keys import keyed_hash, site_key
from core.data.manifest import Dataset, manifest_table, open_dataset, save_manifest, save_paths
from core.data.phantom import write_demo
from core.data.picture import Failure, Picture
from core.data.tables import Label, Labelling, label_files
from core.errors import ConfigError, DataError
from core.files import private_folder, sha256_json
from core.types import Reporter, Stopped

IMPORT_VERSION = 1  # raise it when decoding changes, so that old caches are not reused
MOST_WORKERS = 8
FILES_PER_WORKER = 50  # a child takes half a second to start
DEMO = "demo"


def import_dataset(settings: DataSettings, workspace: Path, reporter: Reporter) -> Dataset:
    """Import a folder of images, or open it if it has been imported and has not changed.

    Args:
        settings: The folder, its labels, the pixel settings; ``"demo"`` writes the phantom first.
        workspace: Where data sets are kept.
        reporter: Told of the phase ``"import"`` and of every file; asked whether to stop.

    Raises:
        DataError: The folder or its label table cannot be used, or no image of it can.
        ConfigError: C11, the patient pattern is no pattern.
        Stopped: The user asked to stop; nothing is left behind.
    """
    pattern = _pattern(settings.patient_pattern)
    key = site_key(private_folder(workspace))
    root = _source(settings, workspace, reporter)
    reporter.phase("import", "Looking through the folder")
    listing = list_folder(root)
    folder = private_folder(workspace / "datasets") / _identity(settings, root, listing, key)
    known = _existing(folder)
    if known is not None:
        return known
    _clear_leftovers(folder.parent)
    building = folder.parent / f".{folder.name}.{os.getpid()}"
    try:
        sniff_files(root, listing)
        source = _Source(settings, root, listing, key, pattern)
        dataset = _build(source, private_folder(building), folder, reporter)
        try:
            building.rename(folder)
        except OSError:
            if not folder.exists():  # else another import of the same folder was faster
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return dataset


@dataclass(frozen=True)
class _Source:
    settings: DataSettings
    root: Path
    listing: Listing
    key: bytes
    pattern: re.Pattern[str] | None

    def name(self, relative: str) -> str:
        """The image's id: the keyed hash of its place and frame."""
        return keyed_hash(self.key, "image", f"{relative}#0")

    def patient(self, relative: str, label: Label, header: str = "") -> tuple[str, str]:
        """The patient's keyed hash and where it comes from."""
        if header:
            return header, "header"
        if label.patient:
            return keyed_hash(self.key, "patient", label.patient), "column"
        hit = self.pattern.search(PurePosixPath(relative).name) if self.pattern else None
        if hit and hit.group(1):
            return keyed_hash(self.key, "patient", hit.group(1)), "pattern"
        return keyed_hash(self.key, "lone image", relative), "image"


def _build(source: _Source, building: Path, folder: Path, reporter: Reporter) -> Dataset:
    """Decode everything into `building`; the data set returned names `folder`."""
    found = source.listing.found
    labelling = label_files(source.root, [file.relative for file in found], source.settings)
    reporter.phase("import", f"Reading {len(found)} images")
    require_room(building, len(found), source.settings.pixels.size_px)
    rows, conflicts, channels = _decode_all(source, labelling, building, reporter)
    rows += [_absent_row(source, name, label) for name, label in labelling.absent.items()]
    images = _without_contradictions(manifest_table(rows))
    if not (images["code"] == "").any():
        raise _nothing_usable(images)
    dataset = Dataset(
        folder=folder,
        id=folder.name,
        images=images,
        classes=labelling.classes,
        task=labelling.task,
        pixels=source.settings.pixels,
        channels=channels,
        synthetic=source.settings.source == DEMO,
        notes=(*labelling.notes, *_patient_notes(images, conflicts)),
        ignored=source.listing.ignored,
    )
    save_manifest(dataset, building)
    names = [*(file.relative for file in found), *labelling.absent]
    save_paths({row["image"]: name for row, name in zip(rows, names, strict=True)}, building)
    return dataset


def _decode_all(
    source: _Source, labelling: Labelling, building: Path, reporter: Reporter
) -> tuple[list[dict[str, Any]], int, int]:
    """Rows in the order of the files; disagreements on patients; channels of the cache."""
    found = {file.relative: file for file in source.listing.found}
    wanted = [name for name, file in found.items() if not (file.code or labelling.files[name].code)]
    rows: dict[str, dict[str, Any]] = {
        name: _unread_row(source, file, labelling.files[name]) for name, file in found.items()
    }
    conflicts = 0
    writer = CacheWriter(building, source.settings.pixels.size_px)
    with contextlib.closing(writer), _pool(source, len(wanted)) as pool:
        results = pool.decode((name, source.root / name) for name in wanted)
        for done, (name, result) in enumerate(results, start=1):
            if isinstance(result, Failure):
                _require_root(source.root, done, len(wanted), result)
                rows[name] |= {
                    "code": result.code,
                    "reason": result.reason,
                    "sha256": result.sha256,
                }
            else:
                label = labelling.files[name]
                rows[name] |= _picture_row(source, name, label, result)
                rows[name]["row"] = writer.append(result.pixels)
                conflicts += _disagrees(source, label, result)
            if reporter.stop_requested():
                raise Stopped
            reporter.progress(done, len(wanted))
        for row, sha256 in zip(
            [row for row in rows.values() if row.get("row", -1) >= 0], writer.finish(), strict=True
        ):
            row["pixels_sha256"] = sha256
        return list(rows.values()), conflicts, writer.channels


def _unread_row(source: _Source, file: Found, label: Label) -> dict[str, Any]:
    """What is known of a file before it is decoded, or of one that is not."""
    patient, origin = source.patient(file.relative, label)
    return {
        "image": source.name(file.relative),
        "labels": list(label.labels),
        "patient": patient,
        "patient_source": origin,
        "code": file.code or label.code,
        "reason": file.reason or label.reason,
    }


def _absent_row(source: _Source, name: str, label: Label) -> dict[str, Any]:
    """A row of the table whose file is not there; ``?`` keeps its id apart from any file's."""
    return _unread_row(source, Found(f"?{name}"), label)


def _picture_row(source: _Source, name: str, label: Label, picture: Picture) -> dict[str, Any]:
    patient, origin = source.patient(name, label, picture.patient)
    facts = ("sha256", "phash", "width", "height", "bits", "modality", "decoder", "window", "notes")
    return {
        "patient": patient,
        "patient_source": origin,
        **{fact: getattr(picture, fact) for fact in facts},
    }


def _disagrees(source: _Source, label: Label, picture: Picture) -> bool:
    """Whether the header and the table name different patients."""
    named = keyed_hash(source.key, "patient", label.patient) if label.patient else ""
    return bool(named and picture.patient and named != picture.patient)


def _without_contradictions(images: pd.DataFrame) -> pd.DataFrame:
    """Take out pictures that occur under two labels: at least one of the labels is wrong."""
    usable = images[images["code"] == ""]
    for group in label_conflicts(usable):
        index = usable.index[group]
        images.loc[index, "code"] = "L07"
        images.loc[index, "reason"] = (
            f"The same picture occurs {len(group)} times under different labels."
        )
        images.loc[index, "row"] = -1
    return images


def _patient_notes(images: pd.DataFrame, conflicts: int) -> list[str]:
    usable = images[images["code"] == ""]
    alone = int((usable["patient_source"] == "image").sum())
    notes = []
    if alone:
        notes.append(
            f"No patient is named for {alone} of {len(usable)} images; each counts as a patient of "
            "its own, so images of one patient may stand on both sides of the split."
        )
    if conflicts:
        notes.append(
            f"The table and the header name different patients for {conflicts} images; the header "
            "is used."
        )
    return notes


def _pool(source: _Source, files: int) -> DecoderPool:
    workers = min(MOST_WORKERS, os.cpu_count() or 1, 1 + files // FILES_PER_WORKER)
    return DecoderPool(workers, source.settings.pixels, key=source.key)


def _require_root(root: Path, done: int, total: int, failure: Failure) -> None:
    """Tell one unreadable file from a drive that is gone."""
    if failure.code == "I02" and not root.is_dir():
        raise DataError(
            "I01",
            f"The folder of images disappeared; {done - 1} of {total} images had been read",
            todo="Connect the drive again, then import again.",
        )


def _source(settings: DataSettings, workspace: Path, reporter: Reporter) -> Path:
    if settings.source != DEMO:
        return Path(settings.source).expanduser().absolute()

    def drawn(done: int, total: int) -> None:
        if done == 1:
            reporter.phase("demo", "Drawing the synthetic patients")
        if reporter.stop_requested():
            raise Stopped
        reporter.progress(done, total)

    return write_demo(workspace / "demo-data", progress=drawn)


def _identity(settings: DataSettings, root: Path, listing: Listing, key: bytes) -> str:
    """Name of the data set's folder: equal for an unchanged source and equal settings."""
    facts: Mapping[str, Any] = {
        "version": IMPORT_VERSION,
        "source": str(root),
        "listing": listing.fingerprint,
        "settings": settings.model_dump(mode="json", exclude={"source"}),
        "decoders": [version(name) for name in ("Pillow", "pydicom", "SimpleITK")],
    }
    return keyed_hash(key, "dataset", sha256_json(facts))


def _existing(folder: Path) -> Dataset | None:
    if not folder.exists():
        return None
    try:
        dataset = open_dataset(folder)
        PixelCache(folder)
    except DataError:
        shutil.rmtree(folder)  # damaged, and the source is at hand: import it again
        return None
    return dataset


def _clear_leftovers(folder: Path) -> None:
    """Remove what imports that were killed left behind."""
    for path in folder.glob(".*.*"):
        process = path.suffix.removeprefix(".")
        if process.isdecimal() and not psutil.pid_exists(int(process)):
            shutil.rmtree(path, ignore_errors=True)


def _nothing_usable(images: pd.DataFrame) -> DataError:
    what = "No image in the folder can be used. "
    if images.empty:
        todo = "Choose the folder that holds DICOM, PNG, JPEG or TIFF files, or one above it."
        return DataError("I03", what + "It holds no image", todo=todo)
    counts = images.groupby(["code", "reason"]).size().sort_values(ascending=False)
    code, reason = counts.index[0]
    todo = "Choose another folder, or mend what is named."
    if code == "L01":
        todo = "Put the images into one folder for each class, or a table labels.csv beside them."
    return DataError("I03", f"{what}Most frequent reason: [{code}] {reason}", todo=todo)


def _pattern(text: str) -> re.Pattern[str] | None:
    if not text:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise _no_pattern(f"it is not a regular expression ({error.msg})") from error
    if not pattern.groups:
        raise _no_pattern("it has no group in parentheses")
    return pattern


def _no_pattern(why: str) -> ConfigError:
    return ConfigError(
        "C11",
        f"The patient pattern cannot be used: {why}",
        item="data.patient_pattern",
        todo=r"An example: ^(\d+)_ takes the digits before the first underscore.",
    )
