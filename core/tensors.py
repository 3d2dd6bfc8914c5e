"""Files of named tensors, read without running anything in them."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from core.errors import ModelError

WRAPPERS = ("model", "state_dict", "teacher", "student", "model_ema", "module", "encoder")

# the environment may switch torch's safe reading off; we never want that
os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)


def at_least_float32(tensor: Tensor) -> Tensor:
    """The same values, in float32 where they were in a shorter type; float64 stays float64."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def read_tensors(file: Path, item: str) -> dict[str, Tensor]:
    """Read safetensors, or a torch file with `weights_only=True`; wrappers are undone.

    Args:
        file: ``.safetensors``, or ``.pt``/``.pth``/``.bin``/``.ckpt``.
        item: Whose file it is, for messages.

    Raises:
        ModelError: M22, it is damaged, compressed, or holds more than plain tensors.
    """
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        _refuse_bomb(file, item)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch muses about pickle protocols; we read or refuse
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except (
        safetensors.SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError,
        ValueError,
    ) as error:  # fmt: skip
        unsafe = isinstance(error, pickle.UnpicklingError)
        raise ModelError(
            "M22",
            "The file holds more than plain tensors and was not opened"
            if unsafe
            else "The file is damaged or is no checkpoint",
            item=item,
            todo="Ask its author for a .safetensors file." if unsafe else "Fetch it again.",
        ) from error
    while isinstance(loaded, dict) and (inner := next((w for w in WRAPPERS if w in loaded), None)):
        loaded = loaded[inner]
    if not isinstance(loaded, dict):
        raise ModelError("M22", "The file holds no named tensors", item=item)
    return {str(key): value for key, value in loaded.items() if isinstance(value, Tensor)}


def _refuse_bomb(file: Path, item: str) -> None:
    """A torch file stores its tensors uncompressed; a compressed one may expand without limit."""
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ModelError("M22", "The file is compressed, which checkpoints are not", item=item)
