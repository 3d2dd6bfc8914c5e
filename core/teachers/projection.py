"""Images as points in a plane: alike to the teacher, near to each other."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

DEEP = 50  # principal components that the map is made from
PERPLEXITY = 30.0
FEWEST = 8  # images; fewer are shown by their first two components
Array = np.ndarray


def flat_map(features: Array) -> Array:
    """Two coordinates of each image, by t-SNE of the first principal components.

    t-SNE (van der Maaten and Hinton, JMLR 2008;9:2579) keeps neighbours together; distances between
    far groups and the axes mean nothing. It begins from the first two components and a fixed seed,
    so the same features give the same map.

    Args:
        features: ``[N, D]`` float32.

    Returns:
        ``[N, 2]`` float32, centred.
    """
    with threadpool_limits(1):  # a point is little work: two threads took ten times the processor
        return _flat_map(features)


def _flat_map(features: Array) -> Array:
    spread = features.std(axis=0) + 1e-6
    standard = (features - features.mean(axis=0)) / spread
    deep = min(DEEP, *standard.shape)
    parts = PCA(deep, random_state=0).fit_transform(standard)
    if len(features) < FEWEST:
        flat = np.zeros((len(features), 2))
        flat[:, : min(2, deep)] = parts[:, :2]
        return flat.astype(np.float32)
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    plane = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(parts)
    return np.asarray(plane - plane.mean(axis=0), dtype=np.float32)
