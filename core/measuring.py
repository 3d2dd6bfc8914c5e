"""How fast students and teachers are on this machine: one picture, a training step, features."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from core.config import DeviceSettings
from core.config_method import MethodSettings
from core.data.augment import apply_views, draw_views
from core.measures import Setting
from core.objectives.base import OBJECTIVES
from core.objectives.methods import find_method, teacher_taps
from core.students.base import build_student
from core.students.cost import measure_module
from core.students.spec import STUDENTS
from core.teachers.base import Teacher, build_network
from core.teachers.checkpoint import load_teacher
from core.teachers.precision import choose_precision
from core.teachers.spec import TeacherSpec
from core.training.batches import Batch
from core.training.device import Chosen, choose_accelerator, make_fabric
from core.training.handlers import decay_groups
from core.training.model import DistillationModel
from core.types import Task

TRIAL = 4  # images in the step that tells how large a timed one may be
BUDGET_S = 1.5  # of all timed steps together
REPEATS, MOST = 3, 20  # timed steps, at least and at most
FEWEST = 2  # images in a training step: a norm over one value of each channel is undefined
Shape = tuple[int, int, int]


def measure_student(name: str, setting: Setting, teacher_maps: list[Shape]) -> dict[str, Any]:
    """Measure one student as a run would use it.

    Args:
        name: A name in `STUDENTS`.
        setting: Under which circumstances.
        teacher_maps: Shape of the teacher's map at each of its taps.

    Returns:
        The fields of `CostCard`, besides ``train_ms`` (of one image in a training step with the
        views and losses of the method), ``infer_ms`` (of one image in a batch) and ``grids``
        (height and width of the map after every stage).

    Raises:
        ConfigError: C30, the side of the picture does not suit this student.
    """
    STUDENTS.get(name).require_px(setting.image_px)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        student = build_student(name, setting.classes, setting.image_px)
        blank = torch.zeros(1, 3, setting.image_px, setting.image_px)
        card = measure_module(student, blank, setting.threads)
        grids = student.grid(setting.image_px)
        method = find_method(setting.method)
        taps = teacher_taps(
            list(range(len(student.stages))), len(student.stages), len(teacher_maps)
        )
        used = {"none": [], "last": taps[-1:], "all": taps}[method.stages]
        maps = [teacher_maps[tap] for tap in used]
        model = DistillationModel(student, method, maps, setting.image_px)
        train, infer = _time_steps(model, setting, maps)
    return asdict(card) | {"train_ms": train, "infer_ms": infer, "grids": grids}


def measure_teacher(spec: TeacherSpec, setting: Setting, cache: Path) -> dict[str, Any]:
    """Measure one teacher; a teacher of the user's is loaded from its file, which proves it.

    Others are built with random weights, which are as fast as trained ones.

    Args:
        spec: What it is.
        setting: Under which circumstances.
        cache: Where teachers' files are.

    Returns:
        The fields of `CostCard`, besides ``feature_ms`` (of one view of one image) and ``maps``
        (channels, height and width at every tap).

    Raises:
        ModelError: The file cannot be used, or the architecture cannot be built.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        own = spec.source == "file"
        teacher = load_teacher(spec, cache) if own else Teacher(spec, build_network(spec))
        blank = torch.zeros(1, 3, spec.image_px, spec.image_px)
        card = measure_module(teacher, blank, setting.threads)
        shapes = teacher.map_shapes()
        fabric = _fabric(setting)
        teacher.to(fabric.device)

        precision = choose_precision(teacher, setting.precision)

        def look(count: int) -> None:
            teacher(_views(count, setting, spec.image_px).to(fabric.device), precision)

        largest = 1 if card.latency_ms > 500 else setting.batch
        feature = _per_image_ms(look, fabric, largest)
    return asdict(card) | {"feature_ms": feature, "maps": shapes}


def _time_steps(
    model: DistillationModel, setting: Setting, maps: list[Shape]
) -> tuple[float, float]:
    """Milliseconds for one image, in training and in validation."""
    fabric = _fabric(setting)
    model.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(decay_groups(model, 0.01), lr=1e-6, fused=True)
    wrapped, stepper = fabric.setup(model, optimiser)

    def train(count: int) -> None:
        images = _views(count, setting, setting.image_px).to(fabric.device)
        features = [torch.rand(count, *shape).to(fabric.device) for shape in maps]
        targets = torch.arange(count, device=fabric.device) % setting.classes
        answers = torch.rand(count, setting.classes).to(fabric.device)
        weights = torch.ones(setting.classes, device=fabric.device)
        passes = model.unpack(wrapped(images, features))
        seen = Batch(images, targets, features, answers)
        outputs = passes.beside(seen, Task.MULTICLASS, weights)
        names = find_method(setting.method).terms
        terms = [OBJECTIVES.get(name)(outputs, MethodSettings()) for name in names]
        stepper.zero_grad(set_to_none=True)
        fabric.backward(torch.stack([term for term in terms if term is not None]).sum())
        stepper.step()

    @torch.inference_mode()
    def infer(count: int) -> None:
        side = setting.image_px
        model.student(torch.rand(count, 1, side, side).to(fabric.device))

    model.train()
    spent = _per_image_ms(train, fabric, setting.batch, FEWEST)
    model.eval()
    return spent, _per_image_ms(infer, fabric, setting.batch)


def _views(count: int, setting: Setting, side: int) -> Tensor:
    """Noise in random views, ``[count, C, side, side]``: making them is part of the work."""
    shape = (count, setting.channels, setting.cached_px, setting.cached_px)
    pictures = torch.randint(256, shape, dtype=torch.uint8)
    names = [str(number) for number in range(count)]
    return apply_views(pictures, draw_views(0, names, [0] * count, "light"), side)


def _per_image_ms(
    work: Callable[[int], None], fabric: Fabric, largest: int, fewest: int = 1
) -> float:
    """Time for one image, in batches as large as `largest` or as the budget of time allows.

    Of several tries the faster ones count: what slows the others down is other programs.
    """
    count = max(fewest, min(TRIAL, largest))
    work(count)  # the first is always slower
    each = _time(work, count, fabric) / count
    count = max(fewest, min(largest, int(BUDGET_S / REPEATS / max(each, 1e-6))))
    spent: list[float] = []
    while len(spent) < REPEATS or (sum(spent) < BUDGET_S and len(spent) < MOST):
        spent.append(_time(work, count, fabric))
    return 1e3 * statistics.quantiles(spent, n=4, method="inclusive")[0] / count


def _time(work: Callable[[int], None], count: int, fabric: Fabric) -> float:
    started = time.perf_counter()
    work(count)
    if fabric.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _fabric(setting: Setting) -> Fabric:
    settings = DeviceSettings.model_validate({"accelerator": setting.accelerator})
    return make_fabric(Chosen(choose_accelerator(settings), "float32", setting.threads))
