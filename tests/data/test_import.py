"""Import end to end: real files through real children into a manifest and a cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.config import DataSettings
from core.data import sources
from core.data.cache import PixelCache
from core.data.keys import keyed_hash, site_key
from core.data.manifest import Dataset, open_dataset, read_paths, save_manifest
from core.data.scan import import_dataset
from core.data.split import check_split
from core.errors import ConfigError, DataError, SplitError
from core.types import SilentReporter, SplitName, Stopped, Task


class Listening(SilentReporter):
    """Keeps what it hears, and asks to stop after `stop_at` images."""

    def __init__(self, stop_at: int = 10**9) -> None:
        self.phases: list[str] = []
        self.done = 0
        self.stop_at = stop_at

    def phase(self, name: str, text: str) -> None:
        self.phases.append(text)

    def progress(self, done: int, total: int) -> None:
        self.done = done

    def stop_requested(self) -> bool:
        return self.done >= self.stop_at


def settings(source: Path, **changes: Any) -> DataSettings:
    changes = {"pixels": {"size_px": 32}, **changes}
    return DataSettings.model_validate({"source": str(source), **changes})


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


@pytest.fixture
def source(tmp_path: Path, write_picture: Callable[..., Path], make_dicom: Any) -> Path:
    """Two classes, three patients by file name, a DICOM file, a copy under the other label."""
    root = tmp_path / "Größe & co"
    for number in range(6):
        kind = "well" if number % 2 else "sick"
        write_picture(root / kind / f"{number // 2:03d}_{number}.png", number)
    values = np.arange(0, 4096, 64, dtype=np.uint16).reshape(8, 8)
    (root / "sick" / "x.dcm").write_bytes(make_dicom(values, BitsStored=12, HighBit=11))
    write_picture(root / "sick" / "copy1.png", 99)
    shutil.copy(root / "sick" / "copy1.png", root / "well" / "copy2.png")
    (root / "well" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (root / "notes.txt").write_text("hello")
    return root


def test_a_folder_becomes_a_data_set(source: Path, workspace: Path) -> None:
    before = state(source)
    dataset = import_dataset(settings(source, patient_pattern=r"^(\d+)_"), workspace, Listening())
    assert state(source) == before
    assert (dataset.classes, dataset.task, dataset.channels) == (
        ("sick", "well"),
        Task.MULTICLASS,
        1,
    )
    assert (dataset.synthetic, dataset.ignored) == (False, 1)
    assert dataset.excluded().values.tolist() == [
        ["L07", "The same picture occurs 2 times under different labels.", 2],
        ["P10", "The picture is damaged or cut short.", 1],
    ]
    usable = dataset.usable()
    assert usable["patient_source"].value_counts().to_dict() == {"pattern": 6, "header": 1}
    assert usable["patient"].nunique() == 4
    key = site_key(workspace)
    header = usable[usable["patient_source"] == "header"].iloc[0]
    assert header["patient"] == keyed_hash(key, "patient", "4711")
    assert (header["bits"], header["width"], header["modality"]) == (12, 8, "OT")
    assert header["window"].startswith("percentiles")
    cache = PixelCache(dataset.folder)
    cache.verify(usable)
    assert cache.read(usable["row"].to_numpy()).dtype == np.uint16
    assert dataset.targets(usable).tolist() == [
        dataset.classes.index(labels[0]) for labels in usable["labels"]
    ]


def test_names_stand_in_one_private_file_only(source: Path, workspace: Path) -> None:
    dataset = import_dataset(settings(source), workspace, Listening())
    paths = read_paths(dataset.folder)
    assert sorted(paths) == sorted(dataset.images["image"])
    key = site_key(workspace)
    assert all(keyed_hash(key, "image", f"{path}#0") == image for image, path in paths.items())
    if os.name == "posix":
        assert (dataset.folder / "paths.parquet").stat().st_mode & 0o777 == 0o600
        assert dataset.folder.stat().st_mode & 0o777 == 0o700
    for name in ("dataset.json", "manifest.parquet"):
        content = (dataset.folder / name).read_bytes()
        for secret in (b"4711", b"DOE", b"copy1", b"000_0", source.name.encode()):
            assert secret not in content
    assert "002_4" not in " ".join(map(str, dataset.images.to_numpy().ravel()))


def test_an_unchanged_source_is_not_read_again(
    source: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = import_dataset(settings(source), workspace, Listening())

    def unwanted(*_: object) -> None:
        raise AssertionError("the source is read again")

    with monkeypatch.context() as patched:
        patched.setattr(sources, "sniff_files", unwanted)
        second = import_dataset(settings(source), workspace, Listening())
    assert second.sha256 == first.sha256
    pd.testing.assert_frame_equal(first.images, second.images)
    (first.folder / "pixels.npy").write_bytes(b"rot")
    third = import_dataset(settings(source), workspace, Listening())
    assert third.sha256 == first.sha256
    os.utime(source / "sick" / "x.dcm", ns=(1, 1))
    assert import_dataset(settings(source), workspace, Listening()).id != first.id


def test_a_stop_leaves_no_data_set(source: Path, workspace: Path) -> None:
    with pytest.raises(Stopped):
        import_dataset(settings(source), workspace, Listening(stop_at=2))
    assert [path for path in (workspace / "datasets").iterdir() if path.name[0] != "."] == []


def test_a_table_with_gaps(
    tmp_path: Path, workspace: Path, write_picture: Callable[..., Path]
) -> None:
    root = tmp_path / "table"
    for number in range(4):
        write_picture(root / "img" / f"{number}.png", number)
    rows = [
        "file;A;B;who",
        "img/0.png;1;0;p",
        "img/1.png;0;0;p",
        "img/2.png;2;0;q",
        "img/9.png;1;1;q",
    ]
    (root / "list.csv").write_text("\n".join(rows), encoding="utf-8-sig")
    chosen = settings(root, table="list.csv", label_columns=("A", "B"), patient_column="who")
    dataset = import_dataset(chosen, workspace, Listening())
    assert dataset.task is Task.MULTILABEL
    assert sorted(dataset.images["code"]) == ["", "", "L04", "L05", "L06"]
    assert dataset.targets(dataset.usable()).tolist() == [[1, 0], [0, 0]]
    assert dataset.usable()["patient"].nunique() == 1
    assert len(read_paths(dataset.folder)) == 5


@pytest.mark.skipif(os.name != "posix", reason="needs modes")
def test_case_39_a_read_only_folder(
    tmp_path: Path, workspace: Path, write_picture: Callable[..., Path]
) -> None:
    root = tmp_path / "fixed"
    write_picture(root / "a" / "1.png", 1)
    (root / "a").chmod(0o500)
    root.chmod(0o500)
    before = state(root)
    dataset = import_dataset(settings(root), workspace, Listening())
    assert state(root) == before
    root.chmod(0o700)
    (root / "a").chmod(0o700)
    assert len(dataset.usable()) == 1
    assert "No patient is named for 1 of 1 images" in dataset.notes[0]


def test_case_38_names_of_every_kind(
    tmp_path: Path, workspace: Path, write_picture: Callable[..., Path]
) -> None:
    root = tmp_path / "Ünï cöde #1%&"
    names = ["a b/ü#%&.png", "a b/line\nbreak.png", "数据/画像.png", "‮rtl/x.png"]
    deep = "/".join(["deep" * 10] * 5) + "/" + "n" * 40 + ".png"
    assert len(deep) > 240
    if os.name != "posix":
        names = [name for name in names if "\n" not in name]
    for seed, name in enumerate([*names, deep]):
        write_picture(root / name, seed)
    dataset = import_dataset(settings(root), workspace, Listening())
    assert len(dataset.usable()) == len(names) + 1
    assert set(read_paths(dataset.folder).values()) == {*names, deep}
    assert "rtl" in dataset.classes  # without its direction mark


class Unplugging(Listening):
    """Takes the source away after `done` files."""

    def __init__(self, source: Path, done: int) -> None:
        super().__init__()
        self.source, self.at = source, done

    def progress(self, done: int, total: int) -> None:
        super().progress(done, total)
        if done == self.at:
            self.source.rename(self.source.with_name("gone"))


def test_case_41_a_drive_that_goes_away(
    tmp_path: Path, workspace: Path, write_picture: Callable[..., Path]
) -> None:
    root = tmp_path / "stick"
    for number in range(60):
        write_picture(root / "a" / f"{number}.png", number)
    with pytest.raises(DataError, match=r"I01.*disappeared; \d+ of 60 files had been read"):
        import_dataset(settings(root), workspace, Unplugging(root, 12))
    assert [one for one in (workspace / "datasets").iterdir() if one.name[0] != "."] == []
    (tmp_path / "gone").rename(root)
    assert len(import_dataset(settings(root), workspace, Listening()).usable()) == 60


def test_case_42_one_picture_under_two_labels_or_in_two_parts(
    source: Path, workspace: Path
) -> None:
    dataset = import_dataset(settings(source), workspace, Listening())
    conflict = dataset.images[dataset.images["code"] == "L07"]
    assert conflict["labels"].tolist() == [["sick"], ["well"]]
    assert conflict["pixels_sha256"].nunique() == 1
    same = dataset.images.assign(split="train")
    same.loc[conflict.index, ["code", "split"]] = [["", "train"], ["", "test"]]
    with pytest.raises(SplitError, match=r"T04.*1 times one picture is in two parts"):
        check_split(same)


def test_what_cannot_be_imported(tmp_path: Path, workspace: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="I03"):
        import_dataset(settings(empty), workspace, Listening())
    with pytest.raises(DataError, match="I01"):
        import_dataset(settings(tmp_path / "gone"), workspace, Listening())
    for pattern in ("(", "no group"):
        with pytest.raises(ConfigError, match="C11"):
            import_dataset(settings(empty, patient_pattern=pattern), workspace, Listening())


def test_a_manifest_travels_to_a_run(source: Path, workspace: Path, tmp_path: Path) -> None:
    dataset = import_dataset(settings(source), workspace, Listening())
    images = dataset.images.assign(split=SplitName.TRAIN.value)
    run = tmp_path / "run"
    save_manifest(dataset.with_images(images), run)
    opened: Dataset = open_dataset(run, workspace)
    assert opened.folder == dataset.folder
    assert opened.sha256 == dataset.sha256
    assert len(opened.part(SplitName.TRAIN)) == len(dataset.usable())
    pd.testing.assert_frame_equal(opened.images, images)
    (run / "dataset.json").write_text((run / "dataset.json").read_text().replace("sick", "sack"))
    with pytest.raises(DataError, match="I07"):
        open_dataset(run, workspace)
