"""The manifest's rows: what is known of a file before, without and after decoding it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.config import DataSettings
from core.data.discover import Found
from core.data.keys import keyed_hash
from core.data.pattern import patient_in
from core.data.picture import Failure, Given, Picture
from core.data.tables import Label, clean_label

Row = dict[str, Any]


@dataclass(frozen=True)
class Names:
    """Keyed hashes in place of everything that could name a patient.

    Attributes:
        key: The site key.
        pattern: Finds the patient in a file's name, where the user gave one.
    """

    key: bytes
    pattern: re.Pattern[str] | None = None

    def image(self, relative: str, frame: int = 0) -> str:
        """The image's id."""
        return keyed_hash(self.key, "image", f"{relative}#{frame}")

    def patient(
        self, relative: str, label: Label, picture: Picture | None = None
    ) -> tuple[str, str]:
        """The patient's keyed hash and where it comes from: the first source that knows it."""
        if picture and picture.patient:
            return picture.patient, "header"
        if label.patient:
            return keyed_hash(self.key, "patient", label.patient), "column"
        named = patient_in(relative, self.pattern)
        if named:
            return keyed_hash(self.key, "patient", named), "pattern"
        if picture and picture.place.study:
            return keyed_hash(self.key, "patient of study", picture.place.study), "study"
        lone = f"{relative}#{picture.place.frame}" if picture and picture.given.alone else relative
        return keyed_hash(self.key, "lone image", lone), "image"

    def disagree(self, label: Label, picture: Picture) -> bool:
        """Whether the header and the table name different patients."""
        named = keyed_hash(self.key, "patient", label.patient) if label.patient else ""
        return bool(named and picture.patient and named != picture.patient)


def unread_row(names: Names, file: Found, label: Label) -> Row:
    """What is known of a file before it is decoded, or of one that is not."""
    patient, origin = names.patient(file.relative, label)
    return {
        "image": names.image(file.relative),
        "labels": list(label.labels),
        "patient": patient,
        "patient_source": origin,
        "proposed_split": label.split,
        "code": file.code or label.code,
        "reason": file.reason or label.reason,
    }


def absent_row(names: Names, name: str, label: Label) -> Row:
    """A row of the table whose file is not there; ``?`` keeps its id apart from any file's."""
    return unread_row(names, Found(f"?{name}"), label)


def failed_row(names: Names, file: Found, label: Label, failure: Failure) -> Row:
    """A file, or a frame of one, that gave no picture."""
    return unread_row(names, file, label) | {
        "image": names.image(file.relative, failure.frame),
        "frame": failure.frame,
        "frames": failure.frames,
        "code": failure.code,
        "reason": failure.reason,
        "sha256": failure.sha256,
    }


def picture_row(
    names: Names, file: Found, label: Label, picture: Picture, settings: DataSettings
) -> Row:
    """A picture with its label; its code is not empty where it has none that can be used."""
    patient, origin = names.patient(file.relative, label, picture)
    place, marks = picture.place, picture.marks
    series = place.series
    if not series and place.frames > 1 and not picture.given.alone:
        series = keyed_hash(names.key, "series", file.relative)
    facts = ("sha256", "pixels_sha256", "phash", "width", "height", "bits", "modality")
    how = ("decoder", "window", "notes")
    where = ("frame", "frames", "study", "instance", "number", "orientation", "position_mm")
    return {
        **_label_facts(label, picture.given, settings),
        **{fact: getattr(picture, fact) for fact in (*facts, *how)},
        **{fact: getattr(place, fact) for fact in (*where, "row_mm", "column_mm", "spacing")},
        "image": names.image(file.relative, place.frame),
        "patient": patient,
        "patient_source": origin,
        "series": series,
        "lossy": marks.lossy,
        "windows": "; ".join(marks.windows),
        "burned_in": marks.burned_in,
        "overlays": marks.overlays,
        "scanner": marks.scanner,
    }


def uses_given(settings: DataSettings) -> bool:
    """Whether labels inside the files count."""
    return settings.labels in {"auto", "file", "tag"}


def _label_facts(label: Label, given: Given, settings: DataSettings) -> Mapping[str, Any]:
    if uses_given(settings) and given.labels is not None:
        found = [name for name in map(clean_label, given.labels) if name]
        missing = not found and not given.findings
        reason = "The field chosen as the label is empty or not there." if missing else ""
        code = "L09" if missing else ""
    elif settings.labels in {"file", "tag"}:
        found, code, reason = [], "L09", "The file holds no label."
    else:
        found, code, reason = list(label.labels), label.code, label.reason
    split = given.split or label.split
    return {"labels": found, "code": code, "reason": reason, "proposed_split": split}
