"""What tests of teachers share: a tiny one, tiny images, and what is wanted of it."""

from __future__ import annotations

import pytest
import torch

from core.data.cache import PixelCache
from core.teachers.base import Teacher
from core.teachers.catalogue import find_teacher
from core.teachers.checkpoint import load_teacher
from core.teachers.features import FeatureRequest
from core.types import SplitName
from tests.tiny import tiny_config, tiny_dataset, write_images, write_tiny_teacher

Made = tuple[Teacher, PixelCache, FeatureRequest]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("features")
    images, file = write_images(home / "demo"), write_tiny_teacher(home / "t")
    dataset = tiny_dataset(tiny_config(images, file), home / "workspace")
    request = FeatureRequest(
        train=dataset.part(SplitName.TRAIN),
        validation=dataset.part(SplitName.VALIDATION),
        data_sha256=dataset.sha256,
        seed=3,
        views=2,
        augment="light",
        taps=(2, 3),
        grids=((2, 2), (2, 2)),
        precision="float32",
    )
    teacher = load_teacher(find_teacher(str(file)), home)
    return teacher, PixelCache(dataset.folder), request
