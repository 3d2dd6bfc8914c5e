"""Classify a folder of images with a run's student."""

from __future__ import annotations

from typing import Any

from core.tasks.base import TASKS, TaskContext

TABLE, CSV, PLACES = "table.json", "predictions.csv", "places.json"


@TASKS.register("predict", __name__)
def predict(context: TaskContext) -> dict[str, Any]:
    """Read and classify every image of a folder; when stopped, keep what has been done.

    The request is ``{"run": id, "path": folder or file}``. The task's folder then holds
    ``predictions.csv`` for the user, ``table.json`` for the page and ``places.json``, for each row
    the path and which of the file's pictures it is; all three name files and are readable by the
    owner alone.
    """
    import json
    from pathlib import Path

    from core.errors import DataError
    from core.files import write_bytes
    from core.inference.batch import list_images, predict_paths, write_predictions
    from core.inference.predictor import Predictor
    from core.runs.store import RunStore

    run = RunStore(context.workspace).open(context.request["run"])
    predictor = Predictor.open(run.export)
    context.reporter.phase("list", "Looking through the folder")
    paths = list_images([Path(context.request["path"])])
    if not paths:
        raise DataError(
            "R62",
            "The folder holds no image of a kind that Bedside reads",
            todo="Choose a folder with PNG, JPEG, TIFF, BMP or DICOM files.",
        )
    table = predict_paths(predictor, paths, context.reporter, partial=True)
    write_predictions(table, context.folder / CSV)
    columns = json.loads(table.to_json(orient="split", index=False, double_precision=8))
    write_bytes(context.folder / TABLE, json.dumps(columns).encode("utf-8"), private=True)
    pictures = table.groupby(level=0).cumcount()
    places = [
        [str(paths[place].absolute()), int(picture)]
        for place, picture in zip(table.index, pictures, strict=True)
    ]
    write_bytes(context.folder / PLACES, json.dumps(places).encode("utf-8"), private=True)
    return {
        "files": len(paths),
        "done": len(table),
        "unread": int((table["code"] != "").sum()),
        "stopped": table.index.nunique() < len(paths),
    }
