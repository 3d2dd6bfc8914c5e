"""Gradio starts without the work that Bedside has no use for, and is whole all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, sys
from app.quick import LOOKS_S, import_without_stubs, slow_down_queue, without_routes
if sys.argv[1] == "late":
    import gradio
import_without_stubs()
import gradio as gr
from gradio import blocks as module, component_meta
honest = component_meta.create_or_modify_pyi
built = []
create = module.App.create_app
module.App.create_app = staticmethod(lambda *a, **k: built.append(1) or create(*a, **k))
with without_routes(), gr.Blocks() as blocks:
    box = gr.Textbox()
    box.change(lambda text: text, box, box)
inside = len(built)
blocks.queue()
slow_down_queue(blocks)
class Own(gr.Textbox):
    pass
print(json.dumps({
    "finders": sum("Stubs" in type(finder).__name__ for finder in sys.meta_path),
    "stubs": honest.__name__ == "create_or_modify_pyi",
    "inside": inside,
    "after": len(built),
    "looks": [getattr(blocks._queue, name) for name in LOOKS_S],
    "works": Own(value="x").value,
}))
"""


@pytest.mark.parametrize("when", ["early", "late"])
def test_gradio_without_its_superfluous_work(when: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, when],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found == {
        "finders": 0,
        "stubs": when == "late",  # imported by another before us: slower, but the same
        "inside": 0,
        "after": 1,
        "looks": [0.05, 0.25],
        "works": "x",
    }
