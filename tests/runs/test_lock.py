"""The file lock: exclusive, released by death, not lost by a second look."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.errors import SystemError_
from core.runs.lock import FileLock, is_free

ROOT = Path(__file__).resolve().parents[2]
HOLD = (
    "import sys, time; from pathlib import Path; from core.runs.lock import FileLock\n"
    "lock = FileLock(Path(sys.argv[1])); print(lock.acquire(), flush=True); time.sleep(60)"
)


def hold(path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, cwd=ROOT
    )


def test_lock_excludes_and_dies_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "worker.lock"
    with hold(path) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        assert not is_free(path)
        assert not FileLock(path).acquire(timeout_s=0.1)
        other.kill()
    assert is_free(path)


def test_second_look_of_the_holder_does_not_drop_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "worker.lock"
    with FileLock(path).held(0.0) as taken:
        assert taken
        assert not is_free(path)
        assert not FileLock(path).acquire()
        with hold(path) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"False\n"
            other.kill()
    assert is_free(path)


def test_lock_waits(tmp_path: Path) -> None:
    path = tmp_path / "gate.lock"
    first, second = FileLock(path), FileLock(path)
    assert first.acquire()
    release = threading.Timer(0.1, first.release)
    release.start()
    assert second.acquire(timeout_s=5)
    second.release()
    second.release()
    release.join()


def test_missing_file_is_free_and_stays_missing(tmp_path: Path) -> None:
    assert is_free(tmp_path / "none.lock")
    assert not (tmp_path / "none.lock").exists()


def test_missing_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemError_, match="E03"):
        FileLock(tmp_path / "gone" / "x.lock").acquire()
