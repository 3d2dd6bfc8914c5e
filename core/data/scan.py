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
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from core.config import DataSettings
from core.data.cache import CacheWriter, PixelCache, require_room
from core.data.checks import label_conflicts
from core.data.decode import DecoderPool
from core.data.discover import Listing
from core.data.import_notes import import_notes
from core.data.keys import keyed_hash, site_key
from core.data.manifest import Dataset, manifest_table, open_dataset, save_manifest, save_paths
from core.data.phantom import write_demo
from core.data.picture import Failure
from core.data.rows import Names, Row, absent_row, failed_row, picture_row, unread_row, uses_given
from core.data.series import arrange
from core.data.sources import Source, open_source, require_folder
from core.data.tables import Labelling, check_classes, label_files, natural
from core.data.tags import check_tag
from core.errors import ConfigError, DataError
from core.files import private_folder, sha256_json
from core.types import Reporter, Stopped, Task

IMPORT_VERSION = 2  # raise it when decoding changes, so that old caches are not reused
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
        ConfigError: C11, the patient pattern is no pattern; C14, the label tag cannot be used.
        Stopped: The user asked to stop; nothing is left behind.
    """
    names = Names(site_key(private_folder(workspace)), _pattern(settings.patient_pattern))
    if settings.labels == "tag":
        check_tag(settings.label_tag)
    reporter.phase("import", "Looking through the folder")
    root = _root(settings, workspace)
    source = open_source(root)
    folder = private_folder(workspace / "datasets") / _identity(settings, root, source, names)
    known = _existing(folder)
    if known is not None:
        return known
    _clear_leftovers(folder.parent)
    building = folder.parent / f".{folder.name}.{os.getpid()}"
    try:
        with source.opened(folder.parent / f".{folder.name}-files.{os.getpid()}"):
            work = _Import(settings, source, names, reporter)
            dataset = work.build(private_folder(building), folder)
        try:
            building.rename(folder)
        except OSError:
            if not folder.exists():  # else another import of the same folder was faster
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return dataset


@dataclass
class _Import:
    """One import: what is read from, and what has been found so far.

    Attributes:
        rows: File to its rows; one file may give several.
        conflicts: Files for which header and table name different patients.
        classes: Names that files themselves gave, in their order.
        findings: Whether those names are findings, any number for one picture.
    """

    settings: DataSettings
    source: Source
    names: Names
    reporter: Reporter
    rows: dict[str, list[Row]] = field(default_factory=dict)
    conflicts: set[str] = field(default_factory=set)
    classes: tuple[str, ...] = ()
    findings: set[bool] = field(default_factory=set)

    def build(self, building: Path, folder: Path) -> Dataset:
        """Decode everything into `building`; the data set returned names `folder`."""
        listing: Listing = self.source.listing
        found = [file.relative for file in listing.found]
        labelling = label_files(self.source.root, found, self.settings, self.source.path)
        self.reporter.phase("import", f"Reading {len(found)} files")
        require_room(building, len(found), self.settings.pixels.size_px)
        channels = self._decode(labelling, building)
        named = [(row, name) for name, rows in self.rows.items() for row in rows]
        named += [
            (absent_row(self.names, name, label), name) for name, label in labelling.absent.items()
        ]
        images, remarks = arrange(manifest_table(row for row, _ in named))
        images = _without_contradictions(images)
        if not (images["code"] == "").any():
            raise DataError("I03", "No image in the folder can be used. " + _most_frequent(images))
        classes, task = self._classes(images, labelling)
        dataset = Dataset(
            folder=folder,
            id=folder.name,
            images=images,
            classes=classes,
            task=task,
            pixels=self.settings.pixels,
            channels=channels,
            synthetic=self.settings.source == DEMO,
            notes=(*labelling.notes, *remarks, *import_notes(images, len(self.conflicts))),
            ignored=listing.ignored,
        )
        save_manifest(dataset, building)
        save_paths({row["image"]: name for row, name in named}, building)
        return dataset

    def _decode(self, labelling: Labelling, building: Path) -> int:
        """Decode every file into the cache; returns its channels."""
        files = {file.relative: file for file in self.source.listing.found}
        wanted = []
        for name, file in files.items():
            label = labelling.files[name]
            self.rows[name] = [unread_row(self.names, file, label)]
            inside = file.labelled and uses_given(self.settings)  # it may bring its own label
            if not file.code and (inside or not label.code):
                wanted.append(name)
                self.rows[name] = []
        writer = CacheWriter(building, self.settings.pixels.size_px)
        with contextlib.closing(writer), self._pool(len(wanted)) as pool:
            done, before = 0, ""
            for name, result in pool.decode((name, self.source.path(name)) for name in wanted):
                done += name != before
                before = name
                label = labelling.files[name]
                if isinstance(result, Failure):
                    if result.code == "I02":
                        require_folder(self.source, done - 1, len(wanted))
                    row = failed_row(self.names, files[name], label, result)
                else:
                    row = picture_row(self.names, files[name], label, result, self.settings)
                    row["row"] = -1 if row["code"] else writer.append(result.pixels)
                    if self.names.disagree(label, result):
                        self.conflicts.add(name)
                    if result.given.labels is not None:
                        self.classes = result.given.classes or self.classes
                        self.findings.add(result.given.findings)
                self.rows[name].append(row)
                if self.reporter.stop_requested():
                    raise Stopped
                self.reporter.progress(done, len(wanted))
            cached = [row for rows in self.rows.values() for row in rows if row.get("row", -1) >= 0]
            for row, sha256 in zip(cached, writer.finish(), strict=True):
                row["pixels_sha256"] = sha256
            return writer.channels

    def _classes(self, images: pd.DataFrame, labelling: Labelling) -> tuple[tuple[str, ...], Task]:
        """Classes and task: the labelling's, unless files brought their own."""
        if not self.findings or not uses_given(self.settings):
            return labelling.classes, labelling.task
        if len(self.findings) > 1:
            raise DataError(
                "L16",
                "Some files hold one class for each picture, others several findings",
                todo="Import them separately.",
            )
        usable = images[images["code"] == ""]
        classes = self.classes or sorted({name for names in usable["labels"] for name in names})
        check_classes(classes)
        task = Task.MULTILABEL if True in self.findings else Task.MULTICLASS
        return tuple(sorted(classes, key=natural) if not self.classes else classes), task

    def _pool(self, files: int) -> DecoderPool:
        workers = min(MOST_WORKERS, os.cpu_count() or 1, 1 + files // FILES_PER_WORKER)
        tag = self.settings.label_tag if self.settings.labels == "tag" else ""
        return DecoderPool(workers, self.settings.pixels, key=self.names.key, label_tag=tag)


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


def _root(settings: DataSettings, workspace: Path) -> Path:
    if settings.source == DEMO:
        return write_demo(workspace / "demo-data")
    return Path(settings.source).expanduser().absolute()


def _identity(settings: DataSettings, root: Path, source: Source, names: Names) -> str:
    """Name of the data set's folder: equal for an unchanged source and equal settings."""
    facts: Mapping[str, Any] = {
        "version": IMPORT_VERSION,
        "source": str(root),
        "listing": source.listing.fingerprint,
        "settings": settings.model_dump(mode="json", exclude={"source"}),
        "decoders": [version(name) for name in ("Pillow", "pydicom", "SimpleITK")],
    }
    return keyed_hash(names.key, "dataset", sha256_json(facts))


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


def _most_frequent(images: pd.DataFrame) -> str:
    if images.empty:
        return "It holds no image."
    counts = images.groupby(["code", "reason"]).size().sort_values(ascending=False)
    code, reason = counts.index[0]
    return f"Most frequent reason: [{code}] {reason}"


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
