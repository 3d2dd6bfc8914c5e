"""What an import found, as plain values: what the import report shows, on its page and as a file.

Nothing here identifies anybody: images and patients are keyed hashes, files have no names.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from core.data.alike import copies, look_alikes
from core.data.cache import PixelCache
from core.data.crossings import find_crossings
from core.data.manifest import Dataset, read_paths
from core.data.pattern import compile_pattern, patient_in, suggest_patterns
from core.data.shortcuts import find_shortcuts
from core.data.split import PARTS, proposed_parts
from core.types import Reporter

VERSION = 1
PATHS_NAME = "paths.parquet"
SHOWN = 12  # entries of a list of sizes, modalities, windows
LISTED = 200  # patients in several classes
Json = dict[str, Any]


def collect_findings(dataset: Dataset, reporter: Reporter) -> Json:
    """Everything the import report says about a data set.

    Args:
        dataset: Imported; divided or not.
        reporter: Told the phases ``"compare"`` and ``"shortcuts"``.

    Returns:
        Values that can be written as JSON; the keys are those of the sections of the report.
    """
    usable = dataset.usable()
    reporter.phase("compare", "Looking for copies and look-alikes")
    found: Json = {
        "version": VERSION,
        "dataset": dataset.id,
        "sha256": dataset.sha256,
        "synthetic": dataset.synthetic,
        "task": dataset.task.value,
        "totals": _totals(dataset, usable),
        "excluded": _excluded(dataset),
        "notes": list(dataset.notes),
        "patients": _patients(usable),
        "classes": _classes(dataset, usable),
        "pictures": _pictures(usable),
        "copies": copies(dataset.images),
        "alike": look_alikes(dataset.images, PixelCache(dataset.folder)),
        "division": None,
    }
    names = _unnamed(dataset, usable)
    found["suggestions"] = _suggestions(names)
    found["proposed"] = _proposed(usable, names, found["suggestions"])
    reporter.phase("shortcuts", "Checking whether size, brightness or border give the label away")
    found["shortcuts"] = [each.as_json() for each in find_shortcuts(dataset, reporter)]
    return found


def _totals(dataset: Dataset, usable: pd.DataFrame) -> Json:
    images = dataset.images
    return {
        "found": len(images),
        "usable": len(usable),
        "excluded": len(images) - len(usable),
        "ignored": dataset.ignored,
        "patients": _different(usable, "patient"),
        "studies": _different(usable, "study"),
        "series": _different(usable, "series"),
    }


def _different(frame: pd.DataFrame, column: str) -> int:
    return int(frame[column][frame[column] != ""].nunique())


def _excluded(dataset: Dataset) -> list[Json]:
    table = dataset.excluded()
    return [
        {"code": str(code), "reason": str(reason), "count": int(count)}
        for code, reason, count in table.itertuples(index=False)
    ]


def _patients(usable: pd.DataFrame) -> Json:
    """How patients are known, how many images they have, and who is in several classes."""
    sizes = usable.groupby("patient").size()
    known = usable[usable["patient_source"] != "image"]
    label = known["labels"].map(lambda names: ", ".join(sorted(names)))
    table = pd.DataFrame({"patient": known["patient"], "label": label})
    grouped = table.groupby("patient")["label"]
    several = table[grouped.transform("nunique") > 1].groupby("patient")["label"]
    return {
        "sources": _counts(usable["patient_source"]),
        "unknown": int((usable["patient_source"] == "image").sum()),
        "images_each": _spread(sizes),
        "in_several_classes": several.ngroups,
        "list": [
            {"patient": str(name), "classes": sorted(set(labels)), "images": len(labels)}
            for name, labels in itertools.islice(several, LISTED)
        ],
    }


def _classes(dataset: Dataset, usable: pd.DataFrame) -> list[Json]:
    single = usable[["labels", "patient", "image"]].explode("labels")
    images = single.groupby("labels")["image"].nunique()
    patients = single.groupby("labels")["patient"].nunique()
    return [
        {
            "name": name,
            "images": int(images.get(name, 0)),
            "patients": int(patients.get(name, 0)),
            "share": round(int(images.get(name, 0)) / max(1, len(usable)), 4),
        }
        for name in dataset.classes
    ]


def _pictures(usable: pd.DataFrame) -> Json:
    """Modalities, sizes, depths and resolutions."""
    sizes = usable[["width", "height"]].value_counts(sort=True)
    measured = usable[usable["row_mm"].notna()]
    return {
        "modalities": _counts(usable["modality"]),
        "sizes": [
            {"width": int(width), "height": int(height), "images": int(count)}
            for width, height, count in sizes.head(SHOWN).reset_index().itertuples(index=False)
        ],
        "different_sizes": len(sizes),
        "width": _spread(usable["width"]),
        "height": _spread(usable["height"]),
        "bits": _counts(usable["bits"]),
        "resolution_mm": _spread(measured["row_mm"]) if len(measured) else None,
        "with_resolution": len(measured),
        "spacing": _counts(measured["spacing"]),
        "lossy": int(usable["lossy"].sum()),
        "burned_in": _counts(usable["burned_in"]),
        "overlays": int((usable["overlays"] > 0).sum()),
        "windows": _counts(usable["window"].str.partition(":")[0]),
        "decoders": _counts(usable["decoder"]),
        "of_several_frames": int((usable["frames"] > 1).sum()),
        "noted": int((usable["notes"] != "").sum()),
    }


def _unnamed(dataset: Dataset, usable: pd.DataFrame) -> dict[str, str]:
    """Image id to path, if most images have no patient and the paths are at hand."""
    unknown = usable[usable["patient_source"] == "image"]
    if len(unknown) * 2 < max(1, len(usable)) or not (dataset.folder / PATHS_NAME).exists():
        return {}
    paths = read_paths(dataset.folder)
    return {image: paths[image] for image in unknown["image"] if image in paths}


def _suggestions(names: Mapping[str, str]) -> list[Json]:
    """Patterns that would tell patients apart; their counts, never an example of a name."""
    return [
        {
            "pattern": each.preview.pattern,
            "about": each.about,
            "patients": each.preview.patients,
            "images": each.preview.images,
            "unmatched": each.preview.unmatched,
            "largest": each.preview.largest,
        }
        for each in suggest_patterns(list(names.values()))
    ]


def _proposed(
    usable: pd.DataFrame, names: Mapping[str, str], suggestions: Sequence[Json]
) -> Json | None:
    """The division that comes with the data, and what crosses it; None where there is none."""
    parts = proposed_parts(usable)
    if parts is None:
        return None
    named = pd.Series(parts, index=usable.index)
    counts = {part: int((named == part).sum()) for part in PARTS}
    patients = {part: int(usable["patient"][named == part].nunique()) for part in PARTS}
    return {
        "images": counts,
        "patients": patients,
        "loose": int((named == "").sum()),
        "crossings": find_crossings(usable, parts).as_json(),
        "by_pattern": _by_pattern(named, usable["image"], names, suggestions),
    }


def _by_pattern(
    parts: pd.Series, images: pd.Series, names: Mapping[str, str], suggestions: Sequence[Json]
) -> Json | None:
    """How many patients would cross if they were recognised by the best pattern suggested."""
    if not suggestions:
        return None
    pattern = compile_pattern(suggestions[0]["pattern"])
    patients = images.map(lambda image: patient_in(names.get(image, ""), pattern))
    told = (patients != "") & (parts != "")
    crossing = parts[told].groupby(patients[told]).nunique() > 1
    return {"pattern": suggestions[0]["pattern"], "patients": int(crossing.sum())}


def _counts(values: pd.Series) -> dict[str, int]:
    """How often each value occurs, the most frequent first, the rest as ``"other"``."""
    counts = values.astype("str").value_counts()
    told = {str(name): int(count) for name, count in counts.head(SHOWN).items()}
    return told | ({"other": int(counts.iloc[SHOWN:].sum())} if len(counts) > SHOWN else {})


def _spread(values: pd.Series) -> dict[str, float]:
    """Smallest, median and largest."""
    if values.empty:
        return {"low": 0.0, "median": 0.0, "high": 0.0}
    ends = (values.min(), values.median(), values.max())
    return dict(zip(("low", "median", "high"), (round(float(end), 4) for end in ends), strict=True))


def with_division(
    found: Mapping[str, Any], images: pd.DataFrame, classes: Sequence[str], facts: Mapping[str, Any]
) -> Json:
    """Add how the patients were divided, or why they were not.

    Args:
        found: What `collect_findings` returned.
        images: The manifest with its split, where there is one.
        classes: Names of the classes.
        facts: ``sentence``, ``notes`` and ``origin`` of the split, or the ``problem`` as a mapping
            with ``code``, ``what``, ``item`` and ``todo``.
    """
    usable = images[images["code"] == ""]
    single = usable[["labels", "split", "image", "patient"]].explode("labels")
    table = [
        {"name": name, "images": [_of(single, name, part, "image") for part in PARTS],
         "patients": [_of(single, name, part, "patient") for part in PARTS]}
        for name in classes
    ]  # fmt: skip
    placed = [usable[usable["split"] == part] for part in PARTS]
    return dict(found) | {
        "division": dict(facts)
        | {
            "parts": list(PARTS),
            "images": [len(part) for part in placed],
            "patients": [int(part["patient"].nunique()) for part in placed],
            "classes": table,
        }
    }


def _of(single: pd.DataFrame, name: str, part: str, column: str) -> int:
    return int(single[column][(single["labels"] == name) & (single["split"] == part)].nunique())
