"""Projects: one source of images, how it is to be read and divided, and the request being prepared.

A project's folder holds ``config.json`` (the request that the next run will be started with; unlike
a run's it may be changed), ``project.json`` and, once the images have been imported, their manifest
with the split. Needs no torch.
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.config import DataSettings, PixelSettings, RunConfig, load_config
from core.errors import BedsideError, RunError
from core.files import private_folder, read_json, write_json, write_text
from core.presets import demo_config

CURRENT = "current.json"
DEMO_TITLE = "Demo: synthetic lesions"


@dataclass(frozen=True)
class Project:
    """One project as it stands on disk.

    Attributes:
        folder: Its folder.
        title: Name shown to people.
        config: The request being prepared.
        preset: Key of `core.presets.PRESETS` last chosen.
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
            except (BedsideError, OSError, ValueError, KeyError):
                continue  # being made, or of another version
        return sorted(found, key=lambda project: project.opened, reverse=True)

    def open(self, name: str) -> Project:
        """Find a project by its id.

        Raises:
            RunError: R50, there is none.
        """
        known = {project.id: project for project in self.list()}
        if name not in known:
            raise RunError(
                "R50",
                "There is no such project",
                todo="Choose one of the recent ones, or a folder.",
            )
        return known[name]

    def current(self) -> Project | None:
        """The project that the app shows; None before the first."""
        try:
            return self.open(read_json(self.workspace / CURRENT)["project"])
        except (BedsideError, OSError, ValueError, KeyError):
            return None

    def choose(self, project: Project) -> Project:
        """Make `project` the current one and note the time."""
        opened = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(project.folder / "project.json", _facts(project) | {"opened": opened})
        write_json(self.workspace / CURRENT, {"project": project.id})
        return self.open(project.id)

    def for_source(self, source: str) -> Project:
        """The project of a folder of images, or of ``"demo"``: the one there is, or a new one."""
        for project in self.list():
            if project.config.data.source == source:
                return self.choose(project)
        if source == "demo":
            return self.create(DEMO_TITLE, demo_config())
        title = Path(source).name or source
        pixels = PixelSettings()
        return self.create(
            title, RunConfig(name=title[:60], data=DataSettings(source=source, pixels=pixels))
        )

    def create(self, title: str, config: RunConfig) -> Project:
        """Make a project and choose it."""
        folder = private_folder(self.folder / f"project-{secrets.token_hex(4)}")
        write_text(folder / "config.json", config.to_json())
        return self.choose(Project(folder, title, config, "balanced", ""))

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

    def delete(self, project: Project) -> None:
        """Forget a project; the images at their source and its runs stay."""
        shutil.rmtree(project.folder)


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
