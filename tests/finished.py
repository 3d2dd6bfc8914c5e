"""A finished run without the training: everything that the Test page reads, made in seconds.

The student has random weights, the teacher's probe is fitted; figures and scores are the real ones
of exactly these networks.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from core.assess import assess_validation
from core.config import RunConfig
from core.data.cache import PixelCache
from core.data.manifest import save_manifest
from core.data.scan import import_dataset
from core.data.split import split_images
from core.files import sha256_file, write_json, write_text
from core.inference.card import WEIGHTS_FILE
from core.inference.export import model_card
from core.runs.events import EventWriter
from core.runs.layout import RunFolder
from core.runs.store import RunStore
from core.students.base import build_student
from core.teachers.catalogue import find_teacher
from core.teachers.checkpoint import load_teacher
from core.teachers.pooled import pooled_features
from core.teachers.probe import fit_probe
from core.types import SilentReporter, SplitName


def finish_run(workspace: Path, config: RunConfig, *, seed: int = 0) -> RunFolder:
    """Make a completed run of `config`, with its data set imported into `workspace`."""
    torch.set_num_threads(1)
    run = RunStore(workspace).create(config)
    dataset = import_dataset(config.data, workspace, SilentReporter())
    split = split_images(dataset.images, dataset.task, config.split)
    dataset = dataset.with_images(split.applied(dataset.images))
    save_manifest(dataset, run.path)
    facts = {"sha256": split.sha256, "sentence": split.sentence, "notes": split.notes}
    write_json(run.path / "split.json", facts | {"settings": config.split.model_dump(mode="json")})
    write_json(run.path / "inputs.json", {"images, labels or patients": dataset.sha256})
    torch.manual_seed(seed)
    student = build_student(config.student.name, len(dataset.classes), config.student.image_px)
    teacher = None
    if config.method.name != "student_only":
        teacher = load_teacher(find_teacher(config.teacher.name), workspace / "teachers")
        train = dataset.part(SplitName.TRAIN)
        features = pooled_features(teacher, PixelCache(dataset.folder), train["row"].to_numpy())
        targets, groups = dataset.targets(train), train["group"].to_numpy()
        classes = len(dataset.classes)
        probe = fit_probe(features[None], targets, groups, classes, dataset.task)
        probe.save(run.path / "probe.safetensors")
    run.export.mkdir()
    save_file(student.eval().timm_state(), run.export / WEIGHTS_FILE)
    files = {WEIGHTS_FILE: sha256_file(run.export / WEIGHTS_FILE)}
    card = model_card(config, dataset, teacher, run.id).model_copy(update={"files": files})
    write_text(run.export / "model.json", card.model_dump_json(indent=2))
    assess_validation(run, SilentReporter())
    with EventWriter(run, attempt=1) as writer:
        writer.lifecycle("started")
        writer.lifecycle("completed")
    return run
