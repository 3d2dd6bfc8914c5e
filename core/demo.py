"""The demo: the whole job on synthetic images, in a few minutes and without a browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from core.choosing import DEMO_SIDE as SIDE
from core.choosing import demo_config
from core.data.augment import clean_view
from core.data.cache import PixelCache
from core.data.manifest import Dataset, open_dataset, read_paths
from core.inference.batch import predict_paths
from core.inference.explain import heat_map
from core.inference.predictor import Predictor
from core.runs.layout import RunFolder
from core.students.base import Student, build_student
from core.types import Reporter, SplitName

SHOWN = 6  # test images whose predictions the demo returns


def predict_some(run: RunFolder, workspace: Path, reporter: Reporter) -> pd.DataFrame:
    """Classify a few of the test images from their files; see `predict_paths`."""
    dataset = open_dataset(run.path, workspace)
    paths = read_paths(dataset.folder)
    images = dataset.part(SplitName.TEST)["image"].head(SHOWN)
    files = [workspace / "demo-data" / "images" / paths[image] for image in images]
    return predict_paths(Predictor.open(run.export), files, reporter)


def lesion_overlap(run: RunFolder, workspace: Path) -> dict[str, float]:
    """How much of the heat-map lies on the lesion, which only a phantom knows.

    Args:
        run: A finished demo run.
        workspace: Its workspace, with the phantom's masks.

    Returns:
        Means over the validation images: ``inside``, share of the heat on the lesion;
        ``untrained``, the same for the student with random weights; ``chance``, share of the
        picture the lesion covers. Besides ``above_chance``, share of the images in which the first
        exceeds the last, and ``images``.
    """
    dataset = open_dataset(run.path, workspace)
    frame = dataset.part(SplitName.VALIDATION)
    pictures = clean_view(PixelCache(dataset.folder).images(frame["row"].to_numpy()), SIDE)
    lesions = _lesions(dataset, frame["image"].tolist(), workspace)
    student = Predictor.open(run.export).student
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        untrained = build_student(demo_config().student.name, len(dataset.classes), SIDE)
    targets = dataset.targets(frame)
    inside, random = (_inside(net, pictures, targets, lesions) for net in (student, untrained))
    chance = lesions.mean((1, 2))
    return {
        "inside": float(np.nanmean(inside)),
        "untrained": float(np.nanmean(random)),
        "chance": float(chance.mean()),
        "above_chance": float((inside > chance).mean()),
        "images": len(frame),
    }


def _lesions(dataset: Dataset, images: list[str], workspace: Path) -> np.ndarray:
    """``[N, S, S]`` bool: where the lesion of each image is."""
    paths = read_paths(dataset.folder)
    folder = workspace / "demo-data" / "masks"
    files = [folder / f"{Path(paths[image]).stem}.png" for image in images]
    return np.stack([np.asarray(Image.open(file).resize((SIDE, SIDE))) > 127 for file in files])


def _inside(
    student: Student, pictures: Tensor, targets: np.ndarray, lesions: np.ndarray
) -> np.ndarray:
    """``[N]`` share of the heat for the true class that lies on the lesion; NaN without heat."""
    shares = np.full(len(pictures), np.nan)
    for place in np.unique(targets):
        here = np.flatnonzero(targets == place)
        heat = heat_map(student, pictures[here], int(place))
        total = heat.sum((1, 2))
        found = (heat * lesions[here]).sum((1, 2))
        shares[here] = np.where(total > 0, found / np.maximum(total, 1e-9), np.nan)
    return shares
