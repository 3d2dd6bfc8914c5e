"""One run from its request to its report: the process that does the work.

Started as ``python -m core.worker RUN``, detached; whoever is interested reads the run directory.
Every phase looks for what an earlier attempt left, so resuming is running again.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.config import RunConfig, load_config, parse_config
from core.differences import config_differences
from core.errors import BedsideError, ConfigError, RunError, TrainingError
from core.files import read_json, write_json
from core.outbound import watch_connections
from core.runs.companion import runs_beside
from core.runs.events import EventWriter
from core.runs.extend import read_origin
from core.runs.layout import RunFolder
from core.runs.work import run_worker
from core.types import SplitName

if TYPE_CHECKING:  # torch and all that needs it is imported late: the worker signs in at once
    from core.data.manifest import Dataset
    from core.students.base import Student
    from core.teachers.base import Teacher
    from core.training.session import Session


def main(arguments: list[str]) -> int:
    """Work on the run whose folder is the one argument; returns the exit code."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    run = RunFolder(Path(arguments[0]).resolve())
    watch_connections(run.path.parent.parent, "run")
    return run_worker(run, lambda writer: Job(run, writer).work(), lambda: _device(run))


def _device(run: RunFolder) -> str:
    from core.training.device import choose_accelerator

    return choose_accelerator(load_config(run.config).device)


@dataclass(frozen=True)
class Job:
    """The phases of one run, in order.

    Args:
        run: Its directory.
        writer: Where it reports.
    """

    run: RunFolder
    writer: EventWriter

    def work(self) -> None:
        """Do every phase that is not done yet.

        Raises:
            Stopped: The user asked to stop; the state is saved.
            BedsideError: Something stands in the way: what, and what to do.
        """
        import torch

        from core.machine import choose_threads

        config = load_config(self.run.config)
        torch.set_num_threads(choose_threads(config.device.threads))
        dataset = self._data(config)
        teacher = self._teacher(config, dataset)
        self._pledge(config, dataset, teacher)
        self._cost(config, dataset, teacher)
        self._take_over()
        session = self._session(config, dataset, teacher)
        student = session.train()
        self._probe(session)
        self._align(session)
        self._export(session, student)
        self._assess()

    @property
    def _workspace(self) -> Path:
        return self.run.path.parent.parent

    def _data(self, config: RunConfig) -> Dataset:
        """Import the images, divide the patients, and keep both with the run."""
        from core.data.manifest import save_manifest
        from core.data.split import check_split, split_images
        from core.importing import intact_dataset, split_facts
        from core.objectives.methods import require_suitable

        dataset = intact_dataset(config, self._workspace, self.writer)
        positive = config.evaluation.positive_class
        if positive and positive not in dataset.classes:
            raise ConfigError(
                "C13",
                f"There is no class {positive!r} to be the positive one",
                todo=f"The classes are {', '.join(dataset.classes)}.",
            )
        require_suitable(config.method.name, dataset.task, len(dataset.classes))
        split = split_images(dataset.images, dataset.task, config.split)
        dataset = dataset.with_images(split.applied(dataset.images))
        for note in (*dataset.notes, *split.notes):
            self.writer.alert("info", "I00", note)
        check_split(dataset.images)
        if not (self.run.path / "split.json").exists():  # the last of the files written here
            save_manifest(dataset, self.run.path)
            write_json(self.run.path / "split.json", split_facts(split, config))
        elif read_json(self.run.path / "split.json")["sha256"] != split.sha256:
            raise _changed(self.run, "the images, their labels or their patients")
        return dataset

    def _teacher(self, config: RunConfig, dataset: Dataset) -> Teacher | None:
        """The teacher of a method that has one, and whether it has seen these images before."""
        from core.data.checks import overlap
        from core.objectives.methods import find_method
        from core.teachers.catalogue import card_hashes, find_teacher
        from core.teachers.checkpoint import load_teacher
        from core.teachers.consent import with_consent

        if not find_method(config.method.name).needs_teacher:
            return None
        cache = self._workspace / "teachers"
        spec = with_consent(find_teacher(config.teacher.name), cache)
        teacher = load_teacher(spec, cache)
        files, looks = card_hashes(spec)
        found = overlap(dataset.usable(), files, looks)
        if found.images or found.near:
            self.writer.alert("warning", "T12", found.sentence)
        shared = {"images": found.images, "near": found.near, "sentence": found.sentence}
        facts = teacher.spec.model_dump(mode="json") | {"overlap": shared, "probe": None}
        write_json(self.run.path / "teacher.json", facts)
        return teacher

    def _pledge(self, config: RunConfig, dataset: Dataset, teacher: Teacher | None) -> None:
        """Write down what the run is made from, or refuse to go on if it is no longer that."""
        file = self.run.path / "inputs.json"
        inputs = {
            "config": json.loads(config.to_json()),
            "images, labels or patients": dataset.sha256,
            "teacher": teacher.spec.sha256 if teacher else "",
        }
        if not file.exists():
            write_json(file, inputs)
        before = read_json(file)
        changed = config_differences(parse_config(json.dumps(before["config"])), config)
        changed += [f"the {name}" for name in list(inputs)[1:] if inputs[name] != before[name]]
        if changed:
            raise _changed(self.run, "; ".join(changed))

    def _cost(self, config: RunConfig, dataset: Dataset, teacher: Teacher | None) -> None:
        """What student and teacher cost on this machine, measured once."""
        import torch

        from core.students.cost import measure_cost, measure_module
        from core.students.spec import STUDENTS

        file = self.run.path / "student.json"
        if file.exists():
            return
        self.writer.phase("cost", "Measuring how fast student and teacher are on this machine")
        spec = STUDENTS.get(config.student.name)
        card = measure_cost(spec.name, len(dataset.classes), config.student.image_px)
        teacher_card = None
        if teacher is not None:
            side = teacher.spec.image_px
            teacher_card = asdict(measure_module(teacher, torch.zeros(1, 3, side, side)))
            if teacher_card["multiply_adds"] < card.multiply_adds:
                self.writer.alert(
                    "warning", "T13", "The teacher computes less than the student it is to teach"
                )
        named = {"name": spec.name, "title": spec.title, "family": spec.family}
        facts = named | {"summary": spec.summary, "teacher_cost": teacher_card}
        write_json(file, asdict(card) | facts)

    def _take_over(self) -> None:
        """Begin an extension with the checkpoints of the run that it extends; once."""
        from core.training.checkpoint import CheckpointFolder, take_over

        origin = read_origin(self.run)
        if origin is None or not self.run.inherited.exists():
            return
        target = CheckpointFolder(self.run.checkpoints)
        if target.newest() is None:
            found = take_over(CheckpointFolder(self.run.inherited), target)
            if found is None:
                raise TrainingError(
                    "T43",
                    "The checkpoints of the run to be extended are damaged",
                    item=origin.run,
                    todo="Start a new run with more passes.",
                )
            text = f"Goes on from step {found.step} of run {origin.run}"
            self.writer.alert("info", "T24", text)
        shutil.rmtree(self.run.inherited)

    def _session(self, config: RunConfig, dataset: Dataset, teacher: Teacher | None) -> Session:
        from core.data.cache import PixelCache
        from core.training.session import Places, prepare

        places = Places(
            features=self._workspace / "features",
            checkpoints=self.run.checkpoints,
            device=self.run.path / "device.json",
            views=self.run.path / "views.json",
            probe=self.run.path / "probe.safetensors",
            adapter=self.run.adapter,
        )
        cache = PixelCache(dataset.folder)
        return prepare(config, dataset, cache, teacher, places, self.writer)

    def _probe(self, session: Session) -> None:
        """The teacher's own answer to these labels, from the features that training used."""
        from core.training.session import fit_session_probe

        if session.teacher is None:
            return
        probe = fit_session_probe(session)
        card = self.run.path / "teacher.json"
        area = probe.cross_validated if math.isfinite(probe.cross_validated) else None
        found = {"probe": {"cross_validated": area}, "adapter": session.teacher.spec.adapter}
        write_json(card, read_json(card) | found)

    def _align(self, session: Session) -> None:
        """Teacher and student stage by stage, before training and after it; once."""
        from core.training.alignment import align_stages

        if session.teacher is None or self.run.alignment.exists():
            return
        self.writer.phase("align", "Comparing teacher and student stage by stage")
        write_json(self.run.alignment, align_stages(session, session.teacher))

    def _export(self, session: Session, student: Student) -> None:
        from core.inference.export import export_student, model_card

        self.writer.phase("export", "Writing the student as safetensors and ONNX, comparing both")
        dataset = session.dataset
        rows = dataset.part(SplitName.VALIDATION)["row"].to_numpy()[:16]
        card = model_card(session.config, dataset, session.teacher, self.run.id)
        export_student(student, card, self.run.export, session.cache.images(rows))

    def _assess(self) -> None:
        """The figures and the report; the run also puts itself beside those of other methods."""
        from core.assess import assess_validation, refresh_report

        self.writer.phase("evaluate", "Computing the figures on the validation images")
        assess_validation(self.run, self.writer)
        refresh_report(self.run, self.writer)
        for beside in runs_beside(self.run):
            self.writer.phase(
                "compare", f"Putting this run beside {load_config(beside.config).name}"
            )
            try:
                refresh_report(beside, self.writer, newest=self.run)
            except BedsideError as error:  # the other run's trouble is not this one's
                self.writer.alert("warning", error.code, f"{error.what} ({beside.id})")


def _changed(run: RunFolder, what: str) -> RunError:
    return RunError(
        "R30",
        f"The run cannot go on: since it was started, this changed: {what}",
        item=run.id,
        todo="Undo the change, or start a new run.",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
