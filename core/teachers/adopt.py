"""Taking a teacher's file in: a copy of its weights, and a card that says what they are.

What the file tells (`core.teachers.recognise`), what an entry of the catalogue tells and what the
user says are put together; nothing that has to be known is made up. Called in a process of its
own, as it needs torch.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from core.config import config_mistakes
from core.config_base import Settings
from core.errors import ConfigError, ModelError
from core.files import private_folder, require_free, sha256_file, write_json
from core.teachers.beside import Triple, weights_file
from core.teachers.catalogue import list_teachers
from core.teachers.checkpoint import load_teacher, plain_teacher
from core.teachers.consent import accept_licence
from core.teachers.recognise import Proposal
from core.teachers.shards import weights_sha256, whole_path
from core.teachers.spec import TeacherSpec

ASKED = ("mean", "std", "licence")  # what no shape tells, of any network
# What an entry of the catalogue says of its weights; the rest is read from the file itself.
TAKEN = {"mean", "std", "value_range", "stretch", "image_px", "licence", "licence_note", "citation",
         "facts", "about"}  # fmt: skip
UNSEEN = {"act_layer", "num_heads"}  # options that no shape tells


class Answers(Settings):
    """What the user says about a teacher's file; what is left empty is taken from elsewhere."""

    name: str = Field("", max_length=60, description="Short name; empty takes the file's.")
    title: str = Field("", max_length=120, description="Name shown to people.")
    like: str = Field("", description="An entry of the catalogue whose facts hold for this file.")
    mean: Triple | None = Field(None, description="Subtracted from the picture.")
    std: Triple | None = Field(None, description="Divides the difference.")
    value_range: tuple[float, float] | None = Field(
        None, description="What black and white become before mean and std."
    )
    stretch: bool | None = Field(
        None, description="Whether each picture is stretched from its darkest to its brightest."
    )
    image_px: int | None = Field(None, ge=32, le=2048, description="Side of the picture.")
    activation: Literal["", "gelu", "quick_gelu", "gelu_tanh"] = Field(
        "", description="Activation of a vision transformer."
    )
    heads: int | None = Field(None, ge=1, le=64, description="Heads of a vision transformer.")
    licence: str = Field("", max_length=200, description="Short name of the licence.")
    licence_note: str = Field(
        "", max_length=500, description="What it means for a distilled student."
    )
    citation: str = Field("", max_length=500, description="How to cite it.")
    accepted: bool = Field(False, description="Whether the licence's conditions are accepted.")


def read_answers(given: dict[str, Any]) -> Answers:
    """Answers from plain values.

    Raises:
        ConfigError: C01, one line for every answer that cannot be right.
    """
    try:
        return Answers.model_validate(given, strict=False)
    except ValidationError as error:
        raise ConfigError("C01", f"The answers cannot be used: {config_mistakes(error)}") from error


def adopt(place: Path, proposal: Proposal, answers: Answers, cache: Path) -> TeacherSpec:
    """Take a recognised file in: a copy of its weights and a card in the workspace.

    Args:
        place: As it was given to `recognise`.
        proposal: What `recognise` said of it.
        answers: What the user said.
        cache: The folder of the teachers in the workspace.

    Returns:
        The teacher; its `location` is the path by which runs name it.

    Raises:
        ConfigError: C43, an answer is missing; C44, there is a teacher of that name; C11, there is
            no such entry to be like.
        ModelError: The file has changed (M21), cannot be used after all, or its licence was not
            accepted (M38).
    """
    file = weights_file(place)
    if weights_sha256(file) != proposal.sha256:
        raise ModelError("M21", "The file has changed since it was looked at", item=file.name)
    spec = describe(proposal, answers)
    if not answers.accepted:
        raise ModelError(
            "M38",
            f"The licence ({spec.licence}) was not accepted. {spec.licence_note}",
            item=spec.title,
            todo="Accept it, or choose another teacher.",
        )
    plain = plain_teacher(file, proposal.sha256, cache, spec.name)
    load_teacher(spec.model_copy(update={"location": str(plain), "sha256": ""}), cache)
    target = cache / f"{spec.name}.safetensors"
    if target.exists():
        raise ConfigError("C44", f"There is a teacher called {spec.name!r} already",
                          todo="Give this one another name.")  # fmt: skip
    _copy(plain, target)
    spec = spec.model_copy(update={"location": str(target), "sha256": sha256_file(target)})
    day = accept_licence(spec, cache)
    spec = spec.model_copy(update={"licence_accepted": day})
    card = spec.model_dump(mode="json") | {"location": target.name}
    write_json(target.with_suffix(".json"), {"spec": card, "original_sha256": proposal.sha256})
    return spec


def describe(proposal: Proposal, answers: Answers) -> TeacherSpec:
    """The teacher as the file, the catalogue's entry and the user describe it, in this order.

    Raises:
        ConfigError: C43, something that has to be known was not said; C11, there is no such entry.
    """
    like = _entry(answers.like)
    facts: dict[str, Any] = {
        "image_px": proposal.image_px, "mean": proposal.mean, "std": proposal.std,
        "facts": f"read from {proposal.said_by}" if proposal.said_by else "as the user said",
    }  # fmt: skip
    options = dict(proposal.options)
    if like is not None:
        facts |= like.model_dump(include=TAKEN)
        options |= {k: v for k, v in like.options.items() if k in UNSEEN}
    said = answers.model_dump(exclude_none=True, exclude_defaults=True)
    for unsaid in ("like", "accepted", "name", "title", "activation", "heads"):
        said.pop(unsaid, None)
    facts |= said
    if answers.activation:
        options["act_layer"] = answers.activation
    if answers.heads:
        options["num_heads"] = answers.heads
    lacking = [name for name in ASKED if not facts.get(name)]
    if lacking:
        raise ConfigError(
            "C43",
            f"Not known, and not to be read from the file: {', '.join(lacking)}",
            item=proposal.file,
            todo="Its authors say it; or name an entry of the catalogue that it is like.",
        )
    name = answers.name or whole_path(Path(proposal.file)).stem
    note = facts.pop("licence_note", "") or "As its authors say; ask them before passing it on."
    return TeacherSpec.model_validate(
        {
            "name": "".join(c if c.isalnum() or c in "._-" else "-" for c in name),
            "title": answers.title or name,
            "architecture": proposal.architecture,
            "options": options,
            "source": "file",
            "location": proposal.file,
            "sha256": proposal.sha256,
            "format": proposal.format,
            "in_chans": proposal.in_chans,
            "taps": proposal.taps,
            "licence_note": note,
            **facts,
        },
        strict=False,
    )


def _entry(name: str) -> TeacherSpec | None:
    if not name:
        return None
    known = {spec.name: spec for spec in list_teachers()}
    if name not in known:
        raise ConfigError("C11", "There is no such teacher in the catalogue",
                          todo=f"Known: {', '.join(known)}.")  # fmt: skip
    return known[name]


def _copy(source: Path, target: Path) -> None:
    """Copy the weights into the workspace, whole or not at all."""
    private_folder(target.parent)
    require_free(target.parent, source.stat().st_size, "The copy of the teacher")
    draft = target.with_name(f".{target.name}.tmp")
    try:
        shutil.copyfile(source, draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
