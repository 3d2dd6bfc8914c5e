"""The decoding children: a file that crashes, hangs or takes the memory costs itself alone."""

from __future__ import annotations

import hmac
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.config import PixelSettings
from core.data.decode import DecoderPool, Result
from core.data.keys import keyed_hash, site_key
from core.data.picture import Failure, Picture

SMALL = PixelSettings(size_px=32)
posix_only = pytest.mark.skipif(os.name != "posix", reason="needs signals")


@pytest.fixture
def files(tmp_path: Path, write_picture: Callable[..., Path]) -> list[tuple[str, Path]]:
    return [(f"n{seed}", write_picture(tmp_path / f"{seed}.png", seed)) for seed in range(12)]


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A legal picture that takes a good part of a second: 60 megapixels."""
    path = tmp_path / "slow.png"
    noise = np.random.default_rng(0).integers(0, 256, (60, 1000), dtype=np.uint8)
    Image.fromarray(np.tile(noise, (125, 8))).save(path, compress_level=1)
    return path


def decoded(pool: DecoderPool, items: list[tuple[str, Path]]) -> dict[str, Result]:
    return dict(pool.decode(items))


def test_results_come_in_order_and_match_the_files(files: list[tuple[str, Path]]) -> None:
    with DecoderPool(2, SMALL) as pool:
        results = list(pool.decode(iter(files)))
        assert list(pool.decode([])) == []
        again = dict(pool.decode(files[:3]))
    assert [name for name, _ in results] == [name for name, _ in files]
    for name, picture in results[:3]:
        assert isinstance(picture, Picture)
        assert picture.pixels.shape == (1, 32, 32)
        assert np.array_equal(picture.pixels, again[name].pixels)  # type: ignore[union-attr]


def test_case_33_bad_files_are_failures_with_codes(
    tmp_path: Path, files: list[tuple[str, Path]]
) -> None:
    (tmp_path / "text.png").write_text("not a picture, but DOE^JANE")
    (tmp_path / "empty.png").touch()
    cut = tmp_path / "cut.png"
    cut.write_bytes(files[0][1].read_bytes()[:200])
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    names = ["text.png", "empty.png", "cut.png", "folder.png", "gone.png", "drawing.svg"]
    with DecoderPool(1, SMALL) as pool:
        results = decoded(pool, [(name, tmp_path / name) for name in names])
    failures = [results[name] for name in names]
    assert all(isinstance(failure, Failure) for failure in failures)
    assert [failure.code for failure in failures] == ["P01", "P02", "P10", "I05", "I02", "P01"]  # type: ignore[union-attr]
    assert not any("DOE" in repr(failure) or str(tmp_path) in repr(failure) for failure in failures)


def _kill_workers(pool: DecoderPool, sent: signal.Signals, times: int) -> None:
    """Send a signal to a child that has a file in hand, `times` times."""
    seen: set[int] = set()
    deadline = time.monotonic() + 30
    while len(seen) < times and time.monotonic() < deadline:
        for process in pool.working_ids:
            if process not in seen:
                time.sleep(0.05)
                seen.add(process)
                os.kill(process, sent)
        time.sleep(0.005)


@posix_only
@pytest.mark.parametrize(("times", "lost"), [(1, []), (2, ["slow"])])
def test_case_25_a_crash_is_forgiven_once_and_costs_one_file(
    files: list[tuple[str, Path]], slow: Path, times: int, lost: list[str]
) -> None:
    """Case 62: the processes that there are, those that decode."""
    with DecoderPool(1, SMALL) as pool:
        killer = threading.Thread(target=_kill_workers, args=(pool, signal.SIGABRT, times))
        killer.start()
        results = decoded(pool, [("slow", slow), *files])
        killer.join()
        assert pool.restarts == times
    failed = {name: result.code for name, result in results.items() if isinstance(result, Failure)}
    assert failed == dict.fromkeys(lost, "I21")
    assert len(results) == len(files) + 1


@posix_only
def test_case_25_a_hang_costs_one_file(files: list[tuple[str, Path]], slow: Path) -> None:
    with DecoderPool(1, SMALL, timeout_s=2.0) as pool:
        killer = threading.Thread(target=_kill_workers, args=(pool, signal.SIGSTOP, 1))
        killer.start()
        results = decoded(pool, [("slow", slow), *files])
        killer.join()
    failed = {name: result.code for name, result in results.items() if isinstance(result, Failure)}
    assert failed == {"slow": "I22"}


@pytest.mark.skipif(sys.platform != "linux", reason="memory limits are enforced on Linux")
def test_too_much_memory_costs_one_file(files: list[tuple[str, Path]], slow: Path) -> None:
    with DecoderPool(1, SMALL, memory_mb=200) as pool:
        results = decoded(pool, [("slow", slow), *files])
    failed = {name: result.code for name, result in results.items() if isinstance(result, Failure)}
    assert failed == {"slow": "I23"}


def test_leaving_early_does_not_disturb_the_next_call(files: list[tuple[str, Path]]) -> None:
    with DecoderPool(1, SMALL) as pool:
        started: Iterator[Any] = pool.decode(files)
        next(started)
        started.close()  # type: ignore[attr-defined]
        assert [name for name, _ in pool.decode(files[6:])] == [name for name, _ in files[6:]]


def test_patients_are_hashed_and_warnings_reach_nobody(
    tmp_path: Path, make_dicom: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "DOE^JANE.dcm"
    tags = {"Modality": "ABCDEFGHIJKLMNOP", "SpecificCharacterSet": "ISO_IR 100"}
    content = make_dicom(np.zeros((4, 4), np.uint16), **tags)
    content = content.replace(b"ABCDEFGHIJKLMNOP", b"DOE^JANE, (born)")
    path.write_bytes(content.replace(b"ISO_IR 100", b"DOE^JANE  "))
    key = site_key(tmp_path)
    with DecoderPool(1, SMALL, key=key) as pool:
        picture = decoded(pool, [("a", path)])["a"]
    assert isinstance(picture, Picture)
    assert picture.patient == keyed_hash(key, "patient", "4711")
    assert "warnings of the decoder" in picture.notes
    assert "DOE" not in repr(picture)
    assert capfd.readouterr() == ("", "")


def test_the_site_key_is_made_once_and_private(tmp_path: Path) -> None:
    key = site_key(tmp_path)
    assert site_key(tmp_path) == key
    assert len(key) == 32
    if os.name == "posix":
        assert (tmp_path / "site.key").stat().st_mode & 0o777 == 0o600
    expected = hmac.new(key, b"patient\0" + b"4711", "sha256").hexdigest()[:16]
    assert keyed_hash(key, "patient", "4711") == expected
