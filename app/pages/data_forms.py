"""The Data page's forms: the folder, the demo, how images are read, how patients are divided."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from app.errors import as_facts, guarded, problem_html
from app.forms import Form
from app.observe import Observer
from app.preview import Names, describe
from app.source import form_key, start_import
from app.text import data as text
from core.config import DataSettings, RunConfig
from core.errors import BedsideError, RunError
from core.projects import DEMO, Project, require_idle
from core.sources import source_folder

LABELS = ("data.labels", "data.table", "data.file_column", "data.label_columns", "data.label_tag")
PATIENTS = ("data.patient_column", "data.patient_pattern", "data.split_column")
PICTURES = (
    "data.pixels.size_px", "data.pixels.fit", "data.pixels.window", "data.pixels.window_name",
    "data.pixels.frames", "data.pixels.every_nth", "data.pixels.slice_axis",
)  # fmt: skip
SPLIT = ("split.validation", "split.test", "split.seed", "split.origin", "split.file")
BLANK = RunConfig(data=DataSettings(source=DEMO))  # what forms show before a project is open
CHANGED = "(failed) => window.dispatchEvent(new CustomEvent('bedside:changed', {detail: failed}))"
FILLED = """(key) => { document.getElementById('page').dataset.form = key;
  window.dispatchEvent(new Event('bedside:filled')); }"""
QUIET: dict[str, Any] = {
    "queue": False,
    "show_progress": "hidden",
    "api_visibility": "private",
}


class DataForms:
    """Components that several handlers of the page share.

    Args:
        observer: The workspace.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._names = Names()
        self._problems: dict[str, gr.HTML] = {}
        self._settings: list[Form] = []

    def build_source(self) -> None:
        """The path and its button."""
        with gr.Row(elem_id="source-row"):
            self._path = gr.Textbox(
                label=text.PATH,
                info=text.PATH_INFO,
                placeholder=text.PATH_EXAMPLE,
                max_lines=1,
                scale=5,
                elem_id="path",
            )
            self._read = gr.Button(text.READ, variant="primary", scale=1, elem_id="read")
        self._refill = gr.Button(elem_id="refill")  # pressed by data.js, never seen

    def build_demo(self) -> None:
        """The one press to the demo project."""
        self._demo = gr.Button(text.DEMO, elem_id="demo")

    def place_problem(self, key: str) -> None:
        """Where a handler's failure stays until the next success."""
        self._problems[key] = gr.HTML("", elem_id=f"{key}-problem", padding=False)

    def build_split(self) -> None:
        """Shares and seed."""
        gr.HTML(f'<p class="quiet">{text.DIVIDE_WORDS}</p>', padding=False)
        with gr.Row():
            self._split = Form(SPLIT, BLANK, "set", text.SETTINGS_CHOICES)
        self.place_problem("divide")
        self._divide = gr.Button(text.DIVIDE_BUTTON, elem_id="redivide")

    def build_settings(self, accordion: gr.Accordion) -> None:
        """How files become labelled pictures; told in advance when the accordion is opened."""
        self._opened = accordion.expand
        groups = (
            (text.SETTINGS_LABELS, LABELS),
            (text.SETTINGS_PATIENTS, PATIENTS),
            (text.SETTINGS_PICTURES, PICTURES),
        )
        with gr.Row():
            for title, paths in groups:
                with gr.Column(min_width=260):
                    gr.HTML(f"<h3>{title}</h3>", padding=False)
                    self._settings.append(Form(paths, BLANK, "set", text.SETTINGS_CHOICES))
        self._preview = gr.HTML("", elem_id="preview", padding=False)
        self.place_problem("settings")
        self._apply = gr.Button(text.SETTINGS_BUTTON, elem_id="apply")
        self._token = gr.Textbox(visible=False, elem_id="shown-project")

    def connect(self) -> None:
        """Tie the components to their handlers."""
        settings = [component for form in self._settings for component in form.components]
        filled = [self._token, self._path, *self._split.components, *settings]
        for trigger in (None, [self._refill.click]):  # when the page opens, and when data.js asks
            gr.on(trigger, self._fill, None, filled, **QUIET).then(
                None, self._token, None, js=FILLED, **QUIET
            )
        self._on([self._read.click, self._path.submit], "source", self._open, [self._path])
        self._on([self._demo.click], "source", self._open_demo, [])
        parts = [self._token, *self._split.components]
        self._on([self._divide.click], "divide", self._redivide, parts)
        self._on([self._apply.click], "settings", self._reread, [self._token, *settings])
        told = [self._token, *settings]
        self._opened(self._describe, told, self._preview, **QUIET)
        # a change is told when the forms are filled, too; typing would not tell of what is pasted
        typed = [component.change for component in settings]
        last: Any = "always_last"
        gr.on(typed, self._describe_changed, told, self._preview, trigger_mode=last, **QUIET)

    def _on(
        self,
        triggers: list[Any],
        key: str,
        handler: Callable[..., None],
        inputs: list[Any],
    ) -> None:
        """Call `handler`, keep its problem on the page, tell the scripts."""
        panel = self._problems[key]

        @guarded(problem_html)
        def called(*values: Any) -> str:
            handler(*values)
            return ""

        gr.on(triggers, called, inputs, panel, **QUIET).then(None, panel, None, js=CHANGED, **QUIET)

    def _fill(self) -> list[Any]:
        """What the forms show of the project that is open."""
        project = self._observer.projects.current()
        config = project.config if project else BLANK
        path = config.data.source if project and config.data.source != DEMO else ""
        settings = [value for form in self._settings for value in form.values(config)]
        return [form_key(project), path, *self._split.values(config), *settings]

    def _open(self, path: str) -> None:
        folder = source_folder(str(path or ""), self._observer.workspace)
        start_import(self._observer, self._observer.projects.for_source(str(folder)))

    def _open_demo(self) -> None:
        start_import(self._observer, self._observer.projects.for_source(DEMO))

    def _redivide(self, token: str, *values: Any) -> None:
        project = self._shown(token)
        config = self._split.read(values, project.config)
        decoded = bool(project.found)
        project = self._observer.projects.save(project, config)
        start_import(self._observer, project, decoded=decoded)

    def _reread(self, token: str, *values: Any) -> None:
        project = self._shown(token)
        project = self._observer.projects.save(project, self._settled(values, project.config))
        start_import(self._observer, project)

    def _settled(self, values: tuple[Any, ...], config: RunConfig) -> RunConfig:
        start = 0
        for form in self._settings:
            config = form.read(values[start : start + len(form.paths)], config)
            start += len(form.paths)
        return config

    def _shown(self, token: str) -> Project:
        """The project whose settings the page shows, if it may be changed now.

        Raises:
            RunError: R53, none is open, or another, or its settings have changed; R51, its images
                are being read.
        """
        project = self._observer.projects.current()
        if project is None:
            raise RunError("R53", text.NO_PROJECT, todo=text.NO_PROJECT_TODO)
        if form_key(project) != token:
            raise RunError("R53", text.CHANGED_ELSEWHERE, todo=text.CHANGED_ELSEWHERE_TODO)
        require_idle(self._observer.workspace, project)
        return project

    def _describe_changed(self, token: str, *values: Any) -> str:
        """The same, where the settings are no longer those that were used."""
        project = self._observer.projects.current()
        used = [value for form in self._settings for value in form.values(project.config)] if (
            project) else []  # fmt: skip
        return "" if list(values) == used else self._describe(token, *values)

    def _describe(self, token: str, *values: Any) -> str:
        """What the settings would give, before anything is read."""
        project = self._observer.projects.current()
        if project is None or form_key(project) != token:
            return ""
        try:
            config = self._settled(values, project.config)
            said = describe(config.data, self._root(config), self._names)
        except BedsideError as error:
            facts = as_facts(error)
            said = [" ".join(filter(None, (facts["what"], facts["item"], facts["todo"])))]
        lines = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in said)
        return f'<div class="note"><b>{text.PREVIEW_TITLE}</b><ul>{lines}</ul></div>'

    def _root(self, config: RunConfig) -> Path:
        if config.data.source == DEMO:
            return self._observer.workspace / "demo-data" / "images"
        return Path(config.data.source)
