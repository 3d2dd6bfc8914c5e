"""The training pictures, where their views are made: in the memory that is nearest to the work."""

from __future__ import annotations

import numpy as np
import psutil
import torch
from torch import Tensor

from core.data.augment import Views, apply_views, clean_view
from core.data.cache import PixelCache

SHARE = 4  # at most a quarter of the free memory is taken
CHUNK = 256  # pictures sent to a graphics card at a time


class Pictures:
    """Some pictures of a cache, shown in views.

    On a graphics card all of them are kept in its memory, if a quarter of what is free holds them.
    On the processor they are read from the cache; where the student's pictures are smaller than the
    cache's, a picture is shrunk once and then kept, within a quarter of the free memory. Neither
    changes what is shown.

    Args:
        cache: The decoded pictures.
        rows: ``[N]`` rows of the cache, in the order of their positions.
        image_px: Side of the views.
        device: Where the networks are.
    """

    def __init__(
        self, cache: PixelCache, rows: np.ndarray, image_px: int, device: torch.device
    ) -> None:
        self._cache = cache
        self._rows = rows
        self._image_px = image_px
        self._held: Tensor | None = None
        self._ready = np.zeros(len(rows), dtype=bool)
        if device.type == "cuda":
            self._held = self._on(device)
        elif image_px < cache.size_px:
            shape = (len(rows), cache.channels, image_px, image_px)
            if 4 * np.prod(shape, dtype=np.int64) <= psutil.virtual_memory().available // SHARE:
                self._held = torch.empty(shape)  # the system gives the memory when it is written
        self._whole = device.type == "cuda" and self._held is not None

    def seen(self, positions: np.ndarray, views: Views) -> Tensor:
        """Pictures at `positions`, each in its view.

        Returns:
            ``[B, C, S, S]`` float32 in [0, 1], on the graphics card if they are kept there.
        """
        return apply_views(self._at(positions), views, self._image_px)

    def _at(self, positions: np.ndarray) -> Tensor:
        if self._held is None:
            return self._cache.values(self._rows[positions])
        if not self._whole:
            self._shrink(positions[~self._ready[positions]])
        return self._held[torch.from_numpy(positions).to(self._held.device)]

    def _shrink(self, positions: np.ndarray) -> None:
        if self._held is None or not len(positions):
            return
        images = self._cache.images(self._rows[positions])
        self._held[torch.from_numpy(positions)] = clean_view(images, self._image_px)
        self._ready[positions] = True

    def _on(self, device: torch.device) -> Tensor | None:
        """Every picture in the card's memory, or nothing if it has no room."""
        sample = self._cache.values(self._rows[:1])
        if len(self._rows) * sample[0].nbytes > torch.cuda.mem_get_info(device)[0] // SHARE:
            return None
        held = torch.empty((len(self._rows), *sample.shape[1:]), dtype=sample.dtype, device=device)
        for start in range(0, len(self._rows), CHUNK):
            held[start : start + CHUNK] = self._cache.values(self._rows[start : start + CHUNK]).to(
                device
            )
        return held
