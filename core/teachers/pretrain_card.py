"""What pre-training leaves behind: the teacher's file, its card, and the list of what it saw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from core.files import atomic_path, sha256_file, write_json, write_text
from core.teachers import scenes
from core.teachers.pretrain_recipe import Lesson, PretrainSettings
from core.teachers.spec import TeacherSpec

GREY = (0.5, 0.5, 0.5)  # subtracted from pictures in [0, 1]
QUARTER = (0.25, 0.25, 0.25)  # divides the difference
VIEWS = "core.data.augment RANGES['strong']"
CONTRAST_LOSS = "NT-Xent at temperature 0.2"
LABEL_LOSS = "cross-entropy of a head per labelled folder"
SCENE_LOSSES = (
    "smooth L1 of the facts each made picture was built with, cross-entropy of what is in it and "
    "of where lesions and borders are"
)
OPTIMISER = "AdamW, weight decay 0.05, 5 % warm-up, cosine, bfloat16 autocast"
SIMCLR = "SimCLR: Chen et al. 2020, arXiv 2002.05709"
MADE = "Domain randomisation: Tobin et al. 2017, arXiv 1703.06907; SynthSeg: Billot et al. 2023"


def write_teacher(
    backbone: nn.Module,
    lessons: Sequence[Lesson],
    settings: PretrainSettings,
    folder: Path,
    compute: dict[str, Any],
) -> TeacherSpec:
    """Write ``<name>.safetensors`` (float16), ``<name>.images.csv`` and ``<name>.json``.

    Args:
        backbone: The trained network without a classifier.
        lessons: What it saw; every image is listed by hash.
        settings: The recipe.
        folder: Where to.
        compute: What it cost, for the card.
    """
    weights = folder / f"{settings.name}.safetensors"
    state = {
        key: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for key, tensor in backbone.state_dict().items()
    }
    with atomic_path(weights) as temporary:
        save_file(state, temporary)
    frames = [lesson.dataset.usable() for lesson in lessons]
    made = settings.scenes * int(compute["steps"])
    depth = len(backbone.feature_info)  # type: ignore[arg-type]
    spec = TeacherSpec(
        name=settings.name,
        title=settings.title,
        architecture=settings.architecture,
        source="bundled",
        location=weights.name,
        sha256=sha256_file(weights),
        image_px=settings.image_px,
        mean=GREY,
        std=QUARTER,
        taps=tuple(range(max(0, depth - 4), depth)),
        licence=settings.licence,
        licence_note=settings.licence_note,
        citation="; ".join([SIMCLR] * bool(lessons) + [MADE] * bool(settings.scenes)),
        about=_about(sum(map(len, frames)), made),
        verified=True,
    )
    listing = ["sha256,perceptual_hash,data"]
    for lesson, frame in zip(lessons, frames, strict=True):
        title = lesson.title.replace(",", ";")
        for sha256, look in zip(frame["sha256"], frame["phash"], strict=True):
            listing.append(f"{sha256},{look},{title}")
    write_text(folder / f"{settings.name}.images.csv", "\n".join(listing) + "\n")
    data = [
        {
            "title": lesson.title,
            "licence": lesson.licence,
            "images": len(frame),
            "classes": list(lesson.dataset.classes),
        }
        for lesson, frame in zip(lessons, frames, strict=True)
    ]
    losses = [CONTRAST_LOSS] * bool(lessons and settings.contrast)
    losses += [LABEL_LOSS] * bool(lessons and settings.supervision)
    losses += [SCENE_LOSSES] * bool(made)
    recipe = {"losses": "; ".join(losses), "optimiser": OPTIMISER}
    maker = Path(scenes.__file__)
    card = {
        "spec": spec.model_dump(mode="json"),
        "data": data,
        "made_pictures": {"count": made, "by": maker.name, "sha256": sha256_file(maker)},
        "images_listed_in": f"{settings.name}.images.csv",
        "recipe": settings.model_dump(mode="json") | ({"views": VIEWS} if lessons else {}) | recipe,
        "compute": compute | {"threads": torch.get_num_threads()},
    }
    write_json(folder / f"{settings.name}.json", card)
    return spec


def _about(images: int, made: int) -> str:
    """One sentence on what it learned from."""
    if not images:
        return (
            f"Trained by Bedside on {made:,} computer-made pictures; no patient's image was used."
        )
    more = f" and {made:,} computer-made pictures" if made else ""
    return f"Trained by Bedside on {images:,} medical images{more}; small and quick."
