"""MedMNIST's arrays: pictures, labels and proposed parts, read without pickle."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.config import DataSettings
from core.data.scan import import_dataset
from core.errors import DataError
from core.types import SilentReporter, Task
from tests.data.conftest import ReadAll

RANDOM = np.random.default_rng(3)


def images(count: int, *more: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (count, 28, 28, *more), dtype=np.uint8)


def npz(**arrays: np.ndarray) -> bytes:
    written = io.BytesIO()
    np.savez_compressed(written, **arrays)
    return written.getvalue()


def labels(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.uint8)[:, None]


def imported(source: Path, workspace: Path, **changes: Any) -> Any:
    settings = {"source": str(source), "pixels": {"size_px": 32}} | changes
    return import_dataset(DataSettings.model_validate(settings), workspace, SilentReporter())


def test_pictures_labels_and_parts(tmp_path: Path, workspace: Path) -> None:
    first, second = images(4), images(2)
    content = npz(
        train_images=first, train_labels=labels(0, 2, 10, 2), val_images=second,
        val_labels=labels(0, 2),
    )  # fmt: skip
    (tmp_path / "set.npz").write_bytes(content)
    dataset = imported(tmp_path / "set.npz", workspace)
    assert (dataset.classes, dataset.task) == (("0", "2", "10"), Task.MULTICLASS)
    rows = dataset.images
    assert rows["proposed_split"].tolist() == ["train"] * 4 + ["validation"] * 2
    assert [names[0] for names in rows["labels"]] == ["0", "2", "10", "2", "0", "2"]
    assert rows["patient"].nunique() == 6
    assert rows["image"].is_unique
    assert (rows["stack"] == "").all()


def test_findings_and_colours(tmp_path: Path, workspace: Path, read_all: ReadAll) -> None:
    found = np.array([[0, 1, 1], [0, 0, 0], [1, 0, 0]], dtype=np.uint8)
    (tmp_path / "a.npz").write_bytes(npz(test_images=images(3, 3), test_labels=found))
    dataset = imported(tmp_path, workspace)  # a folder that holds the file
    assert (dataset.classes, dataset.task) == (("0", "1", "2"), Task.MULTILABEL)
    assert dataset.targets(dataset.usable()).tolist() == found.tolist()
    assert dataset.channels == 3


@pytest.mark.parametrize(
    ("arrays", "code"),
    [
        ({"x": np.zeros(3)}, "P31"),
        ({"train_images": np.zeros((2, 28, 28), np.float32)}, "P31"),
        ({"train_images": np.zeros((2, 28, 28, 28), np.uint8)}, "P31"),
        ({"train_images": np.zeros((2, 8, 8), np.uint8), "train_labels": labels(1)}, "P31"),
        (
            {"train_images": np.zeros((1, 8, 8), np.uint8), "train_labels": np.zeros((1, 2)) + 7},
            "P31",
        ),
    ],
)
def test_other_layouts_are_refused(
    read_all: ReadAll, arrays: dict[str, np.ndarray], code: str
) -> None:
    with pytest.raises(DataError, match=code):
        read_all(npz(**arrays))


class Bomb:
    """Runs code when unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


def test_no_pickle_is_ever_opened(tmp_path: Path, read_all: ReadAll) -> None:
    marker = tmp_path / "executed"
    objects = np.empty(1, dtype=object)
    objects[0] = Bomb(marker)
    for arrays in (
        {"train_images": objects},
        {"train_images": np.zeros((1, 8, 8), np.uint8), "train_labels": objects},
    ):
        with pytest.raises(DataError, match="P3"):
            read_all(npz(**arrays))
    assert not marker.exists()
    pickle.loads(pickle.dumps(Bomb(marker)))  # the bomb is real
    assert marker.exists()


def test_a_cut_or_damaged_file_is_refused(read_all: ReadAll) -> None:
    content = npz(train_images=images(4), train_labels=labels(0, 1, 0, 1))
    with pytest.raises(DataError, match="P30"):
        read_all(content[:-30])
    damaged = bytearray(content)
    damaged[400:500] = bytes(100)
    with pytest.raises(DataError, match="P30"):
        read_all(bytes(damaged))


def test_files_of_one_class_and_of_findings_do_not_mix(tmp_path: Path, workspace: Path) -> None:
    one = npz(train_images=images(2), train_labels=labels(0, 1))
    many = npz(train_images=images(2), train_labels=np.eye(2, dtype=np.uint8))
    (tmp_path / "one.npz").write_bytes(one)
    (tmp_path / "many.npz").write_bytes(many)
    with pytest.raises(DataError, match="L16"):
        imported(tmp_path, workspace)


@pytest.mark.realdata
def test_public_arrays(real_data: Path, workspace: Path) -> None:
    dataset = imported(real_data / "medmnist_style" / "busi_breast_64.npz", workspace)
    counts = dataset.images["proposed_split"].value_counts().to_dict()
    assert counts == {"train": 546, "test": 156, "validation": 78}
    parts = pd.crosstab(dataset.images["proposed_split"], dataset.images["labels"].str[0])
    assert parts.loc["train"].tolist() == [147, 399]
    conflict = dataset.images[dataset.images["code"] == "L07"]
    assert len(conflict) == 2  # the picture that BUSI has in two classes
