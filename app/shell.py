"""What stands around every page: the bar on top, the rail of steps, help, the notice."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gradio as gr
from markdown_it import MarkdownIt

from app.text import shell as text
from app.text.shell import STEPS, Step

HELP = Path(__file__).resolve().parent.parent / "assets" / "help"
LOGO = (
    '<svg class="logo" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">'
    '<rect width="24" height="24" rx="6"/><path d="M4 13h4l2-6 4 10 2-4h4" fill="none" '
    'stroke="#fff" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/></svg>'
)


@contextmanager
def page(key: str) -> Iterator[None]:
    """Lay out one page; what is built inside the ``with`` block is its content.

    Args:
        key: Key of one of `STEPS`.
    """
    step = next(step for step in STEPS if step.key == key)
    surface("shell", _frame(step), elem_id="shell")
    with gr.Column(elem_id="page", elem_classes=["page", f"page-{key}"]):
        lead = f'<header class="lead"><h1>{step.title}</h1><p>{_safe(step.lead)}</p></header>'
        gr.HTML(lead, elem_id="lead")
        yield


def surface(module: str, skeleton: str = "", *, elem_id: str) -> gr.HTML:
    """A part of the page that a script of ours fills and keeps up to date.

    Args:
        module: ``app/static/<module>.js``; its ``mount(element)`` is called once.
        skeleton: HTML shown before that. It is fixed text: data never goes through it.
        elem_id: Unique id.
    """
    load = f"import('/ws/static/{module}.js').then((module) => module.mount(element))"
    return gr.HTML(
        "", html_template=skeleton, js_on_load=load, elem_id=elem_id, apply_default_css=False
    )


def _frame(step: Step) -> str:
    steps = "".join(_rail_item(place, other, step) for place, other in enumerate(STEPS, start=1))
    return f"""
<a class="skip" href="#page">{text.SKIP}</a>
<div class="topbar" role="banner">
  <a class="brand" href="/">{LOGO}<span>{text.NAME}</span></a>
  <span class="chip" id="chip-project"><span class="chip-key">Project</span>
    <b>{text.NO_PROJECT}</b></span>
  <span class="space"></span>
  <a class="chip chip-job" id="chip-job" href="/train" hidden></a>
  <span class="chip chip-quiet" id="chip-offline"><span class="dot" aria-hidden="true"></span>
    {text.OFFLINE}</span>
  <span class="chip chip-quiet"><span class="chip-key">Device</span>
    <b id="chip-device">{text.DEVICE}</b></span>
  <button class="plain" id="help-open" type="button" aria-haspopup="dialog">{text.HELP}</button>
  <button class="plain" id="theme" type="button">{text.THEME}</button>
</div>
<nav class="rail" aria-label="Steps"><ol>{steps}</ol>
  <p class="notice">{text.NOTICE}</p></nav>
<dialog id="help" aria-labelledby="help-title">
  <div class="help-head"><h2 id="help-title">{text.HELP}: {step.title}</h2>
  <button class="plain" id="help-close" type="button">{text.CLOSE}</button></div>
  <div class="help-text">{_help(step.key)}</div>
</dialog>
<p id="lost" class="lost" role="status" hidden></p>"""


def _rail_item(place: int, step: Step, current: Step) -> str:
    here = ' aria-current="page"' if step is current else ""
    mark = place if step.key != "system" else "i"
    return (
        f'<li class="step step-{step.key}"><a href="{step.path}"{here} data-step="{step.key}">'
        f'<span class="mark" aria-hidden="true">{mark}</span>'
        f"<span><b>{step.title}</b><small>{step.summary}</small></span></a></li>"
    )


def _help(key: str) -> str:
    file = HELP / f"{key}.md"
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    return str(markdown.render(file.read_text(encoding="utf-8")))


def _safe(sentence: str) -> str:
    return html.escape(sentence, quote=True)
