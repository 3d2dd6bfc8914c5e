"""The look of Gradio's own components; `static/style.css` does the rest with the same colours."""

from __future__ import annotations

import gradio as gr

SANS, MONO = "Bedside Sans", "Bedside Mono"  # assets/fonts; Gradio's bundled ones lack letters
TEAL = gr.themes.Color(
    c50="#f0f8f9", c100="#e2f1f3", c200="#bfe0e4", c300="#8cc7ce", c400="#4fa5b0", c500="#2a8592",
    c600="#1f6b78", c700="#1a5762", c800="#16464f", c900="#113840", c950="#0a242a", name="teal",
)  # fmt: skip
SLATE = gr.themes.Color(
    c50="#f6f8f9", c100="#eceff2", c200="#dde3e8", c300="#c3ccd4", c400="#8494a1", c500="#5d6d7a",
    c600="#4a5965", c700="#38454f", c800="#1f2a31", c900="#161e23", c950="#0e1418", name="slate",
)  # fmt: skip


def clinical_theme() -> gr.themes.Base:
    """Calm: white cards on slate, one teal, square-ish corners, no shadow."""
    theme = gr.themes.Base(
        primary_hue=TEAL,
        neutral_hue=SLATE,
        radius_size=gr.themes.sizes.radius_md,
        font=[gr.themes.Font(SANS), gr.themes.Font("system-ui"), gr.themes.Font("sans-serif")],
        font_mono=[
            gr.themes.Font(MONO),
            gr.themes.Font("ui-monospace"),
            gr.themes.Font("monospace"),
        ],
    )
    return theme.set(
        body_background_fill="#f4f6f8",
        body_background_fill_dark="#0e1418",
        body_text_color="#1b262d",
        body_text_color_dark="#e6edf1",
        body_text_color_subdued="#52616c",
        body_text_color_subdued_dark="#9fb0bc",
        block_background_fill="#ffffff",
        block_background_fill_dark="#161e23",
        block_border_color="#dde3e8",
        block_border_color_dark="#2a363f",
        block_border_width="0px",
        block_shadow="none",
        block_shadow_dark="none",
        block_label_text_color="#1b262d",
        block_label_text_color_dark="#e6edf1",
        block_title_text_color="#1b262d",
        block_title_text_color_dark="#e6edf1",
        block_title_text_weight="500",
        block_info_text_color="#52616c",
        block_info_text_color_dark="#9fb0bc",
        input_background_fill="#ffffff",
        input_background_fill_dark="#10171b",
        input_border_width="1px",
        input_border_color="#77879a",
        input_border_color_dark="#5f7280",
        input_border_color_focus="#1f6b78",
        input_border_color_focus_dark="#4fa5b0",
        input_placeholder_color="#5d6d7a",
        input_placeholder_color_dark="#9fb0bc",
        button_primary_background_fill="#1f6b78",
        button_primary_background_fill_hover="#1a5762",
        button_primary_background_fill_dark="#24727e",
        button_primary_background_fill_hover_dark="#277b87",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_hover="#eceff2",
        button_secondary_background_fill_dark="#1f2a31",
        button_secondary_background_fill_hover_dark="#2a363f",
        button_secondary_text_color="#1b262d",
        button_secondary_text_color_dark="#e6edf1",
        button_secondary_border_color="#aab6c0",
        button_secondary_border_color_dark="#3d4c57",
        button_border_width="1px",
        button_large_text_weight="600",
        slider_color="#1f6b78",
        slider_color_dark="#4fa5b0",
    )
