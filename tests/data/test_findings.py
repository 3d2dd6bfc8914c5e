"""What an import found: counts, copies, crossings, shortcuts; and what is said first."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.config import DataSettings
from core.data.attention import attention
from core.data.cache import PixelCache
from core.data.findings import collect_findings, with_division
from core.data.listing import COLUMNS, listed_files, write_listing
from core.data.manifest import Dataset, read_paths
from core.data.scan import import_dataset
from core.data.thumbnails import thumbnail_addresses
from core.types import SilentReporter


def scene(seed: int, side: int = 48) -> np.ndarray:
    """A soft picture with structure, unlike that of any other seed."""
    coarse = np.random.default_rng(seed).integers(40, 200, (6, 6), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def write(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 patients with two images each, two classes; class b is brighter; traps as noted."""
    root = tmp_path_factory.mktemp("x") / "MUELLER"
    for patient in range(30):
        for view in range(2):
            kind = "ab"[patient % 2]
            values = scene(100 * patient + view) // 2 + (60 if kind == "b" else 0)
            write(root / kind / f"p{patient:02d}_{view}.png", values.astype(np.uint8))
    shutil.copy(root / "a" / "p00_0.png", root / "a" / "p00_2.png")  # a copy, one label
    shutil.copy(root / "a" / "p02_0.png", root / "b" / "p02_2.png")  # a copy under two labels
    near = scene(401).astype(np.int64)
    near[:2] += 1  # nearly p04_1, under the other label and of another patient
    write(root / "b" / "p05_9.png", (near // 2).astype(np.uint8))
    write(root / "b" / "p06_9.png", scene(9999))  # patient 6 is in both classes
    (root / "b" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return root


@pytest.fixture(scope="module")
def dataset(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    data = {"source": str(source), "patient_pattern": r"^p(\d+)_", "pixels": {"size_px": 48}}
    settings = DataSettings.model_validate(data)
    return import_dataset(settings, tmp_path_factory.mktemp("workspace"), SilentReporter())


@pytest.fixture(scope="module")
def found(dataset: Dataset) -> dict[str, Any]:
    return collect_findings(dataset, SilentReporter())


def test_everything_is_counted(found: dict[str, Any]) -> None:
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    totals = found["totals"]
    assert (totals["found"], totals["usable"], totals["excluded"]) == (65, 62, 3)
    assert [(each["code"], each["count"]) for each in found["excluded"]] == [("L07", 2), ("P10", 1)]
    assert found["patients"]["sources"] == {"pattern": 62}
    assert found["patients"]["images_each"] == {"low": 1.0, "median": 2.0, "high": 3.0}
    (several,) = found["patients"]["list"]
    assert (several["classes"], several["images"]) == (["a", "b"], 3)
    assert found["patients"]["in_several_classes"] == 1
    kinds = {each["name"]: (each["images"], each["patients"]) for each in found["classes"]}
    assert kinds == {"a": (30, 15), "b": (32, 16)}
    pictures = found["pictures"]
    assert pictures["sizes"] == [{"width": 48, "height": 48, "images": 62}]
    assert (pictures["bits"], pictures["resolution_mm"]) == ({"8": 62}, None)


def test_copies_and_look_alikes_are_told_apart(found: dict[str, Any], dataset: Dataset) -> None:
    paths = read_paths(dataset.folder)
    same = found["copies"]
    assert (same["groups"], same["images"], same["contradictory"]) == (2, 4, 1)
    files = [sorted(paths[image] for image in group["images"]) for group in same["list"]]
    assert files == [["a/p02_0.png", "b/p02_2.png"], ["a/p00_0.png", "a/p00_2.png"]]
    alike = found["alike"]
    (pair,) = alike["list"]
    assert sorted(paths[image] for image in pair["images"]) == ["a/p04_1.png", "b/p05_9.png"]
    assert (alike["identical"], alike["across_labels"], pair["same_label"]) == (1, 1, False)
    assert alike["within_patient"] == 2  # the two copies: p00, and p02 under both labels


def test_brightness_gives_the_label_away_and_size_cannot(found: dict[str, Any]) -> None:
    traits = {each["name"]: each for each in found["shortcuts"]}
    assert list(traits) == ["acquisition", "size", "brightness", "border", "all"]
    assert traits["brightness"]["value"] > 0.9
    assert traits["brightness"]["low"] <= traits["brightness"]["value"]
    assert traits["brightness"]["warning"]
    assert "predicts the label, AUROC" in traits["brightness"]["sentence"]
    assert traits["size"]["value"] is None
    assert traits["size"]["sentence"].startswith("All images are alike")
    assert not traits["size"]["warning"]


def test_what_matters_comes_first(found: dict[str, Any], dataset: Dataset) -> None:
    problem = {"code": "T04", "what": "It leaks", "item": "", "todo": "Divide anew."}
    told = with_division(found, dataset.images, dataset.classes, {"problem": problem})
    items = attention(told)
    levels = [item["level"] for item in items]
    assert levels == sorted(levels, key=["error", "warning", "info"].index)
    assert items[0]["text"] == "It leaks. Divide anew."
    titles = {item["title"] for item in items}
    assert {
        "The same picture under two labels",
        "Nearly the same picture under two labels",
        "Patients with images in several classes",
        "Brightness gives the label away",
        "2 small classes",
    } <= titles
    assert "How is one patient recognised?" not in titles
    (small,) = (item for item in items if item["section"] == "classes")
    assert small["text"].startswith("a: ")
    assert "; b: " in small["text"]
    lone = attention(told | {"classes": told["classes"][:1]})
    assert "A small class: a" in {item["title"] for item in lone}


def test_unknown_patients_are_asked_for(source: Path, workspace: Path) -> None:
    data = {"source": str(source), "pixels": {"size_px": 48}}
    dataset = import_dataset(DataSettings.model_validate(data), workspace, SilentReporter())
    parts = dataset.images["image"].map(read_paths(dataset.folder)).str.contains("_0")
    images = dataset.images.assign(proposed_split=parts.map({True: "train", False: "test"}))
    found = collect_findings(dataset.with_images(images), SilentReporter())
    assert found["patients"]["unknown"] == 62
    assert found["patients"]["in_several_classes"] == 0
    best = found["suggestions"][0]
    assert (best["patients"], best["unmatched"], best["largest"]) == (30, 0, 3)
    assert found["proposed"]["crossings"]["counts"]["patients"] == 0
    assert found["proposed"]["by_pattern"]["patients"] == 29  # p02_0 is left out
    texts = {item["title"]: item["text"] for item in attention(found)}
    assert "names suggest 30 patients" in texts["How is one patient recognised?"]
    assert "29 patients are in two" in texts["The division that comes with the data may leak"]
    assert "MUELLER" not in json.dumps(found)
    assert "p00" not in json.dumps(found)


def test_crossings_are_listed(found: dict[str, Any], dataset: Dataset) -> None:
    images = dataset.images
    assert found["proposed"] is None
    parts = ["train" if row % 2 else "test" for row in range(len(images))]
    spoilt = dataset.with_images(images.assign(proposed_split=parts))
    crossings = collect_findings(spoilt, SilentReporter())["proposed"]["crossings"]
    assert crossings["counts"]["patients"] > 10
    assert len(crossings["patients"]) == crossings["counts"]["patients"]


def test_the_files_behind_a_finding_are_told_to_their_owner(
    found: dict[str, Any], dataset: Dataset, tmp_path: Path
) -> None:
    paths = read_paths(dataset.folder)
    evil = {image: f"=cmd|' /C'!{path}" for image, path in paths.items()}
    target = tmp_path / "list.csv"
    count = write_listing(listed_files(found, dataset.images, evil), target)
    assert target.stat().st_mode & 0o777 == 0o600
    with target.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert (len(rows), tuple(rows[0])) == (count, COLUMNS)
    assert all(row["file"].startswith("'=cmd") for row in rows)
    first = [row for row in rows if row["finding"] == "exact copies" and row["group"] == "1"]
    assert sorted(row["labels"] for row in first) == ["a", "b"]
    assert {row["finding"] for row in rows} == {
        "exact copies", "nearly identical", "left out L07", "left out P10",
    }  # fmt: skip


def test_thumbnails_are_small_pictures(found: dict[str, Any], dataset: Dataset) -> None:
    wanted = [image for group in found["copies"]["list"] for image in group["images"]]
    made = thumbnail_addresses(dataset.images, PixelCache(dataset.folder), wanted)
    assert set(made) == set(found["copies"]["list"][1]["images"])  # contradictory ones have no row
    assert all(address.startswith("data:image/png;base64,") for address in made.values())
