"""The store of clean looks: what it holds is what the teacher says, and is asked for once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.data.cache import PixelCache
from core.data.manifest import Dataset
from core.teachers import pooled
from core.teachers.base import Teacher
from core.teachers.catalogue import find_teacher
from core.teachers.checkpoint import load_teacher
from core.teachers.pooled import kept_features, pooled_features
from core.types import SplitName, Stopped
from tests.tiny import ListReporter, tiny_config, tiny_dataset, write_images, write_tiny_teacher


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Teacher]:
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("pooled")
    file = write_tiny_teacher(home / "teacher")
    dataset = tiny_dataset(tiny_config(write_images(home / "images"), file), home / "workspace")
    return dataset, load_teacher(find_teacher(str(file)), home)


def test_it_is_what_the_teacher_says_whatever_the_order(
    parts: tuple[Dataset, Teacher], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, teacher = parts
    cache, frame = PixelCache(dataset.folder), dataset.part(SplitName.TRAIN)
    expected = pooled_features(teacher, cache, frame["row"].to_numpy())
    assert expected.shape == (len(frame), 512)
    asked = (dataset.sha256, tmp_path / "features", ListReporter())
    half = kept_features(teacher, cache, frame.iloc[: len(frame) // 2], *asked)
    np.testing.assert_allclose(half, expected[: len(half)], atol=1e-5)
    whole = kept_features(teacher, cache, frame.iloc[::-1], *asked)
    np.testing.assert_allclose(whole[::-1], expected, atol=1e-5)
    monkeypatch.setattr(pooled, "pooled_features", None)  # from here on nothing is looked at
    np.testing.assert_array_equal(kept_features(teacher, cache, frame, *asked)[::-1], whole)


def test_a_stop_keeps_what_is_done_and_a_torn_end_is_written_over(
    parts: tuple[Dataset, Teacher], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, teacher = parts
    monkeypatch.setattr(pooled, "BATCH", 4)
    cache, frame = PixelCache(dataset.folder), dataset.part(SplitName.TRAIN)
    with pytest.raises(Stopped):
        kept_features(
            teacher, cache, frame, dataset.sha256, tmp_path / "features", ListReporter(stop_after=2)
        )
    (home,) = (path for path in (tmp_path / "features").iterdir() if path.is_dir())
    numbers = home / "pooled.bin"
    assert numbers.stat().st_size == 8 * 512 * 4
    with numbers.open("ab") as opened:
        opened.write(b"torn")
    found = kept_features(
        teacher, cache, frame, dataset.sha256, tmp_path / "features", ListReporter()
    )
    expected = pooled_features(teacher, cache, frame["row"].to_numpy())
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_another_teacher_or_other_images_have_a_store_of_their_own(
    parts: tuple[Dataset, Teacher], tmp_path: Path
) -> None:
    dataset, teacher = parts
    cache, frame = PixelCache(dataset.folder), dataset.part(SplitName.TRAIN).iloc[:2]
    spec = teacher.spec.model_copy(update={"mean": (0.1, 0.1, 0.1)})
    other = Teacher(spec, teacher.network)
    for one, data in ((teacher, "a"), (teacher, "b"), (other, "a"), (teacher, "a")):
        kept_features(one, cache, frame, data, tmp_path / "features", ListReporter())
    stores = [path for path in (tmp_path / "features").iterdir() if path.is_dir()]
    assert len(stores) == 3
