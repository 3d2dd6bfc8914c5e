"""Recognising patients in file names: what a pattern would find, and which patterns make sense.

File names often carry names of people. What is returned here is for the screen of whoever looks
through that folder anyway; it belongs in no log, message or table.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from core.errors import ConfigError

TIMEOUT_S = 5.0  # some patterns take for ever on some names; a person is waiting
EXAMPLES = 6
ENOUGH_MATCHED = 0.98
WORD = r"(?i)(?:^|[\W_])((?:patient|person|subject|subj|case|pat|sub|pt|id)"
# (pattern, what it takes for the patient), from what names files most surely to least
TEMPLATES = (
    (WORD + r"[-_ ]?\d+)", "a number after a word like “patient”"),
    (r"^(.*\d+)\D+\d+\D*$", "everything up to the last number but one"),
    (r"^(.+?)[-_ .]+\d+\.\w+$", "everything before the last number"),
    (r"^(\d+)\D", "the first number"),
    (r"^([^-_ ]+)[-_ ]", "everything before the first separator"),
    (r"([^/]+)/[^/]+$", "the folder that holds the file"),
)
MATCHER = """
import json, re, sys
asked = json.load(sys.stdin)
pattern = re.compile(asked["pattern"])
hits = (pattern.search(name) for name in asked["names"])
json.dump([hit.span(1) if hit and hit.group(1) else None for hit in hits], sys.stdout)
"""


@dataclass(frozen=True)
class Example:
    """One file name, cut where the pattern cuts it: the patient is `patient`, else all is `before`.

    Attributes:
        before: What precedes the patient.
        patient: What is taken for the patient; empty where the pattern does not match.
        after: What follows.
    """

    before: str
    patient: str
    after: str


@dataclass(frozen=True)
class PatternPreview:
    """What a pattern would make of a list of files.

    Attributes:
        pattern: The pattern.
        patients: Different patients it finds, besides the unmatched files.
        images: Files.
        unmatched: Files in which it finds none; each would count as a patient of its own.
        largest: Files of the patient who has most.
        examples: A few names; of each kind some. For the screen only.
    """

    pattern: str
    patients: int
    images: int
    unmatched: int
    largest: int
    examples: tuple[Example, ...]

    @property
    def sentence(self) -> str:
        """The effect in words: ``412 patients, 1,903 images``."""
        told = f"{self.patients:,} patients, {self.images:,} images"
        if self.unmatched:
            told += f"; no patient is found in {self.unmatched:,} of them"
        return f"{told}."


@dataclass(frozen=True)
class Suggestion:
    """A pattern that gives sensible groups.

    Attributes:
        preview: What it does.
        about: What it takes for the patient, in words.
    """

    preview: PatternPreview
    about: str


def compile_pattern(text: str) -> re.Pattern[str] | None:
    """The pattern of the settings, or None where there is none.

    Raises:
        ConfigError: C11, it is no regular expression or has no group.
    """
    if not text:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise _useless(f"it is not a regular expression ({error.msg})") from error
    if not pattern.groups:
        raise _useless("it has no group in parentheses")
    return pattern


def searched(relative: str, pattern: re.Pattern[str]) -> str:
    """What a pattern is applied to: the name, or the whole path where the pattern has a slash."""
    return relative if "/" in pattern.pattern else PurePosixPath(relative).name


def patient_in(relative: str, pattern: re.Pattern[str] | None) -> str:
    """The patient that a file's place names, or ``""``."""
    hit = pattern.search(searched(relative, pattern)) if pattern else None
    return (hit.group(1) or "") if hit else ""


def preview_pattern(names: Sequence[str], pattern: str) -> PatternPreview:
    """Try a pattern somebody is typing.

    It runs in a process of its own for `TIMEOUT_S` at most, because a regular expression can take
    longer than the universe has existed.

    Args:
        names: Paths of the files relative to their folder, posix style.
        pattern: A regular expression whose first group is the patient.

    Raises:
        ConfigError: C11, it is no pattern; C16, it takes too long.
    """
    compiled = compile_pattern(pattern)
    if compiled is None:
        raise _useless("it is empty")
    texts = [searched(name, compiled) for name in names]
    command = [sys.executable, "-I", "-S", "-c", MATCHER]
    try:
        done = subprocess.run(
            command,
            input=json.dumps({"pattern": pattern, "names": texts}).encode(),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        raise ConfigError(
            "C16",
            "The patient pattern takes too long on these file names",
            item="data.patient_pattern",
            todo="Make it simpler; avoid a repetition inside a repetition.",
        ) from error
    return _preview(pattern, texts, json.loads(done.stdout))


def suggest_patterns(names: Sequence[str]) -> list[Suggestion]:
    """Patterns that find several patients, most of them with few images, the most likely first.

    Empty where file names tell nothing, as with ``image (1).png``.
    """
    found: list[Suggestion] = []
    for pattern, about in TEMPLATES:
        compiled = re.compile(pattern)
        texts = [searched(name, compiled) for name in names]
        hits = (compiled.search(text) for text in texts)
        preview = _preview(pattern, texts, [hit.span(1) if hit else None for hit in hits])
        known = [each.preview for each in found]
        if _is_sensible(preview) and not any(_same(preview, other) for other in known):
            found.append(Suggestion(preview, about))
    return found


def _is_sensible(preview: PatternPreview) -> bool:
    """Nearly every file matches, patients have several images, and none has a great part of all."""
    matched = preview.images - preview.unmatched
    return (
        matched >= ENOUGH_MATCHED * preview.images > 0
        and 4 <= preview.patients <= 0.95 * matched
        and preview.largest <= max(3, preview.images // 10)
    )


def _same(one: PatternPreview, other: PatternPreview) -> bool:
    return (one.patients, one.unmatched, one.largest) == (
        other.patients,
        other.unmatched,
        other.largest,
    )


def _preview(
    pattern: str, texts: Sequence[str], spans: Sequence[Sequence[int] | None]
) -> PatternPreview:
    counts: Counter[str] = Counter()
    shown: list[Example] = []
    missed: list[Example] = []
    for text, span in zip(texts, spans, strict=True):
        if span is None:
            missed += [Example(text, "", "")] if len(missed) < EXAMPLES // 2 else []
            continue
        first, last = span
        patient = text[first:last]
        if patient not in counts and len(shown) < EXAMPLES:
            shown.append(Example(text[:first], patient, text[last:]))
        counts[patient] += 1
    return PatternPreview(
        pattern=pattern,
        patients=len(counts),
        images=len(texts),
        unmatched=len(texts) - counts.total(),
        largest=max(counts.values(), default=0),
        examples=(*missed, *shown)[:EXAMPLES],
    )


def _useless(why: str) -> ConfigError:
    return ConfigError(
        "C11",
        f"The patient pattern cannot be used: {why}",
        item="data.patient_pattern",
        todo=r"An example: ^(\d+)_ takes the digits before the first underscore.",
    )
