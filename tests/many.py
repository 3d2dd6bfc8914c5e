"""A workspace whose project has as many images as a hospital's: made in seconds, without files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.config import DataSettings, PixelSettings, RunConfig
from core.data.cache import CacheWriter, pixels_sha256
from core.data.manifest import Dataset, manifest_table, save_manifest, save_paths
from core.files import private_folder, write_json
from core.projects import Project, ProjectStore
from core.types import Task

CLASSES = ("adenoma", "carcinoma", "normal")
PARTS = ("train", "train", "train", "validation", "test")


def write_many(workspace: Path, images: int = 10_000, size_px: int = 64) -> Project:
    """A project of random pictures, four for each patient, read and divided.

    Args:
        workspace: Where it is made.
        images: How many.
        size_px: Side of each.
    """
    store = ProjectStore(workspace)
    pixels = PixelSettings(size_px=size_px)
    config = RunConfig(data=DataSettings(source=str(workspace / "absent"), pixels=pixels))
    project = store.create(f"{images:,} images", config)
    folder = private_folder(workspace / "datasets" / "0123456789abcdef")
    writer = CacheWriter(folder, size_px)
    random = np.random.default_rng(0)
    ramp = np.linspace(0, 96, size_px)[None] + np.linspace(0, 96, size_px)[:, None]
    rows = []
    for number in range(images):
        noise = random.integers(0, 64, (size_px, size_px))
        picture = (ramp + noise).astype(np.uint8)[None]
        writer.append(picture)
        patient = number // 4
        rows.append(
            {
                "image": f"{number:016x}", "labels": [CLASSES[patient % 3]], "row": number,
                "patient": f"{patient:016x}", "patient_source": "column",
                "split": PARTS[patient % 5], "group": f"{patient:016x}", "sha256": f"{number:064x}",
                "pixels_sha256": pixels_sha256(picture),
                "width": size_px, "height": size_px, "bits": 8, "decoder": "none",
                "window": "8 bits",
            }
        )  # fmt: skip
    writer.finish()
    dataset = Dataset(
        folder, folder.name, manifest_table(rows), CLASSES, Task.MULTICLASS, pixels, 1, False,
        facts={"patients": images // 4},
    )  # fmt: skip
    for place in (folder, project.folder):
        save_manifest(dataset, place)
    save_paths({row["image"]: f"{row['image']}.png" for row in rows}, folder)
    split = {"sha256": "0" * 64, "sentence": "Divided by patient.", "notes": []}
    write_json(project.folder / "split.json", split | {"settings": {}})
    return store.open(project.id)
