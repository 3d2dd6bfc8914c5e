"""In which arithmetic a run's teacher looks, also where the disk holds no features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.config import RunConfig
from core.files import read_json, write_json
from core.teachers import features as stores
from core.teachers.features import OnlineFeatures, StoredFeatures
from core.training import session as preparing
from tests.tiny import ListReporter
from tests.training.conftest import Bench


def choosing(config: RunConfig) -> RunConfig:
    device = config.device.model_copy(update={"precision": "auto"})
    return config.model_copy(update={"device": device})


def first_maps(bench: Bench, folder: Path) -> list[torch.Tensor]:
    config = choosing(bench.config("rd"))
    features = bench.session(folder, config, reporter := ListReporter()).features
    assert isinstance(features, OnlineFeatures)
    assert "T10" in [code for _, code, _ in reporter.alerts]
    return features.seen(np.array([0, 1]), np.array([0, 0]))


def test_a_resumed_run_keeps_the_arithmetic_of_its_teacher(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "plan_views", lambda *sizes: 0)
    monkeypatch.setattr(preparing, "choose_precision", lambda teacher, asked: "bfloat16")
    begun = first_maps(bench, tmp_path)
    monkeypatch.setattr(preparing, "choose_precision", lambda teacher, asked: "float32")
    assert read_json(tmp_path / "views.json") == {"views": 0, "precision": "bfloat16"}
    assert all(map(torch.equal, begun, first_maps(bench, tmp_path)))
    write_json(tmp_path / "views.json", 0)  # as by a version that knew float32 alone
    assert not any(map(torch.equal, begun, first_maps(bench, tmp_path)))


def test_a_run_records_what_its_stored_views_were_looked_at_in(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "choose_precision", lambda teacher, asked: "bfloat16")
    bench = replace(bench, features=tmp_path / "features")
    features = bench.session(tmp_path, choosing(bench.config("rd"))).features
    assert isinstance(features, StoredFeatures)
    recorded = {"views": features.views, "precision": features.precision}
    assert read_json(tmp_path / "views.json") == recorded
    assert features.precision == "bfloat16"
