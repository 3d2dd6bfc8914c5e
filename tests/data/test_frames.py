"""Files that hold several pictures: which are used, one by one, with flat memory."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from core.config import PixelSettings
from core.data.decode import AHEAD, DecoderPool
from core.data.frames import chosen_frames
from core.data.ledger import Ledger
from core.data.picture import Failure, Picture, Place, Raster
from core.errors import DataError
from tests.data.conftest import MakeDicom, ReadAll

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs signals")
CT_MULTI = "1.2.840.10008.5.1.4.1.1.2.1"


def cine(make_dicom: MakeDicom, frames: int, side: int = 8, **tags: Any) -> bytes:
    """A film: frame n is n everywhere, modulo 256."""
    numbers = (np.arange(frames) % 256).astype(np.uint8)
    data = np.repeat(numbers, side * side).tobytes()
    base = np.zeros((side, side), np.uint8)
    return make_dicom(base, PixelData=data, NumberOfFrames=frames, Modality="US", **tags)


def pictures(results: list[Raster | Failure]) -> list[Raster]:
    assert all(isinstance(result, Raster) for result in results), results
    return [result for result in results if isinstance(result, Raster)]


@pytest.mark.parametrize(
    ("total", "settings", "chosen"),
    [
        (3, {}, [0, 1, 2]),
        (1, {"frames": "middle"}, [0]),
        (4, {"frames": "middle"}, [1]),
        (5, {"frames": "middle"}, [2]),
        (30, {"frames": "every"}, [4, 14, 24]),
        (3, {"frames": "every"}, [1]),
        (5, {"frames": "every", "every_nth": 2}, [0, 2, 4]),
        (1, {"frames": "every", "every_nth": 7}, [0]),
    ],
)
def test_which_frames_are_chosen(total: int, settings: Any, chosen: list[int]) -> None:
    assert chosen_frames(total, PixelSettings.model_validate(settings)) == chosen


def test_every_frame_is_a_picture_of_its_own(make_dicom: MakeDicom, read_all: ReadAll) -> None:
    content = cine(make_dicom, 5)
    found = pictures(read_all(content))
    assert [(raster.place.frame, raster.place.frames) for raster in found] == [
        (frame, 5) for frame in range(5)
    ]
    assert [round(float(raster.pixels.mean()) * 255) for raster in found] == [0, 1, 2, 3, 4]
    (middle,) = pictures(read_all(content, frames="middle"))
    assert (middle.place.frame, round(float(middle.pixels.mean()) * 255)) == (2, 2)


def test_a_damaged_frame_costs_itself(make_dicom: MakeDicom, read_all: ReadAll) -> None:
    encoded = []
    for value in (10, 90, 200):
        written = io.BytesIO()
        Image.new("L", (8, 8), value).save(written, "JPEG")
        encoded.append(written.getvalue())
    encoded[1] = encoded[1][:20] + bytes(100)
    content = make_dicom(
        np.zeros((8, 8), np.uint8), syntax="1.2.840.10008.1.2.4.50", NumberOfFrames=3,
        PixelData=encapsulate(encoded),
    )  # fmt: skip
    first, second, third = read_all(content)
    assert isinstance(first, Raster)
    assert isinstance(third, Raster)
    assert [round(float(r.pixels.mean()) * 255) for r in (first, third)] == [10, 200]
    assert third.marks.lossy
    assert isinstance(second, Failure)
    assert (second.code, second.frame, second.frames) == ("D31", 1, 3)


@pytest.mark.filterwarnings("ignore:End of file:UserWarning")
def test_a_film_cut_short_loses_its_last_frame_alone(
    make_dicom: MakeDicom, read_all: ReadAll
) -> None:
    encoded = []
    for value in (10, 90, 200):
        written = io.BytesIO()
        Image.new("L", (8, 8), value).save(written, "JPEG")
        encoded.append(written.getvalue())
    base, syntax = np.zeros((8, 8), np.uint8), "1.2.840.10008.1.2.4.50"
    film = make_dicom(base, syntax=syntax, NumberOfFrames=3, PixelData=encapsulate(encoded))
    assert [type(result) for result in read_all(film[:-8])] == [Raster] * 3  # only its end is gone
    first, second, third = read_all(film[:-60])
    assert isinstance(first, Raster)
    assert isinstance(second, Raster)
    assert isinstance(third, Failure)
    assert (third.code, third.frame) == ("D12", 2)
    single = make_dicom(base, syntax=syntax, PixelData=encapsulate(encoded[:1]))
    with pytest.raises(DataError, match=r"D12.*bytes"):
        read_all(single[:-60])


def enhanced(make_dicom: MakeDicom) -> bytes:
    """Two CT frames: slope and window shared, intercept and place each frame's own."""

    def group(**tags: Any) -> Sequence:
        item = Dataset()
        for name, value in tags.items():
            setattr(item, name, value)
        return Sequence([item])

    shared = Dataset()
    shared.PixelValueTransformationSequence = group(
        RescaleSlope="2", RescaleIntercept="-1024", RescaleType="HU"
    )
    shared.FrameVOILUTSequence = group(WindowCenter="50", WindowWidth="300")
    shared.PixelMeasuresSequence = group(PixelSpacing=["0.5", "0.25"])
    shared.PlaneOrientationSequence = group(ImageOrientationPatient=["1", "0", "0", "0", "1", "0"])
    frames = []
    for number in range(2):
        item = Dataset()
        item.PlanePositionSequence = group(ImagePositionPatient=["1", "2", str(30 + 5 * number)])
        frames.append(item)
    frames[1].PixelValueTransformationSequence = group(RescaleSlope="2", RescaleIntercept="0")
    stored = np.stack([np.zeros((8, 8)), np.full((8, 8), 20)]).astype(np.uint16)
    return make_dicom(
        stored[0], PixelData=stored.tobytes(), NumberOfFrames=2, SOPClassUID=CT_MULTI,
        Modality="CT", SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(frames),
    )  # fmt: skip


def test_case_19_functional_groups_speak_for_each_frame(
    make_dicom: MakeDicom, read_all: ReadAll
) -> None:
    content = enhanced(make_dicom)
    first, second = pictures(read_all(content, window={"center": -1024.0, "width": 10.0}))
    assert float(first.pixels[0, 0]) == 0.5  # HU -1024: shared slope 2, intercept -1024
    first, second = pictures(read_all(content, window={"center": 40.0, "width": 10.0}))
    assert float(second.pixels[0, 0]) == 0.5  # HU 40: the frame's own intercept
    assert [r.place.position_mm for r in (first, second)] == [30, 35]
    assert (first.place.row_mm, first.place.column_mm, first.place.spacing) == (
        0.5,
        0.25,
        "patient",
    )
    default, _ = pictures(read_all(content))
    assert default.window == "preset soft tissue 40/400 LINEAR_EXACT"
    from_file, _ = pictures(read_all(content, window_name="file"))
    assert from_file.window == "file 1 of 1: 50/300 LINEAR"


def test_the_ledger_keeps_the_order_and_counts_what_waits() -> None:
    def picture(frame: int, frames: int) -> Picture:
        empty = np.zeros((1, 1, 1), np.uint8)
        place = Place(frame=frame, frames=frames)
        return Picture(empty, "", "", "", 1, 1, 8, "", "", "", place=place)

    ledger = Ledger(iter([("a", Path("a")), ("b", Path("b")), ("c", Path("c"))]), room=2)
    assert [ledger.next_item(idle=True), ledger.next_item(idle=False)] == [
        ("a", Path("a")), ("b", Path("b")),
    ]  # fmt: skip
    assert ledger.next_item(idle=True) is None  # no room until "a" is settled
    for frame in range(2):
        ledger.enter("b", picture(frame, 3))
    assert ledger.crowded
    assert list(ledger.due()) == []
    assert ledger.retry("b")  # its child died: what came before is not taken twice
    for frame in range(3):
        ledger.enter("b", picture(frame, 3))
    assert not ledger.retry("b")
    ledger.give_up("b", Failure("I21", "ended"))
    ledger.enter("a", picture(0, 1))
    ledger.finish("a")
    due = list(ledger.due())
    assert [(name, getattr(result, "code", "")) for name, result in due] == [
        ("a", ""), ("b", ""), ("b", ""), ("b", ""), ("b", "I21"),
    ]  # fmt: skip
    assert isinstance(due[-1][1], Failure)
    assert (due[-1][1].frame, due[-1][1].frames) == (3, 3)
    assert not ledger.crowded
    assert ledger.next_item(idle=True) == ("c", Path("c"))


@posix_only
def test_a_crash_in_the_middle_of_a_film_repeats_and_loses_no_frame(
    tmp_path: Path, make_dicom: MakeDicom
) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(cine(make_dicom, 400))
    frames = []
    with DecoderPool(1, PixelSettings(size_px=32)) as pool:
        for _, result in pool.decode([("film", path)]):
            assert isinstance(result, Picture)
            frames.append((result.place.frame, int(result.pixels[0, 0, 0])))
            if len(frames) == 50:
                os.kill(pool.working_ids[0], signal.SIGKILL)
        assert pool.restarts == 1
    assert frames == [(frame, frame % 256) for frame in range(400)]


@pytest.fixture
def two_ready(tmp_path: Path, write_picture: Any) -> Iterator[DecoderPool]:
    """A pool whose two children both run."""
    small = [(str(n), write_picture(tmp_path / f"{n}.png", n)) for n in range(2)]
    with DecoderPool(2, PixelSettings(size_px=224), timeout_s=60) as pool:
        while [child.ready for child in pool._children] != [True, True]:
            list(pool.decode(small))
        yield pool


@posix_only
def test_a_film_that_waits_for_an_earlier_file_stays_out_of_memory(
    tmp_path: Path, make_dicom: MakeDicom, write_picture: Any, two_ready: DecoderPool
) -> None:
    """2,000 pictures of 50 kB, decoded while the file before them stands still."""
    film = tmp_path / "film.dcm"
    film.write_bytes(cine(make_dicom, 2000))
    first = write_picture(tmp_path / "first.png", 5)
    slow, fast = (child.process.pid for child in two_ready._children)
    os.kill(slow, signal.SIGSTOP)
    seen: dict[str, float] = {}

    def watch() -> None:
        """Let the first file go on once the film's child has stood still for a while."""
        process, before = psutil.Process(fast), -1.0
        while sum(process.cpu_times()[:2]) > before:
            before = sum(process.cpu_times()[:2])
            time.sleep(1)
        seen["waiting"] = two_ready._ledger._held
        os.kill(slow, signal.SIGCONT)

    watcher = threading.Thread(target=watch)
    items = [("first", first), ("film", film)]
    results = two_ready.decode(items)
    watcher.start()
    names = [(name, result.place.frame) for name, result in results if isinstance(result, Picture)]
    watcher.join()
    assert seen["waiting"] <= 2 * AHEAD + 1
    assert names == [("first", 0), *(("film", frame) for frame in range(2000))]
    assert two_ready.restarts == 0
