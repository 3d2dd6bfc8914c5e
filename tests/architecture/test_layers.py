"""The dependency rule (design, section 3), read from the source: who may import whom.

A floor imports only lower floors; siblings of one floor do not import each other. The checker runs
on any tree, and the second half of this file shows that it turns red.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Beginning of a module's name -> its floor and its group; members of a group may import each other.
FLOORS = {
    r"core\.(errors|types|registry|files|config|differences|machine|outbound|signals)": (
        0,
        "ground",
    ),
    r"core\.evaluation\.(?!report)": (0, "ground"),
    r"core\.(memory|pickled_modules|tensors|unpickling)": (0.5, "tensors"),
    r"core\.data\.": (1, "data"),
    r"core\.students\.": (1, "students"),
    r"core\.objectives\.": (1, "objectives"),
    r"core\.runs\.": (1, "runs"),
    r"core\.teachers\.(adopt|base|beside|catalogue|checkpoint|consent|fetch)": (1, "teachers"),
    r"core\.teachers\.(formats\.\w+|lora|merging|recognise|room|shards|spec)": (1, "teachers"),
    r"core\.teachers\.(features|out_of_fold|pooled|precision|probe|projection|pretrain|scenes)": (
        2,
        "teachers",
    ),
    r"core\.training\.": (3, "training"),
    r"core\.inference\.": (3, "inference"),
    r"core\.(check|disk|estimate|measures|measuring|worker|cli|demo)": (4, "composition"),
    r"core\.(assess|choosing|examine|importing|presets|pretraining)": (4, "composition"),
    r"core\.(probes|probing|projects|sources)": (4, "composition"),
    r"core\.(benchmarks|commands|tasks)\.": (4, "composition"),
    r"core\.evaluation\.report": (4, "composition"),
    r"app\.": (5, "app"),
}
HEAVY = {"torch", "torchvision", "timm", "captum", "lightning_fabric", "onnxruntime"}
LIGHT = {(0, "ground"), (1, "runs")}  # what the web server may import
MAX_LINES = 350


def find_faults(root: Path) -> list[str]:
    """Every breach of the rules under `root`, as one sentence each."""
    sources = {_name(root, path): path for path in sorted(root.glob("[ac]*/**/*.py"))}
    imports = {name: _imports(path, set(sources)) for name, path in sources.items()}
    modules = {name for name, path in sources.items() if path.name != "__init__.py"}
    faults = []
    for name in sorted(sources):
        text = sources[name].read_text(encoding="utf-8")
        if name not in modules:
            faults += [f"{name}: an __init__.py stays empty"] if text else []
            continue
        if text.count("\n") > MAX_LINES:
            faults.append(f"{name}: more than {MAX_LINES} lines")
        faults += [f"{name}: {fault}" for fault in _forbidden(name, imports[name], modules)]
        if _floor(name) in LIGHT and (reached := HEAVY & _reachable(name, imports)):
            faults.append(f"{name}: reaches {', '.join(sorted(reached))}")
    try:
        TopologicalSorter({name: imports[name] & modules for name in modules}).prepare()
    except CycleError as error:
        faults.append(f"import cycle: {' -> '.join(error.args[1])}")
    strangers = _imports(root / "launch.py", set()) - set(sys.stdlib_module_names)
    return faults + [f"launch.py: imports {stranger}" for stranger in sorted(strangers)]


def _name(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _imports(path: Path, own: set[str]) -> set[str]:
    """Modules that a file imports, anywhere in it: ours in full, others by their package."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            inner = {f"{base}.{alias.name}" for alias in node.names} & own
            found |= inner or {base}
    ours = ("core", "app.", ".")
    return {name if name.startswith(ours) else name.split(".")[0] for name in found}


def _forbidden(name: str, imported: set[str], modules: set[str]) -> list[str]:
    place = _floor(name)
    if place is None:
        return ["stands on no floor; give it one here and in the design"]
    strange = {"app", "gradio"} if place[1] != "app" else HEAVY
    faults = [f"imports {other}" for other in sorted(imported & strange)]
    for other in sorted(imported):
        there = _floor(other)
        if other.startswith(".") or (other.startswith(("core", "app.")) and other not in modules):
            faults.append(f"imports {other}, which is no module by its full name")
        elif there and (there[0] > place[0] or (there[0] == place[0] and there != place)):
            faults.append(f"(floor {place[0]}) imports {other} (floor {there[0]})")
    return faults


def _floor(name: str) -> tuple[int, str] | None:
    return next((place for start, place in FLOORS.items() if re.match(start, name)), None)


def _reachable(name: str, imports: dict[str, set[str]]) -> set[str]:
    seen, ahead = {name}, [name]
    while ahead:
        fresh = imports.get(ahead.pop(), set()) - seen
        seen |= fresh
        ahead += fresh
    return seen


def test_the_code_keeps_the_rules() -> None:
    assert find_faults(ROOT) == []


def test_runs_and_the_ground_floor_need_no_torch() -> None:
    found = {_name(ROOT, path) for path in ROOT.glob("core/**/[!_]*.py")}
    names = sorted(name for name in found if _floor(name) in LIGHT)
    code = f"import sys, {', '.join(names)}; print([n for n in {HEAVY} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert "core.runs.work" in names
    assert done.stdout.strip() == b"[]"


def test_the_server_needs_no_torch() -> None:
    code = f"import app.server, sys; print([n for n in {HEAVY} if n in sys.modules])"
    environment = os.environ | {"GRADIO_ANALYTICS_ENABLED": "False"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    assert done.stdout.strip().endswith(b"[]")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tiny tree that keeps the rules."""
    files = {
        "launch.py": "import os",
        "core/__init__.py": "",
        "core/errors.py": "",
        "core/config.py": "from core.errors import X",
        "core/data/__init__.py": "",
        "core/data/scan.py": "import numpy\nfrom core.config import Y",
        "core/students/base.py": "import torch",
        "core/runs/store.py": "from core.config import Y",
        "core/runs/events.py": "from core.runs import store",
        "core/training/loop.py": "from core.data.scan import Z",
        "core/inference/batch.py": "import torch",
        "core/worker.py": "from core.training.loop import W",
        "app/__init__.py": "",
        "app/main.py": "import gradio\nfrom core.runs import store",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n" if text else "")
    assert find_faults(tmp_path) == []
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("core/data/scan.py", "import gradio", "core.data.scan: imports gradio"),
        ("core/data/scan.py", "import app", "core.data.scan: imports app"),
        ("core/config.py", "import core.data.scan", "(floor 0) imports core.data.scan (floor 1)"),
        ("core/data/scan.py", "from core.worker import run", "imports core.worker (floor 4)"),
        ("core/data/scan.py", "from core.students.base import S", "imports core.students.base"),
        ("core/data/scan.py", "from core.runs import store", "imports core.runs.store (floor 1)"),
        ("core/training/loop.py", "import core.inference.batch", "imports core.inference.batch"),
        ("core/runs/store.py", "import torch", "core.runs.store: reaches torch"),
        ("core/config.py", "import torch", "core.config: reaches torch"),
        ("core/config.py", "import torch.nn", "core.runs.events: reaches torch"),
        ("core/runs/store.py", "def f():\n    import timm", "core.runs.store: reaches timm"),
        ("core/data/__init__.py", "from core.data.scan import Z", "stays empty"),
        ("core/errors.py", "from core.config import C", "import cycle: core."),
        ("core/runs/store.py", "from core.runs.events import E", "import cycle: core.runs."),
        ("core/data/scan.py", "from . import cache", "no module by its full name"),
        ("core/data/scan.py", "from core.data import Z", "no module by its full name"),
        ("core/data/scan.py", "x = 1\n" * 350, "core.data.scan: more than 350 lines"),
        ("core/worker.py", "from app.main import main", "(floor 4) imports app.main (floor 5)"),
        ("app/main.py", "import torch", "app.main: imports torch"),
        ("app/main.py", "from core.extras import X", "no module by its full name"),
        ("core/extras.py", "", "core.extras: stands on no floor"),
        ("launch.py", "import psutil", "launch.py: imports psutil"),
        ("launch.py", "from core.errors import X", "launch.py: imports core.errors"),
    ],
)
def test_checker_turns_red(tree: Path, file: str, text: str, fault: str) -> None:
    with (tree / file).open("a") as source:
        source.write(text + "\n")
    assert any(fault in found for found in find_faults(tree)), find_faults(tree)
