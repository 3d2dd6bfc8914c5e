from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.errors import RunError
from core.evaluation.report import write_report
from core.evaluation.report_svg import nice_axis, tick_text, tight_axis
from core.evaluation.report_words import comparison, duration, plain, power, smallness
from core.files import read_json, write_json
from core.runs.layout import RunFolder
from core.types import Task

VOID = {"meta", "link", "input", "br", "img", "path", "circle", "polyline", "hr"}


class Page(HTMLParser):
    """A report taken apart: tags in order, headings, text; complains about bad nesting."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[int] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self.text += " "
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def report_of(run: RunFolder) -> tuple[str, Page]:
    target = write_report(run, run.path.parent.parent)
    assert target == run.report / "report.html"
    html = target.read_text(encoding="utf-8")
    return html, Page(html)


KINDS: list[dict[str, Any]] = [
    {},
    {"classes": ("a", "b", "c", "d", "e", "f"), "images_per_patient": 1, "patients": 180},
    {"classes": ("x", "y", "z"), "task": Task.MULTILABEL},
    {"optional": False, "test": False},
    {"optional": False, "test": False, "evaluated": False},
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_sound_self_contained_and_small(build_run, kind: dict[str, Any]) -> None:
    html, page = report_of(build_run(**kind))
    assert len(html) < 400_000
    assert page.headings[0] == 1
    steps = np.diff(page.headings)
    assert page.headings.count(1) == 1
    assert (steps <= 1).all(), "a heading skips a level"
    names = [tag for tag, _ in page.tags]
    assert not {"script", "link", "iframe", "img", "object", "form", "base"} & set(names)
    assert names.count("table") == names.count("caption")
    assert names.count("figure") == names.count("figcaption")
    for tag, attributes in page.tags:
        assert not [key for key in attributes if key.startswith("on") or key == "src"]
        assert (attributes.get("href") or "#").startswith("#")
        if tag == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"
    assert not re.search(r"url\(|@import|(?<!xmlns=\")https?://(?!www\.w3\.org/2000/svg)", html)
    policy = next(a["content"] for t, a in page.tags if t == "meta" and "content" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert "script-src" not in policy  # so scripts fall under default-src 'none'
    assert not re.search(r"\bnan\b|\bNone\b|Undefined", page.text)
    targets = {a["id"] for _, a in page.tags if "id" in a}
    assert {(a["href"] or "")[1:] for t, a in page.tags if t == "a"} <= targets


def test_hostile_names_stay_text(build_run) -> None:
    evil = "<img src=x onerror=alert(1)>"
    run = build_run(
        classes=(evil, "z\u202egnp.exe" + "A" * 9000),
        name="</title><script>alert(2)</script>",
        alert="<b onmouseover=alert(3)>&amp;</b>",
    )
    html, page = report_of(run)
    names = [tag for tag, _ in page.tags]
    assert "script" not in names
    assert "img" not in names
    assert evil in page.text
    assert "<b onmouseover=alert(3)>" in page.text
    assert "\u202e" not in html
    assert "A" * 60 not in html


def test_no_path_file_or_host_name_is_told(build_run) -> None:
    html, page = report_of(build_run())
    for secret in ("dr.house", "Jane", "Doe", "safetensors", "labels.csv", "ward7", "/home"):
        assert secret not in html
    assert "a folder on this computer" in page.text


def test_figures_in_the_page_are_those_of_the_run(build_run) -> None:
    run = build_run()
    _, page = report_of(run)
    for part in ("validation", "test"):
        found = read_json(run.report / f"{part}.json")["figures"]
        assert f"{found['auroc']['value']:.3f}" in page.text
        assert f"{found['auroc']['low']:.3f} to {found['auroc']['high']:.3f}" in page.text
        sensitivity = found["sensitivity"]
        assert f"{sensitivity['numerator']} of {sensitivity['denominator']}" in page.text
    assert "Positive means “malignant”" in page.text
    for words in ("Teacher with a linear probe", "Student trained alone", "Apache-2.0"):
        assert words in page.text
    assert "previous one (step 400)" in page.text
    assert "5e" * 32 in page.text


def test_stages_are_shown_in_numbers_and_words(build_run) -> None:
    run = build_run()
    html, page = report_of(run)
    assert "teacher's stage 2 and the student's stage 4 rose from 0.31 to 0.62" in page.text
    assert "on 90 validation images" in page.text
    assert '<td class="shade6 right">0.62</td>' in html
    assert '<td class="shade0">−0.01</td>' in html
    assert '<td class="shade0">–</td>' in html
    run.alignment.unlink()
    assert "were not compared stage by stage" in report_of(run)[1].text


def test_the_cohort_adds_up(build_run) -> None:
    run = build_run()
    _, page = report_of(run)
    flow = " ".join(page.text.split())
    assert "Found 457 images" in flow
    assert "besides 4 other files, no images" in flow
    assert "Excluded 7 images 4 The file is cut short D12 3 The picture is too large P11" in flow
    assert "Usable 450 images of 150 patients" in flow
    assert "Training 270 images of 90 patients" in flow
    assert "No patient is in two parts" in flow
    images = pd.read_parquet(run.manifest)
    images.loc[images.index[0], "split"] = "test"
    images.loc[images.index[5], "patient_source"] = "image"
    images.to_parquet(run.manifest)
    _, page = report_of(run)
    assert "1 patients have images in more than one part" in page.text
    assert "no patient is known" in page.text


def test_a_sealed_test_set_is_said_to_be_sealed(build_run) -> None:
    _, page = report_of(build_run(optional=False, test=False))
    assert "The test set is sealed." in page.text
    assert "opened 0 times" in " ".join(page.text.split())


def test_openings_of_this_division_are_counted_once_each(build_run) -> None:
    _, page = report_of(build_run())
    text = " ".join(page.text.split())
    assert "was opened 2 times" in text
    assert "2026-11-20 14:02 UTC" in text
    assert "by other" not in text


def test_few_patients_are_admitted_at_the_top_and_in_the_limits(build_run) -> None:
    _, page = report_of(build_run(optional=False, test=False, patients=40))
    assert page.text.count("rest on 8 patients only") >= 3
    _, many = report_of(build_run(patients=900, strength=3.0, images_per_patient=1))
    assert "That is too little" not in many.text


def test_synthetic_images_are_called_synthetic(build_run) -> None:
    _, page = report_of(build_run(synthetic=True))
    assert "synthetic phantoms" in page.text


def test_both_arithmetics_are_said(build_run) -> None:
    _, page = report_of(run := build_run())
    assert re.search(r"Arithmetic of the student\s*float32", page.text)
    assert re.search(r"Arithmetic of the teacher\s*bfloat16", page.text)
    (run.path / "views.json").write_text("16", encoding="utf-8")  # as an earlier version wrote it
    _, page = report_of(run)
    assert "Arithmetic of the teacher" not in page.text


def test_a_torn_optional_file_does_not_stop_the_report(build_run) -> None:
    run = build_run()
    (run.path / "student.json").write_text('{"title": "Res', encoding="utf-8")
    run.environment.unlink()
    _, page = report_of(run)
    assert "The cost was not measured." in page.text


def test_a_folder_without_a_configuration_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="R40"):
        write_report(RunFolder(tmp_path / "nothing"), tmp_path)


def test_student_only_runs_name_no_teacher(build_run) -> None:
    run = build_run(optional=False)
    text = run.config.read_text(encoding="utf-8").replace('"name": "rd"', '"name": "student_only"')
    run.config.write_text(text, encoding="utf-8")
    write_json(run.path / "teacher.json", {})
    _, page = report_of(run)
    assert "from the labels alone" in page.text
    assert "No teacher took part" in page.text
    assert "nothing to compare stage by stage" in page.text


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.01, 0.05, "is better"), (-0.05, -0.01, "is worse"), (-0.02, 0.06, "includes zero")],
)
def test_a_difference_is_told_as_its_interval_allows(low: float, high: float, words: str) -> None:
    told = comparison({"value": (low + high) / 2, "low": low, "high": high}, "A", "B", 0.95)
    assert words in told
    unknown = comparison({"value": None, "note": "no positives"}, "A", "B", 0.95)
    assert unknown == "A and B cannot be compared: no positives."


def test_small_words_and_numbers() -> None:
    assert plain("a\x00\u202eb\n") == "a b"
    assert len(plain("x" * 900)) == 600
    assert power(3.1e-7) == "3.1 × 10⁻⁷"
    assert power(0) == "0"
    assert duration(48.2) == "48\u202fs"
    assert duration(4000).startswith("1\u202fh 6")
    assert smallness(None, "test") == ""


def test_axes_have_round_ticks_and_cover_the_data() -> None:
    axis = nice_axis(-0.83, 2.1, "Loss")
    assert axis.low <= -0.83
    assert axis.high >= 2.1
    assert len(axis.ticks) <= 8
    assert nice_axis(1.0, 1.0, "flat").high > 1.0
    assert tight_axis(0, 24, "Epoch").ticks == (0, 5, 10, 15, 20)
    assert [tick_text(t, (0.0, 0.25, 0.5)) for t in (0.0, 0.25, -0.5)] == ["0.00", "0.25", "−0.50"]
    assert tick_text(5.0, (0.0, 5.0, 10.0)) == "5"
