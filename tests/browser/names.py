"""Names of what `tests.browser.prepare` makes."""

from __future__ import annotations

TITLE = "Tiny lesions"
HOSTILE = "<img src=x onerror=window.__xss=1>"
CLASSES = (HOSTILE, "=cmd|' '!A0 \u202egnp.exe <b>\"'&amp;")
