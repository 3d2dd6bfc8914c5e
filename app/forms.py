"""Forms drawn from the configuration: every setting with its name, its sentence and its limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import gradio as gr

from app.fields import (
    Path,
    field_at,
    field_title,
    is_group,
    kind_of,
    read_values,
    shown_values,
    split_path,
)
from core.config import RunConfig

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
        self.paths = [split_path(path) for path in paths]
        offered = choices or {}
        self.components = [
            _component(path, config, prefix, offered.get(".".join(path))) for path in self.paths
        ]

    def values(self, config: RunConfig) -> list[Any]:
        """What the components show for `config`, in their order."""
        return shown_values(self.paths, config)

    def read(self, values: Iterable[Any], config: RunConfig) -> RunConfig:
        """`config` with the settings of the form.

        Args:
            values: From the components, in their order; nothing in them is trusted.
            config: Keeps what the form does not show.

        Raises:
            ConfigError: C01, a sentence for every setting that is wrong; C14, no numbers.
        """
        return read_values(self.paths, values, config)


def _component(path: Path, config: RunConfig, prefix: str, choices: Choices | None) -> Any:
    field = field_at(path)
    kind, optional = kind_of(field.annotation)
    shared = {
        "label": field_title(path),
        "info": field.description,
        "value": shown_values([path], config)[0],
        "elem_id": f"{prefix}-{'-'.join(path)}",
        "interactive": True,
    }
    if choices:
        return gr.Dropdown(choices=list(choices), **shared)
    if get_origin(kind) is Literal:
        return gr.Dropdown(choices=[str(choice) for choice in get_args(kind)], **shared)
    if is_group(kind):
        shared["label"] += f" ({', '.join(kind.model_fields)})"
    if kind is bool:
        return gr.Checkbox(**shared)
    if kind in (int, float) and not optional:
        return gr.Number(precision=0 if kind is int else None, **shared)
    return gr.Textbox(max_lines=1, **shared)
