"""A perceptual hash: equal or nearly equal for pictures a person would call the same.

The signs of the 16 x 16 lowest cosine coefficients of the picture at 32 x 32, without the mean
(after Zauner, *Implementation and benchmarking of perceptual image hash functions*, 2010, with 255
bits in place of 64). Brightness and contrast do not change it; small crops and recompression change
a few bits.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from core.data.picture import Array

SIDE_PX = 32
KEPT = 16
GAP = 3.0  # large pictures are first averaged in blocks, to at least three times the side
HEX_DIGITS = KEPT * KEPT // 4

_steps = np.arange(SIDE_PX)
_COSINES = np.cos(np.pi * (2 * _steps[None] + 1) * np.arange(KEPT)[:, None] / (2 * SIDE_PX))


def perceptual_hash(pixels: Array) -> str:
    """Hash a picture by what it looks like.

    Args:
        pixels: ``[C, H, W]`` or ``[H, W]``, any real type and range, at least 1 x 1.

    Returns:
        64 hexadecimal digits; all zero for a picture without structure (one flat tone).
    """
    if pixels.ndim == 3 and len(pixels) > 1:
        grey = pixels.mean(axis=0, dtype=np.float32)
    else:
        grey = pixels.reshape(pixels.shape[-2:]).astype(np.float32, copy=False)
    small = Image.fromarray(grey).resize(
        (SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR, reducing_gap=GAP
    )
    values = np.asarray(small, dtype=np.float64)
    coefficients = _COSINES @ (values - values.mean()) @ _COSINES.T
    most = max(1e-12, float(grey.max()), -float(grey.min()))
    smallest = 1e-5 * most  # rounding noise of a flat picture
    bits = coefficients.ravel() > smallest
    bits[0] = False
    return np.packbits(bits).tobytes().hex()
