"""Settings of a configuration as a form holds them: text, numbers and ticks. Needs no Gradio."""

from __future__ import annotations

import types
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from core.config import RunConfig
from core.errors import ConfigError

Path = tuple[str, ...]  # ("train", "epochs")
SPELLED = {"lora": "LoRA"} | {word: word.upper() for word in ("cka", "dist", "kd", "rkd", "sp")}


def split_path(dotted: str) -> Path:
    """``"train.epochs"`` as a path."""
    return tuple(dotted.split("."))


def shown_values(paths: Iterable[Path], config: RunConfig) -> list[Any]:
    """What a form shows for the settings of `config` at `paths`."""
    return [_to_form(_get(config, path)) for path in paths]


def read_values(paths: Sequence[Path], values: Iterable[Any], config: RunConfig) -> RunConfig:
    """`config` with the settings of a form.

    Args:
        paths: The settings that the form shows.
        values: What its components hold, in that order; nothing in them is trusted.
        config: Keeps what the form does not show.

    Raises:
        ConfigError: C01, a sentence for every setting that is wrong; C14, no numbers.
    """
    tree = config.model_dump()
    for path, value in zip(paths, values, strict=True):
        place = tree
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = _from_form(value, path)
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(
            "C01",
            f"These settings cannot be used. {_mistakes(error)}",
            todo="Mend them and try again; nothing has been changed.",
        ) from error


def field_title(path: Path) -> str:
    """The setting's name for people: ``("train", "learning_rate")`` becomes ``Learning rate``."""
    words = path[-1].replace("_px", " (px)").split("_")
    named = " ".join(SPELLED.get(word, word) for word in words)
    return named[:1].upper() + named[1:]


def field_at(path: Path) -> FieldInfo:
    """The setting's declaration: its type, its limits, its sentence."""
    model: type[BaseModel] = RunConfig
    for name in path[:-1]:
        model, _ = kind_of(model.model_fields[name].annotation)
    return model.model_fields[path[-1]]


def kind_of(annotation: Any) -> tuple[Any, bool]:
    """A field's type without ``| None``, and whether it had that."""
    if get_origin(annotation) in (types.UnionType, Union):
        inner = [kind for kind in get_args(annotation) if kind is not type(None)]
        return inner[0], True
    return annotation, False


def open_settings(group: str) -> list[str]:
    """Dotted names of a group's settings, but for those that leave nothing to choose."""
    model, _ = kind_of(RunConfig.model_fields[group].annotation)
    fields = model.model_fields.items()
    return [f"{group}.{name}" for name, field in fields if not _is_fixed(field.annotation)]


def _is_fixed(annotation: Any) -> bool:
    return get_origin(annotation) is Literal and len(get_args(annotation)) == 1


def is_group(kind: Any) -> bool:
    """Whether a setting is a small group of numbers, written in one line."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _get(config: RunConfig, path: Path) -> Any:
    value: Any = config
    for name in path:
        value = getattr(value, name)
    return value


def _to_form(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return ", ".join(f"{number:g}" for number in value.model_dump().values())
    if isinstance(value, tuple):
        return ", ".join(value)
    return "" if value is None else value


def _from_form(value: Any, path: Path) -> Any:
    kind, optional = kind_of(field_at(path).annotation)
    text = str("" if value is None else value).strip()
    if get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if optional and not text:
        return None
    if is_group(kind):
        return _numbers(text, kind, path)
    if kind is str:
        return text
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _numbers(text: str, kind: type[BaseModel], path: Path) -> dict[str, float]:
    """A small group of numbers written in one line: ``"40, 400"`` is a window."""
    names = list(kind.model_fields)
    parts = text.replace(";", ",").split(",")
    try:
        return dict(zip(names, map(float, parts), strict=True))
    except ValueError:
        raise ConfigError(
            "C14",
            f"{field_title(path)}: {text[:40]!r} is not {len(names)} numbers ({', '.join(names)})",
            todo="Write them with a comma between, or leave the field empty.",
        ) from None


def _mistakes(error: ValidationError) -> str:
    """One sentence for every setting that is wrong, by the name that the form gives it."""
    found = []
    for mistake in error.errors():
        path = tuple(str(part) for part in mistake["loc"])
        said = mistake["msg"].removeprefix("Value error, ").rstrip(".")
        found.append(f"{field_title(path)}: {said}." if path else f"{said}.")
    return " ".join(found)
