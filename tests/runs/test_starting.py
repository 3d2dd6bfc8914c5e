"""A start that is asked for twice starts one run; companions and extensions likewise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.config import RunConfig
from core.errors import ConfigError, RunError
from core.files import read_json, write_json
from core.runs.companion import (
    companion_request,
    find_companion,
    find_companions,
    may_compare,
    runs_beside,
)
from core.runs.events import curve, read_events
from core.runs.extend import passes_done, plan_extension, read_origin
from core.runs.layout import RunFolder
from core.runs.process import request_stop
from core.runs.starting import Started, extend_run, start_companion, start_run
from core.runs.status import RunStatus, status
from core.runs.store import RunStore
from tests.runs.conftest import TINY_WORKER, WaitFor

ROOT = Path(__file__).resolve().parents[2]
SLOW = (sys.executable, str(TINY_WORKER), "count", "100000", "0.01")
QUICK = (sys.executable, str(TINY_WORKER), "count", "40", "0")  # four passes of ten steps
ANOTHER_SERVER = """
import sys
from pathlib import Path
from core.config import load_config
from core.runs.starting import start_run
from core.runs.store import RunStore
workspace, config, program = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
print(start_run(RunStore(workspace), load_config(config), program).new)
"""


@pytest.fixture(autouse=True)
def no_worker_is_left(store: RunStore, wait_for: WaitFor) -> Iterator[None]:
    yield
    live = [store.open(line.id) for line in store.list() if line.status.is_live]
    for run in live:
        request_stop(run)
    for run in live:
        wait_for(lambda run=run: not status(run).is_live)


@pytest.fixture
def finished(store: RunStore, wait_for: WaitFor) -> Callable[[RunConfig], RunFolder]:
    """Make a completed run with the files that a real worker would leave."""

    def make(config: RunConfig) -> RunFolder:
        started = start_run(store, config, QUICK)
        wait_for(lambda: status(started.run) is RunStatus.COMPLETED)
        write_json(started.run.path / "split.json", {"sha256": "split"})
        inputs = {"config": json.loads(config.to_json()), "images, labels or patients": "images"}
        write_json(started.run.path / "inputs.json", inputs | {"teacher": "teacher"})
        (started.run.checkpoints / "step-00000040-000001.pt").write_bytes(b"weights")
        entry = {"file": "step-00000040-000001.pt", "step": 40, "serial": 1, "sha256": "x"}
        write_json(started.run.checkpoints / "index.json", {"last": entry})
        return started.run

    return make


def test_pressed_twice_it_is_one_run(store: RunStore, config: RunConfig) -> None:
    """Case 59."""
    first = start_run(store, config, SLOW)
    second = start_run(store, config.model_copy(update={"name": "other name"}), SLOW)
    assert (first.new, second.new) == (True, False)
    assert second.run == first.run
    assert len(store.list()) == 1


def test_pressed_in_many_tabs_at_once_it_is_one_run(store: RunStore, config: RunConfig) -> None:
    with ThreadPoolExecutor(4) as tabs:
        found = list(tabs.map(lambda _: start_run(store, config, SLOW), range(4)))
    assert [each.new for each in found].count(True) == 1
    assert len({each.run.id for each in found}) == 1
    assert len(store.list()) == 1


def test_pressed_in_two_servers_it_is_one_run(
    store: RunStore, config: RunConfig, workspace: Path, tmp_path: Path
) -> None:
    """Case 59."""
    file = tmp_path / "config.json"
    file.write_text(config.to_json(), encoding="utf-8")
    command = [sys.executable, "-c", ANOTHER_SERVER, str(workspace), str(file), *SLOW]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    servers = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = sorted(server.communicate(timeout=60)[0].strip() for server in servers)
    assert said == ["False", "True"]
    assert len(store.list()) == 1


def test_another_request_is_another_run(store: RunStore, config: RunConfig) -> None:
    other = config.model_copy(update={"train": config.train.model_copy(update={"seed": 1})})
    assert start_run(store, config, SLOW).new
    assert start_run(store, other, SLOW).new
    assert len(store.list()) == 2


def test_the_same_again_after_the_end_is_a_new_run(
    store: RunStore, config: RunConfig, finished: Callable[[RunConfig], RunFolder]
) -> None:
    first = finished(config)
    again = start_run(store, config, SLOW)
    assert again.new
    assert again.run != first


def test_a_companion_differs_in_the_method_alone(config: RunConfig) -> None:
    alone = companion_request(config)
    assert alone.method.name == "student_only"
    assert alone.model_dump(exclude={"name", "method"}) == config.model_dump(
        exclude={"name", "method"}
    )


def test_names_of_companions_do_not_grow(config: RunConfig) -> None:
    alone = companion_request(config)
    deep = companion_request(alone, "drd")
    assert (alone.name, deep.name) == (f"{config.name} alone", f"{config.name} by drd")
    assert companion_request(deep, config.method.name).name == f"{config.name} by rd"
    long = config.model_copy(update={"name": "n" * 60})
    assert len(companion_request(long, "drd").name) == 60


def test_any_method_is_a_companion(
    store: RunStore, config: RunConfig, finished: Callable[[RunConfig], RunFolder]
) -> None:
    run, deep = finished(config), finished(companion_request(config, "drd"))
    alone = finished(companion_request(config))
    assert find_companions(run) == {"drd": deep, "student_only": alone}
    assert find_companions(deep) == {"rd": run, "student_only": alone}
    assert {each.id for each in runs_beside(alone)} == {run.id, deep.id}
    assert start_companion(store, alone, QUICK, method="drd") == Started(deep, new=False)
    other = config.model_copy(update={"teacher": config.teacher.model_copy(update={"views": 2})})
    assert not may_compare(run, finished(companion_request(other, "drd")))


def test_a_companion_is_started_once_resumed_and_found(
    store: RunStore,
    config: RunConfig,
    finished: Callable[[RunConfig], RunFolder],
    wait_for: WaitFor,
) -> None:
    run = finished(config)
    first = start_companion(store, run, SLOW)
    assert first.new
    assert start_companion(store, run, SLOW) == Started(first.run, new=False)
    assert find_companion(run) is None
    request_stop(first.run)
    wait_for(lambda: status(first.run) is RunStatus.STOPPED)
    resumed = start_companion(store, run, QUICK)
    assert resumed == Started(first.run, new=True)
    wait_for(lambda: status(first.run) is RunStatus.COMPLETED)
    for name in ("split.json", "inputs.json"):
        write_json(first.run.path / name, read_json(run.path / name))
    assert find_companion(run) == first.run
    assert runs_beside(first.run) == [run]
    assert start_companion(store, run, QUICK) == Started(first.run, new=False)
    write_json(first.run.path / "split.json", {"sha256": "another"})
    assert find_companion(run) is None
    assert runs_beside(first.run) == []


def test_a_student_only_run_has_no_companion(
    store: RunStore, config: RunConfig, finished: Callable[[RunConfig], RunFolder]
) -> None:
    alone = finished(companion_request(config))
    with pytest.raises(RunError) as caught:
        start_companion(store, alone, QUICK)
    assert caught.value.code == "R63"


def test_an_extension_takes_over_what_belongs_to_it(
    store: RunStore, config: RunConfig, finished: Callable[[RunConfig], RunFolder]
) -> None:
    run = finished(config)
    assert passes_done(run) == (40, 4)
    made = extend_run(store, run, 6, SLOW)
    assert made.new
    origin = read_origin(made.run)
    assert origin is not None
    assert (origin.run, origin.step, origin.passes) == (run.id, 40, 4)
    assert origin.plans == ((0, config.train.epochs), (40, 10))
    inputs = read_json(made.run.path / "inputs.json")
    assert inputs["config"]["train"]["epochs"] == 10
    assert inputs["teacher"] == "teacher"
    assert (made.run.inherited / "step-00000040-000001.pt").read_bytes() == b"weights"
    before = curve(read_events(run.events), "loss")
    early = [event for event in read_events(made.run.events) if event["attempt"] == 0]
    assert curve(early, "loss") == before
    assert extend_run(store, run, 6, SLOW) == Started(made.run, new=False)
    assert extend_run(store, run, 7, SLOW).new
    assert status(run) is RunStatus.COMPLETED


def test_deleting_the_first_run_leaves_the_extension_its_weights(
    store: RunStore, config: RunConfig, finished: Callable[[RunConfig], RunFolder]
) -> None:
    run = finished(config)
    made = extend_run(store, run, 1, SLOW)
    store.delete(run.id)
    assert (made.run.inherited / "step-00000040-000001.pt").read_bytes() == b"weights"


def test_names_say_the_total(
    store: RunStore, config: RunConfig, finished: Callable[[RunConfig], RunFolder]
) -> None:
    long = finished(config.model_copy(update={"name": "n" * 57 + " to 4 passes"[:3]}))
    plan = plan_extension(long, 6)
    assert plan.config.name.endswith(" to 10 passes")
    assert len(plan.config.name) == 60
    twice = finished(config.model_copy(update={"name": "lesions to 4 passes"}))
    assert plan_extension(twice, 6).config.name == "lesions to 10 passes"


@pytest.mark.parametrize("passes", [0, -3, 5000])
def test_impossible_numbers_are_refused(
    config: RunConfig, finished: Callable[[RunConfig], RunFolder], passes: int
) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_extension(finished(config), passes)
    assert caught.value.code == "C01"


def test_only_what_is_complete_and_has_checkpoints_is_extended(
    store: RunStore, config: RunConfig, finished: Callable[[RunConfig], RunFolder]
) -> None:
    bare = finished(config)
    (bare.checkpoints / "index.json").unlink()
    with pytest.raises(RunError) as caught:
        extend_run(store, bare, 1, SLOW)
    assert caught.value.code == "R62"
    with pytest.raises(RunError) as caught:
        extend_run(store, start_run(store, config, SLOW).run, 1, SLOW)
    assert caught.value.code == "R61"


def test_an_extension_is_compared_with_an_extension_alone(
    store: RunStore,
    config: RunConfig,
    finished: Callable[[RunConfig], RunFolder],
    wait_for: WaitFor,
) -> None:
    run = finished(config)
    long = extend_run(store, run, 6, SLOW).run
    with pytest.raises(RunError) as caught:
        start_companion(store, long, SLOW)
    assert caught.value.code == "R64"
    assert run.id in caught.value.todo
    request_stop(long)
    wait_for(lambda: not status(long).is_live)
    alone = finished(companion_request(config))
    assert find_companion(run) == alone
    made = start_companion(store, long, SLOW)
    assert made.new
    origin = read_origin(made.run)
    assert origin is not None
    assert (origin.run, origin.step) == (alone.id, 40)
