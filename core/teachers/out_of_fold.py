"""How far a teacher's features get on these labels, each image judged without its own patient.

Two judges: the linear probe, which asks whether one linear layer separates the classes, and the
nearest neighbours, which have nothing to fit and ask whether alike images have like labels.
"""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import GroupKFold

from core.teachers.probe import fit_probe
from core.types import Task

FOLDS = 5
NEIGHBOURS = 20
TEMPERATURE = 0.07  # of the neighbours' votes; both as in Caron et al., DINO, arXiv 2104.14294
Array = np.ndarray


def probe_scores(features: Array, targets: Array, groups: Array, classes: int, task: Task) -> Array:
    """Probabilities by linear probes, each image's from one that has not seen its group.

    Args:
        features: ``[N, D]`` float32.
        targets: ``[N]`` class indices or ``[N, C]`` zeros and ones.
        groups: ``[N]`` patients (or whatever may not be divided); at least two different ones.
        classes: C.
        task: One class per image, or several findings.

    Returns:
        ``[N, C]`` in [0, 1].
    """
    scores = np.zeros((len(features), classes))
    folds = GroupKFold(min(FOLDS, len(np.unique(groups))), shuffle=True, random_state=0)
    for train, rest in folds.split(features, groups=groups):
        probe = fit_probe(features[None, train], targets[train], groups[train], classes, task)
        scores[rest] = probe.probabilities(features[rest])
    return scores


def neighbour_scores(
    features: Array, targets: Array, groups: Array, classes: int, task: Task
) -> Array:
    """Votes of the `NEIGHBOURS` most alike images of other groups, by cosine similarity.

    The features are centred first: all of a network's features share a large part, which would
    leave the cosines with little to tell. Arguments and result as for `probe_scores`.
    """
    centred = features - features.mean(axis=0)
    unit = centred / (np.linalg.norm(centred, axis=1, keepdims=True) + 1e-12)
    alike = unit @ unit.T
    names, index = np.unique(groups, return_inverse=True)
    alike[index[:, None] == index[None, :]] = -np.inf
    others = len(features) - np.bincount(index, minlength=len(names)).max()
    count = min(NEIGHBOURS, int(others))
    nearest = np.argpartition(-alike, count - 1, axis=1)[:, :count]
    cosine = np.take_along_axis(alike, nearest, axis=1).astype(np.float64)
    votes = np.exp((cosine - cosine.max(axis=1, keepdims=True)) / TEMPERATURE)
    wanted = targets if task is Task.MULTILABEL else np.eye(classes)[targets]
    share = votes / votes.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("nk,nkc->nc", share, wanted[nearest]).clip(0, 1))
