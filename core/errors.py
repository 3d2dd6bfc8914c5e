"""The error tree: every failure a user can meet, as a sentence a clinician can act on.

    BedsideError
      ├ ConfigError       a setting is missing, misspelt or impossible
      ├ DataError         a file, a folder or a label table cannot be used
      │   └ SplitError    the patients cannot be divided as asked
      ├ ModelError        a teacher or student file cannot be used
      ├ TrainingError     training cannot start or go on
      ├ RunError          a run directory is missing, busy or changed
      ├ ExportError       a model cannot be written or does not agree with itself
      └ SystemError_      disk, memory, permissions, network

Codes are stable: letters name the area (D DICOM, P picture, I import, L labels, S split,
T training, M model, R run, X export, C config, E environment), the number the case.
"""

from __future__ import annotations


class BedsideError(Exception):
    """A failure with a code and a plain sentence.

    Args:
        code: Stable short code, such as ``"T01"``.
        what: What happened, in one sentence without a path or a patient's name.
        item: The thing it happened to (a class, a run, an image id), or ``""``.
        todo: What the user can do about it, in one sentence.
    """

    def __init__(self, code: str, what: str, *, item: str = "", todo: str = "") -> None:
        self.code = code
        self.what = what
        self.item = item
        self.todo = todo
        super().__init__(self.sentence)

    @property
    def sentence(self) -> str:
        """Everything in one line: ``[T01] what (item). todo``."""
        subject = f" ({self.item})" if self.item else ""
        todo = f" {self.todo}" if self.todo else ""
        return f"[{self.code}] {self.what.rstrip('.')}{subject}.{todo}"

    def __reduce__(self) -> tuple[object, ...]:
        """Keep code, item and todo when the error crosses a process boundary."""
        return _rebuild, (type(self), self.code, self.what, self.item, self.todo)


def _rebuild(kind: type[BedsideError], code: str, what: str, item: str, todo: str) -> BedsideError:
    return kind(code, what, item=item, todo=todo)


class ConfigError(BedsideError):
    """A setting is missing, misspelt or impossible."""


class DataError(BedsideError):
    """A file, a folder or a label table cannot be used."""


class SplitError(DataError):
    """The patients cannot be divided as asked."""


class ModelError(BedsideError):
    """A teacher or student file cannot be used."""


class TrainingError(BedsideError):
    """Training cannot start or go on."""


class RunError(BedsideError):
    """A run directory is missing, busy or changed."""


class ExportError(BedsideError):
    """A model cannot be written, or what was written does not agree with the original."""


class SystemError_(BedsideError):
    """Disk, memory, permissions or network stand in the way."""
