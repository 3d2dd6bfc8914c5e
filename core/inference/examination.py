"""One picture looked at closely: what student and teacher say of it, and where the student looked.

The probabilities are those of `core.inference.batch.predict_paths` and, for a picture of the data
set, those of the report: the same file, the same pixels, the same network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from core.config import RunConfig, load_config
from core.data.augment import clean_view
from core.data.cache import PixelCache
from core.data.fit import place_in_square
from core.data.manifest import Dataset, open_dataset, read_paths
from core.data.picture import Array, Picture
from core.errors import BedsideError, DataError
from core.inference.batch import answer_row, picture_tensor
from core.inference.explain import heat_map, method_name
from core.inference.predictor import Predictor, prepare
from core.runs.layout import RunFolder
from core.teachers.base import Teacher
from core.teachers.lora import teacher_of_run
from core.teachers.probe import LinearProbe
from core.types import SplitName, Task

DEMO = "demo"
SIZES = 3.0  # a picture this many times smaller or larger than all of training is remarked on


@dataclass(frozen=True)
class Judgement:
    """What is said of one picture.

    Attributes:
        tensor: ``[1, C, S, S]`` float32 in [0, 1], exactly what the student was given.
        student: Probability of each class.
        teacher: The same of the frozen teacher with its linear probe, or None without one.
        predicted: The student's word, as in `predict_paths`.
        code: Why there is no word ("M49"), or "".
        reason: Likewise.
    """

    tensor: Tensor
    student: list[float]
    teacher: list[float] | None
    predicted: str
    code: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Known:
    """An image of the validation split.

    Attributes:
        path: Its file; it may be gone, or hold something else by now.
        picture: Which of the file's chosen pictures it is, from 0.
        sha256: Of the file that was imported.
        pixels: ``[C, S, S]`` as the cache keeps it.
        labels: What it is labelled.
        facts: Columns of the manifest that a viewer shows.
    """

    path: Path
    picture: int
    sha256: str
    pixels: Array
    labels: list[str]
    facts: dict[str, Any] = field(default_factory=dict)


class OpenedRun:
    """A complete run's student with its teacher, ready to be asked.

    Args:
        run: The run.
        config: Its request.
        predictor: Its exported student.
        teacher: Its teacher with the linear probe, or None where it had none.
        teacher_problem: Why the teacher cannot be asked although there was one, or "".
    """

    def __init__(
        self,
        run: RunFolder,
        config: RunConfig,
        predictor: Predictor,
        teacher: tuple[Teacher, LinearProbe] | None,
        teacher_problem: str,
    ) -> None:
        self.run = run
        self.config = config
        self.predictor = predictor
        self.teacher = teacher
        self.teacher_problem = teacher_problem
        self._dataset: Dataset | None = None

    @classmethod
    def open(cls, run: RunFolder) -> Self:
        """Load what the run left.

        A teacher whose file is gone costs its opinion and nothing else.

        Raises:
            ModelError: The student's files are missing or damaged; see `Predictor.open`.
        """
        predictor = Predictor.open(run.export)
        config = load_config(run.config)
        teacher, problem = None, ""
        file = run.path / "probe.safetensors"
        if file.exists():
            try:
                cache = run.path.parent.parent / "teachers"
                loaded = teacher_of_run(config.teacher.name, cache, run.adapter)
                teacher = loaded, LinearProbe.load(file, predictor.card.task)
            except BedsideError as error:
                problem = error.sentence
        return cls(run, config, predictor, teacher, problem)

    @property
    def dataset(self) -> Dataset:
        """The images of the run."""
        if self._dataset is None:
            self._dataset = open_dataset(self.run.path, self.run.path.parent.parent)
        return self._dataset

    def judge(self, picture: Tensor) -> Judgement:
        """Ask student and teacher.

        Args:
            picture: ``[1, C, S, S]`` float32 in [0, 1], as the cache or a reader gives it.

        Raises:
            ModelError: M46, the picture does not suit the model.
        """
        card = self.predictor.card
        tensor = prepare(picture, card)
        scores = self.predictor.probabilities(picture)[0]
        row = answer_row(scores, card)
        teacher = None
        if self.teacher is not None:
            network, probe = self.teacher
            pooled = network(clean_view(picture, network.spec.image_px))[-1].mean((2, 3))
            teacher = [float(value) for value in probe.probabilities(pooled.numpy())[0]]
        told = [float(value) for value in scores] if not row["code"] else []
        words = (str(row[name]) for name in ("predicted", "code", "reason"))
        return Judgement(tensor, told, teacher, *words)

    def heat(self, tensor: Tensor, place: int) -> Array:
        """Where a picture spoke for the class at `place`: ``[S, S]`` float32 in [0, 1]."""
        return np.asarray(
            heat_map(self.predictor.student, tensor, place, self.predictor.card.task)[0]
        )

    @property
    def method(self) -> str:
        """How heat-maps are made."""
        return method_name(self.predictor.student)

    def validation_image(self, image: str) -> Known:
        """Find an image of the validation split.

        Raises:
            DataError: R60, there is no such image in it; a test image is not shown.
        """
        part = self.dataset.part(SplitName.VALIDATION)
        found = part[part["image"] == image]
        if found.empty:
            raise DataError("R60", "There is no such validation image", item=image[:40])
        row = found.iloc[0]
        relative = read_paths(self.dataset.folder).get(image, "")
        pixels = PixelCache(self.dataset.folder).read(np.array([row["row"]]))[0]
        shown = ("width", "height", "bits", "modality", "decoder", "window", "notes")
        facts = {name: _plain(row[name]) for name in shown}
        labels = [str(label) for label in row["labels"]]
        images = self.dataset.images
        frames = images.loc[images["sha256"] == row["sha256"], "frame"].unique()
        before = int((frames < row["frame"]).sum())
        return Known(self._source() / relative, before, str(row["sha256"]), pixels, labels, facts)

    def examples(self, count: int) -> list[str]:
        """Ids of a few validation images, the classes in turn."""
        part = self.dataset.part(SplitName.VALIDATION).sort_values("image")
        first = part["labels"].map(lambda labels: labels[0] if labels else "")
        order = part.groupby(first, sort=True).cumcount()
        return [str(image) for image in part.loc[order.sort_values(kind="stable").index, "image"]][
            :count
        ]

    def unlike(self, picture: Picture) -> list[str]:
        """Plain ways in which a picture is unlike every picture of training.

        Returns:
            Any of ``"even"`` (one grey all over), ``"modality"``, ``"colour"``, ``"size"``.
        """
        train = self.dataset.part(SplitName.TRAIN)
        found = []
        pixels = self.predictor.card.pixels
        top, left, rows, columns = place_in_square(picture.height, picture.width, pixels)
        inside = picture.pixels[:, top : top + rows, left : left + columns]
        if (inside.min(axis=(1, 2)) == inside.max(axis=(1, 2))).all():
            found.append("even")
        seen = set(train["modality"]) - {""}
        if picture.modality and seen and picture.modality not in seen:
            found.append("modality")
        if len(picture.pixels) == 3 and self.dataset.channels == 1:
            found.append("colour")
        sides = np.sqrt(train["width"].to_numpy(float) * train["height"].to_numpy(float))
        side = float(np.sqrt(picture.width * picture.height))
        if len(sides) and not sides.min() / SIZES <= side <= sides.max() * SIZES:
            found.append("size")
        return found

    def placed(self, width: int, height: int) -> list[float]:
        """Where an image lies in the network's square: left, top, width, height as shares."""
        pixels = self.predictor.card.pixels
        top, left, rows, columns = place_in_square(height, width, pixels)
        return [share / pixels.size_px for share in (left, top, columns, rows)]

    def _source(self) -> Path:
        if self.config.data.source == DEMO:
            return self.run.path.parent.parent / "demo-data" / "images"
        source = Path(self.config.data.source).expanduser()
        return source.parent if source.is_file() else source


def tensor_of(picture: Picture | Array) -> Tensor:
    """``[1, C, S, S]`` float32 in [0, 1] of a decoded picture or of the cache's pixels."""
    if isinstance(picture, Picture):
        return picture_tensor(picture)
    scale = np.float32(1 / np.iinfo(picture.dtype).max)
    return torch.from_numpy(picture.astype(np.float32) * scale)[None]


def teacher_word(scores: list[float], classes: tuple[str, ...], task: Task) -> str:
    """The teacher's word: its most probable class, or the findings it gives one half or more."""
    if task is Task.MULTICLASS:
        return classes[int(np.argmax(scores))]
    return "; ".join(name for name, score in zip(classes, scores, strict=True) if score >= 0.5)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
