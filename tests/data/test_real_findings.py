"""Public data sets with known faults: the import report finds each of them."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from core.config import RunConfig
from core.data.attention import attention
from core.data.manifest import open_dataset, read_paths
from core.data.split import check_split
from core.errors import SplitError
from core.importing import import_images
from core.types import SilentReporter

pytestmark = [pytest.mark.realdata, pytest.mark.slow]


def imported(folder: Path, workspace: Path, **settings: Any) -> dict[str, Any]:
    """Findings about a folder; a division that was refused is in them."""
    data = {"source": str(folder), **settings.pop("data", {})}
    config = RunConfig.model_validate_json(json.dumps({"data": data, **settings}))
    target = workspace / "result"
    target.mkdir(exist_ok=True)
    with contextlib.suppress(SplitError):
        import_images(config, workspace, target, SilentReporter())
    found: dict[str, Any] = json.loads((target / "findings.json").read_text())
    return found


def test_chest_x_rays_and_their_leaking_division(real_data: Path, workspace: Path) -> None:
    folder = real_data / "folders" / "kermany_cxr_224"
    table = {"labels": "csv", "table": "metadata.csv"}
    found = imported(folder, workspace, data=table)
    assert found["totals"]["found"] == found["totals"]["usable"] == 5840
    assert (found["copies"]["groups"], found["copies"]["images"]) == (30, 62)
    assert found["copies"]["contradictory"] == 0
    crossings = found["proposed"]["crossings"]
    assert crossings["counts"] == {"patients": 170, "copies": 0, "alike": 0}
    assert len({crossing["patient"] for crossing in crossings["patients"]}) == 170
    assert found["division"]["problem"]["code"] == "T04"
    assert "170 patients" in found["division"]["problem"]["what"]
    assert attention(found)[0]["level"] == "error"
    again = imported(folder, workspace, data=table, split={"origin": "new"})
    check_split(open_dataset(workspace / "result", workspace).images)
    assert again["division"]["sentence"].startswith(
        "3,103 patients, 5,840 images; no patient is in two groups."
    )


def test_chest_x_rays_without_their_table(real_data: Path, workspace: Path) -> None:
    """The folders propose the same division; file names give the same 170 patients away."""
    found = imported(real_data / "folders" / "kermany_cxr_224", workspace)
    assert found["patients"]["unknown"] == 5840
    assert found["proposed"]["crossings"]["counts"]["patients"] == 0
    assert found["proposed"]["by_pattern"]["patients"] == 170
    assert found["division"]["origin"] == "proposed"
    assert found["division"]["images"][2] == 624
    titles = [item["title"] for item in attention(found)]
    assert "The division that comes with the data may leak" in titles


def test_breast_ultrasound_and_its_copies(real_data: Path, workspace: Path) -> None:
    found = imported(real_data / "folders" / "busi_256", workspace)
    paths = read_paths(open_dataset(workspace / "result", workspace).folder)
    (copies,) = found["copies"]["list"]
    assert copies["labels"] == ["benign", "malignant"]
    assert sorted(paths[image] for image in copies["images"]) == [
        "benign/benign (433).png", "malignant/malignant (145).png",
    ]  # fmt: skip
    alike = found["alike"]
    assert 101 <= alike["identical"] <= 107  # 104 of the source files, by every pair
    assert alike["across_labels"] == 6
    assert len(found["suggestions"]) == 0
    assert "each counted as a patient of its own" in found["division"]["sentence"]
    border = next(each for each in found["shortcuts"] if each["name"] == "border")
    assert 0.6 < border["value"] < 0.75
