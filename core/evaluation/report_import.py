"""The import report: what was found in a folder of images, as one HTML file that opens anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.data.attention import attention
from core.data.shortcuts import WARN_ABOVE
from core.evaluation import report_words as words
from core.evaluation.report_cohort import SOURCES
from core.evaluation.report_import_charts import class_balance, shortcut_chart
from core.evaluation.report_page import render_page
from core.files import write_text

SHOWN = 20  # groups, pairs and patients listed on the page; the findings have more
ORIGINS = {
    "new": "Divided by Bedside",
    "proposed": "The division that came with the data, checked",
    "file": "A saved division, checked",
}
PARTS = {"train": "Training", "validation": "Validation", "test": "Test (sealed)"}
PLAIN_PARTS = {"train": "training", "validation": "validation", "test": "test"}
SPACING = {"patient": "in the patient", "detector": "at the detector", "film": "on film"}
BURNED = {"yes": "said by the file", "possible": "usual for this kind of file", "no": "ruled out"}
Json = Mapping[str, Any]


def write_import_report(
    found: Json, title: str, target: Path, pictures: Mapping[str, str] | None = None
) -> Path:
    """Write the report as one self-contained file.

    Args:
        found: What `core.data.findings` collected, with its division.
        title: Name of the data set as the user calls it.
        target: File to write.
        pictures: Image id to a ``data:`` address of its thumbnail, for the pairs listed; None shows
            no picture, because a picture of a patient is the patient's.

    Returns:
        The file written.

    Raises:
        SystemError_: The file cannot be written.
    """
    write_text(target, render_import_report(found, title, pictures))
    return target


def render_import_report(found: Json, title: str, pictures: Mapping[str, str] | None = None) -> str:
    """The page as HTML; see `write_import_report`."""
    return render_page("import.html", **_content(found, title, pictures or {}))


def listed_images(found: Json) -> list[str]:
    """Ids of the images whose pairs and groups the page lists, for their thumbnails."""
    groups = [*found["copies"]["list"][:SHOWN], *found["alike"]["list"][:SHOWN]]
    return sorted({image for group in groups for image in group["images"]})


def _content(found: Json, title: str, pictures: Mapping[str, str]) -> dict[str, Any]:
    shortcuts = found["shortcuts"]
    return {
        "title": words.name(title),
        "written": words.moment(datetime.now(UTC).isoformat()),
        "found": found,
        "lead": _lead(found),
        "attention": attention(found),
        "sources": _sources(found["patients"]),
        "balance": class_balance(found["classes"]),
        "picture_rows": _picture_rows(found["pictures"], found["totals"]["usable"]),
        "copies": found["copies"]["list"][:SHOWN],
        "alike": found["alike"]["list"][:SHOWN],
        "several": found["patients"]["list"][:SHOWN],
        "crossings": _crossings(found["proposed"]),
        "division": _division(found["division"]),
        "shortcut_chart": shortcut_chart(shortcuts, WARN_ABOVE),
        "limit": WARN_ABOVE,
        "pictures": pictures,
        "plain_parts": PLAIN_PARTS,
        "hashes": [("Data", found["sha256"])],
    }


def _lead(found: Json) -> str:
    """What there is, in a sentence or two."""
    totals = found["totals"]
    several = [
        words.count(totals[key], one, many)
        for key, one, many in (("studies", "study", "studies"), ("series", "series", "series"))
        if totals[key]
    ]
    inside = f", {' and '.join(several)}," if several else ""
    unknown = found["patients"]["unknown"]
    patients = words.count(totals["patients"], "patient")
    if unknown == totals["usable"]:
        patients = "unnamed patients"
    left = (
        f" {words.count(totals['excluded'], 'image')} cannot be used, and why is said below."
        if totals["excluded"]
        else " All images found can be used."
    )
    kind = ("finding", "findings") if found["task"] == "multilabel" else ("class", "classes")
    classes = words.count(len(found["classes"]), *kind)
    images = words.count(totals["usable"], "usable image")
    joined = "with" if found["task"] == "multilabel" else "in"
    return f"{images} of {patients}{inside} {joined} {classes}.{left}"


def _sources(patients: Json) -> list[str]:
    return [
        f"{SOURCES.get(kind, words.plain(kind, 40))} ({words.count(amount, 'image')})"
        for kind, amount in patients["sources"].items()
    ]


def _picture_rows(pictures: Json, total: int) -> list[tuple[str, str]]:
    """Facts about the pictures, in words; what is the same for none of them is left out."""
    rows = [
        ("Modality", _told(pictures["modalities"], {"": "not said (no DICOM)"})),
        ("Size in pixels", _sizes(pictures)),
        ("Bits per pixel", _told(pictures["bits"], {})),
        ("Pixel spacing", _resolution(pictures, total)),
        ("Grey values", _told(pictures["windows"], {"": "as stored"})),
        ("Decoded by", _told(pictures["decoders"], {})),
    ]
    for key, title in (
        ("lossy", "Compressed with loss"),
        ("overlays", "Overlays, not drawn"),
        ("of_several_frames", "Out of files with several frames"),
        ("noted", "With a remark on how they were read"),
    ):
        if pictures[key]:
            rows.append((title, words.count(pictures[key], "image")))
    burned = {key: amount for key, amount in pictures["burned_in"].items() if key in BURNED}
    if burned:
        rows.append(("Text burned in", _told(burned, BURNED)))
    return rows


def _told(counts: Mapping[str, int], names: Mapping[str, str]) -> str:
    return "; ".join(
        f"{names.get(key, words.plain(key, 60) or 'not said')} ({words.number(amount)})"
        for key, amount in counts.items()
    )


def _sizes(pictures: Json) -> str:
    sizes: Sequence[Json] = pictures["sizes"]
    told = "; ".join(
        f"{size['width']} × {size['height']} ({words.number(size['images'])})" for size in sizes[:5]
    )
    more = pictures["different_sizes"] - len(sizes[:5])
    if more <= 0:
        return told
    width, height = pictures["width"], pictures["height"]
    return (
        f"{told}; {words.count(more, 'further size')}. Width {width['low']:g} to "
        f"{width['high']:g}, height {height['low']:g} to {height['high']:g}."
    )


def _resolution(pictures: Json, total: int) -> str:
    spread, known = pictures["resolution_mm"], pictures["with_resolution"]
    if not known:
        return "not said"
    where = _told({key: n for key, n in pictures["spacing"].items() if key}, SPACING)
    left = f"; not said for {words.number(total - known)}" if known < total else ""
    return (
        f"{spread['low']:g} to {spread['high']:g} mm, median {spread['median']:g} mm"
        f"{f'; {where}' if where else ''}{left}"
    )


def _crossings(proposed: Json | None) -> list[tuple[str, Sequence[Json], int]]:
    """What crosses the division of the data: title, the first of them, how many there are."""
    if proposed is None:
        return []
    crossings = proposed["crossings"]
    titles = {
        "patients": "Patients in two parts",
        "copies": "Copies in two parts",
        "alike": "Look-alike pictures in two parts",
    }
    return [
        (title, crossings[key][:SHOWN], crossings["counts"][key])
        for key, title in titles.items()
        if crossings["counts"][key]
    ]


def _division(division: Json | None) -> dict[str, Any] | None:
    if division is None:
        return None
    return {
        **division,
        "title": ORIGINS.get(division.get("origin", ""), "Not divided"),
        "heads": [PARTS.get(part, part) for part in division["parts"]],
    }
