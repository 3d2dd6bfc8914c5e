"""What a refused request is told."""

from __future__ import annotations

FOREIGN = "[E20] Refused: Bedside answers only its own page on this computer.\n"
TOO_LARGE = "[E21] Refused: more at once than Bedside takes.\n"
LOCKED = (
    "This page belongs to a Bedside that somebody started on this computer. Open it with the link "
    "in the window where it was started (it begins with http://127.0.0.1 and holds a key), or "
    "start it again with: python launch.py"
)
NOTHING_HERE = 'There is no such page. <a href="/">To Bedside</a>'
CROSSED = '<a href="/">To Bedside</a>'


def page(sentence: str, onward: str = "") -> str:
    """A page with one sentence, fixed markup of ours.

    Args:
        sentence: What it says.
        onward: Where it leads at once; "" for nowhere.
    """
    leads = f"<meta http-equiv=refresh content='0;url={onward}'>" if onward else ""
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8>{leads}<title>Bedside</title>"
        "<body style='font:16px/1.5 system-ui;max-width:34em;margin:4em auto;padding:0 1em'>"
        f"<h1 style='font-size:20px'>Bedside</h1><p>{sentence}</p>"
    )
