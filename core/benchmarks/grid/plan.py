"""What `bench accuracy` runs, declared before any test image is read.

**Question.** Does Reprogramming Distillation make a better small student out of few labelled
images than training the student alone, and than classical distillation from the same teacher?

**Grid.** Two public sets (`SETS`), 5 and 20 % of their training images, a MobileNetV3-small from
scratch at 128 px, 600 steps, the teachers of `TEACHERS`, the methods of `METHODS`. The seed of a
run draws the training images, the initial weights, the order and the views; methods compared under
one seed share all of them. Validation shrinks as training does. Every run ends with its last step:
with so few validation images, choosing the best epoch by them would be a lottery.

**Seeds.** Everything that was tuned was tuned on validation with `TUNING_SEEDS` (`tuning`); then
`FROZEN` was fixed. A run with one of `TEST_SEEDS` reads the test images once, after its last step.
The test images are the same in all cells of a set. Protocol 2 was stopped half-way, when the
learning rate and the views turned out to be badly chosen; its test seeds are not used again.

**Comparisons declared beforehand:** `DECLARED`, by macro AUROC, paired by seed; intervals by
resampling clusters of near-duplicates and seeds (`core.evaluation.seeds`); Holm's correction over
the cells of each comparison and teacher. All other differences are descriptive.

**Again.** Five seeds left wide intervals. Declared after they had been read, and before any of
`AGAIN_SEEDS` was run: the pairs of `AGAIN` with the default teacher, in the same four cells, with
ten new seeds, all of them whatever they say; Holm's correction as above. Both readings together,
15 seeds, are descriptive, for the first gave the reason for the second.

**Limits.** Neither set has patient ids, so levels are optimistic; comparisons are paired, which
this touches less. No set that stands in a teacher's card is measured with that teacher.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from core.config import (
    DataSettings,
    DeviceSettings,
    PixelSettings,
    RunConfig,
    StudentSettings,
    TeacherSettings,
    TrainSettings,
)
from core.config_method import MethodSettings
from core.files import sha256_json
from core.objectives.methods import METHODS as KNOWN

PROTOCOL = 3  # raise it when a run computes something else than before: its old rows count no more
SETS = ("busi_256", "brain_mri_4class_224")
FRACTIONS = (0.2, 0.05)
METHODS = ("student_only", "drd", "kd", "rd", "sp", "cka_only")  # the others read drd's features
# the newest first; the other is the first that shipped
TEACHERS = ("bedside-s10", "bedside-r10")
PROBE = "teacher_probe"  # a reference row: the frozen teacher with a linear probe, no student
FITTED_PROBE = "lora_probe"  # the same, the teacher first fitted to the labels by LoRA
REFERENCES = {PROBE: "rd", FITTED_PROBE: "lora_kd"}  # and the method whose preparations they share
TUNING_SEEDS = range(5)
TEST_SEEDS = range(10, 15)  # protocol 2 read the test images with 5 to 9
DECLARED = (("rd", "student_only"), ("rd", "kd"), ("drd", "student_only"), ("drd", "kd"))
DESCRIPTIVE = (("kd", "student_only"),)
AGAIN_SEEDS = range(15, 25)
AGAIN = (("drd", "student_only"), ("drd", "kd"))
# what differs from the settings of the app, by method: nothing, for nothing in `tuning` was better
FROZEN: Mapping[str, Mapping[str, Any]] = {}
RATE = 3e-3  # for every method; with the app's 1e-3 the student alone had up to .03 less
BATCH = 16  # images a step; 32 took twice as long, and CKA is sound from 16 on
TEACHER_PX = 160
THREADS = 1  # two processes of one thread each do more than one of two
ONLINE = 0  # in the place of a number of views: the teacher sees a fresh view in every epoch
LARGE_STUDENTS = ("resnet18", "vit_tiny")
LARGE_VIEWS = (1, 4, ONLINE)


@dataclass(frozen=True)
class Cell:
    """One place of the grid: everything but method and seed.

    Attributes:
        set: Name of the data set.
        fraction: Share of the training and of the validation images, in (0, 1].
        teacher: A bundled teacher.
        student: A name in `STUDENTS`.
        image_px: Side of the student's picture.
        steps: Of the optimiser; the last epoch is completed.
        views: Stored views of each image, or `ONLINE`; no more than there are passes. A student
            alone gets a fresh view in every pass; 16 of each and no others cost it .03.
    """

    set: str
    fraction: float
    teacher: str = TEACHERS[0]
    student: str = "mobilenetv3_small_100"
    image_px: int = 128
    steps: int = 600
    views: int = 64

    @property
    def size_px(self) -> int:
        """Side of the kept pictures: large enough for the teacher and the student."""
        return max(TEACHER_PX, self.image_px)

    @property
    def is_core(self) -> bool:
        """Whether it belongs to the core grid, on which the comparisons were declared."""
        return self == Cell(self.set, self.fraction, self.teacher) and self.fraction in FRACTIONS

    @property
    def title(self) -> str:
        """``busi_256, 20 %``, and what is not as in the core grid."""
        usual = Cell(self.set, self.fraction)
        own = asdict(self)
        more = [
            f"{name} {own[name]}" for name, value in asdict(usual).items() if own[name] != value
        ]
        return ", ".join([self.set, f"{self.fraction:.0%}".replace("%", " %"), *more])


@dataclass(frozen=True)
class Run:
    """One training (or one fit of the probe) and its figures.

    Attributes:
        cell: Where in the grid.
        method: A method's name, or one of `REFERENCES`.
        seed: Of training images, initial weights, order and views.
        changes: Settings of the method that differ from the app's.
    """

    cell: Cell
    method: str
    seed: int
    changes: Mapping[str, Any]

    @property
    def title(self) -> str:
        """``busi_256, 20 %: rd, seed 5``."""
        return f"{self.cell.title}: {self.method}, seed {self.seed}"

    @property
    def settings(self) -> dict[str, Any]:
        """What identifies the run in the file of rows.

        Runs without a teacher are the same beside every teacher.
        """
        taught = self.method in REFERENCES or KNOWN[self.method].needs_teacher
        return {
            "protocol": PROTOCOL,
            **asdict(self.cell),
            "teacher": self.cell.teacher if taught else "",
            "method": self.method,
            "seed": self.seed,
            "changes": dict(self.changes),
        }

    @property
    def key(self) -> str:
        """Hash of `settings`."""
        return sha256_json(self.settings)[:16]

    def config(self, train_images: int) -> RunConfig:
        """The request that trains it.

        Args:
            train_images: How many there are; they decide how many epochs the steps make.
        """
        train = TrainSettings(batch=BATCH, learning_rate=RATE, patience=0, seed=self.seed)
        per_epoch = max(1, train_images // min(train.batch, train_images))
        epochs = -(-self.cell.steps // per_epoch)
        method = REFERENCES.get(self.method, self.method)
        return RunConfig(
            name="accuracy",
            data=DataSettings(
                source=self.cell.set, pixels=PixelSettings(size_px=self.cell.size_px)
            ),
            teacher=TeacherSettings(
                name=self.cell.teacher, views=min(self.cell.views or 1, epochs)
            ),
            student=StudentSettings(name=self.cell.student, image_px=self.cell.image_px),
            method=MethodSettings.model_validate({"name": method, **self.changes}),
            train=train.model_copy(update={"epochs": epochs}),
            device=DeviceSettings(precision="float32", threads=THREADS),
        )


def core_grid(sets: Sequence[str]) -> Iterator[Run]:
    """The runs for a plain computer, whole comparisons first; 24 trainings for seed and teacher."""
    for teacher, name, fraction in product(TEACHERS, sets, FRACTIONS):
        for seed in TEST_SEEDS:
            yield from _runs(Cell(name, fraction, teacher), seed, METHODS, (PROBE,))


def again_grid(sets: Sequence[str]) -> Iterator[Run]:
    """The second reading; see above."""
    methods = [method for method in METHODS if any(method in pair for pair in AGAIN)]
    for seed, name, fraction in product(AGAIN_SEEDS, sets, FRACTIONS):
        yield from _runs(Cell(name, fraction), seed, methods)


def full_grid(sets: Sequence[str]) -> Iterator[Run]:
    """The core grid, then what needs a graphics card.

    All training images too, every method, larger students at 224 px, and for RD other numbers of
    views up to a fresh one in every epoch.
    """
    yield from core_grid(sets)
    for name in sets:
        for seed in TEST_SEEDS:
            yield from _runs(Cell(name, 1.0), seed, tuple(KNOWN), tuple(REFERENCES))
        for student in LARGE_STUDENTS:
            for fraction in (*FRACTIONS, 1.0):
                cells = [
                    Cell(name, fraction, student=student, image_px=224, steps=3000, views=views)
                    for views in (16, *LARGE_VIEWS)
                ]
                for seed in TEST_SEEDS:
                    yield from _runs(cells[0], seed, tuple(KNOWN), tuple(REFERENCES))
                    for cell in cells[1:]:
                        yield from _runs(cell, seed, ("rd",))


def _runs(
    cell: Cell, seed: int, methods: Sequence[str], references: Sequence[str] = ()
) -> Iterator[Run]:
    for method in methods:
        if method in KNOWN:
            yield Run(cell, method, seed, FROZEN.get(method, {}))
    for reference in references:
        yield Run(cell, reference, seed, {})


def missing_methods() -> list[str]:
    """Methods of the grid that this version of Bedside does not have."""
    return [method for method in METHODS if method not in KNOWN]
