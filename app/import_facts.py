"""What an import found that needs a decision or a look, for the Data page; needs no torch."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from app.text import data as text
from core.data.attention import attention
from core.data.cache import PixelCache
from core.data.listing import listed_files, write_listing
from core.data.manifest import open_dataset, read_paths
from core.data.split_file import save_parts
from core.data.thumbnails import thumbnail_addresses
from core.errors import BedsideError, DataError
from core.evaluation.report_import import listed_images, render_import_report
from core.files import read_json
from core.projects import Project

Facts = dict[str, Any]
SHOWN = ("name", "title", "about", "value", "low", "high", "warning")


def describe_import(project: Project) -> Facts | None:
    """What the page shows; None where the images have not been looked through yet."""
    try:
        found = read_findings(project)
    except DataError:
        return None
    return {
        "items": attention(found),
        "shortcuts": [{name: each[name] for name in SHOWN} for each in found["shortcuts"]],
        "pattern": found["suggestions"][0] if found["suggestions"] else None,
        "leaks": _leaks(found),
        "divided": "sentence" in (found["division"] or {}),
    }


def read_findings(project: Project) -> Facts:
    """What `core.importing` wrote.

    Raises:
        DataError: I51, nothing, or it cannot be read.
    """
    try:
        found: Facts = read_json(project.folder / "findings.json")
        attention(found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError("I51", text.NO_FINDINGS, todo=text.CACHE_GONE_TODO) from error
    return found


def report_page(project: Project, workspace: Path, *, pictures: bool) -> str:
    """The import report as HTML, with thumbnails of copies and look-alikes where asked for.

    Raises:
        DataError: I51, nothing has been found yet.
    """
    found = read_findings(project)
    shown = None
    if pictures:
        try:
            dataset = open_dataset(project.folder, workspace)
            cache = PixelCache(dataset.folder)
            shown = thumbnail_addresses(dataset.images, cache, listed_images(found))
        except BedsideError:
            shown = None  # the decoded pictures are gone; the page says so elsewhere
    return render_import_report(found, project.title, shown)


def division_table(project: Project, workspace: Path) -> bytes:
    """The division as CSV, to be used again with ``split.file``.

    Raises:
        SplitError: T05, the patients are not divided.
    """
    dataset = open_dataset(project.folder, workspace)
    with tempfile.TemporaryDirectory(dir=workspace) as folder:
        target = Path(folder) / "division.csv"
        save_parts(target, dataset.images)
        return target.read_bytes()


def file_table(project: Project, workspace: Path) -> bytes:
    """The files that the findings are about, with their names, as CSV.

    Raises:
        DataError: I51, nothing has been found yet.
    """
    dataset = open_dataset(project.folder, workspace)
    rows = listed_files(read_findings(project), dataset.images, read_paths(dataset.folder))
    with tempfile.TemporaryDirectory(dir=workspace) as folder:
        target = Path(folder) / "files.csv"
        write_listing(rows, target)
        return target.read_bytes()


def _leaks(found: Facts) -> bool:
    """Whether the division that comes with the data puts, or may put, something in two parts."""
    proposed = found["proposed"]
    if not proposed or (found["division"] or {}).get("origin") == "new":
        return False
    by_pattern = (proposed["by_pattern"] or {}).get("patients", 0)
    return any(proposed["crossings"]["counts"].values()) or by_pattern > 0
