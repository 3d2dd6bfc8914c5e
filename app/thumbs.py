"""Small pictures of decoded images, as PNG, straight from a data set's cache. Needs no torch.

They are made when asked for and kept nowhere: neither on disk nor by the browser.
"""

from __future__ import annotations

import io
import re
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
from fastapi import APIRouter, Query, Response
from PIL import Image

from app.observe import Observer
from app.text import thumbs as text
from core.data.cache import PixelCache
from core.data.picture import Array
from core.errors import DataError

DATASET = re.compile(r"[0-9a-f]{16}")
SIDE_PX = 160  # of a thumbnail, unless another is asked for
LARGEST_PX = 1024
OPEN = 4  # caches kept mapped


class Thumbnails:
    """Pictures of the data sets in a workspace.

    Args:
        workspace: The workspace.
    """

    def __init__(self, workspace: Path) -> None:
        self._folder = workspace / "datasets"
        self._caches: OrderedDict[str, tuple[int, PixelCache]] = OrderedDict()
        self._lock = threading.Lock()

    def png(self, dataset: str, row: int, side_px: int) -> bytes:
        """One picture.

        Args:
            dataset: Id of a data set.
            row: Its place in the cache, the manifest's `row`.
            side_px: Longest side; a picture is never enlarged.

        Raises:
            DataError: I47, there is no such data set or image; I08, the cache is damaged.
        """
        cache = self._cache(dataset)
        if not 0 <= row < len(cache):
            raise DataError("I47", text.NO_IMAGE, todo=text.READ_AGAIN)
        picture = to_image(cache.read(np.array([row]))[0])
        if side_px < cache.size_px:
            picture = picture.resize((side_px, side_px), Image.Resampling.BILINEAR, reducing_gap=2)
        written = io.BytesIO()
        picture.save(written, "PNG", compress_level=1)
        return written.getvalue()

    def _cache(self, dataset: str) -> PixelCache:
        with self._lock:
            file = self._folder / dataset / "pixels.npy"
            if not DATASET.fullmatch(dataset) or not file.is_file():
                raise DataError("I47", text.NO_IMAGE, todo=text.READ_AGAIN)
            written = file.stat().st_mtime_ns
            known = self._caches.get(dataset)
            if known is None or known[0] != written:
                known = (written, PixelCache(file.parent))
                self._caches[dataset] = known
            self._caches.move_to_end(dataset)
            while len(self._caches) > OPEN:
                self._caches.popitem(last=False)
            return known[1]


def to_image(pixels: Array) -> Image.Image:
    """A cached picture as Pillow has it.

    Args:
        pixels: ``[C, S, S]`` uint8 or uint16, C 1 or 3; of 16 bits the upper 8 are shown.
    """
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if len(pixels) == 1:
        return Image.fromarray(pixels[0])
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def make_router(observer: Observer) -> APIRouter:
    """``GET /api/thumb/<data set>/<row>?side=160``."""
    thumbnails = Thumbnails(observer.workspace)
    router = APIRouter()

    @router.get("/api/thumb/{dataset}/{row}")
    def thumb(dataset: str, row: int, side: int = Query(SIDE_PX, ge=16, le=LARGEST_PX)) -> Response:
        return Response(thumbnails.png(dataset, row, side), media_type="image/png")

    return router
