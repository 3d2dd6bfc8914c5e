"""What an import tells the user besides the table: patients, frames, text in the pixels."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd


def import_notes(images: pd.DataFrame, conflicts: int) -> list[str]:
    """Sentences about a manifest that the user should see.

    Args:
        images: The manifest.
        conflicts: Files for which header and table name different patients.
    """
    usable = images[images["code"] == ""]
    return [*_patients(usable, conflicts), *frame_notes(usable), *_privacy(usable)]


def _patients(usable: pd.DataFrame, conflicts: int) -> Iterator[str]:
    sources = usable["patient_source"].value_counts()
    alone, studies = int(sources.get("image", 0)), int(sources.get("study", 0))
    if alone:
        each = "each" if usable["patient"].is_unique else "each file"
        yield (
            f"No patient is named for {alone:,} of {len(usable):,} images; {each} counts as a "
            "patient of its own, so images of one patient may stand on both sides of the split."
        )
    if studies:
        yield (
            f"No patient is named for {studies:,} of {len(usable):,} images; each examination "
            "counts as a patient of its own."
        )
    if conflicts:
        yield (
            f"The table and the header name different patients for {conflicts:,} images; the "
            "header is used."
        )


def frame_notes(usable: pd.DataFrame) -> Iterator[str]:
    """That files hold several pictures, and how many of those are used."""
    several = usable[(usable["frames"] > 1)]
    files = several.drop_duplicates("sha256")
    if len(files):
        words = "1 file holds" if len(files) == 1 else f"{len(files):,} files hold"
        yield (
            f"{words} several pictures ({int(files['frames'].sum()):,} together); "
            f"{len(several):,} of them are used. All, the middle one or every n-th can be chosen."
        )


def _privacy(usable: pd.DataFrame) -> Iterator[str]:
    marks = usable["burned_in"].value_counts()
    if marks.get("yes"):
        yield (
            f"{int(marks['yes']):,} images say that text is burned into them, perhaps a name: look "
            "at them before anything leaves this machine."
        )
    if marks.get("possible"):
        yield (
            f"{int(marks['possible']):,} images are of a kind that often carries burned-in text "
            "(ultrasound, screen captures, scanned film), perhaps a name: look at some of them "
            "before anything leaves this machine."
        )
    overlays = int((usable["overlays"] > 0).sum())
    if overlays:
        yield f"{overlays:,} images carry overlays (drawings or text), which are left out."
