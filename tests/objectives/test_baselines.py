"""Every baseline against its formula, written once more in numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from core.config_method import MethodSettings
from core.errors import ConfigError
from core.objectives.base import OBJECTIVES, StepOutputs
from core.objectives.methods import require_suitable
from core.types import Task

IMAGES, CLASSES = 9, 4


def draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(IMAGES, *shape, generator=torch.Generator().manual_seed(seed)).double()


def outputs(task: Task = Task.MULTICLASS) -> StepOutputs:
    """Student features of 6 channels, teacher features of 5, both 2x3 places, in float64."""
    own, teacher = draw(6, 2, 3, seed=0), draw(5, 2, 3, seed=1)
    targets = torch.arange(IMAGES) % CLASSES
    return StepOutputs(
        task, targets, torch.ones(CLASSES), draw(CLASSES, seed=2), student=[own.mean((2, 3))],
        maps=[own], teacher=[teacher],
        answers=3 * draw(CLASSES, seed=4),
    )  # fmt: skip


def value(name: str, made: StepOutputs, **settings: float) -> float:
    loss = OBJECTIVES.get(name)(made, MethodSettings.model_validate(settings))
    assert loss is not None
    return float(loss)


def logits(made: StepOutputs) -> tuple[np.ndarray, np.ndarray]:
    assert made.answers is not None
    return made.logits.numpy(), made.answers.numpy()


def softmax(z: np.ndarray) -> np.ndarray:
    raised = np.exp(z - z.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kd_of_classes(temperature: float) -> None:
    made = outputs()
    q, p = (softmax(z / temperature) for z in logits(made))
    expected = temperature**2 * (p * np.log(p / q)).sum(1).mean()
    assert value("kd", made, kd_temperature=temperature) == pytest.approx(expected)


def test_kd_of_findings() -> None:
    made = outputs(Task.MULTILABEL)
    q, p = (1 / (1 + np.exp(-z / 4)) for z in logits(made))
    expected = 16 * (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean()
    assert value("kd", made) == pytest.approx(expected)


def test_kd_leaves_the_rest_to_the_labels_and_other_methods_all_of_it() -> None:
    kd = MethodSettings(name="kd", kd=0.7)
    assert OBJECTIVES.get("kd").weight(kd, 0.5) == 0.7
    assert OBJECTIVES.get("task").weight(kd, 0.5) == pytest.approx(0.3)
    for name in ("rd", "sp", "student_only"):
        assert OBJECTIVES.get("task").weight(MethodSettings(name=name), 0.5) == 1


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_dist(temperature: float) -> None:
    made = outputs()
    own, teacher = (softmax(z / temperature) for z in logits(made))
    images = np.mean([np.corrcoef(own[i], teacher[i])[0, 1] for i in range(IMAGES)])
    classes = np.mean([np.corrcoef(own[:, c], teacher[:, c])[0, 1] for c in range(CLASSES)])
    expected = temperature**2 * (2 - images - classes)
    assert value("dist", made, dist_temperature=temperature) == pytest.approx(expected)


def test_hint_and_guidance_are_the_mean_over_the_stages() -> None:
    made = replace(outputs(), errors=[torch.tensor(0.2), torch.tensor(0.6)])
    assert value("hint", made) == value("guidance", made) == pytest.approx(0.4)


def test_guidance_is_gone_after_half_of_the_steps() -> None:
    settings, guidance = MethodSettings(name="drd"), OBJECTIVES.get("guidance")
    weights = [guidance.weight(settings, progress) for progress in (0.0, 0.25, 0.5, 1.0)]
    assert weights == pytest.approx([100, 50, 0, 0])


def test_sp() -> None:
    made = outputs()
    tables = []
    for maps in (made.maps[0], made.teacher[0]):
        rows = maps.numpy().reshape(IMAGES, -1)
        gram = rows @ rows.T
        tables.append(gram / np.linalg.norm(gram, axis=1, keepdims=True))
    expected = np.linalg.norm(tables[0] - tables[1], "fro") ** 2 / IMAGES**2
    assert value("sp", made) == pytest.approx(expected)


def huber(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 1, x**2 / 2, np.abs(x) - 0.5)


def pooled(made: StepOutputs) -> tuple[np.ndarray, np.ndarray]:
    return made.student[0].numpy(), made.teacher[0].numpy().mean((2, 3))


def test_rkd_distances() -> None:
    made = outputs()
    tables = []
    for rows in pooled(made):
        apart = np.array([[np.linalg.norm(a - b) for b in rows] for a in rows])
        tables.append(apart / apart[apart > 0].mean())
    assert value("rkd_distance", made) == pytest.approx(huber(tables[0] - tables[1]).mean())


def test_rkd_angles() -> None:
    made = outputs()
    tables = np.zeros((2, IMAGES, IMAGES, IMAGES))
    for table, rows in zip(tables, pooled(made), strict=True):
        for j in range(IMAGES):
            for i in set(range(IMAGES)) - {j}:
                for k in set(range(IMAGES)) - {j}:
                    a, b = rows[i] - rows[j], rows[k] - rows[j]
                    table[j, i, k] = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert value("rkd_angle", made) == pytest.approx(huber(tables[0] - tables[1]).mean())


def test_cka_without_reprogramming_is_that_of_the_teacher_itself() -> None:
    made = outputs()
    x, y = (rows - rows.mean(0) for rows in pooled(made))
    expected = np.linalg.norm(y.T @ x) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)
    assert value("cka", made) == pytest.approx(1 - expected)


@pytest.mark.parametrize("name", ["sp", "rkd_distance", "rkd_angle"])
def test_a_larger_teacher_weighs_the_same(name: str) -> None:
    made = outputs()
    larger = replace(made, teacher=[100 * made.teacher[0]])
    assert value(name, larger) == pytest.approx(value(name, made))


@pytest.mark.parametrize(("task", "classes"), [(Task.MULTICLASS, 2), (Task.MULTILABEL, 5)])
def test_dist_is_refused_where_it_says_nothing(task: Task, classes: int) -> None:
    with pytest.raises(ConfigError) as caught:
        require_suitable("dist", task, classes)
    assert caught.value.code == "C18"
    require_suitable("dist", Task.MULTICLASS, 3)
    require_suitable("kd", task, classes)
