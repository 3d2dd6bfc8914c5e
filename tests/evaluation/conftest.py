"""A realistic run directory, made by the parts that make real ones: events, figures, manifest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.config import EvaluationSettings, RunConfig, parse_config
from core.evaluation.comparison import difference
from core.evaluation.figures import evaluate
from core.evaluation.threshold import choose_thresholds
from core.files import write_json, write_text
from core.runs.events import EventWriter
from core.runs.layout import RunFolder
from core.types import Task

SETTINGS = EvaluationSettings(resamples=400)
SPLIT_HASH = "5e" * 32


@dataclass(frozen=True)
class Recipe:
    """What the run directory should hold."""

    classes: tuple[str, ...] = ("benign", "malignant")
    task: Task = Task.MULTICLASS
    patients: int = 150
    images_per_patient: int = 3
    strength: float = 1.5
    name: str = "Breast lesions, pilot"
    optional: bool = True
    test: bool = True
    evaluated: bool = True
    source: str = "/home/dr.house/Patients/Jane Doe"
    alert: str = "The newest checkpoint was damaged; the previous one (step 400) was used."
    synthetic: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


RunBuilder = Callable[..., RunFolder]


@pytest.fixture
def build_run(workspace: Path) -> RunBuilder:
    """Return a function that writes a run directory: ``build_run(test=False, ...)``."""

    def build(**wanted: Any) -> RunFolder:
        return write_run(workspace, Recipe(**wanted))

    return build


def write_run(workspace: Path, recipe: Recipe) -> RunFolder:
    """Write a run directory as a finished worker leaves it."""
    run = RunFolder(workspace / "runs" / "20261120-131902-pilot-0a1b")
    run.report.mkdir(parents=True, exist_ok=True)
    config = parse_config(
        RunConfig.model_validate_json(
            '{"name": "x", "data": {"source": "demo"}, "train": {"epochs": 24}}'
        )
        .model_copy(update={"name": recipe.name})
        .to_json()
        .replace('"demo"', f'"{recipe.source}"')
    )
    write_text(run.config, config.to_json())
    images = make_images(recipe)
    images.to_parquet(run.manifest)
    write_json(
        run.path / "dataset.json",
        {"classes": recipe.classes, "task": recipe.task, "synthetic": recipe.synthetic}
        | {"sha256": "da" * 32, "ignored": 4},
    )
    write_json(
        run.path / "split.json",
        {
            "sha256": SPLIT_HASH,
            "sentence": "Patients were divided 60 : 20 : 20, each class in the same proportion; "
            "no patient and no near-duplicate is in two parts.",
            "notes": ["2 patients share near-duplicate images and were kept together."],
        },
    )
    write_events(run, recipe)
    if recipe.optional:
        write_cards(run)
    if recipe.evaluated:
        write_figures(run, workspace, recipe, images)
    return run


def make_images(recipe: Recipe) -> pd.DataFrame:
    """A manifest with every image found, some excluded."""
    rng = np.random.default_rng(3)
    rows = []
    for patient in range(recipe.patients):
        part = ("train", "train", "train", "validation", "test")[patient // 2 % 5]
        for shot in range(recipe.images_per_patient):
            if recipe.task is Task.MULTILABEL:
                labels = [c for k, c in enumerate(recipe.classes) if (patient >> k) % 2]
            else:
                labels = [recipe.classes[patient % len(recipe.classes)]]
            rows.append((f"{patient:08x}{shot:08x}", labels, f"{patient:016x}", part, "", ""))
    reasons = [("D12", "The file is cut short"), ("P11", "The picture is too large")]
    for k in range(7):
        code, reason = reasons[k % 3 == 0]
        rows.append((f"{k:016x}", [], f"{900 + k:016x}", "", code, reason))
    columns = ["image", "labels", "patient", "split", "code", "reason"]
    images = pd.DataFrame(rows, columns=columns)
    images["group"] = images["patient"]
    images["patient_source"] = np.where(rng.random(len(images)) < 0.9, "header", "column")
    return images


def write_events(run: RunFolder, recipe: Recipe) -> None:
    """Curves that fall and rise as real ones do."""
    rng = np.random.default_rng(0)
    with EventWriter(run, 1) as events:
        events.lifecycle("created")
        events.lifecycle("started")
        events.alert("warning", "T31", recipe.alert)
        steps, per_epoch = 24 * 20, 20
        for step in range(steps):
            at, noise = step / steps, rng.normal(0, 0.05, 4)
            epoch = (step + 1) / per_epoch
            terms = {
                "loss/task": 0.68 * np.exp(-1.6 * at) + 0.06 + noise[0],
                "loss/hybrid": 0.62 * np.exp(-2.6 * at) + 0.05 + noise[1],
                "loss/agreement": 0.16 * np.exp(-3 * at) + 0.02 + abs(noise[2]) / 4,
                "loss/cka": -0.85 + 0.6 * np.exp(-4 * at) + noise[3] / 3,
            }
            events.metric("loss", float(sum(terms.values()) + 0.8), step=step, epoch=epoch)
            for name, value in terms.items():
                events.metric(name, float(value), step=step, epoch=epoch)
        for epoch in range(1, 25):
            at, noise = epoch / 24, rng.normal(0, 0.012, 4)
            found = {
                "validation/auroc": 0.62 + 0.25 * (1 - np.exp(-3.4 * at)) + noise[0],
                "validation/loss": 0.63 * np.exp(-2 * at) + 0.16 + 0.1 * at + noise[1],
                "cka/reprogrammed": 0.78 * (1 - np.exp(-4 * at)) + 0.05 + noise[2],
                "cka/teacher": 0.46 * (1 - np.exp(-3 * at)) + 0.04 + noise[3],
            }
            for name, value in found.items():
                events.metric(name, float(value), step=epoch * per_epoch, epoch=float(epoch))
        events.lifecycle("completed")


def write_cards(run: RunFolder) -> None:
    """Teacher, student, environment, parity."""
    cost = {"parameters": 11_689_512, "megabytes": 46.8, "multiply_adds": 1_814_000_000}
    teacher_cost = {"parameters": 86_567_656, "megabytes": 346.3, "multiply_adds": 16_848_000_000}
    write_json(
        run.path / "teacher.json",
        {
            "name": "dinov2-base",
            "title": "DINOv2 ViT-B/14",
            "architecture": "vit_base_patch14_dinov2",
            "source": "file",
            "location": "/home/dr.house/weights/vitb14.safetensors",
            "sha256": "7e" * 32,
            "image_px": 224,
            "licence": "Apache-2.0",
            "licence_note": "Free to use; a distilled student carries no further condition.",
            "citation": "Oquab et al., arXiv 2304.07193",
            "about": "Trained on natural photographs without labels.",
            "overlap": {"images": 0, "near": 0, "sentence": "No image is in its card."},
            "probe": {"cross_validated": 0.857},
        },
    )
    before = [[0.61, 0.42, 0.2, -0.013], [0.4, None, 0.3, 0.31]]
    after = [[0.6, 0.45, 0.3, 0.22], [0.4, 0.5, 0.4, 0.62]]
    alignment = {"images": 90, "before": before, "after": after, "pairs": [[1, 3]]}
    write_json(run.alignment, alignment)
    write_json(
        run.path / "student.json",
        cost
        | {"latency_ms": 21.4, "latency_low": 20.9, "latency_high": 24.8, "threads": 2}
        | {"machine": "x86-64 processor, 2 cores", "title": "ResNet-18", "family": "ResNet"}
        | {"summary": "a small residual network, from scratch"}
        | {"teacher_cost": teacher_cost | {"latency_ms": 188.2}},
    )
    write_json(
        run.environment,
        {
            "python": "3.11.7",
            "system": "Linux",
            "cores": 2,
            "hostname": "ward7-pc",
            "executable": "/home/dr.house/bedside/.venv/bin/python",
            "packages": {"torch": "2.15.0", "timm": "1.0.31", "numpy": "2.4.6"},
            "git": {"commit": "0123456789abcdef", "changed": False},
        },
    )
    chosen = {"accelerator": "cpu", "precision": "float32", "threads": 2}
    write_json(run.path / "device.json", {"chosen": chosen, "seconds_per_step": {}})
    write_json(run.path / "views.json", {"views": 16, "precision": "bfloat16"})
    write_json(
        run.export / "parity.json", {"max_difference": 3.1e-7, "tolerance": 1e-4, "agrees": True}
    )


def write_figures(run: RunFolder, workspace: Path, recipe: Recipe, images: pd.DataFrame) -> None:
    """Figures, scores and the student-only companion, from `evaluate` itself."""
    thresholds: dict[str, float] = {}
    companion: dict[str, Any] = {"run": "20261120-100000-alone-ffff", "difference": {}}
    for part in ("validation", "test") if recipe.test else ("validation",):
        chosen = images[images["split"] == part]
        seed = 10 if part == "test" else 0
        targets, mine = scores_of(chosen, recipe, recipe.strength, seed=seed + 1)
        _, alone = scores_of(chosen, recipe, recipe.strength * 0.72, seed=seed + 2)
        _, teacher = scores_of(chosen, recipe, recipe.strength * 1.15, seed=seed + 4)
        groups = chosen["patient"].to_numpy(str)
        common = (groups, recipe.classes, recipe.task)
        if part == "validation":
            thresholds = choose_thresholds(targets, mine, recipe.classes, recipe.task)
        found = evaluate(targets, mine, *common, thresholds, SETTINGS, 0).as_json()
        if part == "test":
            found["opened"] = ["2026-11-20T14:02:11+00:00"]
        write_json(run.report / f"{part}.json", found)
        if not recipe.optional:
            continue
        table = chosen[["image", "patient"]].copy()
        table["target"] = ["; ".join(labels) for labels in chosen["labels"]]
        for k, each in enumerate(recipe.classes):
            table[f"p_{each}"], table[f"teacher_{each}"] = mine[:, k], teacher[:, k]
        table.to_parquet(run.report / f"{part}.parquet")
        companion[part] = evaluate(targets, alone, *common, thresholds, SETTINGS, 0).as_json()
        companion["difference"][part] = difference(
            targets, mine, alone, *common, SETTINGS, 0
        ).as_json()
    if recipe.optional:
        write_json(run.report / "companion.json", companion)
        lines = (
            f'{{"ts": "2026-11-21T09:30:00+00:00", "run": "20261121-0900-b-1", '
            f'"split_sha256": "{SPLIT_HASH}"}}\n'
            '{"ts": "2026-11-21T10:00:00+00:00", "run": "other", "split_sha256": "00"}\n{"torn'
        )
        write_text(workspace / "test_openings.jsonl", lines if recipe.test else "")


def scores_of(
    images: pd.DataFrame, recipe: Recipe, strength: float, *, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Targets and probabilities with an effect of the patient in them."""
    rng = np.random.default_rng(seed)
    width = len(recipe.classes)
    known = {each: k for k, each in enumerate(recipe.classes)}
    truth = np.zeros((len(images), width))
    for row, labels in enumerate(images["labels"]):
        for label in labels:
            truth[row, known[label]] = 1.0
    _, patient = np.unique(images["patient"], return_inverse=True)
    logits = strength * truth + rng.normal(size=truth.shape)
    logits += 0.9 * rng.normal(size=(patient.max() + 1, width))[patient]
    if recipe.task is Task.MULTILABEL:
        return truth, 1 / (1 + np.exp(-(logits - strength / 2)))
    odds = np.exp(1.3 * logits)
    return truth.argmax(axis=1), odds / odds.sum(axis=1, keepdims=True)
