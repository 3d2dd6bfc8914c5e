"""A registry that fills itself from the modules of one package.

Adding a student family, an objective, an image format or a checkpoint format is adding one file;
nothing else lists them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Generic, TypeVar

from core.errors import ConfigError

T = TypeVar("T")


class Registry(Generic[T]):
    """Named things of one kind, found in the modules of `package`.

    Args:
        kind: What the entries are, for messages ("student", "objective").
        package: Dotted name of the package whose modules register entries when imported.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._entries: dict[str, T] = {}
        self._origins: dict[str, str] = {}
        self._loaded = False

    def register(self, name: str, origin: str) -> Callable[[T], T]:
        """Return a decorator that files its argument under `name`.

        Args:
            name: Unique name within this registry.
            origin: Module that registers it (``__name__``), named if there is a clash.

        Raises:
            ValueError: The name is taken.
        """

        def enter(entry: T) -> T:
            if name in self._entries:
                raise ValueError(
                    f"two {self.kind}s are called {name!r}: {self._origins[name]} and {origin}"
                )
            self._entries[name] = entry
            self._origins[name] = origin
            return entry

        return enter

    def names(self) -> list[str]:
        """All names, in the order of their modules and, within one, of registration."""
        self._load()
        return list(self._entries)

    def get(self, name: str) -> T:
        """Return the entry called `name`.

        Raises:
            ConfigError: There is none; the message lists those there are.
        """
        self._load()
        if name not in self._entries:
            raise ConfigError(
                "C10",
                f"There is no {self.kind} called {name!r}",
                todo=f"Known: {', '.join(self._entries)}.",
            )
        return self._entries[name]

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        package = importlib.import_module(self.package)
        for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name):
            importlib.import_module(f"{self.package}.{module.name}")
