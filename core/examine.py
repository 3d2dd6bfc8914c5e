"""The process that looks closely at single pictures: ``python -m core.examine WORKSPACE``.

It is a child of the app's server, which must not load torch, and lives longer than one question
because loading torch, a student and a teacher takes seconds. One JSON object a line comes in on
standard input and one goes out on standard output for each; pictures go through files in the
folder that a question names. It ends when its standard input closes, or after ten idle minutes.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from core.data.decode import DecoderPool
from core.data.frames import chosen_frames
from core.data.keys import site_key
from core.data.phantom import write_demo
from core.data.picture import Array, Failure
from core.data.view import View, levels_of_picture, view_picture, write_levels
from core.errors import BedsideError, DataError
from core.files import atomic_path, write_bytes, write_json
from core.inference.examination import DEMO, OpenedRun, teacher_word, tensor_of
from core.inference.explain import CAPTION
from core.outbound import watch_connections
from core.runs.store import RunStore
from core.runs.work import describe_error

IDLE_S = 600.0
FIRST_SEED = 1000  # of phantoms that no split has seen; the demo's own is 0
EXAMPLES = 4
WHOLE = [0.0, 0.0, 1.0, 1.0]  # an image that fills the network's square
SHOWN = ("width", "height", "bits", "modality", "decoder", "window", "notes")
Facts = dict[str, Any]


class Examiner:
    """Answers questions about the runs of one workspace; one run is open at a time.

    Args:
        workspace: The workspace.
    """

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._opened: tuple[tuple[str, int], OpenedRun, DecoderPool] | None = None
        self._known: dict[str, Callable[[Facts], Facts]] = {
            "open": self.open,
            "examine": self.examine,
            "heat": self.heat,
        }

    def answer(self, asked: Facts) -> Facts:
        """What comes of one question.

        Raises:
            BedsideError: It cannot be answered; the process goes on.
        """
        return self._known[asked["do"]](asked)

    def close(self) -> None:
        """End the processes that decode."""
        if self._opened:
            self._opened[2].__exit__(None, None, None)
            self._opened = None

    def open(self, asked: Facts) -> Facts:
        """Load the run ``asked["run"]`` and say what it can be asked."""
        run, pool = self._run(asked["run"])
        list(pool.decode([]))  # its child starts while somebody chooses a picture
        return {
            "teacher": run.teacher is not None,
            "teacher_problem": run.teacher_problem,
            "method": run.method,
            "caption": CAPTION,
        }

    def examine(self, asked: Facts) -> Facts:
        """Look at a file (``path``), a validation image (``image``) or an example (``example``).

        Of a file that holds several pictures, ``picture`` says which of those that the student's
        settings choose, from 0; the answer's ``pictures`` says how many these are.

        The folder ``target`` gets ``view.bin`` (`core.data.view.write_levels`), ``input.png`` and
        ``input.npy`` (what the student was given), and ``facts.json``, which is the answer.
        """
        start = time.monotonic()
        run, pool = self._run(asked["run"])
        facts: Facts = {
            "run": run.run.id,
            "truth": None,
            "code": "",
            "reason": "",
            "todo": "",
            "pictures": 1,
        }
        try:
            self._look(run, pool, asked, facts)
        except BedsideError as error:  # this picture cannot be used: that is the answer
            facts |= {"code": error.code, "reason": f"{error.what}.", "todo": error.todo}
        facts["seconds"] = round(time.monotonic() - start, 3)
        write_json(Path(asked["target"]) / "facts.json", facts)
        return facts

    def heat(self, asked: Facts) -> Facts:
        """Write ``heat-<class>.png`` for the class at place ``asked["class"]`` of an examination.

        The picture is grey, 0 where nothing spoke for the class and 255 where most did.
        """
        run, _ = self._run(asked["run"])
        target = Path(asked["target"])
        tensor = torch.from_numpy(np.load(target / "input.npy", allow_pickle=False))
        heat = run.heat(tensor, int(asked["class"]))
        _write_png(np.rint(heat * 255).astype(np.uint8), target / f"heat-{asked['class']}.png")
        return {"method": run.method, "caption": CAPTION, "empty": not bool(heat.any())}

    def _run(self, name: str) -> tuple[OpenedRun, DecoderPool]:
        folder = RunStore(self._workspace).open(name)
        card = folder.export / "model.json"
        key = (folder.id, card.stat().st_mtime_ns if card.exists() else 0)
        if self._opened is None or self._opened[0] != key:
            self.close()
            run = OpenedRun.open(folder)
            site = site_key(self._workspace)
            pool = DecoderPool(1, run.predictor.card.pixels, key=site, make=view_picture)
            self._opened = key, run, pool
        return self._opened[1], self._opened[2]

    def _origin(self, run: OpenedRun, asked: Facts) -> tuple[Path, list[str] | None, str | None]:
        """The file, its labels where they are known, and its id where it is a validation image."""
        if "path" in asked:
            return Path(asked["path"]), None, None
        if "image" in asked:
            return Path(), run.validation_image(asked["image"]).labels, asked["image"]
        if run.config.data.source == DEMO:
            return (*_fresh_phantom(Path(asked["target"]).parent, asked), None)
        known = run.examples(EXAMPLES)
        if not known:
            raise DataError("R61", "The validation split holds no example")
        image = known[asked["example"] % len(known)]
        return Path(), run.validation_image(image).labels, image

    def _look(
        self,
        run: OpenedRun,
        pool: DecoderPool,
        asked: Facts,
        facts: Facts,
    ) -> None:
        """Fill `facts` as far as one gets.

        Raises:
            BedsideError: The picture cannot be used.
        """
        target = Path(asked["target"])
        path, facts["truth"], image = self._origin(run, asked)
        known = run.validation_image(image) if image else None
        chosen = known.picture if known else int(asked.get("picture", 0))
        found, facts["pictures"] = _decode(pool, known.path if known else path, chosen)
        facts["picture"] = chosen
        if known is None and isinstance(found, Failure):
            facts |= {"code": found.code, "reason": found.reason}
            return
        shown = known.facts if known else {name: getattr(found, name) for name in SHOWN}
        remarks: list[str] = []
        if isinstance(found, View) and (known is None or found.sha256 == known.sha256):
            levels, placed = found.levels, run.placed(found.width, found.height)
        elif known:  # moved, changed or unreadable since: the cache has what was assessed
            levels, placed, remarks = levels_of_picture(known.pixels), WHOLE, ["cached"]
        if known is None and isinstance(found, View):
            remarks, picture = run.unlike(found), tensor_of(found)
        elif known:
            picture = tensor_of(known.pixels)
        facts |= shown | {"remarks": remarks, "placed": placed}
        seen = {"placed": placed, "modality": shown["modality"]}
        write_levels(levels, seen, target / "view.bin")
        facts |= self._judge(run, picture, target)

    def _judge(self, run: OpenedRun, picture: torch.Tensor, target: Path) -> Facts:
        told = run.judge(picture)
        tensor = told.tensor.numpy()
        with (
            atomic_path(target / "input.npy", private=True) as temporary,
            temporary.open("wb") as opened,
        ):
            np.save(opened, tensor)
        _write_png(np.rint(tensor[0] * 255).astype(np.uint8), target / "input.png")
        card = run.predictor.card
        word = teacher_word(told.teacher, card.classes, card.task) if told.teacher else ""
        return {
            "student": told.student,
            "teacher": told.teacher,
            "predicted": told.predicted,
            "teacher_says": word,
            "code": told.code,
            "reason": told.reason,
            "input_px": int(tensor.shape[-1]),
        }


def main(arguments: list[str]) -> int:
    """Answer until nobody asks any more; returns the exit code."""
    workspace = Path(arguments[0]).resolve()
    watch_connections(workspace, "examiner")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's; then the input closes
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)  # what a library prints is no answer
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    examiner = Examiner(workspace)
    try:
        while (line := _next(lines)) is not None:
            answers.write(json.dumps(_respond(examiner, json.loads(line))) + "\n")
            answers.flush()
    except BrokenPipeError:
        pass  # the server is gone
    finally:
        examiner.close()
    return 0


def _read(lines: queue.Queue[str | None]) -> None:
    for line in sys.stdin:
        lines.put(line)
    lines.put(None)


def _next(lines: queue.Queue[str | None]) -> str | None:
    try:
        return lines.get(timeout=IDLE_S)
    except queue.Empty:
        return None


def _respond(examiner: Examiner, asked: Facts) -> Facts:
    try:
        return {"id": asked["id"], "ok": examiner.answer(asked)}
    except BedsideError as error:
        names = ("code", "what", "item", "todo")
        return {"id": asked["id"], "error": {name: getattr(error, name) for name in names}}
    except Exception as error:  # the outermost frame of this child: the next picture may be fine
        print(describe_error(error), file=sys.stderr, flush=True)
        what = f"Something unforeseen went wrong ({type(error).__name__})"
        todo = "Try another image; System shows where the log lies."
        return {"id": asked["id"], "error": {"code": "R99", "what": what, "item": "", "todo": todo}}


def _decode(pool: DecoderPool, path: Path, picture: int) -> tuple[View | Failure, int]:
    """A picture of a file, by its place among the chosen ones, and how many these are."""
    with contextlib.closing(pool.decode([("image", path)])) as results:
        _, found = next(islice(results, picture, None), (None, None))
    if found is None:
        raise DataError("R73", "The file does not hold that many pictures")
    assert isinstance(found, View | Failure)
    frames = found.frames if isinstance(found, Failure) else found.place.frames
    return found, len(chosen_frames(frames, pool.recipe.pixels))


def _fresh_phantom(folder: Path, asked: Facts) -> tuple[Path, list[str]]:
    """One of four pictures drawn for the asking, and the class that it was drawn as."""
    seed = FIRST_SEED + int(asked["batch"])
    place = folder / f"phantom-{seed}"
    images = write_demo(place, seed=seed, patients=2, images_per_patient=2)
    lines = (images / "labels.csv").read_text(encoding="utf-8").splitlines()[1:]
    name, label, _ = lines[asked["example"] % len(lines)].split(",")
    return images / name, [label]


def _write_png(pixels: Array, file: Path) -> None:
    """Write ``[S, S]``, ``[1, S, S]`` or ``[3, S, S]`` uint8; three equal channels are grey."""
    if pixels.ndim == 3:
        grey = bool((pixels == pixels[:1]).all())
        pixels = pixels[0] if grey else np.ascontiguousarray(pixels.transpose(1, 2, 0))
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG", compress_level=1)
    write_bytes(file, written.getvalue(), private=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
