"""The system page."""

from __future__ import annotations

import gradio as gr
from fastapi import APIRouter

from app.observe import Observer


def make_router(observer: Observer) -> APIRouter:
    """The routes of this page."""
    return APIRouter()


def build(observer: Observer) -> None:
    """Lay the page out."""
    gr.Textbox(label="Folder with images", info="Type or paste a path", elem_id="path")
    gr.Button("Check", variant="primary", elem_id="check")
