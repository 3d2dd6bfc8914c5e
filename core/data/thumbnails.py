"""Small pictures inside an address, for a page that may load nothing. Only made when asked for."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image

from core.data.cache import PixelCache

THUMB_PX = 96


def thumbnail_addresses(
    images: pd.DataFrame, cache: PixelCache, wanted: Sequence[str]
) -> dict[str, str]:
    """Image id to ``data:`` address of a PNG; images that are not in the cache are left out."""
    rows = images[images["image"].isin(wanted) & (images["row"] >= 0)]
    return {
        str(image): _address(cache, int(row))
        for image, row in zip(rows["image"], rows["row"], strict=True)
    }


def _address(cache: PixelCache, row: int) -> str:
    values = np.rint(cache.read(np.array([row]))[0] * (cache.scale * 255)).astype(np.uint8)
    shown = values[0] if len(values) == 1 else values.transpose(1, 2, 0)
    small = Image.fromarray(shown).resize((THUMB_PX, THUMB_PX), Image.Resampling.BOX)
    written = io.BytesIO()
    small.save(written, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"
