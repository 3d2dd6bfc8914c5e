"""The teachers at hand: those bundled, those of the catalogue, and any file of the user's."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from core.errors import BedsideError, ConfigError, ModelError
from core.files import read_json
from core.teachers.beside import weights_file
from core.teachers.shards import parts_of, weights_sha256, whole_path
from core.teachers.spec import BUNDLED, TeacherSpec, not_a_teacher, teacher_file

CATALOGUE = Path(__file__).with_name("catalogue.toml")


def list_teachers() -> list[TeacherSpec]:
    """Bundled teachers first, then the catalogue."""
    entries = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
    listed = [
        TeacherSpec.model_validate({"name": name, **entry}, strict=False)
        for name, entry in entries.items()
    ]
    return [_read_card(card) for card in sorted(BUNDLED.glob("*.json"))] + listed


def find_teacher(name: str) -> TeacherSpec:
    """The teacher called `name`, or described by the card beside the file at path `name`.

    Raises:
        ConfigError: There is neither; the message lists the names there are.
        ModelError: A file has no card beside it, the card is incomplete, or a part of the weights
            is missing.
    """
    known = {spec.name: spec for spec in list_teachers()}
    if name in known:
        return known[name]
    file = weights_file(Path(name))
    if not file.is_file():
        raise ConfigError(
            "C11",
            "There is no such teacher, and no file of that name",
            todo=f"Known: {', '.join(known)}; or give the path of a teacher's file.",
        )
    card = whole_path(file).with_suffix(".json")
    if not card.is_file():
        raise ModelError(
            "M26",
            "The teacher's file has no card beside it",
            item=file.name,
            todo="Let Bedside look at it: `python launch.py teacher FILE`.",
        )
    spec = _read_card(card)
    place = file.absolute()  # not resolved: a link in a hub's folder keeps its name
    facts = [part.stat() for part in parts_of(place)]
    sha256 = _sha256(place, tuple((each.st_mtime_ns, each.st_size) for each in facts))
    return spec.model_copy(update={"source": "file", "location": str(place), "sha256": sha256})


@dataclass(frozen=True)
class AtHand:
    """The teachers that can be chosen.

    Attributes:
        teachers: What a configuration calls it (a name, or the path of its file) to the teacher.
        problems: What is wrong with files that look like teachers and are none.
    """

    teachers: dict[str, TeacherSpec]
    problems: tuple[BedsideError, ...]

    def here(self, cache: Path) -> dict[str, TeacherSpec]:
        """Those whose file is on this machine, and may be measured and probed.

        Args:
            cache: Where teachers' files are kept.
        """
        return {name: spec for name, spec in self.teachers.items() if _is_here(spec, cache)}


def teachers_at_hand(folder: Path, chosen: str = "") -> AtHand:
    """The catalogue, the teachers trained on this machine, and the one chosen.

    Args:
        folder: Where `pretrain` writes teachers.
        chosen: What the configuration names; may be the path of a file anywhere.
    """
    found = {spec.name: spec for spec in list_teachers()}
    problems: list[BedsideError] = []
    files = [card.with_suffix(".safetensors") for card in sorted(folder.glob("*.json"))]
    names = [str(file.resolve()) for file in files if file.is_file()]
    for name in [*names, *([chosen] if chosen else [])]:
        try:
            found[name] = found.get(name) or find_teacher(name)
        except BedsideError as error:
            problems.append(error)
    return AtHand(found, tuple(problems))


def card_hashes(spec: TeacherSpec) -> tuple[list[str], list[str]]:
    """What a teacher was trained on, as far as its card lists it.

    The list is a CSV file beside the card; a teacher from elsewhere has none.

    Returns:
        SHA-256 of every file, and the perceptual hash of every picture.
    """
    folder = BUNDLED if spec.source == "bundled" else Path(spec.location).parent
    listing = folder / f"{Path(spec.location).stem}.images.csv"
    if spec.source == "hub" or not listing.is_file():
        return [], []
    lines = [line.split(",") for line in listing.read_text(encoding="utf-8").splitlines()[1:]]
    return [line[0] for line in lines], [line[1] for line in lines]


def _is_here(spec: TeacherSpec, cache: Path) -> bool:
    try:
        return teacher_file(spec, cache).is_file()
    except ModelError:
        return False


@functools.lru_cache(maxsize=64)
def _sha256(file: Path, stamps: tuple[tuple[int, int], ...]) -> str:
    """Hash of weights that may have gigabytes, computed anew only when times or sizes changed."""
    return weights_sha256(file)


def _read_card(card: Path) -> TeacherSpec:
    try:
        said = read_json(card)
        if "student" in said and "format_version" in said:
            raise not_a_teacher(card.stem)
        return TeacherSpec.model_validate(said["spec"], strict=False)
    except (ValidationError, KeyError, ValueError) as error:
        raise ModelError(
            "M27",
            "The teacher's card is incomplete",
            item=card.name,
            todo="CONTRIBUTING.md shows the fields.",
        ) from error
