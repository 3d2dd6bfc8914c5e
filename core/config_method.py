"""The settings of the method: which losses are combined, how strongly, and in which form."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.config_base import Fraction, Settings, Weight


class Schedule(Settings):
    """A weight that falls linearly from `start` to `end` over `over` of the training steps."""

    start: Weight = Field(1.0, description="Weight at the first step.")
    end: Weight = Field(0.0, description="Weight from the end of the decay on.")
    over: float = Field(1.0, gt=0, le=1, description="Share of the steps the decay takes.")

    def at(self, progress: float) -> float:
        """Weight at `progress` in [0, 1] of training."""
        return self.start + (self.end - self.start) * min(1.0, progress / self.over)


class MethodSettings(Settings):
    """Which losses are combined, and how strongly."""

    name: str = Field(
        "rd",
        description="A method: 'rd', 'drd', 'student_only', 'kd', 'lora_kd', 'hint', 'sp', 'rkd', "
        "'dist' or 'cka_only'.",
    )
    hybrid: Schedule = Field(
        Schedule(), description="Task loss on the reprogrammed teacher's logits."
    )
    agreement: Schedule = Field(
        Schedule(),
        description="Divergence between the reprogrammed teacher's and the student's logits.",
    )
    # Over half of the steps; constant it helped brain MRI as much and harmed breast ultrasound
    guidance: Schedule = Field(
        Schedule(start=100.0, over=0.5),
        description="With 'drd': relative error of the teacher's features predicted from the "
        "student's, at every stage; a start of 0 leaves the published method.",
    )
    cka: Weight = Field(1.0, description="Weight of the CKA term; constant.")
    cka_kernel: Literal["linear", "rbf"] = Field(
        "linear", description="Kernel of the CKA term: linear, or a Gaussian of distances (rbf)."
    )
    cka_bandwidth: float = Field(
        1.0,
        gt=0,
        le=100,
        description="With kernel 'rbf': its width, in median distances between the batch's images.",
    )
    cka_unbiased: bool = Field(
        False, description="Take the unbiased form as the CKA term; noisier in small batches."
    )
    temperature: float = Field(1.0, gt=0, le=20, description="Temperature of the divergence.")
    detach_hybrid: bool = Field(
        False, description="Stop the divergence's gradient at the reprogrammed teacher's logits."
    )
    # 0.9 and 4 are what mdistiller and RepDistiller use
    kd: Fraction = Field(
        0.9,
        description="With 'kd': share of the teacher's answers in the loss; the labels' is the "
        "rest.",
    )
    kd_temperature: float = Field(
        4.0, gt=0, le=20, description="With 'kd': temperature at which answers are compared."
    )
    # 8 and 8 are peft's
    lora_rank: int = Field(
        8, ge=1, le=256, description="With 'lora_kd': rank of the teacher's adapters."
    )
    lora_alpha: float = Field(
        8.0, gt=0, le=1024, description="With 'lora_kd': strength of the adapters, times the rank."
    )
    lora_epochs: int = Field(
        10, ge=1, le=1000, description="With 'lora_kd': passes that fit the teacher to the labels."
    )
    lora_rate: float = Field(
        1e-3, gt=0, le=1, description="With 'lora_kd': highest learning rate of the adapters."
    )
    # With these four the gradient at the last stage is in the first steps about that of the labels:
    # MobileNetV3-small, bundled teacher, demo images: hint 0.6 to 1.2 of it, sp 1.0 to 1.3,
    # distances 1.2 to 4, angles 1.1 to 1.7. The 3000 that is usual for sp would be 30 times it.
    hint: Weight = Field(
        100.0, description="With 'hint': weight of the relative error of predicted features."
    )
    sp: Weight = Field(
        100.0, description="With 'sp': weight of the difference between the tables of similarities."
    )
    rkd_distance: Weight = Field(
        25.0, description="With 'rkd': weight of the differences between distances."
    )
    rkd_angle: Weight = Field(
        50.0, description="With 'rkd': weight of the differences between angles."
    )
    # 1 and 1 are the paper's for large sets of images
    dist: Weight = Field(
        1.0, description="With 'dist': weight of the two correlations of the answers."
    )
    dist_temperature: float = Field(
        1.0, gt=0, le=20, description="With 'dist': temperature of the answers."
    )
