"""The starter, run as a user runs it: in a copy of its own, with tiny packages and no network."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

TOGETHER = [
    "-n", str(min(4, os.cpu_count() or 1)), "--dist", "loadfile", "--no-loadscope-reorder",
]  # fmt: skip

ROOT = Path(__file__).resolve().parent.parent
ECHO_CLI = """
import json, os, pathlib, sys, time
import tinypack
if sys.argv[1] == "nap":
    try:
        print("napping", flush=True)
        time.sleep(30)
    except KeyboardInterrupt:
        print("saved", flush=True)
        sys.exit(7)
print(json.dumps([sys.argv[1:], os.getcwd(), tinypack.VERSION, sys.prefix]))
sys.exit(int(os.environ.get("TINY_EXIT", "0")))
"""
ECHO_APP = """
import json, os, sys, time
import tinypack
if "TINY_NAP" in os.environ:
    try:
        print("serving", flush=True)
        time.sleep(30)
    except KeyboardInterrupt:
        print("ended", flush=True)
        sys.exit(0)
print(json.dumps(["app", sys.argv[1:], os.getcwd(), os.environ["MALLOC_TRIM_THRESHOLD_"]]))
"""
FAKE_PYTEST = """
import json, os, sys
print(json.dumps([sys.argv[1:], os.getcwd()]))
"""


def make_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> None:
    """Write the smallest wheel that pip accepts."""
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, content in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(path, content)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two versions of one package, and a stand-in for pytest."""
    folder = tmp_path_factory.mktemp("tiny wheels")
    for version in ("1.0", "2.0"):
        make_wheel(folder, "tinypack", version, {"tinypack.py": f"VERSION = '{version}'\n"})
    make_wheel(folder, "pytest", "1.0", {"pytest.py": FAKE_PYTEST})
    return folder


def write_copy(folder: Path) -> Path:
    """Copy the starter to `folder`, with tiny requirements and a command line that echoes."""
    shutil.copy(ROOT / "launch.py", folder)
    (folder / "requirements.txt").write_text("tinypack==1.0\n")
    (folder / "requirements-dev.txt").write_text("pytest==1.0\n")
    (folder / "core").mkdir()
    (folder / "core" / "__init__.py").touch()
    (folder / "core" / "cli.py").write_text(ECHO_CLI)
    (folder / "app").mkdir()
    (folder / "app" / "main.py").write_text(ECHO_APP)
    return folder


@pytest.fixture(scope="module")
def first_start(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> tuple[Path, str]:
    """A copy whose set-up has been done, and what was said meanwhile."""
    folder = write_copy(tmp_path_factory.mktemp("Bedside ü %20"))
    done = start(folder, "runs", index=wheels)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(first_start: tuple[Path, str]) -> Path:
    """A copy whose set-up is done; tests that change it use `copy`."""
    return first_start[0]


@pytest.fixture
def copy(installed: Path, tmp_path: Path) -> Path:
    """A copy of its own with a working set-up."""
    folder = tmp_path / "a copy"
    shutil.copytree(installed, folder, symlinks=True)
    return folder


@pytest.fixture
def starter(tmp_path: Path) -> ModuleType:
    """The starter as a module, beside nothing but its tiny requirements."""
    spec = importlib.util.spec_from_file_location("launch_copy", write_copy(tmp_path) / "launch.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def environ(index: Path | None) -> dict[str, str]:
    """An environment in which `index` is all there is; without one, nothing can be reached."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "BEDSIDE_"))}
    kept |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
    if index:
        return kept | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": index.as_uri()}
    closed = "http://127.0.0.1:9/simple"  # the port of the discard service: nothing listens
    return kept | {"PIP_INDEX_URL": closed, "PIP_RETRIES": "1"}


def start(
    folder: Path, *arguments: str, index: Path | None = None, cwd: Path | None = None, **extra: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(folder / "launch.py"), *arguments],
        env=environ(index) | extra,
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def echoed(done: subprocess.CompletedProcess[str]) -> list:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_help_installs_nothing(tmp_path: Path) -> None:
    folder = write_copy(tmp_path)
    for asked in ("--help", "help", "-h"):
        done = start(folder, asked)
        assert done.returncode == 0
        assert "demo " in done.stdout
        assert "--port N" in done.stdout
    assert not (folder / ".venv").exists()


def test_without_a_command_the_app_starts(installed: Path, tmp_path: Path) -> None:
    done = start(installed, cwd=tmp_path)
    assert echoed(done)[:3] == ["app", [], str(tmp_path)]
    done = start(installed, "--cpu", "--port=9001", "--no-browser")
    assert echoed(done)[1] == ["--port", "9001", "--no-browser"]


def test_ctrl_c_ends_the_app_which_says_so(installed: Path) -> None:
    with subprocess.Popen(
        [sys.executable, str(installed / "launch.py"), "--port", "9002"],
        env=environ(None) | {"TINY_NAP": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"serving\n"
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        said, complained = process.communicate(timeout=20)
    assert (said, complained, process.returncode) == (b"ended\n", b"", 0)


def test_the_interface_is_measured_with_the_test_packages(copy: Path, wheels: Path) -> None:
    (copy / "tests" / "bench").mkdir(parents=True)
    (copy / "tests" / "bench" / "interface.py").write_text(ECHO_CLI)
    (copy / "requirements-dev.txt").write_text("pytest==1.0\n")
    done = start(copy, "bench", "interface", "--json", "x", index=wheels)
    assert echoed(done)[0] == ["--json", "x"]
    assert any((copy / ".venv").rglob("pytest.py"))


def test_first_start_shows_each_package(first_start: tuple[Path, str]) -> None:
    folder, said = first_start
    assert " s  tinypack\n" in said
    assert "installing 1 packages" in said
    assert "WARNING" not in said
    assert (folder / ".venv" / "bedside-pip.log").read_text(encoding="utf-8")


def test_second_start_installs_nothing_and_needs_no_network(installed: Path) -> None:
    done = start(installed, "run", "a b.json", "--json", "out.json")
    arguments, _, version, prefix = echoed(done)
    assert arguments == ["run", "a b.json", "--json", "out.json"]
    assert version == "1.0"
    assert Path(prefix) == installed / ".venv"
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_commands_run_in_the_users_folder_but_import_nothing_from_it(
    installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "cli.py").write_text("raise SystemExit('the wrong one')")
    (tmp_path / "elsewhere").mkdir()
    for module in (tmp_path / "json.py", tmp_path / "elsewhere" / "tinypack.py"):
        module.write_text("raise SystemExit('the wrong one')")
    done = start(installed, "runs", cwd=tmp_path, PYTHONPATH=str(tmp_path / "elsewhere"))
    assert echoed(done)[1] == str(tmp_path)


def test_exit_code_is_passed_through(installed: Path) -> None:
    assert start(installed, "runs", TINY_EXIT="3").returncode == 3


def test_ctrl_c_reaches_the_command_which_decides(installed: Path) -> None:
    with subprocess.Popen(
        [sys.executable, str(installed / "launch.py"), "nap"],
        env=environ(None),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"napping\n"
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        said, complained = process.communicate(timeout=20)
    assert (said, complained, process.returncode) == (b"saved\n", b"", 7)


def test_termination_reaches_the_command(installed: Path) -> None:
    with subprocess.Popen(
        [sys.executable, str(installed / "launch.py"), "nap"],
        env=environ(None),
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"napping\n"
        process.terminate()
        assert process.wait(20) == 128 + signal.SIGTERM


def test_test_command_adds_the_test_packages_and_passes_arguments(
    copy: Path, wheels: Path, tmp_path: Path
) -> None:
    done = start(copy, "test", "tests/x y", "-q", index=wheels, cwd=tmp_path)
    assert echoed(done) == [["tests/x y", "-q"], str(copy)]
    again = start(copy, "test")
    assert echoed(again) == [[*TOGETHER], str(copy)]
    assert len(again.stdout.splitlines()) == 1


def test_changed_requirements_are_installed(copy: Path, wheels: Path) -> None:
    (copy / "requirements.txt").write_bytes(b"tinypack==1.0\r\n")
    assert echoed(start(copy, "runs"))[2] == "1.0"  # other line ends are no change
    (copy / "requirements.txt").write_text("tinypack==2.0\n")
    assert echoed(start(copy, "runs", index=wheels))[2] == "2.0"


def test_failed_update_leaves_the_working_packages(copy: Path) -> None:
    (copy / "requirements.txt").write_text("tinypack==2.0\n")
    done = start(copy, "runs")
    assert done.returncode == 1
    assert "package index cannot be reached" in done.stderr
    assert "python launch.py --wheels DIR" in done.stderr
    (copy / "requirements.txt").write_text("tinypack==1.0\n")
    assert echoed(start(copy, "runs"))[2] == "1.0"


def test_missing_package_is_pips_own_error(copy: Path, wheels: Path) -> None:
    (copy / "requirements.txt").write_text("no-such-thing\n")
    done = start(copy, "runs", index=wheels)
    assert done.returncode == 1
    assert "No matching distribution found for no-such-thing" in done.stderr
    assert "bedside-pip.log" in done.stderr


@pytest.fixture
def big_update(copy: Path, wheels: Path) -> Path:
    """The index of an update of `copy` that takes pip a while to install."""
    index = copy.parent / "more"
    shutil.copytree(wheels, index)
    files = {f"tinyfiles/f{number}.py": "" for number in range(3000)}
    make_wheel(index, "tinypack", "3.0", {"tinypack.py": "VERSION = '3.0'\n", **files})
    (copy / "requirements.txt").write_text("tinypack==3.0\n")
    return index


def interrupt_while_installing(
    folder: Path, index: Path, interrupt: Callable[[subprocess.Popen[bytes]], None]
) -> tuple[int, bytes]:
    """Cut a set-up short while pip is changing packages; return its exit code and complaints."""
    with subprocess.Popen(
        [sys.executable, str(folder / "launch.py"), "runs"],
        env=environ(index),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 60
        while state(folder) != "installing":
            assert time.monotonic() < deadline
            time.sleep(0.002)
        interrupt(process)
        assert process.stderr is not None
        return process.wait(20), process.stderr.read()


def state(folder: Path) -> str:
    return json.loads((folder / ".venv" / "bedside.json").read_bytes())["state"]


def test_killed_installation_heals(copy: Path, big_update: Path) -> None:
    """Only the starter is killed: pip goes on alone, and the next start has to wait for it."""
    interrupt_while_installing(copy, big_update, lambda process: process.kill())
    assert state(copy) == "installing"
    (copy / ".venv" / "leftover").touch()
    done = start(copy, "runs", index=big_update)
    assert echoed(done)[2] == "3.0"
    assert "Preparing the environment" in done.stdout
    assert not (copy / ".venv" / "leftover").exists()  # made anew, not patched


def test_ctrl_c_while_installing_is_clean(copy: Path, big_update: Path) -> None:
    code, said = interrupt_while_installing(
        copy, big_update, lambda process: os.killpg(process.pid, signal.SIGINT)
    )
    assert code == 130
    assert said.decode().split("\n")[1:] == [
        "Stopped. Nothing is lost: the next start puts things in order.",
        "",
    ]
    assert state(copy) == "installing"


@pytest.mark.parametrize("damage", ["state", "python"])
def test_damaged_environment_heals(copy: Path, wheels: Path, damage: str) -> None:
    if damage == "state":
        (copy / ".venv" / "bedside.json").write_bytes(b"\0\0\0")
    else:
        (copy / ".venv" / "bin" / "python").unlink()
    assert echoed(start(copy, "runs", index=wheels))[2] == "1.0"


def test_two_first_starts_at_once(copy: Path, wheels: Path) -> None:
    (copy / "requirements.txt").write_text("tinypack==2.0\n")
    command = [sys.executable, str(copy / "launch.py"), "runs"]
    both = [
        subprocess.Popen(command, env=environ(wheels), stdout=subprocess.PIPE) for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[0].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("Installing the packages" in text for text in said) == 1


def test_wheels_fills_a_folder_that_installs_without_a_network(
    copy: Path, wheels: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "carried over ü"
    done = start(copy, "wheels", str(folder), index=wheels)
    assert done.returncode == 0, done.stderr
    assert {path.suffix for path in folder.iterdir()} == {".whl", ".json"}
    shutil.rmtree(copy / ".venv")
    assert echoed(start(copy, "--wheels", str(folder), "test"))[0] == [*TOGETHER]
    card = json.loads((folder / "bedside-wheels.json").read_text())
    (folder / "bedside-wheels.json").write_text(json.dumps({**card, "python": "3.99"}))
    shutil.rmtree(copy / ".venv")
    done = start(copy, f"--wheels={folder}", "runs")
    assert done.returncode == 1
    assert "are for Python 3.99" in done.stderr


def test_wheels_from_an_empty_folder_is_a_sentence(copy: Path, tmp_path: Path) -> None:
    (copy / "requirements.txt").write_text("tinypack==2.0\n")
    done = start(copy, "--wheels", str(tmp_path), "runs")
    assert done.returncode == 1
    assert "There are no packages in" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--wheel", "x", "runs"], ["--wheels"], ["wheels"], ["--port"], ["--port", "x"],
        ["--port", "9000", "demo"], ["--no-browser", "runs"], ["--no-browser=1"],
    ],
)  # fmt: skip
def test_wrong_options_are_a_sentence_and_install_nothing(
    starter: ModuleType, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert starter.main(arguments) == 1
    assert "python launch.py" in capsys.readouterr().err
    assert not starter.VENV.exists()


def test_too_small_a_disk_is_told_before_anything_is_made(
    starter: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = shutil.disk_usage("/")._replace(free=1_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(starter.platform, "system", lambda: "Linux")
    assert starter.main(["runs"]) == 1
    assert "need 9 GB of disk space and only 1.0 GB are free" in capsys.readouterr().err
    assert starter.main(["--cpu", "runs"]) == 1
    assert "need 2 GB" in capsys.readouterr().err
    assert not (starter.VENV / "bin").exists()


def test_space_needed(starter: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter.platform, "system", lambda: "Linux")
    nothing = {"wheels": None, "cpu": False}
    assert starter.space_needed_gb(nothing) == 9
    assert starter.space_needed_gb(nothing | {"cpu": True}) == 2
    assert starter.space_needed_gb(nothing | {"wheels": tmp_path}) == 2
    (tmp_path / "nvidia_cublas-1-py3-none-any.whl").touch()
    assert starter.space_needed_gb({"wheels": tmp_path, "cpu": True}) == 9
    (starter.VENV / "lib/python3.11/site-packages/torch-2.15.0.dist-info").mkdir(parents=True)
    assert starter.space_needed_gb(nothing) == 2


def test_pip_command_is_a_list_without_a_shell(starter: ModuleType, tmp_path: Path) -> None:
    python, requirements = str(starter.venv_python()), str(tmp_path / "requirements.txt")
    usual = [python, "-m", "pip", "install", "--no-input", "--progress-bar", "off"]
    usual += ["-r", requirements]
    assert starter.pip_command("install", ["requirements.txt"]) == usual
    cpu = ["--extra-index-url", "https://download.pytorch.org/whl/cpu"]
    assert starter.pip_command("install", ["requirements.txt"], cpu=True) == usual + cpu
    local = starter.pip_command("install", ["requirements.txt"], Path("/a b"), cpu=True)
    assert local == [*usual, "--no-index", "--find-links", "/a b"]
    filled = starter.pip_command("wheel", ["requirements.txt"], into=Path("/a b"))
    assert filled[3] == "wheel"
    assert filled[-2:] == ["--wheel-dir", "/a b"]


def test_cpu_by_option_or_environment(starter: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BEDSIDE_CPU", raising=False)
    assert starter.read_options(["--cpu", "demo", "--json", "x"]) == (
        {"wheels": None, "cpu": True, "app": []},
        ["demo", "--json", "x"],
    )
    assert starter.read_options(["demo", "--cpu"])[0]["cpu"] is False
    monkeypatch.setenv("BEDSIDE_CPU", "1")
    assert starter.read_options(["demo"])[0]["cpu"] is True


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("Collecting torch<3,>=2.14 (from -r /a b/requirements.txt (line 3))", "torch"),
        ("  Downloading torch-2.15.0-cp311-x.whl (906.4 MB)",
         "downloading torch-2.15.0 (906.4 MB)"),
        ("  Downloading iniconfig-2.3.1-py3-none-any.whl (7.6 kB)", ""),
        ("Processing /a b/pylibjpeg_openjpeg-2.6.0-cp311-x.whl (from -r", "pylibjpeg_openjpeg"),
        ("Installing collected packages: a, b, c", "installing 3 packages"),
        ("WARNING: Location 'file:///opt/pypi/simple/a/' is ignored: it is neither", ""),
        ("Requirement already satisfied: a in /x", ""),
        ("WARNING: Retrying (Retry(total=4)) after connection broken by 'X'",
         "no answer from the package index, trying again"),
    ],
)  # fmt: skip
def test_what_is_shown_of_pip(starter: ModuleType, line: str, shown: str) -> None:
    assert starter.step(line) == shown


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("Retrying (Retry(total=0, connect=None)) after connection broken by 'X", "NO_NETWORK"),
        ("broken by 'SSLError(SSLCertVerificationError(1, '[SSL: CERT", "NO_CERTIFICATE"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No", "NO_SPACE"),
    ],
)  # fmt: skip
def test_why_pip_failed(starter: ModuleType, line: str, sentence: str) -> None:
    said = ["Collecting x", line, "ERROR: No matching distribution found for x"]
    assert starter.explain(said) == getattr(starter, sentence)


def test_old_python_can_read_the_file_and_is_told(tmp_path: Path) -> None:
    source = (ROOT / "launch.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    pretend = "import sys\nsys.version_info = (3, 10, 2, 'final', 0)\n"
    (tmp_path / "old.py").write_text(pretend + source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(tmp_path / "old.py"), "demo"], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert b"Bedside needs Python 3.11 or newer" in done.stderr
    assert b"Traceback" not in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_hash_names_the_requirements(starter: ModuleType, tmp_path: Path) -> None:
    expected = hashlib.sha256(b"tinypack==1.0\n").hexdigest()
    assert starter.requirement_hash("requirements.txt") == expected
