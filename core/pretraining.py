"""The command `pretrain`: folders of images, or a recipe, become a teacher."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError, model_validator

from core.config import DataSettings, PixelSettings
from core.config_base import Settings
from core.data.cache import PixelCache
from core.data.scan import import_dataset
from core.errors import ConfigError
from core.teachers.pretrain import pretrain
from core.teachers.pretrain_recipe import Lesson, PretrainSettings
from core.teachers.spec import TeacherSpec
from core.types import Reporter


class LessonRequest(Settings):
    """One folder of images a teacher learns from."""

    title: str
    licence: str
    data: DataSettings


class Recipe(Settings):
    """Everything that determines a teacher, besides the images themselves."""

    settings: PretrainSettings
    lessons: tuple[LessonRequest, ...] = ()

    @model_validator(mode="after")
    def _something_to_learn(self) -> Recipe:
        made = self.settings.scenes and self.settings.steps
        if not self.lessons and not made:
            raise ValueError("without folders it needs `scenes` and `steps`")
        return self


def read_recipe(file: Path, root: Path) -> Recipe:
    """Read a recipe whose folders are relative to `root`.

    Raises:
        ConfigError: It cannot be read or used (C20).
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        for lesson in content.get("lessons", ()):
            lesson["data"]["source"] = str(root / lesson["data"]["source"])
        return Recipe.model_validate_json(json.dumps(content))
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise ConfigError(
            "C20",
            f"The recipe cannot be used ({_reason(error)})",
            item=file.name,
            todo="assets/recipes/bedside-r10.json is one that works.",
        ) from error


def _reason(error: Exception) -> str:
    """What is wrong, without values, which may be paths."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"{type(error).__name__}, it is missing, unreadable or incomplete"


def folder_recipe(folders: Sequence[Path], settings: PretrainSettings) -> Recipe:
    """A recipe for plain folders; class folders and a ``labels.csv`` teach too.

    Raises:
        ConfigError: C20, there are none.
    """
    if not folders:
        raise ConfigError(
            "C20", "There is nothing to learn from", todo="Name a folder of images, or a recipe."
        )
    return Recipe(
        settings=settings,
        lessons=tuple(
            LessonRequest(
                title=f"folder {number}",
                licence="as its owner says",
                data=DataSettings(
                    source=str(folder.resolve()),
                    labels=_labels(folder),
                    pixels=PixelSettings(size_px=settings.image_px),
                ),
            )
            for number, folder in enumerate(folders, start=1)
        ),
    )


def run_recipe(recipe: Recipe, folder: Path, workspace: Path, reporter: Reporter) -> TeacherSpec:
    """Import every folder of a recipe and train the teacher into `folder`; see `pretrain`."""
    lessons = []
    for request in recipe.lessons:
        dataset = import_dataset(request.data, workspace, reporter)
        for code, reason, count in dataset.excluded().itertuples(index=False):
            reporter.alert("warning", str(code), f"{count} left out: {reason}")
        cache = PixelCache(dataset.folder)
        lessons.append(Lesson(request.title, request.licence, dataset, cache))
    return pretrain(lessons, recipe.settings, folder, reporter)


def _labels(folder: Path) -> Literal["auto", "none"]:
    """Labels are used where a table names them or where class folders hold every image."""
    inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    classes = sum(path.is_dir() for path in inside)
    table = (folder / "labels.csv").is_file()
    return "auto" if table or (classes > 1 and classes == len(inside)) else "none"
