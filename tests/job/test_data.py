"""`data`: a folder becomes a divided data set and a report, or a report and a refusal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import SplitError
from core.projects import ProjectStore
from core.tasks.base import TASKS, TaskContext
from core.types import SilentReporter
from tests.job.conftest import Desk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """24 patients, two images each, in two classes, named after somebody."""
    root = tmp_path / "Schmidt Anna"
    for patient in range(24):
        for view in range(2):
            values = np.random.default_rng(9 * patient + view).integers(0, 256, (40, 40))
            file = root / "ab"[patient % 2] / f"Schmidt{patient:02d}-{view}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values.astype(np.uint8)).save(file)
    return root


def test_a_folder_is_read_divided_and_reported(desk: Desk, folder: Path, tmp_path: Path) -> None:
    page, split, files = (tmp_path / name for name in ("r.html", "split.csv", "files.csv"))
    options = ("--pattern", r"(\d+)-", "--report", page, "--save-split", split, "--files", files)
    result = desk.json("data", folder, "--title", "Knees", *options)
    assert result["report"] == str(page)
    found = result["findings"]
    assert (found["totals"]["usable"], found["totals"]["patients"]) == (48, 24)
    assert found["division"]["sentence"].startswith(
        "24 patients, 48 images; no patient is in two groups."
    )
    html = page.read_text(encoding="utf-8")
    assert "<h1>Knees</h1>" in html
    assert "Schmidt" not in html
    assert "Schmidt" not in json.dumps(result)
    assert len(split.read_text().splitlines()) == 49
    assert files.read_text(encoding="utf-8-sig").startswith("finding,")
    for written in (desk.workspace / "imports").rglob("*"):
        assert written.is_dir() or b"Schmidt" not in written.read_bytes(), written.name
    again = desk.json("data", folder, "--pattern", r"(\d+)-", "--pictures")
    assert Path(again["report"]).name == "import.html"
    assert again["findings"]["division"]["sha256"] == found["division"]["sha256"]


def test_a_leaking_division_is_reported_then_refused(desk: Desk, folder: Path) -> None:
    rows = ["file,label,patient_id,split"]
    for path in sorted(folder.rglob("*.png")):
        number, view = path.stem.removeprefix("Schmidt").split("-")
        part = "test" if int(number) < 8 and (view == "1" or int(number) > 1) else "train"
        rows.append(f"{path.relative_to(folder).as_posix()},{path.parent.name},{number},{part}")
    (folder / "labels.csv").write_text("\n".join(rows))
    said = desk.call("data", folder, code=1)
    assert "T04" in said
    assert "2 patients in two of its parts" in said
    result = desk.json("data", folder, "--new-split")
    assert result["findings"]["division"]["origin"] == "new"
    assert result["findings"]["proposed"]["crossings"]["counts"]["patients"] == 2
    titles = [item["title"] for item in result["attention"]]
    assert "The division that comes with the data leaks" in titles


def test_a_project_keeps_its_findings_even_without_a_division(
    workspace: Path, folder: Path
) -> None:
    for path in sorted((folder / "b").iterdir())[4:]:
        path.unlink()  # two patients are left in class b
    project = ProjectStore(workspace).for_source(str(folder))
    pattern = project.config.data.model_copy(update={"patient_pattern": r"(\d+)-"})
    store = ProjectStore(workspace)
    project = store.save(project, project.config.model_copy(update={"data": pattern}))
    context = TaskContext({"project": project.id}, folder, workspace, SilentReporter())
    with pytest.raises(SplitError, match="T02"):
        TASKS.get("import")(context)
    found = json.loads((project.folder / "findings.json").read_text())
    assert found["division"]["problem"]["code"] == "T02"
    assert not store.open(project.id).is_imported
    assert (project.folder / "manifest.parquet").exists()
