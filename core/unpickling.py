"""Torch files are opened in a child of their own, ``python -m core.unpickling``, with limits.

`torch.load(weights_only=True)` is a filter and no sandbox: it has had holes. The child has no
network, a limit on memory and one on time, and hands over nothing but a safetensors file.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

from core.errors import ModelError
from core.outbound import watch_connections, watched

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 900
MEMORY = 4 * 2**30  # bytes of address space beside what the file itself takes
# What wraps the tensors in a file; of several networks the averaged one is taken.
WRAPPERS = (
    "model_ema", "state_dict_ema", "teacher", "model", "state_dict", "student", "module", "encoder",
)  # fmt: skip
# Settings and counters that published training checkpoints hold beside their tensors (MAE,
# RETFound, EVA-X). Nothing of them is made: each becomes an `Ignored`, which does nothing.
HARMLESS = (
    "argparse.Namespace", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct", "numpy.ndarray",
    "numpy.dtype", "pathlib.PosixPath", "pathlib.WindowsPath", "datetime.datetime",
    "omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig", "_codecs.encode",
)  # fmt: skip
NOT_PLAIN = (
    "M28",
    "The file holds more than plain tensors and was not opened",
    "Ask its author for a .safetensors file, or for the state_dict alone.",
)
DAMAGED = ("M22", "The file is damaged or is no checkpoint", "Copy or fetch it again.")
TOO_MUCH = (
    "M29",
    "Reading the file takes more memory or time than is allowed",
    "Ask its author for a .safetensors file.",
)


class Ignored:
    """Stands for something in a file that is not a tensor."""

    def __new__(cls, *arguments: Any) -> Ignored:
        """Take anything and keep nothing."""
        return super().__new__(cls)

    def __init__(self, *arguments: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def convert_file(file: Path, target: Path, item: str) -> None:
    """Save the tensors of a torch file as safetensors, in a child.

    Args:
        file: Of a user or from the hub.
        target: Written when everything went well; its folder exists.
        item: Whose file it is, for messages.

    Raises:
        ModelError: M22, the file is damaged; M28, it holds more than plain tensors; M29, it takes
            more memory or time than is allowed.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    command = [sys.executable, "-m", "core.unpickling", str(file), str(draft), str(watched() or "")]
    environment = dict(os.environ)
    environment.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        problem = TOO_MUCH if done.returncode else json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        problem = TOO_MUCH
    if problem:
        draft.unlink(missing_ok=True)
        code, what, todo = problem
        raise ModelError(code, what, item=item, todo=todo)
    draft.replace(target)


def main(arguments: list[str]) -> int:
    """Convert one file: ``SOURCE TARGET WORKSPACE``; prints what was wrong with it, or ``[]``."""
    source, target = Path(arguments[0]), Path(arguments[1])
    if arguments[2]:
        watch_connections(Path(arguments[2]), "command")
    problem = _convert(source, target)
    print(json.dumps(problem or []))
    return 0


def _convert(source: Path, target: Path) -> tuple[str, str, str] | None:
    """Write `target`, or say what is wrong with `source`."""
    if _is_compressed(source):
        return ("M29", "The file is compressed, which checkpoints are not", TOO_MUCH[2])
    from safetensors.torch import save_file

    _limit_memory(MEMORY + 2 * source.stat().st_size)
    try:
        tensors = _tensors(_load(source))
    except pickle.UnpicklingError:
        return NOT_PLAIN
    except MemoryError:
        return TOO_MUCH
    except Exception:  # a child's outermost frame: torch raises whatever it likes on bad bytes
        return DAMAGED
    if not tensors:
        return ("M22", "The file holds no named tensors", "Choose the file with the weights.")
    save_file({name: tensor.detach().clone() for name, tensor in tensors.items()}, target)
    return None


def _load(source: Path) -> Any:
    """What a torch file holds; layers of networks come as stand-ins."""
    import torch

    from core.pickled_modules import StandIn, is_layer, read_older

    stand_ins: list[Any] = [(Ignored, name) for name in HARMLESS]
    if zipfile.is_zipfile(source):
        named = torch.serialization.get_unsafe_globals_in_checkpoint(str(source))
        stand_ins += [(StandIn, name) for name in named if is_layer(name)]
    with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins):
        warnings.simplefilter("ignore")  # torch muses about pickle protocols; we read or refuse
        try:
            return torch.load(source, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            if zipfile.is_zipfile(source):
                raise
    return read_older(source)


def _tensors(loaded: Any) -> dict[str, Any]:
    """The named tensors, out of whatever wraps them."""
    import torch

    from core.pickled_modules import StandIn, tensors_of

    while isinstance(loaded, dict):
        inner = [loaded[name] for name in WRAPPERS if isinstance(loaded.get(name), dict | StandIn)]
        if not inner:
            break
        loaded = inner[0]
    if isinstance(loaded, StandIn):
        loaded = tensors_of(loaded)
    if not isinstance(loaded, dict):
        return {}
    return {str(k): v for k, v in loaded.items() if isinstance(v, torch.Tensor) and v.numel()}


def _is_compressed(file: Path) -> bool:
    """A torch file stores its tensors as they are; a compressed one may expand without limit."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())


def _limit_memory(extra: int) -> None:
    """Let this process take no more than `extra` bytes of address space than it has."""
    if sys.platform != "linux":  # macOS ignores the limit, Windows has none
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = pages * resource.getpagesize() + extra
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
