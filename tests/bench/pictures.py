"""How fast pictures are: the first screen of ten thousand thumbnails, a change of the window."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.browser.serving import AppServer
from tests.browser.walk import Mouse, look_at_image
from tests.many import write_many

IMAGES = 10_000
SIDE_PX = 64
LARGE_PX = 512  # of the picture whose window is changed: a slice of computed tomography
CHANGES = 60
# counts from the moment at which the page asks for the list of its images
SCREEN = """() => {
  const list = performance.getEntriesByType('resource').find((one) => one.name.endsWith('/images'));
  const grid = document.getElementById('grid');
  if (!list || !grid) return false;
  const view = grid.getBoundingClientRect();
  const bottom = Math.min(view.bottom, innerHeight);
  const seen = [...grid.querySelectorAll('img')].filter((image) => {
    const place = image.getBoundingClientRect();
    return place.bottom > view.top && place.top < bottom;
  });
  if (!seen.length || !seen.every((image) => image.complete && image.naturalWidth)) return false;
  return {shown: seen.length, first_screen_s: (performance.now() - list.startTime) / 1000,
    from_navigation_s: performance.now() / 1000};
}"""
DRAWN = """async () => {
  const canvas = document.querySelector('#examined .viewer-canvas');
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  await frame();
  return Number(canvas.dataset.drawMs);
}"""


def measure_thumbnails(home: Path, browser: Browser) -> dict[str, Any]:
    """Open *Data* on a project of `IMAGES` images, tall enough that the grid is in sight."""
    write_many(home / "workspace", IMAGES, size_px=SIDE_PX)
    server = AppServer(home / "workspace", home / "audit")
    try:
        rounds = []
        for _ in range(3):
            page = _enter(server, browser, height=2400)
            page.goto(server.base)
            found = page.wait_for_function(SCREEN, polling=10).json_value()
            rounds.append({name: round(value, 3) for name, value in found.items()})
            page.context.close()
    finally:
        server.clear()
    return {"images": IMAGES} | {name: median(one[name] for one in rounds) for name in rounds[0]}


def measure_window(home: Path, browser: Browser, prepared: Path) -> dict[str, Any]:
    """Drag the window of a 16-bit picture of `LARGE_PX` in the viewer of *Test*."""
    file = home / "large.png"
    ramp = np.linspace(0, 4095, LARGE_PX**2).reshape(LARGE_PX, LARGE_PX)
    noise = np.random.default_rng(0).normal(0, 200, ramp.shape)
    Image.fromarray(np.clip(ramp + noise, 0, 4095).astype(np.uint16)).save(file)
    server = AppServer(prepared, home / "audit")
    try:
        page = _enter(server, browser)
        page.goto(f"{server.base}/test")
        look_at_image(page, Mouse(), file)
        times = _drag(page)
        page.context.close()
    finally:
        server.clear()
    times.sort()
    return {
        "side_px": LARGE_PX,
        "changes": len(times),
        "window_ms": round(median(times), 2),
        "window_ms_95": round(times[int(0.95 * len(times))], 2),
        "window_ms_most": round(times[-1], 2),
    }


def _drag(page: Page) -> list[float]:
    canvas = page.locator("#examined .viewer-canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    times = []
    for number in range(1, CHANGES + 1):
        page.mouse.move(x + number, y + (number % 7))
        times.append(float(page.evaluate(DRAWN)))
    page.mouse.up()
    return times


def _enter(server: AppServer, browser: Browser, height: int = 1000) -> Page:
    context = browser.new_context(viewport={"width": 1440, "height": height})
    context.set_default_timeout(180_000)
    context.request.get(server.url, max_redirects=0)
    page = context.new_page()
    time.sleep(0.5)  # whatever the start has left to do
    return page
