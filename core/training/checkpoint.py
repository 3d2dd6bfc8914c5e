"""Checkpoints that survive a kill at any moment, and are never believed without their checksum.

Each save writes a new file, then replaces ``index.json``, then removes files the index no longer
names. At every moment the index names whole files only.
"""

from __future__ import annotations

import errno
import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.files import atomic_path, read_json, sha256_file, write_json

State = dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """A checkpoint read back.

    Attributes:
        state: Tensors and plain values.
        step: Step after which it was saved.
        damaged: Steps of newer checkpoints that could not be used.
    """

    state: State
    step: int
    damaged: list[int]


class CheckpointFolder:
    """The newest, the one before it, the best, and the newest of an epoch's end.

    Args:
        folder: Made when the first checkpoint is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, state: State, step: int, *, best: bool = False, epoch_end: bool = False) -> None:
        """Save `state` as the newest checkpoint, and as the best one if it is.

        Args:
            state: Tensors and plain values only, so that reading needs no trust.
            step: Steps finished.
            best: Whether its validation figure is the best so far.
            epoch_end: Whether training saves it of itself, and not because it was asked to stop.

        Raises:
            SystemError_: The disk is full; the earlier checkpoints stay usable.
        """
        index = self._index()
        # a step may be saved twice; no file that the index names is ever written again
        serial = 1 + max((found["serial"] for found in index.values()), default=0)
        entry = self._write(state, step, serial)
        index["previous"] = index.get("last", entry)
        index["last"] = entry
        if best:
            index["best"] = entry
        if epoch_end:
            index["epoch"] = entry
        write_json(self.folder / "index.json", index)
        self._sweep(index)

    def newest(self) -> Loaded | None:
        """The newest checkpoint whose checksum is right; nothing if there is none."""
        index = self._index()
        damaged: list[int] = []
        for role in ("last", "previous"):
            entry = index.get(role)
            if entry is None:
                continue
            state = self._read(entry)
            if state is not None:
                return Loaded(state, int(entry["step"]), damaged)
            if entry["step"] not in damaged:
                damaged.append(int(entry["step"]))
        return None

    def best(self) -> Loaded | None:
        """The best checkpoint, if it is there and whole."""
        return self._of("best")

    def of_epoch(self) -> Loaded | None:
        """The newest of an epoch's end, if it is there and whole: wherever training was stopped."""
        return self._of("epoch")

    def _of(self, role: str) -> Loaded | None:
        entry = self._index().get(role)
        state = None if entry is None else self._read(entry)
        return None if entry is None or state is None else Loaded(state, int(entry["step"]), [])

    def _index(self) -> dict[str, dict[str, Any]]:
        file = self.folder / "index.json"
        return read_json(file) if file.exists() else {}

    def _write(self, state: State, step: int, serial: int) -> dict[str, Any]:
        file = self.folder / f"step-{step:08d}-{serial:06d}.pt"
        with atomic_path(file) as temporary:
            try:
                torch.save(state, temporary)
            except RuntimeError as error:  # what torch makes of a full disk
                raise OSError(errno.ENOSPC, "no space left") from error
        return {"file": file.name, "step": step, "serial": serial, "sha256": sha256_file(file)}

    def _read(self, entry: dict[str, Any]) -> State | None:
        file = self.folder / entry["file"]
        if not file.is_file() or sha256_file(file) != entry["sha256"]:
            return None
        try:
            state: State = torch.load(file, map_location="cpu", weights_only=True)
        except (RuntimeError, pickle.UnpicklingError, EOFError):
            return None
        return state

    def _sweep(self, index: dict[str, dict[str, Any]]) -> None:
        kept = {entry["file"] for entry in index.values()}
        for file in [*self.folder.glob("step-*.pt"), *self.folder.glob(".*.tmp")]:
            if file.name not in kept:
                file.unlink(missing_ok=True)


def take_over(source: CheckpointFolder, target: CheckpointFolder) -> Loaded | None:
    """Begin `target`, which is empty, with what `source` ended with, ready to train on.

    The newest checkpoint becomes the newest and the best stays the best. Training counts as not
    finished, and what early stopping has waited for in vain is forgotten.

    Args:
        source: Checkpoints of a training that has ended.
        target: Filled as a whole or not at all.

    Returns:
        The checkpoint to go on from; nothing if none of `source` is whole.
    """
    newest, best = source.newest(), source.best()
    if newest is None:
        return None
    draft = CheckpointFolder(target.folder.with_name(f".{target.folder.name}.new"))
    shutil.rmtree(draft.folder, ignore_errors=True)
    if best is not None:
        draft.save(_reopened(best.state), best.step, best=True)
    draft.save(_reopened(newest.state), newest.step, epoch_end=True)
    draft.folder.rename(target.folder)
    return newest


def _reopened(state: State) -> State:
    return state | {"finished": False, "stopping": state["stopping"] | {"waited": 0}}
