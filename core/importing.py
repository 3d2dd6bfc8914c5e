"""From a folder of images to a data set that is divided and described: what the app and `data` do.

A folder keeps the result: ``manifest.parquet`` and ``dataset.json`` (the images), ``split.json``
(the division, only if there is one) and ``findings.json`` (the import report's content).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from core.config import RunConfig
from core.data.cache import PixelCache
from core.data.findings import VERSION, collect_findings, with_division
from core.data.manifest import Dataset, save_manifest
from core.data.scan import import_dataset
from core.data.split import Split, check_split, split_images
from core.errors import DataError, SplitError
from core.files import read_json, write_json
from core.types import Reporter

FINDINGS = "findings.json"
SPLIT = "split.json"


def import_images(
    config: RunConfig, workspace: Path, folder: Path, reporter: Reporter
) -> tuple[Dataset, dict[str, Any]]:
    """Read the images, then `divide_images`.

    Raises:
        DataError: The images cannot be read.
        SplitError: See `divide_images`.
        Stopped: The user asked to stop.
    """
    dataset = import_dataset(config.data, workspace, reporter)
    return divide_images(dataset, config, folder, reporter)


def intact_dataset(config: RunConfig, workspace: Path, reporter: Reporter) -> Dataset:
    """The images, decoded, each compared with its hash; what has rotted is read anew.

    Raises:
        DataError: The images cannot be read, or what is read anew is not what the hashes say.
        Stopped: The user asked to stop.
    """
    dataset = import_dataset(config.data, workspace, reporter)
    damage = _damage(dataset, reporter)
    if damage is None:
        return dataset
    reporter.alert("warning", "I19", f"{damage.what}; they are read from your files again")
    rotten = dataset.folder.rename(dataset.folder.with_name(f"rotten-{dataset.id}"))
    try:  # whole pictures are taken over from the rotten folder, by their hashes
        dataset = import_dataset(config.data, workspace, reporter)
    except BaseException:
        if not dataset.folder.exists():
            rotten.rename(dataset.folder)
        raise
    shutil.rmtree(rotten, ignore_errors=True)
    damage = _damage(dataset, reporter)
    if damage is not None:
        raise damage
    return dataset


def _damage(dataset: Dataset, reporter: Reporter) -> DataError | None:
    reporter.phase("verify", "Checking that the decoded images are intact")
    try:
        PixelCache(dataset.folder).verify(dataset.usable())
    except DataError as error:
        return DataError(error.code, error.what, item=error.item, todo=error.todo)
    return None


def divide_images(
    dataset: Dataset, config: RunConfig, folder: Path, reporter: Reporter
) -> tuple[Dataset, dict[str, Any]]:
    """Divide the patients, and look for what a physician should know.

    The findings are collected and kept even if the patients cannot be divided, because they say
    why; of an unchanged data set they are not collected again.

    Args:
        dataset: The images.
        config: How to divide them.
        folder: Where the result is kept.
        reporter: Told the phases and their progress.

    Returns:
        The data set with its split, and the findings.

    Raises:
        SplitError: The patients cannot be divided as asked; ``findings.json`` is there all the
            same.
        Stopped: The user asked to stop.
    """
    (folder / SPLIT).unlink(missing_ok=True)
    save_manifest(dataset, folder)  # shown even if the patients cannot be divided
    reporter.phase("split", "Dividing the patients")
    try:
        dataset, division = _divide(dataset, config)
    except SplitError as error:
        facts = ("code", "what", "item", "todo")
        problem = {"problem": {name: getattr(error, name) for name in facts}}
        _describe(dataset, problem, folder, reporter)
        raise
    save_manifest(dataset, folder)
    write_json(folder / SPLIT, division)
    return dataset, _describe(dataset, division, folder, reporter)


def _divide(dataset: Dataset, config: RunConfig) -> tuple[Dataset, dict[str, Any]]:
    split: Split = split_images(dataset.images, dataset.task, config.split)
    dataset = dataset.with_images(split.applied(dataset.images))
    check_split(dataset.images)
    return dataset, split_facts(split, config)


def split_facts(split: Split, config: RunConfig) -> dict[str, Any]:
    """What ``split.json`` of a project or a run says."""
    return {
        "sha256": split.sha256,
        "sentence": split.sentence,
        "notes": list(split.notes),
        "origin": split.origin,
        "settings": config.split.model_dump(mode="json", exclude={"file"}),
    }


def _describe(
    dataset: Dataset, division: dict[str, Any], folder: Path, reporter: Reporter
) -> dict[str, Any]:
    found = _known(folder, dataset) or collect_findings(dataset, reporter)
    found = with_division(found, dataset.images, dataset.classes, division)
    write_json(folder / FINDINGS, found)
    return found


def _known(folder: Path, dataset: Dataset) -> dict[str, Any] | None:
    """Findings about the same images, collected before."""
    try:
        found: dict[str, Any] = read_json(folder / FINDINGS)
        fits = found["version"] == VERSION and found["sha256"] == dataset.sha256
        return found if fits and found["dataset"] == dataset.id else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
