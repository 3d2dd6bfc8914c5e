"""What the Export page says; the sentences that only the browser composes stand in its script."""

from __future__ import annotations

from typing import Final

NOT_FINISHED: Final = "This training has not finished, so there is no student to hand over"
NOT_FINISHED_TODO: Final = "Train shows how far it is. Choose another here."
NO_REPORT: Final = "There is no report of this training yet"
NO_REPORT_TODO: Final = "Write it with the button on Export."
FILES: Final = {
    "model.onnx": "The student, for any program that reads ONNX",
    "model.safetensors": "The same weights, for Python with timm",
    "model.json": "The card: classes, how a picture is prepared, thresholds, licence, checksums",
    "README.txt": "How to use it without Bedside, in plain words",
    "parity.json": "What the comparison of the two files found",
    "report.html": "The report, which opens in any browser, offline",
}
