"""Case 26: damaged files by the thousand in one import: no crash, no hang, all accounted for.

``BEDSIDE_MUTATIONS`` says how many mutations of each of the ten files are made: 300 for the figure
in the closing note, fewer by default.
"""

from __future__ import annotations

import collections
import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.config import DataSettings
from core.data.manifest import read_paths
from core.data.scan import import_dataset
from core.types import SilentReporter

pytestmark = [pytest.mark.realdata, pytest.mark.slow]
MUTATIONS = int(os.environ.get("BEDSIDE_MUTATIONS", "12"))
FILES = (
    "dicom/pydicom_test_files/CT_small.dcm",  # plain
    "dicom/pydicom_test_files/MR_small_RLE.dcm",
    "dicom/pydicom_test_files/SC_rgb_jpeg_dcmtk.dcm",  # JPEG, by Pillow
    "dicom/pydicom_test_files/MR_small_jp2klossless.dcm",
    "dicom/pydicom_test_files/MR_small_jpeg_ls_lossless.dcm",
    "dicom/pydicom_test_files/SC_rgb_jpeg_gdcm.dcm",  # lossless JPEG, by SimpleITK
    "dicom/pydicom_data/emri_small_RLE.dcm",  # ten frames
    "dicom/pydicom_test_files/image_dfl.dcm",  # deflated
    "nifti/nibabel/anatomical.nii",
    "folders/busi_256/**/*.png",
)


def flip(content: bytearray, chance: random.Random) -> bytearray:
    """A few wrong bits anywhere."""
    for _ in range(chance.choice((1, 1, 3, 20))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return content


def flip_header(content: bytearray, chance: random.Random) -> bytearray:
    """Wrong bytes where the header is."""
    for _ in range(chance.choice((1, 2, 8))):
        content[chance.randrange(min(len(content), 2500))] = chance.randrange(256)
    return content


def cut(content: bytearray, chance: random.Random) -> bytearray:
    """The beginning alone."""
    return content[: chance.randrange(1, len(content))]


def swallow(content: bytearray, chance: random.Random) -> bytearray:
    """A piece left out: everything after it is shifted."""
    start = chance.randrange(len(content))
    del content[start : start + chance.randrange(1, 200)]
    return content or bytearray(b"\0")


def insert(content: bytearray, chance: random.Random) -> bytearray:
    """Strange bytes in between."""
    start = chance.randrange(len(content))
    content[start:start] = chance.randbytes(chance.randrange(1, 200))
    return content


def exaggerate(content: bytearray, chance: random.Random) -> bytearray:
    """A number, perhaps a length, made as large as it can be."""
    start = chance.randrange(max(1, min(len(content), 4000) - 4))
    content[start : start + 4] = chance.choice((b"\xff" * 4, b"\xff\xff\xff\x7f", b"\0" * 4))
    return content


def blank(content: bytearray, chance: random.Random) -> bytearray:
    """A sector of zeros, as bad discs give."""
    start = chance.randrange(len(content))
    content[start : start + 512] = bytes(len(content[start : start + 512]))
    return content


Mutation = Callable[[bytearray, random.Random], bytearray]
KINDS: tuple[Mutation, ...] = (flip, flip_header, cut, swallow, insert, exaggerate, blank)


def test_case_26_mutated_files(real_data: Path, tmp_path: Path, workspace: Path) -> None:
    source = tmp_path / "mutated"
    source.mkdir()
    names = set()
    for place, pattern in enumerate(FILES):
        original = sorted(real_data.glob(pattern))[0]
        content = original.read_bytes()
        for number in range(MUTATIONS):
            chance = random.Random(1000 * place + number)
            name = f"{place}_{number:03d}{original.suffix}"
            changed = KINDS[number % len(KINDS)](bytearray(content), chance)
            (source / name).write_bytes(changed)
            names.add(name)
    settings = DataSettings.model_validate(
        {"source": str(source), "labels": "none", "pixels": {"size_px": 32}}
    )
    started = time.monotonic()
    dataset = import_dataset(settings, workspace, SilentReporter())
    seconds = time.monotonic() - started
    assert dataset.ignored == 0
    assert set(read_paths(dataset.folder).values()) == names
    codes = collections.Counter(dataset.images["code"])
    print(f"{len(names)} files, {seconds:.0f} s: {dict(codes.most_common())}")
    assert codes["I22"] == 0  # none took longer than 20 s
    assert all(re.fullmatch(r"[A-Z]\d\d|", code) for code in codes)
    said = " ".join(dataset.images["reason"])
    assert not re.search(r"Error|Exception|Traceback|0x|<class", said)
