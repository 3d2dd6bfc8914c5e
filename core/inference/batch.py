"""Predictions for a list of files: every file has its line, whether it could be read or not."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from core.data.decode import DecoderPool
from core.data.discover import list_folder, sniff_files
from core.data.picture import Failure, Picture
from core.errors import ModelError
from core.evaluation.metrics import predicted_classes
from core.files import write_bytes
from core.inference.card import ModelCard
from core.inference.predictor import Classifier, Probabilities, prepare
from core.types import Reporter, Stopped, Task

BATCH = 16
STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def list_images(paths: Sequence[Path]) -> list[Path]:
    """Files as named, and for a folder what in it is, or claims to be, an image.

    Raises:
        DataError: I01, a folder is not there or cannot be listed.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():  # a file that is not there gets its line and reason later
            files.append(path)
            continue
        listing = list_folder(path)
        sniff_files(path, listing)
        files += [path / found.relative for found in listing.found]
    return files


def predict_paths(
    classifier: Classifier, paths: Sequence[Path], reporter: Reporter, *, partial: bool = False
) -> pd.DataFrame:
    """Decode files as in the import and classify them.

    Args:
        classifier: An opened model.
        paths: Image files; the same file may come twice.
        reporter: Told the progress, by number alone: names go into the table and nowhere else.
        partial: When asked to stop, return the rows so far instead of raising.

    Returns:
        One row per path, in their order, or per frame of a file that holds several, with the
        path's place as its index: ``file``
        (shortened to what tells the paths apart, with ``#2`` for the second of several frames),
        ``code`` and ``reason`` (both "" when all went well), ``p_<class>`` (float, missing for a
        file that could not be read), ``predicted`` (of two classes the positive one from its
        threshold on, of more the most probable; or the findings above their thresholds joined by
        "; "), ``above_<class>`` (True, False, or missing without a threshold).

    Raises:
        Stopped: The reporter asked to stop, and `partial` was not asked for.
    """
    card = classifier.card
    reporter.phase("predict", f"Reading and classifying {len(paths)} files")
    items = ((str(place), path) for place, path in enumerate(paths))
    names = _short_names(paths)
    rows: list[dict[str, object]] = []
    places: list[int] = []
    with DecoderPool(_workers(len(paths)), card.pixels) as pool:
        results = pool.decode(items)
        while group := list(islice(results, BATCH)):
            for (place, result), row in zip(
                group, _classified(classifier, [result for _, result in group]), strict=True
            ):
                places.append(int(place))
                rows.append({"file": names[int(place)] + _frame(result), **row})
            done = int(group[-1][0]) + 1
            reporter.progress(done, len(paths))
            if reporter.stop_requested() and done < len(paths):
                if not partial:
                    raise Stopped
                break
    return pd.DataFrame(rows, columns=_columns(card.classes), index=pd.Index(places, dtype=int))


def _frame(result: Picture | Failure) -> str:
    """``#2`` for the second of several frames, as people count; empty for a file's only one."""
    place, frames = (
        (result.frame, result.frames)
        if isinstance(result, Failure)
        else (result.place.frame, result.place.frames)
    )
    return f"#{place + 1}" if frames > 1 else ""


def write_predictions(table: pd.DataFrame, target: Path) -> None:
    """Write the table of `predict_paths` as CSV that a spreadsheet cannot mistake for formulas.

    Text that begins like a formula gets an apostrophe in front (OWASP, CSV injection); the file
    begins with a byte-order mark, without which Excel spoils accented letters.

    Args:
        table: Any table of text and numbers.
        target: Where to; replaced.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([_guarded(str(name)) for name in table.columns])
    for row in table.itertuples(index=False):
        writer.writerow([_cell(value) for value in row])
    write_bytes(target, b"\xef\xbb\xbf" + text.getvalue().encode("utf-8"))


def picture_tensor(picture: Picture) -> Tensor:
    """``[1, C, S, S]`` float32 in [0, 1] of a decoded picture, exactly as the cache gives it."""
    scale = np.float32(1 / np.iinfo(picture.pixels.dtype).max)
    return torch.from_numpy(picture.pixels.astype(np.float32) * scale)[None]


def _classified(
    classifier: Classifier, results: Iterable[Picture | Failure]
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    inputs: dict[int, Tensor] = {}
    for place, result in enumerate(results):
        if isinstance(result, Failure):
            rows.append(_failed(result.code, result.reason))
            continue
        try:
            inputs[place] = prepare(picture_tensor(result), classifier.card)
            rows.append({})
        except ModelError as error:  # a colour picture for a grey model: this file's matter alone
            rows.append(_failed(error.code, f"{error.what}. {error.todo}"))
    if inputs:
        scores = classifier.probabilities(torch.cat(list(inputs.values())))
        for place, answer in zip(inputs, scores, strict=True):
            rows[place] = answer_row(answer, classifier.card)
    return rows


def answer_row(scores: Probabilities, card: ModelCard) -> dict[str, object]:
    """The columns of `predict_paths` but ``file``, for one picture's probabilities."""
    if not np.isfinite(scores).all():
        return _failed("M49", "The model's answer to this picture is not a number.")
    found = dict(zip(card.classes, map(float, scores), strict=True))
    above = {name: found[name] >= limit for name, limit in card.thresholds.items()}
    if card.task is Task.MULTICLASS:
        row = scores[None].astype(np.float64)
        predicted = card.classes[predicted_classes(row, card.classes, card.thresholds)[0]]
    else:
        predicted = "; ".join(name for name in card.classes if above.get(name))
    return {
        "code": "",
        "reason": "",
        **{f"p_{name}": value for name, value in found.items()},
        "predicted": predicted,
        **{f"above_{name}": value for name, value in above.items()},
    }


def _failed(code: str, reason: str) -> dict[str, object]:
    return {"code": code, "reason": reason, "predicted": ""}


def _columns(classes: tuple[str, ...]) -> list[str]:
    probabilities = [f"p_{name}" for name in classes]
    flags = [f"above_{name}" for name in classes]
    return ["file", "code", "reason", *probabilities, "predicted", *flags]


def _workers(files: int) -> int:
    return max(1, min(4, (os.cpu_count() or 1) - 1, files))


def _short_names(paths: Sequence[Path]) -> list[str]:
    """Paths below the folder that holds them all; absolute only where there is none."""
    parents = [os.path.abspath(path.parent) for path in paths]  # noqa: PTH100  keeps symlinks
    try:
        common = os.path.commonpath(parents)
    except ValueError:  # no paths, or several drives
        return [_readable(path) for path in paths]
    return [
        _readable(Path(os.path.relpath(parent, common), path.name))
        for parent, path in zip(parents, paths, strict=True)
    ]


def _readable(path: Path) -> str:
    """A path as text; bytes of a name that are no text come as escapes."""
    return path.as_posix().encode("utf-8", "backslashreplace").decode("utf-8")


def _cell(value: object) -> object:
    if isinstance(value, str):
        return _guarded(value)
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{value:.6f}" if isinstance(value, float) else value


def _guarded(text: str) -> str:
    """`text` without power over a spreadsheet; control characters become spaces."""
    plain = "".join(" " if ord(sign) < 32 or ord(sign) == 127 else sign for sign in text)
    dangerous = text.startswith(STARTS_FORMULA) or plain.lstrip().startswith(STARTS_FORMULA)
    return f"'{plain}" if dangerous else plain
