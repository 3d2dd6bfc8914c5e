"""Forms drawn from the configuration: every setting with its name, its sentence and its limits."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

import gradio as gr
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from core.config import RunConfig
from core.errors import ConfigError

Path = tuple[str, ...]  # ("train", "epochs")
Choices = Sequence[tuple[str, str]]  # title and value


class Form:
    """Gradio components for some of the settings of a `RunConfig`.

    Build it inside a layout; the components appear in the order of `paths`.

    Args:
        paths: Dotted names of settings, such as ``"train.epochs"``.
        config: Where their values come from.
        prefix: Put before every ``elem_id``: ``<prefix>-train-epochs``.
        choices: For settings that name one of several things: dotted name to (title, value).
    """

    def __init__(
        self,
        paths: Iterable[str],
        config: RunConfig,
        prefix: str,
        choices: Mapping[str, Choices] | None = None,
    ) -> None:
        self.paths: list[Path] = [tuple(path.split(".")) for path in paths]
        offered = choices or {}
        self.components = [
            _component(path, config, prefix, offered.get(".".join(path))) for path in self.paths
        ]

    def values(self, config: RunConfig) -> list[Any]:
        """What the components show for `config`, in their order."""
        return [_to_form(_get(config, path)) for path in self.paths]

    def read(self, values: Iterable[Any], config: RunConfig) -> RunConfig:
        """`config` with the settings of the form.

        Args:
            values: From the components, in their order; nothing in them is trusted.
            config: Keeps what the form does not show.

        Raises:
            ConfigError: C01, one sentence for every setting that is wrong.
        """
        tree = config.model_dump()
        for path, value in zip(self.paths, values, strict=True):
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
    words = path[-1].replace("_px", " (px)").replace("_", " ").replace("cka", "CKA")
    return words[:1].upper() + words[1:]


def _component(path: Path, config: RunConfig, prefix: str, choices: Choices | None) -> Any:
    field = _field(path)
    kind, optional = _kind(field.annotation)
    shared = {
        "label": field_title(path),
        "info": field.description,
        "value": _to_form(_get(config, path)),
        "elem_id": f"{prefix}-{'-'.join(path)}",
        "interactive": True,
    }
    if choices:
        return gr.Dropdown(choices=list(choices), **shared)
    if get_origin(kind) is Literal:
        return gr.Dropdown(choices=[str(choice) for choice in get_args(kind)], **shared)
    if _is_group(kind):
        shared["label"] += f" ({', '.join(kind.model_fields)})"
    if kind is bool:
        return gr.Checkbox(**shared)
    if kind in (int, float) and not optional:
        return gr.Number(precision=0 if kind is int else None, **shared)
    return gr.Textbox(max_lines=1, **shared)


def _field(path: Path) -> FieldInfo:
    model: type[BaseModel] = RunConfig
    for name in path[:-1]:
        model, _ = _kind(model.model_fields[name].annotation)
    return model.model_fields[path[-1]]


def _kind(annotation: Any) -> tuple[Any, bool]:
    """A field's type without ``| None``, and whether it had that."""
    if get_origin(annotation) in (types.UnionType, Union):
        inner = [kind for kind in get_args(annotation) if kind is not type(None)]
        return inner[0], True
    return annotation, False


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
    kind, optional = _kind(_field(path).annotation)
    text = str("" if value is None else value).strip()
    if get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if optional and not text:
        return None
    if _is_group(kind):
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


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _mistakes(error: ValidationError) -> str:
    """One sentence for every setting that is wrong, by the name that the form gives it."""
    found = []
    for mistake in error.errors():
        path = tuple(str(part) for part in mistake["loc"])
        said = mistake["msg"].removeprefix("Value error, ").rstrip(".")
        found.append(f"{field_title(path)}: {said}." if path else f"{said}.")
    return " ".join(found)
