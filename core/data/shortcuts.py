"""The shortcut check: can the label be told from what has nothing to do with the disease?

For each set of traits (`core.data.traits`) a small forest is trained and judged on patients it has
not seen. A trait that predicts the label is a warning, not a verdict: brightness may be the disease
itself, or the exposure of the ward where the ill were imaged.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from core.config import EvaluationSettings
from core.data import traits
from core.data.cache import PixelCache
from core.data.keys import keyed_hash
from core.data.manifest import Dataset
from core.data.picture import Array
from core.evaluation.figures import evaluate
from core.types import Reporter, Task

WARN_ABOVE = 0.7
SAMPLE = 5_000  # images looked at; patients are drawn whole
FOLDS = 5
TREES, LEAF = 32, 5  # as good as 100 to two digits, and quicker than boosting
RESAMPLES = 500
TITLES = {
    "acquisition": "Scanner and file",
    "size": "Image size",
    "brightness": "Brightness",
    "border": "Border",
    "all": "All of these together",
}
ABOUT = {
    "acquisition": "modality, scanner, bit depth, compression, pixel spacing and how the file is "
    "stored",
    "size": "width, height and proportion of the source image",
    "brightness": "mean, contrast, percentiles and the shares of black and white",
    "border": "the outer twelfth of the picture: frames, letters, markers, collimation",
    "all": "everything above at once",
}
MEANING = {
    "acquisition": "The classes probably come from different machines or exports. A network can "
    "learn the machine and fail on the next one.",
    "size": "Images of the classes differ in size or proportion, which usually means different "
    "sources. Bring all classes from the same source, or crop them alike.",
    "brightness": "This may be the disease itself, where it is bright or dark, or a difference in "
    "exposure, contrast medium or export. Compare healthy images of the sources with each other.",
    "border": "Something at the edge of the picture goes with the label: letters, calipers, "
    "frames, tubes or how the image was cropped. Look at the edges of a few images of each class.",
    "all": "The classes can be told apart without looking at the anatomy.",
}


@dataclass(frozen=True)
class Shortcut:
    """How well one set of traits predicts the label.

    Attributes:
        name: Key of `TITLES`.
        title: Its name for people.
        about: What was looked at.
        value: Cross-validated AUROC (mean over the classes), None where it is not computable.
        low: Lower limit of its 95 % interval over patients, or None.
        high: Upper limit, or None.
        images: Images it rests on.
        patients: Their patients, or groups of like images.
        warning: Whether the value is above `WARN_ABOVE` by more than chance explains.
        sentence: What it means, in plain words.
    """

    name: str
    title: str
    about: str
    value: float | None
    low: float | None
    high: float | None
    images: int
    patients: int
    warning: bool
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def find_shortcuts(dataset: Dataset, reporter: Reporter) -> list[Shortcut]:
    """Check every set of traits of a labelled data set; empty without two classes.

    Args:
        dataset: Its `group` column is used where it is filled, else the patient.
        reporter: Told how many of the sets are done.
    """
    frame = _sample(dataset.usable())
    targets = dataset.targets(frame)
    if len(dataset.classes) < 2 or frame.empty:
        return []
    whole, margins = traits.brightness_and_border(PixelCache(dataset.folder), frame, dataset.pixels)
    sets = {
        "acquisition": traits.acquisition(frame),
        "size": traits.size(frame),
        "brightness": whole,
        "border": margins,
    }
    sets["all"] = np.concatenate(list(sets.values()), axis=1)
    found = []
    for done, (name, values) in enumerate(sets.items(), start=1):
        found.append(_judged(name, values, targets, frame, dataset))
        reporter.progress(done, len(sets))
    return found


def _sample(usable: pd.DataFrame) -> pd.DataFrame:
    """All images, or those of patients drawn until `SAMPLE` images are reached."""
    keys = usable["group"].where(usable["group"] != "", usable["patient"])
    frame = usable.assign(key=keys).sort_values("image")
    if len(frame) <= SAMPLE:
        return frame
    drawn = frame["key"].map(lambda key: keyed_hash(b"shortcuts", "order", key))
    frame = frame.assign(drawn=drawn).sort_values(["drawn", "image"])
    return frame.iloc[:SAMPLE].drop(columns="drawn")


def _judged(
    name: str, values: Array, targets: Array, frame: pd.DataFrame, dataset: Dataset
) -> Shortcut:
    groups = frame["key"].to_numpy(dtype=str)
    counts = {"images": len(frame), "patients": len(np.unique(groups))}
    empty = Shortcut(name, TITLES[name], ABOUT[name], None, None, None, **counts, warning=False,
                     sentence="")  # fmt: skip
    if len(np.unique(values, axis=0)) < 2:
        return _said(empty, "All images are alike in this, so nothing can be told from it.")
    folds = _folds(targets, groups, dataset)
    if folds is None:
        return _said(empty, "Not computable: a class has too few patients.")
    scores = _out_of_fold(values, targets, folds, dataset)
    settings = EvaluationSettings(resamples=RESAMPLES)
    common = (groups, dataset.classes, dataset.task)
    figure = evaluate(targets, scores, *common, {}, settings, 0).figures["auroc"]
    if figure.value is None:
        return _said(empty, f"{figure.note[:1].upper()}{figure.note[1:]}.")
    warning = figure.value > WARN_ABOVE and (figure.low is None or figure.low > 0.5)
    found = Shortcut(
        name, TITLES[name], ABOUT[name], figure.value, figure.low, figure.high, **counts,
        warning=warning, sentence="",
    )  # fmt: skip
    return _said(found, _words(found))


def _said(shortcut: Shortcut, sentence: str) -> Shortcut:
    return Shortcut(**{**asdict(shortcut), "sentence": sentence})


def _words(found: Shortcut) -> str:
    limits = "" if found.low is None else f" ({found.low:.2f} to {found.high:.2f})"
    figure = f"AUROC {found.value:.2f}{limits}"
    if found.warning:
        alone = "predict" if found.name == "all" else "alone predicts"
        return f"{found.title} {alone} the label, {figure}. {MEANING[found.name]}"
    if found.low is not None and found.low > 0.5:
        return f"It says a little about the label, {figure}; bear it in mind."
    return f"It says nothing about the label beyond chance, {figure}."


def _folds(targets: Array, groups: Array, dataset: Dataset) -> list[tuple[Array, Array]] | None:
    """Training and held-out rows, by patient; None where a class has fewer than two patients."""
    places = range(len(dataset.classes))
    shown = [targets == k if targets.ndim == 1 else targets[:, k] > 0 for k in places]
    sides = shown if dataset.task is Task.MULTICLASS else [*shown, *(~side for side in shown)]
    fewest = min(len(np.unique(groups[side])) for side in sides)
    if fewest < 2:
        return None
    if dataset.task is Task.MULTICLASS:
        splitter: Any = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=0)
        return list(splitter.split(targets, targets, groups))
    number = min(FOLDS, len(np.unique(groups)))
    return list(GroupKFold(number, shuffle=True, random_state=0).split(targets, None, groups))


def _out_of_fold(
    values: Array, targets: Array, folds: list[tuple[Array, Array]], dataset: Dataset
) -> Array:
    """``[N, C]`` probabilities, each from a forest that has not seen the image's patient."""
    scores = np.zeros((len(values), len(dataset.classes)))
    columns = [targets] if targets.ndim == 1 else list(targets.T)
    for place, column in enumerate(columns):
        for train, held in folds:
            forest = ExtraTreesClassifier(
                TREES, min_samples_leaf=LEAF, class_weight="balanced", random_state=0
            ).fit(values[train], column[train].astype(int))
            chances = forest.predict_proba(values[held])
            if targets.ndim == 1:
                scores[np.ix_(held, forest.classes_)] = chances
            elif 1 in forest.classes_:
                scores[held, place] = chances[:, list(forest.classes_).index(1)]
    return scores
