"""The whole job in the browser, from a folder of images to a student that is handed over."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.serving import AppServer
from tests.browser.walk import (
    Hand,
    Keys,
    Mouse,
    choose_models,
    export,
    look_at_image,
    read_folder,
    set_advanced,
    train,
)


@dataclass(frozen=True)
class Material:
    """What a journey is made with.

    Attributes:
        images: The folder to be read.
        teacher: A teacher's file; None for the bundled one.
        image: A new image for the student, which is not in the folder.
        settings: What is filled in under Advanced, so that it takes a minute.
    """

    images: Path
    teacher: Path | None
    image: Path
    settings: dict[str, int]


SMALL = {
    "train-epochs": 2, "train-batch": 8, "teacher-views": 1, "student-image_px": 64,
    "evaluation-resamples": 200, "device-threads": 1,
}  # fmt: skip


@pytest.fixture
def tiny(prepared: Path) -> Material:
    home = prepared.parent
    images = home / "images" / "images"
    return Material(images, home / "teacher" / "tiny.safetensors", images / "p0000_1.png", SMALL)


def go_the_whole_way(
    app: AppServer, page: Page, hand: Hand, material: Material, target: Path
) -> None:
    """Data, Models, Train, Test, Export; each step's tick appears when it is done."""
    for step in ("data", "models", "train", "test", "export"):
        expect(page.locator(f"[data-step={step}]")).not_to_have_class("done")
    read_folder(page, hand, material.images)
    expect(page.locator("#found")).to_contain_text("Patients")

    hand.press(page.get_by_role("link", name="Next: choose the models"))
    choose_models(page, hand, material.teacher, "resnet10t")

    hand.press(page.locator("#go-on"))
    set_advanced(page, hand, **material.settings)
    run = train(page, hand)
    expect(page.locator("#fact-auroc")).not_to_have_text("–")
    for plot in ("auroc", "cka", "loss"):
        expect(page.locator(f"#plot-{plot}")).to_have_attribute(
            "data-drawn", re.compile(r"[1-9]\d*")
        )

    hand.press(page.locator("#run-test"))
    look_at_image(page, hand, material.image)
    hand.press(page.locator("#tab-validation"))
    expect(page.locator("#part-validation")).to_contain_text("AUROC")
    hand.press(page.locator("#tab-sealed"))
    hand.pick(page.locator("#understood"))
    hand.press(page.locator("#open-test"))
    expect(page.locator("#part-sealed[data-state=opened]")).to_be_visible(timeout=60_000)

    hand.press(page.locator("[data-step=export]"))
    export(page, hand, target)
    assert (target / "model.onnx").exists() or any(target.rglob("*.onnx"))
    for step in ("data", "models", "train", "test", "export"):
        expect(page.locator(f"[data-step={step}].done")).to_be_visible()
    assert_request(app, run, material)


def assert_request(app: AppServer, run: str, material: Material) -> None:
    """What was typed is what was trained with."""
    config = json.loads((app.workspace / "runs" / run / "config.json").read_text(encoding="utf-8"))
    for name, value in material.settings.items():
        group, _, field = name.partition("-")
        assert config[group][field] == value
    assert config["data"]["source"] == str(material.images)
    assert config["student"]["name"] == "resnet10t"


@pytest.mark.parametrize("hand", [Mouse(), Keys()], ids=["mouse", "keyboard"])
def test_whole_journey(
    empty_app: AppServer, open_page: Callable[..., Page], tiny: Material, tmp_path: Path,
    hand: Hand,
) -> None:  # fmt: skip
    """Case 72, with the audit hook of `serve` and the log of `open_page`."""
    page = open_page(empty_app)
    go_the_whole_way(empty_app, page, hand, tiny, tmp_path / "handed over")
