"""The form of the Train page: how thorough, the name, every setting, and Start."""

from __future__ import annotations

import html
import json
import time
from typing import Any

import gradio as gr

from app.effort import describe_effort
from app.errors import guarded, problem_html
from app.fields import open_settings
from app.forms import Form
from app.observe import Observer, project_version
from app.text import train as text
from core.choosing import choose_settings, demo_config
from core.config import RunConfig
from core.errors import RunError
from core.objectives.methods import METHODS, require_suitable
from core.presets import PRESETS, preset_of, with_preset
from core.projects import Project
from core.runs.starting import start_run
from core.types import Task

QUIET: dict[str, Any] = {
    "queue": False,
    "show_progress": "hidden",
    "api_visibility": "private",
}
GATE = """import('/ws/static/train.js').then((module) =>
  module.mount(element, () => trigger('refresh')))"""
TELL = """watch('value', () => window.dispatchEvent(
  new CustomEvent('bedside:form', {detail: JSON.parse(props.value)})))"""


class TrainForm:
    """Components that several handlers share.

    Args:
        observer: The workspace.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        config = demo_config()
        self._gate = gr.HTML(
            "", html_template="", js_on_load=GATE, elem_id="train-gate", apply_default_css=False
        )
        with gr.Column(elem_id="train-form"):
            self._preset = gr.Radio(label=text.EFFORT, choices=[], elem_id="train-preset")
            with gr.Row(elem_id="train-go"):
                self._named = Form(["name"], config, "train")
                self._name = self._named.components[0]
                self._start = gr.Button(
                    text.START, variant="primary", scale=0, min_width=220, elem_id="train-start"
                )
            self._plan = gr.HTML("", elem_id="train-plan", padding=False)
            self._problem = gr.HTML("", elem_id="train-problem", padding=False)
            with gr.Accordion(text.WHY, open=False, elem_id="train-why"):
                self._why = gr.HTML("", elem_id="train-reasons", padding=False)
            with gr.Accordion(text.ADVANCED, open=False, elem_id="train-advanced"):
                gr.HTML(f'<p class="quiet">{text.ADVANCED_WORDS}</p>', padding=False)
                self._forms = [_group(name, config) for name in text.GROUPS]
                self._reset = gr.Button(text.RESET, elem_id="train-reset")
        self._token = gr.Textbox(visible=False, elem_id="train-project")
        self._told = gr.HTML(
            "", html_template="", js_on_load=TELL, elem_id="train-told", apply_default_css=False
        )

    def connect(self) -> None:
        """Tie the components to their handlers."""
        fields = [component for form in self._forms for component in form.components]
        said = [self._problem, self._told, self._preset, self._plan, self._why]
        filled = [*said, self._token, self._name, *fields]
        asked = [self._token, self._name, *fields]
        self._gate.refresh(_keeping(self._fill, len(filled)), None, filled, **QUIET)
        self._preset.input(
            _keeping(self._choose, len(filled)), [self._preset, *asked], filled, **QUIET
        )
        self._reset.click(_keeping(self._back, len(filled)), self._token, filled, **QUIET)
        changed = [_done(component) for component in (self._name, *fields)]
        last: Any = "always_last"  # a second change while the first is on its way is not dropped
        keep = _keeping(self._change, len(said))
        gr.on(changed, keep, asked, said, trigger_mode=last, **QUIET)
        gr.on(
            [self._start.click, self._name.submit],
            _keeping(self._begin, len(said)),
            asked,
            said,
            queue=False,
            show_progress="hidden",
            api_name="start_training",
            api_visibility="private",
        )

    def _fill(self) -> list[Any]:
        """What the form shows of the current project."""
        project = self._observer.projects.current()
        return self._shown(project, project.request if project else demo_config())

    def _shown(self, project: Project | None, config: RunConfig) -> list[Any]:
        fields = [value for form in self._forms for value in form.values(config)]
        token = project.id if project else ""
        return [*self._said(project, config), token, config.name, *fields]

    def _said(
        self, project: Project | None, config: RunConfig, note: str = "", run: str = ""
    ) -> list[Any]:
        """A note or none; what the script is told; the presets; what Start will do, and why."""
        found = describe_effort(project, config, self._observer.workspace)
        version = project_version(project) if project else None
        told = json.dumps({"run": run, "version": version, "at": time.time_ns()})
        sentence = f'<p class="quiet">{html.escape(found.sentence)}</p>' if project else ""
        presets = gr.Radio(choices=found.choices, value=found.chosen)
        return [note, told, presets, sentence, reasons_html(found.reasons)]

    def _choose(self, preset: str, token: str, name: str, *values: Any) -> list[Any]:
        project = self._require(token)
        if preset not in PRESETS:
            raise RunError("R66", text.NO_PRESET, item=str(preset)[:40], todo=text.NO_PRESET_TODO)
        config = self._read(project, name, values)
        config = with_preset(config, preset, project.training_images)
        return self._shown(self._save(project, config, preset), config)

    def _back(self, token: str) -> list[Any]:
        project = self._require(token)
        config = choose_settings(project.config, project.training_images).config
        return self._shown(self._save(project, config), config)

    def _change(self, token: str, name: str, *values: Any) -> list[Any]:
        project = self._require(token)
        config = self._read(project, name, values)
        project = self._save(project, config)
        return self._said(project, config)

    def _begin(self, token: str, name: str, *values: Any) -> list[Any]:
        project = self._require(token)
        config = self._read(project, name, values)
        project = self._save(project, config)
        labels = project.found
        require_suitable(config.method.name, Task(labels["task"]), len(labels["classes"]))
        started = start_run(self._observer.runs, config)
        self._observer.forget()
        note = "" if started.new else f'<div class="note" role="status">{text.ALREADY}</div>'
        return self._said(project, config, note, started.run.id)

    def _require(self, token: str) -> Project:
        """The project that the page shows, ready to be trained on.

        Raises:
            RunError: R65, there is none, or its images have not been read; R53, another is open.
        """
        project = self._observer.projects.current()
        if project is None:
            raise RunError("R65", text.NO_PROJECT, todo=text.NO_PROJECT_TODO)
        if project.id != token:
            raise RunError("R53", text.CHANGED_ELSEWHERE, todo=text.CHANGED_ELSEWHERE_TODO)
        if not project.is_imported:
            raise RunError("R65", text.NOT_IMPORTED, todo=text.NOT_IMPORTED_TODO)
        return project

    def _read(self, project: Project, name: str, values: tuple[Any, ...]) -> RunConfig:
        """The project's request with what stands in the form."""
        config, start = project.config, 0
        for form in self._forms:
            config = form.read(values[start : start + len(form.paths)], config)
            start += len(form.paths)
        return self._named.read([name], config)

    def _save(self, project: Project, config: RunConfig, preset: str = "") -> Project:
        effort = preset or preset_of(config, project.training_images)
        if config == project.config and effort == project.preset:
            return project
        saved = self._observer.projects.save(project, config, preset=effort)
        self._observer.forget()
        return saved


def _group(name: str, config: RunConfig) -> Form:
    methods = [(method.title, key) for key, method in METHODS.items()]
    with gr.Column(elem_classes="train-group"):
        gr.HTML(f"<h3>{text.GROUPS[name]}</h3>", padding=False)
        paths = [path for path in open_settings(name) if path not in text.ELSEWHERE]
        form = Form(paths, config, "set", {"method.name": methods})
    if name == "method":
        form.components[0].label, form.components[0].info = text.METHOD, text.METHOD_WORDS
    return form


def reasons_html(reasons: list[tuple[str, str, str]]) -> str:
    """Setting, value and reason as a table; all of it as text, never as markup."""
    rows = "".join(
        f'<tr><th scope="row">{html.escape(title)}</th><td>{html.escape(value)}</td>'
        f"<td>{html.escape(why)}</td></tr>"
        for title, value, why in reasons
    )
    heads = "".join(f'<th scope="col">{head}</th>' for head in text.WHY_HEADS)
    return (
        f'<p class="quiet">{text.WHY_WORDS}</p>'
        f'<table class="plain-table reasons"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _done(component: Any) -> Any:
    """The event that says that a component has got its new value, not that it is being typed."""
    if isinstance(component, gr.Textbox | gr.Number):
        return component.blur
    return component.input


def _keeping(handler: Any, outputs: int) -> Any:
    """`handler`, whose failure is shown in its first output and leaves the others as they are."""
    return guarded(lambda facts: [problem_html(facts), *[gr.skip()] * (outputs - 1)])(handler)
