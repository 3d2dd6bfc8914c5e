"""Import: a folder of images becomes a manifest and a cache of decoded pictures.

The source is only ever read. The result appears whole or not at all, under a name made of the
folder's listing and the settings, so an unchanged folder is not read twice.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from core.config import DataSettings
from core.data import journal
from core.data.cache import PixelCache, require_room
from core.data.checks import label_conflicts
from core.data.decode import DecoderPool
from core.data.decoding import Wanted, decode_files, workers_for
from core.data.discover import Found, Listing
from core.data.import_notes import import_notes
from core.data.keys import keyed_hash, site_key
from core.data.manifest import Dataset, manifest_table, open_dataset, save_manifest, save_paths
from core.data.pattern import compile_pattern
from core.data.phantom import write_demo
from core.data.picture import Failure
from core.data.rows import Names, Row, absent_row, failed_row, picture_row, unread_row, uses_given
from core.data.series import arrange
from core.data.sources import Source, open_source
from core.data.tables import Label, Labelling, check_classes, label_files, natural
from core.data.tags import check_tag
from core.data.workplace import claim, clear_old, open_earlier, unpacking_folder
from core.errors import DataError
from core.files import private_folder, sha256_json
from core.types import Reporter, Stopped, Task

IMPORT_VERSION = 3  # raise it when decoding changes, so that old caches are not reused
DEMO = "demo"
AGAIN = "Import the images again."


def import_dataset(settings: DataSettings, workspace: Path, reporter: Reporter) -> Dataset:
    """Import a folder of images, or open it if it has been imported and has not changed.

    Args:
        settings: The folder, its labels, the pixel settings; ``"demo"`` writes the phantom first.
        workspace: Where data sets are kept.
        reporter: Told of the phase ``"import"`` and of every file; asked whether to stop.

    Raises:
        DataError: The folder or its label table cannot be used, or no image of it can.
        ConfigError: C11, the patient pattern is no pattern; C14, the label tag cannot be used.
        Stopped: The user asked to stop; what was decoded is of use to the next attempt.
    """
    names = Names(site_key(private_folder(workspace)), compile_pattern(settings.patient_pattern))
    if settings.labels == "tag":
        check_tag(settings.label_tag)
    root = _root(settings, workspace, reporter)
    reporter.phase("import", "Looking through the folder")
    source = open_source(root)
    datasets = private_folder(workspace / "datasets")
    folder = datasets / _identity(settings, root, source, names)
    known = _existing(folder)
    if known is not None:
        return known
    clear_old(datasets)
    working = claim(folder)
    try:
        with source.opened(unpacking_folder(folder)):
            work = _Import(settings, source, names, reporter)
            dataset = work.build(working, folder, _origin(settings, root, names))
    except BaseException:
        if not journal.holds_pictures(working):
            shutil.rmtree(working, ignore_errors=True)
        raise
    try:
        working.rename(folder)
    except OSError:
        shutil.rmtree(working, ignore_errors=True)
        if not folder.exists():  # else another import of the same folder was faster
            raise
    return dataset


@dataclass
class _Import:
    """One import: what is read from, and what has been found so far.

    Attributes:
        paths: Image id to the file's relative path.
        conflicts: Files for which header and table name different patients.
        classes: Names that files themselves gave, in their order.
        findings: Whether those names are findings, any number for one picture.
    """

    settings: DataSettings
    source: Source
    names: Names
    reporter: Reporter
    paths: dict[str, str] = field(default_factory=dict)
    conflicts: set[str] = field(default_factory=set)
    classes: tuple[str, ...] = ()
    findings: set[bool] = field(default_factory=set)

    def build(self, working: Path, folder: Path, origin: Mapping[str, Any]) -> Dataset:
        """Decode everything into `working`; the data set returned names `folder`."""
        listing: Listing = self.source.listing
        found = [file.relative for file in listing.found]
        labelling = label_files(self.source.root, found, self.settings, self.source.path)
        require_room(working, len(found), self.settings.pixels.size_px)
        wanted = self._wanted(labelling)
        channels = self._decode(wanted, working, origin)
        rows = self._rows(labelling, {each.relative for each in wanted}, working / journal.NAME)
        images, remarks = arrange(manifest_table(rows))
        images = _without_contradictions(images)
        if not (images["code"] == "").any():
            raise _nothing_usable(images)
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
        save_manifest(dataset, working)
        save_paths(self.paths, working)
        return dataset

    def _wanted(self, labelling: Labelling) -> list[Wanted]:
        """The files to decode: those with a label, or that may bring their own."""
        facts = {name: (size, mtime) for name, size, mtime in self.source.listing.facts}
        given = uses_given(self.settings)
        return [
            Wanted(file.relative, self.names.image(file.relative), *facts[file.relative])
            for file in self.source.listing.found
            if not file.code
            and ((file.labelled and given) or not labelling.files[file.relative].code)
        ]

    def _decode(self, wanted: list[Wanted], working: Path, origin: Mapping[str, Any]) -> int:
        """Decode into journal and cache; returns the cache's channels."""
        self.reporter.phase("import", f"Reading {len(wanted):,} files")
        size_px = self.settings.pixels.size_px
        tag = self.settings.label_tag if self.settings.labels == "tag" else ""
        earlier = open_earlier(working.parent, origin, working)
        with (
            contextlib.closing(journal.Journal(working, size_px, origin)) as opened,
            DecoderPool(
                workers_for(len(wanted)), self.settings.pixels, key=self.names.key, label_tag=tag
            ) as pool,
        ):
            decode_files(wanted, self.source, opened, earlier, pool, self.reporter)
            opened.finish()
            return opened.cache.channels

    def _rows(self, labelling: Labelling, wanted: set[str], path: Path) -> Iterator[Row]:
        """The manifest's rows in the order of the files; notes their paths and what they say."""
        places = {file: place for file, _, _, place in journal.entry_places(path)}
        for file in self.source.listing.found:
            label = labelling.files[file.relative]
            if file.relative not in wanted:
                yield self._named(unread_row(self.names, file, label), file.relative)
                continue
            entry = journal.entry_at(path, places[self.names.image(file.relative)])
            if entry is None:
                raise DataError("I08", "What was read of the images is damaged", todo=AGAIN)
            for decoded in entry.results:
                yield self._named(self._row(file, label, decoded), file.relative)
        for name, label in labelling.absent.items():
            yield self._named(absent_row(self.names, name, label), name)

    def _named(self, row: Row, relative: str) -> Row:
        self.paths[row["image"]] = relative
        return row

    def _row(self, file: Found, label: Label, decoded: journal.Decoded) -> Row:
        result = decoded.result
        if isinstance(result, Failure):
            return failed_row(self.names, file, label, result)
        if self.names.disagree(label, result):
            self.conflicts.add(file.relative)
        if result.given.labels is not None:
            self.classes = result.given.classes or self.classes
            self.findings.add(result.given.findings)
        row = picture_row(self.names, file, label, result, self.settings)
        return row | {"row": -1 if row["code"] else decoded.row}

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


def _root(settings: DataSettings, workspace: Path, reporter: Reporter) -> Path:
    if settings.source != DEMO:
        return Path(settings.source).expanduser().absolute()

    def drawn(done: int, total: int) -> None:
        if done == 1:
            reporter.phase("demo", "Drawing the synthetic patients")
        if reporter.stop_requested():
            raise Stopped
        reporter.progress(done, total)

    return write_demo(workspace / "demo-data", progress=drawn)


def _identity(settings: DataSettings, root: Path, source: Source, names: Names) -> str:
    """Name of the data set's folder: equal for an unchanged source and equal settings."""
    facts: Mapping[str, Any] = {
        "version": IMPORT_VERSION,
        "source": str(root),
        "listing": source.listing.fingerprint,
        "settings": settings.model_dump(mode="json", exclude={"source"}),
        "decoders": _decoders(),
    }
    return keyed_hash(names.key, "dataset", sha256_json(facts))


def _origin(settings: DataSettings, root: Path, names: Names) -> Mapping[str, Any]:
    """What decides how a file is decoded: pictures of another import with the same can be used."""
    facts = {
        "version": IMPORT_VERSION,
        "source": str(root),
        "pixels": settings.pixels.model_dump(mode="json"),
        "label_tag": settings.label_tag if settings.labels == "tag" else "",
        "decoders": _decoders(),
    }
    return {"origin": keyed_hash(names.key, "origin", sha256_json(facts))}


def _decoders() -> list[str]:
    return [version(name) for name in ("Pillow", "pydicom", "SimpleITK")]


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


def _nothing_usable(images: pd.DataFrame) -> DataError:
    what = "No image in the folder can be used. "
    if images.empty:
        todo = "Choose the folder that holds the images, or one above it."
        return DataError("I03", what + "It holds no image", todo=todo)
    counts = images.groupby(["code", "reason"]).size().sort_values(ascending=False)
    code, reason = counts.index[0]
    if code == "L01":
        return DataError(
            "L17",
            "The images have no labels: most lie in no class folder, and there is no table",
            todo="Put the images into one folder for each class, or a table labels.csv beside "
            "them; of DICOM files a header field can be the label, too.",
        )
    todo = "Choose another folder, or mend what is named."
    return DataError("I03", f"{what}Most frequent reason: [{code}] {reason}", todo=todo)
