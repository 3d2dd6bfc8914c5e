"""The linear probe: how far the frozen teacher gets on these labels with one linear layer.

It says what ceiling to expect before any training, and gives "the teacher's" probability wherever
pages and reports show one. It sees the training split alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from core.files import atomic_path
from core.types import Task

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)  # inverse regularisation, chosen by held-out log loss
FOLDS = 5
MOST_ROWS = 20_000  # beyond these, one view of each image is enough


@dataclass(frozen=True)
class LinearProbe:
    """One linear layer on standardised, spatially averaged teacher features.

    Attributes:
        mean: ``[D]`` subtracted from the features.
        scale: ``[D]`` divides the difference.
        weights: ``[C, D]``.
        bias: ``[C]``.
        task: Classes compete (softmax), findings do not (sigmoid).
        cross_validated: Mean AUROC over held-out groups of the training images; NaN where too few.
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    task: Task
    cross_validated: float

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """``[N, C]`` probabilities for ``[N, D]`` features."""
        return _probabilities(self.logits(features), self.task)

    def logits(self, features: np.ndarray) -> np.ndarray:
        """``[N, C]`` logits for ``[N, D]`` features."""
        return np.asarray((features - self.mean) / self.scale @ self.weights.T + self.bias)

    def save(self, file: Path) -> None:
        """Write the probe as safetensors."""
        arrays = {name: getattr(self, name) for name in ("mean", "scale", "weights", "bias")}
        arrays["cross_validated"] = np.array([self.cross_validated])
        with atomic_path(file) as temporary:
            save_file(arrays, temporary, metadata={"task": self.task.value})

    @classmethod
    def load(cls, file: Path, task: Task) -> LinearProbe:
        """Read what `save` wrote."""
        arrays = load_file(file)
        return cls(
            arrays["mean"], arrays["scale"], arrays["weights"], arrays["bias"], task,
            float(arrays["cross_validated"][0]),
        )  # fmt: skip


def fit_probe(
    features: np.ndarray, targets: np.ndarray, groups: np.ndarray, classes: int, task: Task
) -> LinearProbe:
    """Fit the probe, its regularisation chosen by cross-validation in which no group is divided.

    Args:
        features: ``[V, N, D]`` float32: V views of N training images.
        targets: ``[N]`` class indices or ``[N, C]`` zeros and ones.
        groups: ``[N]`` patients (or whatever may not be divided).
        classes: C.
        task: One class per image, or several findings.
    """
    with threadpool_limits(1, "blas"):  # small products: threads made it 20 times slower here
        return _fit_probe(features, targets, groups, classes, task)


def _fit_probe(
    features: np.ndarray, targets: np.ndarray, groups: np.ndarray, classes: int, task: Task
) -> LinearProbe:
    views = features if features.shape[0] * features.shape[1] <= MOST_ROWS else features[:1]
    mean = views.mean(axis=(0, 1))
    scale = views.std(axis=(0, 1)) + 1e-6
    standard = (views - mean) / scale
    wanted = targets if task is Task.MULTILABEL else np.eye(classes)[targets]
    scores = {c: _cross_validate(standard, targets, wanted, groups, task, c) for c in STRENGTHS}
    best = min(scores, key=lambda c: (scores[c][1], c))
    weights, bias = _fit(standard, targets, wanted, task, best)
    return LinearProbe(mean, scale, weights, bias, task, scores[best][0])


def _cross_validate(
    views: np.ndarray,
    targets: np.ndarray,
    wanted: np.ndarray,
    groups: np.ndarray,
    task: Task,
    strength: float,
) -> tuple[float, float]:
    """Mean AUROC and log loss of the held-out images; NaN and 0 where there are too few groups."""
    folds = min(FOLDS, len(np.unique(groups)))
    if folds < 2:
        return float("nan"), 0.0
    held_out = np.zeros(wanted.shape)
    for train, rest in GroupKFold(folds, shuffle=True, random_state=0).split(wanted, groups=groups):
        weights, bias = _fit(views[:, train], targets[train], wanted[train], task, strength)
        held_out[rest] = views[0, rest] @ weights.T + bias
    areas = [
        roc_auc_score(wanted[:, c], held_out[:, c])
        for c in range(wanted.shape[1])
        if 0 < wanted[:, c].sum() < len(wanted)
    ]
    scores = _probabilities(held_out, task).clip(1e-6, 1 - 1e-6)
    likelihood = wanted * np.log(scores)
    if task is Task.MULTILABEL:
        likelihood = likelihood + (1 - wanted) * np.log(1 - scores)
    area = float(np.mean(areas)) if areas else float("nan")
    return area, float(-likelihood.sum(axis=1).mean())


def _probabilities(logits: np.ndarray, task: Task) -> np.ndarray:
    """Sigmoid of findings, softmax of classes; ``[N, C]``."""
    if task is Task.MULTILABEL:
        return np.asarray(1 / (1 + np.exp(-logits)))
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _fit(
    views: np.ndarray, targets: np.ndarray, wanted: np.ndarray, task: Task, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weights ``[C, D]`` and bias ``[C]``; a class absent from the fit keeps a low constant."""
    rows = views.reshape(-1, views.shape[-1])
    classes = wanted.shape[1]
    weights, bias = np.zeros((classes, rows.shape[1])), np.full(classes, -10.0)
    if task is Task.MULTICLASS:
        labels = np.tile(targets, len(views))
        present = np.unique(labels)
        if len(present) == 1:
            bias[present] = 10.0
            return weights, bias
        model = LogisticRegression(C=strength, max_iter=500, tol=1e-3).fit(rows, labels)
        if len(present) == 2:  # scikit-learn then gives one row: the log-odds of the second class
            half = np.array([-0.5, 0.5])
            weights[present] = half[:, None] * model.coef_
            bias[present] = half * model.intercept_
        else:
            weights[present], bias[present] = model.coef_, model.intercept_
        return weights, bias
    for c in range(classes):
        labels = np.tile(wanted[:, c], len(views))
        if 0 < labels.sum() < len(labels):
            model = LogisticRegression(C=strength, max_iter=500, tol=1e-3).fit(rows, labels)
            weights[c], bias[c] = model.coef_[0], model.intercept_[0]
        elif labels.all():
            bias[c] = 10.0
    return weights, bias
