"""The whole job in the browser on real images: ultrasound, computed tomography."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.serving import AppServer
from tests.browser.test_journey import SMALL, Material, go_the_whole_way
from tests.browser.walk import Mouse


@pytest.mark.realdata
@pytest.mark.parametrize("folder", ["folders/busi_256", "dicom/tcga_luad_ct_contrast"])
def test_journey_on_real_images(
    empty_app: AppServer, open_page: Callable[..., Page], real_data: Path, tmp_path: Path,
    folder: str,
) -> None:  # fmt: skip
    """Ultrasound as PNG in class folders, computed tomography as DICOM; the bundled teacher."""
    images = real_data / folder
    image = next(path for path in sorted(images.rglob("*")) if path.suffix in {".png", ".dcm"})
    material = Material(images, None, image, SMALL | {"train-batch": 32})
    page = open_page(empty_app)
    go_the_whole_way(empty_app, page, Mouse(), material, tmp_path / "handed over")
