"""What an import found, as the Data page shows it. Reads the manifest; needs no torch."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pandas as pd

from app.observe import project_version
from app.text import data as text
from core.data.import_notes import frame_notes, import_notes
from core.data.manifest import Dataset, open_dataset, read_paths
from core.errors import DataError
from core.projects import Project
from core.types import SplitName

PARTS = tuple(part.value for part in SplitName)
KEPT = 4  # projects kept read
MOST_NAMES = 500  # names of unusable files in one answer
SHOWN_HASH = 8  # digits of a patient's pseudonym on the page


class Findings:
    """The manifests of the workspace's projects, read once for every change.

    Args:
        workspace: The workspace.
    """

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._known: OrderedDict[str, tuple[int, Dataset, dict[str, Any]]] = OrderedDict()
        self._lock = threading.Lock()

    def dataset(self, project: Project) -> Dataset:
        """What the project's last import found.

        Raises:
            DataError: I07, nothing, or its tables are damaged.
        """
        return self._read(project)[1]

    def summary(self, project: Project) -> dict[str, Any]:
        """Counts, facts, balance of the classes and what could not be used."""
        return self._read(project)[2]

    def _read(self, project: Project) -> tuple[int, Dataset, dict[str, Any]]:
        version = project_version(project)
        with self._lock:
            known = self._known.get(project.id)
            if known is None or known[0] != version:
                dataset = open_dataset(project.folder, self._workspace)
                known = (version, dataset, summarise(dataset))
                self._known[project.id] = known
            self._known.move_to_end(project.id)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
            return known


def summarise(dataset: Dataset) -> dict[str, Any]:
    """A data set in figures and words."""
    usable = dataset.usable()
    excluded = dataset.excluded()
    return {
        "dataset": dataset.id,
        "synthetic": dataset.synthetic,
        "multilabel": dataset.task.value == "multilabel",
        "usable": len(usable),
        "facts": _facts(dataset, usable),
        "balance": _balance(dataset, usable),
        "divided": bool((usable["split"] != "").all()),
        "excluded": excluded.to_dict("records"),
        "out": text.OUT.format(count=len(dataset.images) - len(usable), total=len(dataset.images))
        if len(excluded)
        else "",
        "notes": [*_notes(dataset, usable), *_ignored(dataset.ignored)],
    }


def image_list(dataset: Dataset) -> dict[str, Any]:
    """Every usable image in few bytes: its row in the cache, its labels and its part."""
    usable = dataset.usable()
    place = {name: index for index, name in enumerate(dataset.classes)}
    return {
        "dataset": dataset.id,
        "synthetic": dataset.synthetic,
        "classes": list(dataset.classes),
        "rows": usable["row"].tolist(),
        "labels": [[place[name] for name in labels] for labels in usable["labels"]],
        "splits": [PARTS.index(part) if part in PARTS else -1 for part in usable["split"]],
    }


def image_facts(dataset: Dataset, row: int) -> list[tuple[str, str]]:
    """What is known of one image, as (name, words).

    Raises:
        DataError: I47, there is none in that row.
    """
    image = _find(dataset, row)
    origin = text.PATIENT_SOURCES.get(image["patient_source"], image["patient_source"])
    start = image["patient"][:SHOWN_HASH]
    values = {
        "label": ", ".join(image["labels"]) or text.NO_FINDING,
        "split": text.SPLITS[image["split"]],
        "patient": text.PSEUDONYM.format(start=start, origin=origin),
        "size": f"{image['width']:,} × {image['height']:,} px",
        "kept": text.KEPT.format(side=dataset.pixels.size_px, bits=16 if image["bits"] > 8 else 8),
        "place": _place(image),
        "spacing": _spacing(image),
        "bits": text.BITS.format(bits=image["bits"]),
        "modality": _modality(image["modality"]),
        "window": image["window"],
        "decoder": image["decoder"],
        "notes": image["notes"],
        "image": image["image"],
    }
    return [(text.ONE[key], str(value)) for key, value in values.items() if value]


def _place(image: dict[str, Any]) -> str:
    slice_ = text.PLACE_SLICE.format(number=image["slice"]) if image["slice"] else ""
    frame = (
        text.PLACE_FRAME.format(number=image["frame"] + 1, all=image["frames"])
        if image["frames"] > 1
        else ""
    )
    return ", ".join(filter(None, (slice_, frame)))


def _spacing(image: dict[str, Any]) -> str:
    if not image["spacing"]:
        return ""
    origin = text.SPACING_OF[image["spacing"]]
    return text.SPACING.format(rows=image["row_mm"], columns=image["column_mm"], origin=origin)


def file_name(dataset: Dataset, row: int) -> str:
    """The image's path below the source; for the user's own screen only."""
    return _paths(dataset).get(str(_find(dataset, row)["image"]), "")


def unusable_names(dataset: Dataset, code: str) -> dict[str, Any]:
    """Names of the files that could not be used for one reason; for the user's own screen only."""
    images = dataset.images
    rows = images[(images["code"] == code) & (code != "")]
    paths = _paths(dataset)
    names = sorted((paths.get(image, ""), reason) for image, reason in zip(
        rows["image"], rows["reason"], strict=True))  # fmt: skip
    shown = [{"name": name, "reason": reason} for name, reason in names[:MOST_NAMES]]
    return {"names": shown, "more": max(0, len(names) - MOST_NAMES)}


def _notes(dataset: Dataset, usable: pd.DataFrame) -> list[str]:
    """What the import said, without what `core.data.attention` says better."""
    better = {*import_notes(dataset.images, conflicts=0)} - {*frame_notes(usable)}
    return [note for note in dataset.notes if note not in better]


def _ignored(number: int) -> list[str]:
    words = text.IGNORED if number == 1 else text.IGNORED_MANY.format(count=number)
    return [words] if number else []


def _find(dataset: Dataset, row: int) -> dict[str, Any]:
    usable = dataset.usable()
    found = usable[usable["row"] == row]
    if found.empty:
        raise DataError("I47", text.NO_SUCH_IMAGE, todo=text.CACHE_GONE_TODO)
    return {str(name): value for name, value in found.iloc[0].items()}


def _paths(dataset: Dataset) -> dict[str, str]:
    try:
        return read_paths(dataset.folder)
    except (OSError, ValueError, KeyError):
        return {}


def _facts(dataset: Dataset, usable: pd.DataFrame) -> list[dict[str, str]]:
    sources = usable["patient_source"].value_counts()
    origin = [
        text.PATIENT_SOURCES.get(str(name), str(name))
        + (f" ({count:,} images)" if len(sources) > 1 else "")
        for name, count in sources.items()
    ]
    classes = ", ".join(dataset.classes)
    kind = text.FACT_FINDINGS if dataset.task.value == "multilabel" else text.FACT_CLASSES
    bits = sorted(usable["bits"].unique().tolist())
    grey = (
        text.BITS.format(bits=" / ".join(map(str, bits))),
        _each(usable["bits"].map(lambda number: text.BITS.format(bits=number))),
    )
    kinds = usable["modality"].map(_modality)
    named = kinds[kinds != text.UNSTATED].value_counts().index[:2].tolist()
    modality = " / ".join(named) or text.UNSTATED, _each(kinds)
    facts = [
        (text.FACT_IMAGES, f"{len(usable):,}", ""),
        (text.FACT_PATIENTS, f"{usable['patient'].nunique():,}", "; ".join(origin)),
        (kind, f"{len(dataset.classes):,}", classes if len(classes) < 120 else ""),
        (text.FACT_SIZE, *_sizes(usable)),
        (text.FACT_BITS, *grey),
        (text.FACT_MODALITY, *modality),
    ]
    return [{"name": name, "value": value, "words": words} for name, value, words in facts]


def _sizes(usable: pd.DataFrame) -> tuple[str, str]:
    sizes = usable.groupby(["width", "height"]).size()
    if len(sizes) == 1:
        (width, height), *_ = sizes.index
        return f"{width:,} × {height:,} px", ""
    limits = [_span(usable[side]) for side in ("width", "height")]
    return " × ".join(limits) + " px", text.SIZES.format(count=len(sizes))


def _span(values: pd.Series[int]) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def _each(values: pd.Series[Any]) -> str:
    """How often each value occurs, in words; nothing where there is but one."""
    counts = values.value_counts()
    if len(counts) == 1:
        return ""
    return ", ".join(text.EACH.format(name=name, count=count) for name, count in counts.items())


def _modality(code: object) -> str:
    return text.MODALITIES.get(str(code), str(code)) or text.UNSTATED


def _balance(dataset: Dataset, usable: pd.DataFrame) -> list[dict[str, Any]]:
    """For every class, and for images without a finding: images and patients, whole and by part."""
    labels = usable["labels"].map(set)
    shown = {name: labels.map(lambda found, name=name: name in found) for name in dataset.classes}
    if dataset.task.value == "multilabel" and dataset.classes:
        shown[text.NO_FINDING] = labels.map(len) == 0
    lines = []
    for name, mask in shown.items():
        rows = usable[mask.to_numpy(dtype=bool)]
        parts = [rows[rows["split"] == part] for part in PARTS]
        lines.append(
            {
                "name": name,
                "images": len(rows),
                "patients": int(rows["patient"].nunique()),
                "parts": [[len(part), int(part["patient"].nunique())] for part in parts],
            }
        )
    return lines
