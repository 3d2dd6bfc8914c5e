"""A report as one HTML file: its frame, its style, and text that cannot become markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from core.evaluation import report_words as words

TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, **content: Any) -> str:
    """The page as HTML.

    Args:
        template: A template that extends ``report_frame.html``.
        **content: What it inserts.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "power": words.power,
        "number": words.number,
        "percent": words.percent,
        "name": words.name,
    }
    styles = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(styles=styles, **content)


def clean(value: object) -> object:
    """Free every inserted text from control and direction characters; escaping follows."""
    return value if isinstance(value, Markup | int | float) else words.seen(value)
