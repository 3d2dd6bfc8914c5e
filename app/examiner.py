"""The server's side of `core.examine`: one child that looks at single pictures, kept and restarted.

What it finds of a picture lies in ``workspace/examinations/<id>/``, private, until the server
starts or ends: it holds what a patient looks like.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import re
import secrets
import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from app.text import test as text
from core.errors import BedsideError, RunError, SystemError_
from core.files import private_folder, read_json, write_json
from core.runs.process import ROOT

LOST = ("R63", "E41")  # the child ended over a picture: that picture is lost, and it is said
ENDING_S = 5.0  # for ending its decoder
PATIENCE_S = 180.0  # torch from a cold disk on a busy machine, then one picture
ID = re.compile(r"\d{8}T\d{12}-[0-9a-f]{8}")
FILES = {"view": "view.bin", "input": "input.png"}
KEPT = 60  # examinations, up to 30 MB each; the oldest go first
Facts = dict[str, Any]


class Examiner:
    """Asks the child, which is started with the first question and again whenever it has ended.

    Args:
        workspace: The workspace.
    """

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self._turn = threading.Lock()
        self._child: _Child | None = None
        self._numbers = itertools.count(1)

    def ask(self, asked: Facts) -> Facts:
        """One question, one answer; others wait.

        Raises:
            BedsideError: What the child says of it.
            SystemError_: E40, it cannot be started; E41, it took too long.
            RunError: R63, it ended over this question; it will be started anew for the next.
        """
        with self._turn:
            for fresh in (False, True):
                child = self._ready()
                answer = child.ask({"id": next(self._numbers)} | asked)
                if answer is not None:
                    break
                ended_idle = child.end() == 0
                self._child = None
                if fresh or not ended_idle:
                    raise RunError("R63", text.CHILD_DIED, todo=text.CHILD_DIED_TODO)
        assert answer is not None
        if "error" in answer:
            error = answer["error"]
            raise BedsideError(error["code"], error["what"], item=error["item"], todo=error["todo"])
        ok: Facts = answer["ok"]
        return ok

    def warm(self, run: str) -> None:
        """Let the child load a run while somebody chooses a picture; nothing waits for it."""
        if self._turn.locked():  # it is at work, or loading already
            return

        def load() -> None:
            with contextlib.suppress(BedsideError):  # asking about a picture will say it
                self.ask({"do": "open", "run": run})

        threading.Thread(target=load, daemon=True, name="warming the examiner").start()

    def close(self) -> None:
        """End the child; what it is at is lost."""
        child, self._child = self._child, None
        if child:
            child.end()

    def _ready(self) -> _Child:
        if self._child is None or self._child.process.poll() is not None:
            self._child = _Child(self.workspace)
        return self._child


class _Child:
    """The process and its two pipes."""

    def __init__(self, workspace: Path) -> None:
        search = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(search), "PYTHONUTF8": "1"}
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW
        try:
            with (workspace / "examiner.log").open("wb") as log:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "core.examine", str(workspace)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd=ROOT,
                    env=environment,
                    creationflags=flags,
                )
        except OSError as error:
            raise SystemError_(
                "E40", text.CHILD_UNSTARTED, todo=text.CHILD_UNSTARTED_TODO
            ) from error
        self._answers: queue.Queue[bytes] = queue.Queue()
        assert self.process.stdout is not None
        reading = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        reading.start()

    def ask(self, asked: Facts) -> Facts | None:
        """Its answer; None where it has ended.

        Raises:
            SystemError_: E41, it took too long and was ended.
        """
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(asked).encode("utf-8") + b"\n")
            self.process.stdin.flush()
        except OSError:
            return None
        try:
            line = self._answers.get(timeout=PATIENCE_S)
        except queue.Empty:
            self.process.kill()
            raise SystemError_("E41", text.CHILD_SLOW, todo=text.CHILD_DIED_TODO) from None
        if not line:
            return None
        answer: Facts = json.loads(line)
        return answer

    def end(self) -> int:
        """Close its input, wait a moment, and be firm; returns its exit code."""
        with contextlib.suppress(OSError):
            assert self.process.stdin is not None
            self.process.stdin.close()
        try:
            return self.process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def _read(self, answers: IO[bytes]) -> None:
        with answers:
            for line in answers:
                self._answers.put(line)
        self._answers.put(b"")


class Examinations:
    """What has been looked at since the server started.

    Args:
        workspace: The workspace.
    """

    def __init__(self, workspace: Path) -> None:
        self.folder = workspace / "examinations"
        self._asked: dict[str, Facts] = {}

    def begin(self, shown: Facts, asked: Facts) -> Path:
        """Make the folder of a new examination, with what the page needs to list it.

        Args:
            shown: Run, kind of picture and the name it is shown under.
            asked: What is looked at; it may name a path, so it stays in memory.
        """
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"
        folder = private_folder(private_folder(self.folder) / name)
        write_json(folder / "shown.json", shown)
        self._asked[name] = asked
        return folder

    def asked(self, name: str) -> Facts:
        """What an examination looked at.

        Raises:
            RunError: R64, there is no such examination.
        """
        if name not in self._asked:
            raise no_examination()
        return self._asked[name]

    def note_loss(self, folder: Path, run: str, error: BedsideError) -> None:
        """Write down that the child ended over a picture, so that the page goes on saying so."""
        facts = {"run": run, "truth": None, "code": error.code, "reason": error.what + "."}
        write_json(folder / "facts.json", facts | {"todo": error.todo})

    def of_run(self, run: str, kind: str) -> list[Facts]:
        """The examinations of a run and kind, the oldest first; what is being looked at is not."""
        found = []
        for name in self._names():
            facts = self._facts(name)
            if facts and facts["run"] == run and facts["kind"] == kind:
                found.append(facts)
        return found

    def facts(self, name: str) -> Facts:
        """What was found.

        Raises:
            RunError: R64, there is no such examination.
        """
        facts = self._facts(name) if ID.fullmatch(name) else None
        if facts is None:
            raise no_examination()
        return facts

    def file(self, name: str, file: str) -> Path:
        """A file of an examination.

        Raises:
            RunError: R64, there is none.
        """
        found = self.folder / name / file
        if not ID.fullmatch(name) or not found.is_file():
            raise no_examination()
        return found

    def forget(self, name: str) -> None:
        """Delete an examination."""
        self.facts(name)
        shutil.rmtree(self.folder / name, ignore_errors=True)
        self._asked.pop(name, None)

    def forget_old(self) -> None:
        """Keep the newest."""
        for name in self._names()[:-KEPT]:
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def _names(self) -> list[str]:
        if not self.folder.is_dir():  # purged
            return []
        return sorted(path.name for path in self.folder.iterdir() if ID.fullmatch(path.name))

    def _facts(self, name: str) -> Facts | None:
        try:
            shown: Facts = read_json(self.folder / name / "shown.json")
            found: Facts = read_json(self.folder / name / "facts.json")
            return {"id": name} | found | shown
        except (OSError, ValueError):
            return None


def no_examination() -> RunError:
    """R64: there is no such examination (any more)."""
    return RunError("R64", text.NO_EXAMINATION, todo=text.NO_EXAMINATION_TODO)


def purge(workspace: Path) -> None:
    """Delete every examination: at the start of the server, and at its end."""
    shutil.rmtree(workspace / "examinations", ignore_errors=True)
