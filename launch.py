"""Sets Bedside up beside itself, once, and starts it, or one command: ``python launch.py [...]``.

Only the standard library is used, and only syntax that Python 3.6 can read, so that an old Python
is told what is wrong instead of stumbling over the first line. The packages live in ``.venv``
beside this file. ``.venv/bedside.json`` says how far a set-up has come: it is "ready" only after
everything is in place, and whatever a power cut or Ctrl-C left half-done is made anew.
"""

import contextlib
import hashlib
import io
import json
import os
import platform
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

OLDEST = (3, 11)
if sys.version_info < OLDEST:
    sys.exit(
        f"Bedside needs Python 3.11 or newer, and this is Python {platform.python_version()}. "
        "Install a newer one from https://www.python.org/downloads/ (nothing else changes on "
        "your computer), then start again with it, for example: python3.11 launch.py"
    )

ROOT = Path(__file__).resolve().parent
# how all tests are run: side by side, a file of them in one process
TOGETHER = ("-n", str(min(4, os.cpu_count() or 1)), "--dist", "loadfile", "--no-loadscope-reorder")
VENV = ROOT / ".venv"
STATE = VENV / "bedside.json"
LOCK = VENV / "bedside.lock"
LOG = VENV / "bedside-pip.log"
BASE, DEV = "requirements.txt", "requirements-dev.txt"
WHEELS_CARD = "bedside-wheels.json"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SPACE_GB, SPACE_CPU_GB = 9, 2  # measured at the peak: 6.1 GB of packages, 2.6 of downloads
LINE_EVERY_S, TICK_S = 30.0, 0.5
# glibc gives freed memory back at once and asks for it again in every training step; keeping it
# made training on the processor 12 to 15 % faster (`bench speed`). Elsewhere this means nothing.
SPEED = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
INTERFACE = ["bench", "interface"]  # measured by a browser, which comes with the tests
INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it

HELP = """\
Usage: python launch.py [--wheels DIR] [--cpu] [--port N] [--no-browser]
       python launch.py [--wheels DIR] [--cpu] COMMAND [arguments]

Without a command it starts Bedside on this computer and opens it in the browser; a second start
leads to the one that runs. Ctrl-C ends the pages, and trainings go on. The commands do the same
jobs without a browser:

  demo                       the whole job on synthetic images: train, test, report, export
  config FOLDER FILE         write a complete configuration, to be edited
  run CONFIG.json            train as it says; --compare trains the student alone beside it
  compare RUN METHOD         train the same by another method and put both side by side
  runs                       list the runs and what they are doing
  stop, finish, resume RUN   save and stop; end training now and evaluate; go on
  extend RUN --epochs N      N more passes for a completed run, as a run of its own
  report RUN [--open-test]   write a run's report; opening the sealed test set is counted
  export RUN FOLDER          copy the trained student and all it needs to a folder
  predict MODEL PATH...      apply a run's or an exported student to images
  delete RUN                 delete a run
  teachers, students         list them, with licences and what each costs on this computer
  probe [FOLDER]             compare the teachers at hand on your training images
  fetch TEACHER              download one teacher, the only command that leaves this computer
  teacher FILE               say what a teacher's file is, and take it in (--accept)
  accept TEACHER             accept the conditions of its licence, once
  pretrain FOLDER...         train a teacher on folders of images
  bench {speed,accuracy,teacher,import,interface}   measure, as a table
  check                      versions, devices, disk, and whether anything would leave the machine
  test [pytest arguments]    run Bedside's own tests
  wheels DIR                 fill DIR with all packages, for a computer without a network

Commands that end with a result take --json FILE. The first start installs the packages.

  --wheels DIR   install them from DIR, which `wheels` filled on a connected computer
  --cpu          install torch without the libraries for NVIDIA cards (also: BEDSIDE_CPU=1)
  --port N       serve the app at this port; without it the first free one from 8710
  --no-browser   only print the link
"""

NO_NETWORK = (
    "The packages could not be fetched, because the package index cannot be reached. Connect this "
    "computer to the network and start again. Without a network: run `python launch.py wheels DIR` "
    "on a connected computer of the same kind, bring the folder here, and run "
    "`python launch.py --wheels DIR`."
)
NO_CERTIFICATE = (
    "The package index was reached, but its certificate is not trusted, as happens behind a "
    "hospital's proxy. Ask IT for the proxy's certificate file and set the environment variable "
    "PIP_CERT to its path, then start again."
)
NO_SPACE = "The disk filled up during the set-up. Free some space, then start again."
REASONS = (
    (re.compile(r"CERTIFICATE_VERIFY_FAILED|SSLError"), NO_CERTIFICATE),
    (re.compile(r"Retry\(total=0|Max retries exceeded|ReadTimeoutError"), NO_NETWORK),
    (re.compile(r"No space left on device|Errno 28|not enough space"), NO_SPACE),
)


class LaunchError(Exception):
    """The set-up cannot go on; the message is a sentence for the user."""


class Counter:
    """Shows the newest step with the time since the start: one live line, or lines in a log."""

    def __init__(self, what: str) -> None:
        self.start = self.shown = time.monotonic()
        self.what = what
        self.live = sys.stdout.isatty()

    def show(self, what: str) -> None:
        """Name the step that begins now."""
        self.what = what
        self._line()

    def tick(self) -> None:
        """Let the clock go on; in a log only every half minute."""
        if self.live or time.monotonic() - self.shown > LINE_EVERY_S:
            self._line()

    def close(self) -> None:
        """End the live line."""
        if self.live:
            print(flush=True)

    def _line(self) -> None:
        self.shown = time.monotonic()
        text = f"  {self.shown - self.start:4.0f} s  {self.what}"
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            text = "\r" + text[:width].ljust(width)
        print(text, end="" if self.live else "\n", flush=True)


def main(arguments: list[str]) -> int:
    """Set up what is needed, run one command, return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # no console is too old for a message
    try:
        options, rest = read_options(arguments)
        if rest[:1] in (["help"], ["--help"], ["-h"]):
            print(HELP, end="")
            return 0
        if rest[:1] == ["wheels"]:
            return fill_wheels(rest[1:], options["cpu"])
        with_tests = rest[:1] == ["test"] or rest[:2] == INTERFACE
        set_up([BASE, DEV] if with_tests else [BASE], options)
        return run_command(rest, options["app"])
    except LaunchError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Nothing is lost: the next start puts things in order.", file=sys.stderr)
        return INTERRUPTED


def read_options(arguments: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Split ``[options] rest...``; what follows the command belongs to the command."""
    cpu = os.environ.get("BEDSIDE_CPU", "") not in ("", "0")
    options: dict[str, Any] = {"wheels": None, "cpu": cpu, "app": []}
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] not in ("-h", "--help"):
        option, _, value = rest.pop(0).partition("=")
        if option in ("--wheels", "--port") and not value and rest:
            value = rest.pop(0)
        if option == "--cpu" and not value:
            options["cpu"] = True
        elif option == "--wheels" and value:
            options["wheels"] = Path(value).resolve()
        elif option == "--port" and value.isdecimal():
            options["app"] += [option, value]
        elif option == "--no-browser" and not value:
            options["app"].append(option)
        else:
            raise wrong_option(option)
    if rest and options["app"]:
        raise wrong_option(options["app"][0])
    return options, rest


def wrong_option(option: str) -> LaunchError:
    """An option that does not exist, lacks its value, or stands before the wrong command."""
    return LaunchError(
        f"{option} cannot be used like this. `python launch.py --help` lists what can."
    )


def set_up(files: list[str], options: dict[str, Any]) -> None:
    """Make the environment and install `files` into it, unless that was done already."""
    wanted = {name: requirement_hash(name) for name in files}
    if is_ready(wanted):
        return
    with only_one() as lock:
        if is_ready(wanted):  # another start has done it meanwhile
            return
        if options["wheels"]:
            check_wheels(options["wheels"])
        require_space(VENV, space_needed_gb(options))
        prepare_environment()
        print("Installing the packages. This happens once and takes some minutes.", flush=True)
        command = pip_command("install", files, options["wheels"], options["cpu"])
        run_pip(command, lock, before_change=lambda: write_state("installing"))
        write_state("ready", wanted)
        print("The packages are installed.\n", flush=True)


def is_ready(wanted: dict[str, str]) -> bool:
    """Whether exactly the wanted requirement files have been installed, to the end."""
    state = read_state()
    return (
        state.get("state") == "ready"
        and all(state.get(name) == value for name, value in wanted.items())
        and venv_python().exists()
    )


def requirement_hash(name: str) -> str:
    """SHA-256 of a requirements file, the same with Windows' and Unix' line ends."""
    return hashlib.sha256((ROOT / name).read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def read_state() -> dict[str, Any]:
    """What ``bedside.json`` says; empty when there is none."""
    try:
        state = json.loads(STATE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def write_state(state: str, facts: dict[str, str] | None = None) -> None:
    """Replace ``bedside.json`` atomically."""
    temporary = STATE.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as opened:
        json.dump({**(facts or {}), "state": state}, opened)
        opened.flush()
        os.fsync(opened.fileno())
    temporary.replace(STATE)


def venv_python() -> Path:
    """The environment's own Python."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def prepare_environment() -> None:
    """Make ``.venv``, or make it anew when it is broken or a set-up was cut short in it."""
    if read_state().get("state") not in ("creating", "installing") and is_sound():
        return
    print("Preparing the environment.", flush=True)
    clear_environment()
    write_state("creating")
    base = getattr(sys, "_base_executable", None) or sys.executable
    command = [base, "-m", "venv", str(VENV)]
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if made.returncode or not is_sound():
        said = made.stdout.decode("utf-8", "replace")
        if "ensurepip" in said:
            raise LaunchError(
                "This Python cannot make environments. On Debian or Ubuntu run "
                "`sudo apt install python3-venv`, then start again."
            )
        raise LaunchError("The environment could not be made:\n" + said.strip()[-2000:])
    STATE.unlink()


def is_sound() -> bool:
    """Whether the environment's Python starts, is new enough and has pip."""
    check = f"import pip, sys; sys.exit(sys.version_info < {OLDEST!r})"
    try:
        done = subprocess.run(
            [str(venv_python()), "-c", check],
            env=clean_environ(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def clear_environment() -> None:
    """Empty ``.venv`` but for the lock that this process holds."""
    try:
        for child in VENV.iterdir():
            if child.is_dir() and not child.is_symlink():
                shutil.rmtree(child)
            elif child != LOCK:
                child.unlink()
    except OSError as error:
        raise LaunchError(
            f"The folder {VENV} could not be made anew ({error.strerror}). Close every program "
            "that uses it, delete the folder by hand, then start again."
        ) from error


@contextlib.contextmanager
def only_one() -> Iterator[IO[str]]:
    """Let one set-up at a time work in ``.venv``; a second start waits for the first."""
    try:
        VENV.mkdir(exist_ok=True)
        lock = LOCK.open("a")
    except OSError as error:
        raise LaunchError(
            f"The folder {ROOT} cannot be written ({error.strerror}). Move Bedside to a folder of "
            "your own, then start again."
        ) from error
    with lock:
        counter: Counter | None = None
        while not try_lock(lock):
            counter = counter or Counter("Waiting for another start that is setting up")
            counter.tick()
            time.sleep(TICK_S)
        yield lock


def try_lock(opened: IO[str]) -> bool:
    """Lock a file for as long as this process, or pip after its death, keeps it open."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(opened.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def space_needed_gb(options: dict[str, Any]) -> int:
    """Gigabytes the packages need: much less without the libraries for NVIDIA cards."""
    has_torch = any(VENV.glob("lib/python*/site-packages/torch-*.dist-info"))
    small = options["cpu"] or has_torch or platform.system() != "Linux"
    if options["wheels"]:
        small = not any(options["wheels"].glob("nvidia_*.whl"))
    return SPACE_CPU_GB if small else SPACE_GB


def require_space(folder: Path, needed_gb: int) -> None:
    """Refuse to begin what the disk cannot hold."""
    free_gb = shutil.disk_usage(str(folder)).free / 1e9
    if free_gb < needed_gb:
        raise LaunchError(
            f"The packages need {needed_gb} GB of disk space and only {free_gb:.1f} GB are free "
            f"at {folder}. Free some space, then start again; `python launch.py --cpu` needs "
            f"{SPACE_CPU_GB} GB, without support for NVIDIA cards."
        )


def pip_command(
    verb: str,
    files: list[str],
    wheels: Path | None = None,
    cpu: bool = False,
    into: Path | None = None,
) -> list[str]:
    """The pip call as a list of arguments.

    Args:
        verb: "install" or "wheel".
        files: Names of requirements files beside this one.
        wheels: Folder that replaces every package index, or None.
        cpu: Add the index whose torch has no libraries for NVIDIA cards.
        into: Folder that "wheel" fills.
    """
    command = [str(venv_python()), "-m", "pip", verb, "--no-input", "--progress-bar", "off"]
    for name in files:
        command += ["-r", str(ROOT / name)]
    if into:
        command += ["--wheel-dir", str(into)]
    if wheels:
        command += ["--no-index", "--find-links", str(wheels)]
    elif cpu:
        command += ["--extra-index-url", CPU_INDEX]
    return command


def clean_environ(**extra: str) -> dict[str, str]:
    """This process's environment without what would lead another Python astray."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    kept.setdefault("PYTHONUTF8", "1")
    return {**kept, **extra}


def run_pip(
    command: list[str], lock: IO[str], before_change: Callable[[], None] = lambda: None
) -> None:
    """Run pip, show one line per package, keep all it says in a log, explain its failure."""
    counter = Counter("Asking for the packages")
    environ = clean_environ(PYTHONUNBUFFERED="1", PIP_USER="0", PIP_DISABLE_PIP_VERSION_CHECK="1")
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env=environ,
        # Should this process be killed, the lock lasts until pip has ended as well.
        pass_fds=() if os.name == "nt" else (lock.fileno(),),
    )
    try:
        said = follow(child, counter, before_change)
    except BaseException:
        end(child)
        raise
    finally:
        counter.close()
    if child.wait():
        raise LaunchError(explain(said))


def follow(
    child: subprocess.Popen[bytes], counter: Counter, before_change: Callable[[], None]
) -> list[str]:
    """Read what pip says until it ends; return its lines."""
    lines: queue.Queue[str | None] = queue.Queue()
    assert child.stdout is not None
    stdout = child.stdout

    def read() -> None:
        with stdout, LOG.open("wb") as log:
            for line in stdout:
                log.write(line)
                log.flush()
                lines.put(line.decode("utf-8", "replace").rstrip())
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    said: list[str] = []
    while True:
        try:
            line = lines.get(timeout=TICK_S)
        except queue.Empty:
            counter.tick()
            continue
        if line is None:
            return said
        said.append(line)
        if line.startswith("Installing collected packages"):
            before_change()
        if step(line):
            counter.show(step(line))


def step(line: str) -> str:
    """What a line of pip means to a user; empty for everything they need not know."""
    package = re.match(r"\s*Collecting ([A-Za-z0-9._-]+)", line) or re.match(
        r"\s*Processing .*?([^/\\]+?)-\d[^/\\]*\.(?:whl|tar\.gz)", line
    )
    if package:
        return package.group(1)
    download = re.match(
        r"\s*Downloading \S*?([^/\s]+)\.(?:whl|tar\.gz)\S* \(([\d.]+ [MG]B)\)", line
    )
    if download:
        return f"downloading {'-'.join(download.group(1).split('-')[:2])} ({download.group(2)})"
    if line.startswith("Installing collected packages:"):
        return f"installing {line.count(',') + 1} packages"
    if "connection broken by" in line:
        return "no answer from the package index, trying again"
    return ""


def explain(said: list[str]) -> str:
    """Why pip failed, in a sentence, or else in pip's own error lines."""
    text = "\n".join(said)
    for pattern, sentence in REASONS:
        if pattern.search(text):
            return sentence
    errors = [line for line in said if line.lstrip().lower().startswith("error")][-5:]
    last = [line for line in said[-1:] if line not in errors]  # of a traceback, what went wrong
    log = f"Everything pip said is in {LOG}."
    return "\n".join(["The packages could not be installed:", *errors, *last, log])


def end(child: subprocess.Popen[bytes]) -> None:
    """End a child that Ctrl-C may have reached already, and wait for it."""
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def fill_wheels(arguments: list[str], cpu: bool) -> int:
    """``wheels DIR``: fetch every package for a computer of the same kind without a network."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise LaunchError("Name one folder to fill: python launch.py wheels DIR")
    folder = Path(arguments[0]).resolve()
    with only_one() as lock:
        prepare_environment()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LaunchError(f"{folder} cannot be made ({error.strerror}).") from error
        small = cpu or platform.system() != "Linux"
        require_space(folder, SPACE_CPU_GB if small else SPACE_GB)
        run_pip(pip_command("wheel", [BASE, DEV], cpu=cpu, into=folder), lock)
    (folder / WHEELS_CARD).write_text(json.dumps(this_kind()), encoding="utf-8")
    print(f"All packages are in {folder}. On the other computer: python launch.py --wheels DIR")
    return 0


def check_wheels(folder: Path) -> None:
    """Refuse a folder that cannot serve this computer."""
    if not any(folder.glob("*.whl")):
        raise LaunchError(f"There are no packages in {folder}. `python launch.py wheels` fills it.")
    try:
        card = json.loads((folder / WHEELS_CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if card != this_kind():
        made, here = (" ".join(map(str, kind.values())) for kind in (card, this_kind()))
        raise LaunchError(
            f"The packages in {folder} are for Python {made}, and this is Python {here}. "
            "Fill the folder on a computer of the same kind, with the same Python."
        )


def this_kind() -> dict[str, str]:
    """What packages depend on: the Python and the machine."""
    return {
        "python": "{}.{}".format(*sys.version_info[:2]),
        "system": platform.system(),
        "machine": platform.machine(),
    }


def run_command(rest: list[str], for_app: list[str]) -> int:
    """Run the app, or one of Bedside's commands, in the environment; return its exit code."""
    # The user's folder stays the current one, but no file in it may pass for a module.
    environ = clean_environ(PYTHONPATH=str(ROOT), PYTHONSAFEPATH="1")
    environ = {**SPEED, **environ}  # what the user has set stands
    folder = None
    if not rest:
        command = ["-m", "app.main", *for_app]
    elif rest[0] == "test":
        command, folder = ["-m", "pytest", *(rest[1:] or TOGETHER)], ROOT
        environ = clean_environ(OMP_NUM_THREADS="1")
    elif rest[:2] == INTERFACE:
        command = ["-m", "tests.bench.interface", *rest[2:]]
    else:
        command = ["-m", "core.cli", *rest]
    child = subprocess.Popen([str(venv_python()), *command], cwd=folder, env=environ)
    signal.signal(signal.SIGTERM, lambda number, frame: child.terminate())
    while True:
        try:
            code = child.wait()
            return code if code >= 0 else 128 - code
        except KeyboardInterrupt:
            continue  # Ctrl-C reached the command as well, and it decides what to do


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
