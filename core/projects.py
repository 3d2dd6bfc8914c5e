"""Projects: one source of images, how it is to be read and divided, and the request being prepared.

A project's folder holds ``config.json`` (the request that the next run will be started with; unlike
a run's it may be changed), ``project.json`` and, once the images have been imported, their manifest
with the split. Needs no torch.
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.choosing import demo_config
from core.config import DataSettings, PixelSettings, RunConfig, load_config
from core.errors import BedsideError, RunError
from core.files import private_folder, read_json, write_json, write_text
from core.presets import PRESETS, preset_of, with_preset
from core.runs.store import RunStore
from core.tasks.store import TaskStore

CURRENT = "current.json"
DEMO = "demo"
DEMO_TITLE = "Demo: synthetic lesions"
UNREADABLE = (BedsideError, OSError, ValueError, KeyError)  # being made, or of another version


@dataclass(frozen=True)
class Project:
    """One project as it stands on disk.

    Attributes:
        folder: Its folder.
        title: Name shown to people.
        config: The request being prepared.
        preset: Key of `core.presets.PRESETS` chosen, or `core.presets.OWN`.
        opened: When it was last opened, ISO 8601, UTC.
        chose_models: Whether teacher and student have been chosen on purpose.
    """

    folder: Path
    title: str
    config: RunConfig
    preset: str
    opened: str
    chose_models: bool = False

    @property
    def id(self) -> str:
        """The project's id, which is the name of its folder."""
        return self.folder.name

    @property
    def is_imported(self) -> bool:
        """Whether its images have been read and divided."""
        return (self.folder / "split.json").exists()

    @property
    def found(self) -> dict[str, Any]:
        """What the last import says of the images (``dataset.json``); empty before the first."""
        return _facts_in(self.folder)

    @property
    def training_images(self) -> int:
        """About how many images are trained on; 0 before the first import."""
        share = 1 - self.config.split.validation - self.config.split.test
        return round(share * int(self.found.get("usable", 0)))

    @property
    def request(self) -> RunConfig:
        """The request as a run would be started with it now: a preset's effort put in."""
        if self.preset not in PRESETS:
            return self.config
        return with_preset(self.config, self.preset, self.training_images)


@dataclass(frozen=True)
class Deletion:
    """What deleting a project would remove, besides the project itself.

    Attributes:
        folders: Decoded images and dropped files that nothing else needs.
        bytes: Room on the disk that is freed.
        runs: Runs that were trained on its images; they stay.
        shared: Whether its decoded images stay because a run or another project needs them.
    """

    folders: tuple[Path, ...]
    bytes: int
    runs: int
    shared: bool


class ProjectStore:
    """The projects of a workspace.

    Args:
        workspace: The workspace; made when missing, closed to other users.
    """

    def __init__(self, workspace: Path) -> None:
        self.workspace = private_folder(workspace)
        self.folder = private_folder(workspace / "projects")

    def list(self) -> list[Project]:
        """Every readable project, the last opened first."""
        found = []
        for path in self.folder.iterdir():
            try:
                found.append(_read(path))
            except UNREADABLE:
                continue
        return sorted(found, key=lambda project: project.opened, reverse=True)

    def open(self, name: str) -> Project:
        """Find a project by its id.

        Raises:
            RunError: R50, there is none.
        """
        if name in {path.name for path in self.folder.iterdir()}:
            with suppress(*UNREADABLE):
                return _read(self.folder / name)
        raise RunError(
            "R50",
            "There is no such project",
            todo="Choose one of the recent ones, or a folder.",
        )

    def current(self) -> Project | None:
        """The project that the app shows; None before the first."""
        try:
            return self.open(read_json(self.workspace / CURRENT)["project"])
        except UNREADABLE:
            return None

    def choose(self, project: Project) -> Project:
        """Make `project` the current one and note the time."""
        opened = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(project.folder / "project.json", _facts(project) | {"opened": opened})
        write_json(self.workspace / CURRENT, {"project": project.id})
        return self.open(project.id)

    def for_source(self, source: str, title: str = "") -> Project:
        """The project of a folder of images, or of ``"demo"``: the one there is, or a new one.

        Args:
            source: The folder's path, or ``"demo"``.
            title: Name of a new project; empty takes the folder's.
        """
        for project in self.list():
            if project.config.data.source == source:
                return self.choose(project)
        if source == DEMO:
            return self.create(DEMO_TITLE, demo_config())
        title = title or Path(source).name or source
        pixels = PixelSettings()
        return self.create(
            title, RunConfig(name=title[:60], data=DataSettings(source=source, pixels=pixels))
        )

    def create(self, title: str, config: RunConfig) -> Project:
        """Make a project and choose it."""
        folder = private_folder(self.folder / f"project-{secrets.token_hex(4)}")
        write_text(folder / "config.json", config.to_json())
        return self.choose(Project(folder, title, config, preset_of(config), ""))

    def save(
        self,
        project: Project,
        config: RunConfig,
        *,
        preset: str = "",
        chose_models: bool = False,
    ) -> Project:
        """Replace the request of a project; an import whose settings it changes is forgotten."""
        if config.data != project.config.data:
            forget_import(project)
        elif config.split != project.config.split:
            (project.folder / "split.json").unlink(missing_ok=True)
        write_text(project.folder / "config.json", config.to_json())
        facts = _facts(project) | {
            "preset": preset or project.preset,
            "chose_models": chose_models or project.chose_models,
        }
        write_json(project.folder / "project.json", facts)
        return self.open(project.id)

    def deletion(self, project: Project) -> Deletion:
        """What `delete` would remove."""
        dataset = str(project.found.get("id", ""))
        source = project.config.data.source
        others = [other for other in self.list() if other.id != project.id]
        runs = RunStore(self.workspace)
        lines = runs.list()
        mine = [line for line in lines if line.source == source]
        pictures = {_facts_in(runs.folder / line.id).get("id", "") for line in lines}
        # a run that has not read its images yet will look for those of its source
        waiting = any(not _facts_in(runs.folder / line.id) for line in mine)
        shared = (
            waiting
            or dataset in pictures
            or any(other.found.get("id") == dataset for other in others)
        )
        folders = []
        if dataset and not shared:
            folders.append(self.workspace / "datasets" / dataset)
        dropped = incoming_root(self.workspace, source)
        if dropped and not mine and all(o.config.data.source != source for o in others):
            folders.append(dropped)
        freed = sum(map(folder_bytes, [*folders, project.folder]))
        return Deletion(tuple(folders), freed, len(mine), bool(dataset) and shared)

    def delete(self, project: Project) -> Deletion:
        """Forget a project, with what nothing else needs; images at their source and runs stay.

        Raises:
            RunError: R51, its images are being read.
        """
        require_idle(self.workspace, project)
        deletion = self.deletion(project)
        shutil.rmtree(project.folder)  # first: what is left without it is only room on the disk
        for folder in deletion.folders:
            shutil.rmtree(folder, ignore_errors=True)
        return deletion


def require_idle(workspace: Path, project: Project) -> None:
    """Refuse to change a project whose images are being read.

    Raises:
        RunError: R51.
    """
    if TaskStore(workspace).live("import", project=project.id):
        raise RunError(
            "R51", "The images of this project are being read", todo="Wait for the end, or stop it."
        )


def incoming_root(workspace: Path, source: str) -> Path | None:
    """The folder of dropped files that a source lies in; None if it lies elsewhere."""
    incoming = workspace / "incoming"
    path = Path(source)
    inside = path.is_absolute() and path.is_relative_to(incoming) and path != incoming
    return incoming / path.relative_to(incoming).parts[0] if inside else None


def folder_bytes(folder: Path) -> int:
    """Size of all files in a folder; what cannot be looked at counts nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).lstat().st_size
            except OSError:
                continue
    return total


def forget_import(project: Project) -> None:
    """Drop what the last import found."""
    for name in ("split.json", "findings.json", "dataset.json", "manifest.parquet"):
        (project.folder / name).unlink(missing_ok=True)


def _facts(project: Project) -> dict[str, Any]:
    names = ("title", "preset", "opened", "chose_models")
    return {name: getattr(project, name) for name in names}


def _read(folder: Path) -> Project:
    facts = read_json(folder / "project.json")
    config = load_config(folder / "config.json")
    names = ("preset", "opened", "chose_models")
    return Project(folder, facts["title"], config, *(facts[name] for name in names))


def _facts_in(folder: Path) -> dict[str, Any]:
    """``dataset.json`` of a project or a run; empty where there is none."""
    try:
        facts: dict[str, Any] = read_json(folder / "dataset.json")
        return facts
    except (OSError, ValueError):
        return {}
