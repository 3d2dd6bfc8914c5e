"""Vision transformer, tiny (Dosovitskiy et al. 2021, arXiv 2010.11929; size of arXiv 2012.12877).

It has no class token and pools by average: what replaces its patch tokens must reach the
classifier, or a hybrid loss would have no gradient (`reference/method.md` b.4).
"""

from __future__ import annotations

import itertools
from typing import Any

from core.students.spec import Cut, StudentSpec, add_student


def cut_vit(network: Any) -> Cut:
    """Equal quarters of the depth."""
    from core.students.tokens import Blocks, Head, Patches

    depth = len(network.blocks)
    ends = [round(depth * part / 4) for part in range(5)]
    runs = [network.blocks[start:end] for start, end in itertools.pairwise(ends)]
    return Cut(
        stages=(
            Blocks(Patches(network), runs[0]),
            *(Blocks(None, run) for run in runs[1:]),
        ),
        head=Head(network),
        channels=(int(network.embed_dim),) * 4,
        positive=False,
    )


add_student(
    StudentSpec(
        name="vit_tiny",
        title="ViT-Tiny",
        family="Vision transformer",
        summary="Looks at the whole picture at once; it needs many images, or a teacher, to learn "
        "well.",
        architecture="vit_tiny_patch16_224",
        work=1246,
        cut=cut_vit,
        options={"class_token": False, "global_pool": "avg", "fc_norm": False},
        patch_px=16,
    ),
    __name__,
)
