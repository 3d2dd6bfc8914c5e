"""The import report as a page: sound, self-contained, free of names, complete in odd cases."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from core.errors import SplitError
from core.evaluation.report_import import listed_images, write_import_report
from tests.evaluation.test_report import Page

EMPTY: dict[str, Any] = {
    "version": 1, "dataset": "0123456789abcdef", "sha256": "f" * 64, "synthetic": False,
    "task": "multiclass",
    "totals": {"found": 3, "usable": 3, "excluded": 0, "ignored": 0, "patients": 3, "studies": 0,
               "series": 0},
    "excluded": [], "notes": [],
    "patients": {"sources": {"image": 3}, "unknown": 3, "in_several_classes": 0, "list": [],
                 "images_each": {"low": 1.0, "median": 1.0, "high": 1.0}},
    "classes": [{"name": "a", "images": 3, "patients": 3, "share": 1.0}],
    "pictures": {"modalities": {"": 3}, "sizes": [{"width": 9, "height": 8, "images": 3}],
                 "different_sizes": 1, "width": {"low": 9.0, "median": 9.0, "high": 9.0},
                 "height": {"low": 8.0, "median": 8.0, "high": 8.0}, "bits": {"8": 3},
                 "resolution_mm": None, "with_resolution": 0, "spacing": {}, "lossy": 0,
                 "burned_in": {"": 3}, "overlays": 0, "windows": {"": 3},
                 "decoders": {"Pillow 12": 3}, "of_several_frames": 0, "noted": 0},
    "copies": {"groups": 0, "images": 0, "contradictory": 0, "patients": 0, "list": []},
    "alike": {"pairs": 0, "within_patient": 0, "graded": 0, "identical": 0, "across_labels": 0,
              "list": []},
    "suggestions": [], "proposed": None, "division": None, "shortcuts": [],
}  # fmt: skip


def trait(name: str, value: float | None, *, warning: bool = False) -> dict[str, Any]:
    low, high = (None, None) if value is None else (value - 0.05, min(1.0, value + 0.05))
    return {"name": name, "title": name.title(), "about": "this", "value": value, "low": low,
            "high": high, "images": 3, "patients": 3, "warning": warning,
            "sentence": "It says much."}  # fmt: skip


def full() -> dict[str, Any]:
    """Every section filled, hostile texts in the places that take a user's words."""
    evil = "<img src=x onerror=alert(1)>"
    images = ["aaaa", "bbbb"]
    crossing = {"parts": ["test", "train"], "images": images, "patient": "cccc"}
    pair = {"images": images, "correlation": 0.9991, "same_label": False}
    copies = {"images": images, "labels": ["", evil], "patients": 2}
    division = {
        "sentence": "3 patients, 3 images; no patient is in two groups.", "notes": ["A note."],
        "origin": "new", "sha256": "e" * 64, "parts": ["train", "validation", "test"],
        "images": [1, 1, 1], "patients": [1, 1, 1],
        "classes": [{"name": evil, "images": [1, 1, 1], "patients": [1, 1, 1]}],
    }  # fmt: skip
    pictures = EMPTY["pictures"] | {
        "modalities": {"CT": 2, "": 1}, "different_sizes": 40, "lossy": 2, "overlays": 1,
        "burned_in": {"yes": 1, "possible": 1, "": 1}, "with_resolution": 2, "noted": 1,
        "resolution_mm": {"low": 0.2, "median": 0.5, "high": 1.0}, "spacing": {"patient": 2},
        "of_several_frames": 2,
    }  # fmt: skip
    return EMPTY | {
        "totals": EMPTY["totals"] | {"found": 9, "excluded": 6, "ignored": 2, "studies": 2},
        "excluded": [{"code": "D12", "reason": "Cut short.", "count": 6}],
        "notes": ["A note about the import."],
        "patients": EMPTY["patients"] | {
            "sources": {"header": 3}, "unknown": 0, "in_several_classes": 1,
            "list": [{"patient": "dddd", "classes": ["", evil], "images": 4}],
        },
        "classes": [{"name": evil, "images": 3, "patients": 2, "share": 0.9},
                    {"name": "b" * 300, "images": 0, "patients": 0, "share": 0.0}],
        "pictures": pictures,
        "copies": {"groups": 1, "images": 2, "contradictory": 1, "patients": 1, "list": [copies]},
        "alike": {"pairs": 3, "within_patient": 1, "graded": 2, "identical": 1,
                  "across_labels": 1, "list": [pair]},
        "suggestions": [{"pattern": r"^(\d+)<b>", "about": "the first number", "patients": 2,
                         "images": 3, "unmatched": 0, "largest": 2}],
        "proposed": {"images": {"train": 2, "validation": 0, "test": 1},
                     "patients": {"train": 2, "validation": 0, "test": 1}, "loose": 1,
                     "by_pattern": {"pattern": "x", "patients": 2},
                     "crossings": {"patients": [crossing], "copies": [crossing],
                                   "alike": [crossing],
                                   "counts": {"patients": 170, "copies": 1, "alike": 1}}},
        "division": division,
        "shortcuts": [trait("size", None), trait("brightness", 0.93, warning=True),
                      trait("border", 0.41), trait("all", 1.0, warning=True)],
    }  # fmt: skip


def problem() -> dict[str, Any]:
    error = SplitError("T04", "It leaks", todo="Divide anew.")
    facts = {"code": error.code, "what": error.what, "item": "", "todo": error.todo}
    rest = {"parts": ["train"], "images": [0], "patients": [0], "classes": []}
    return full() | {"division": {"problem": facts} | rest}


@pytest.mark.parametrize("found", [EMPTY, full(), problem()], ids=["empty", "full", "problem"])
def test_the_page_is_sound_and_self_contained(found: dict[str, Any], tmp_path: Path) -> None:
    target = write_import_report(found, "</title><script>alert(2)</script>", tmp_path / "r.html")
    html = target.read_text(encoding="utf-8")
    page = Page(html)
    names = [tag for tag, _ in page.tags]
    assert not {"script", "link", "iframe", "img", "object", "form", "base"} & set(names)
    assert page.headings[0] == 1
    assert all(
        later - first <= 1 for first, later in zip(page.headings, page.headings[1:], strict=False)
    )
    assert names.count("table") == names.count("caption")
    assert names.count("figure") == names.count("figcaption")
    for tag, attributes in page.tags:
        assert not [key for key in attributes if key.startswith("on") or key == "src"]
        assert (attributes.get("href") or "#").startswith("#")
        assert tag != "svg" or attributes.get("aria-label") or attributes.get("aria-hidden")
    targets = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = {(attributes["href"] or "")[1:] for tag, attributes in page.tags if tag == "a"}
    assert links <= targets
    assert not re.search(r"\bnan\b|\bNone\b|Undefined|\[\]|\{\}", page.text)
    assert "Research use. Not for diagnosis." in page.text


def test_every_finding_is_told(tmp_path: Path) -> None:
    html = write_import_report(full(), "Mine", tmp_path / "r.html").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", Page(html).text)
    for words in (
        "D12", "Cut short.", "A note about the import.", "no finding; <img src=x onerror=alert(1)>",
        "170 patients, 1 picture with copies, 1 look-alike pair", "Patients in two parts (170)",
        "test, training", "0.9991", "It says much.", "CT (2); not said (no DICOM) (1)",
        "0.2 to 1 mm, median 0.5 mm; in the patient (2); not said for 1", "said by the file (1)",
        "3 usable images of 3 patients, 2 studies, in 2 classes.", "0.93 (0.88 to 0.98) !",
        "3 patients, 3 images; no patient is in two groups.", r"^(\d+)<b>", "39 further sizes",
    ):  # fmt: skip
        assert words in text, words
    assert "b" * 60 not in text


def test_a_division_that_failed_says_why(tmp_path: Path) -> None:
    html = write_import_report(problem(), "Mine", tmp_path / "r.html").read_text(encoding="utf-8")
    assert "It leaks. Divide anew." in Page(html).text


def test_pictures_are_shown_only_when_given(tmp_path: Path) -> None:
    found = full()
    assert listed_images(found) == ["aaaa", "bbbb"]
    address = "data:image/png;base64,AAAA"
    html = write_import_report(found, "Mine", tmp_path / "r.html", {"aaaa": address})
    shown = [attributes for tag, attributes in Page(html.read_text()).tags if tag == "img"]
    assert [attributes["src"] for attributes in shown] == [address, address]
    assert all(attributes["alt"] for attributes in shown)
