"""What a network costs on this machine: size, multiply-adds, measured latency."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from core.machine import machine_name
from core.students.base import build_student

REPEATS = 20
WARM_UP = 3
BUDGET_S = 1.5  # a large teacher is measured with fewer repeats rather than for minutes
FEWEST = 3


@dataclass(frozen=True)
class CostCard:
    """What one pass over one image costs.

    Attributes:
        parameters: Numbers that are trained.
        megabytes: Size of the weights, in 10^6 bytes, as stored (float32 unless cast).
        multiply_adds: Multiply-add operations of one pass over one image.
        latency_ms: Median time of one pass over one image, milliseconds.
        latency_low: 10th percentile of the times.
        latency_high: 90th percentile of the times.
        repeats: How many passes were timed.
        threads: Processor threads used.
        machine: The processor, in words.
    """

    parameters: int
    megabytes: float
    multiply_adds: int
    latency_ms: float
    latency_low: float
    latency_high: float
    repeats: int
    threads: int
    machine: str


def measure_cost(name: str, classes: int, image_px: int, threads: int = 0) -> CostCard:
    """Build the student called `name` and measure it here; torch's generator is left as it was.

    Args:
        name: A name in `STUDENTS`.
        classes: Number of logits.
        image_px: Side of the input picture.
        threads: Processor threads; 0 keeps the number torch uses now.
    """
    with torch.random.fork_rng(devices=[]):
        student = build_student(name, classes, image_px)
    return measure_module(student, torch.zeros(1, 3, image_px, image_px), threads)


def measure_module(module: nn.Module, example: Tensor, threads: int = 0) -> CostCard:
    """Measure any network on the processor, in evaluation mode; its mode is restored.

    Args:
        module: Called with `example` alone.
        example: One image, ``[1, C, S, S]`` float32.
        threads: Processor threads; 0 keeps the number torch uses now.

    Returns:
        Times of 20 passes after a warm-up, or of as many (at least 3) as fit into 1.5 s.
    """
    training = module.training
    module.eval()
    try:
        with _threads(threads) as used:
            multiply_adds = count_multiply_adds(module, example)
            times = _times_ms(module, example)
    finally:
        module.train(training)
    stored = module.state_dict().values()
    deciles = statistics.quantiles(times, n=10, method="inclusive")
    return CostCard(
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        megabytes=sum(tensor.numel() * tensor.element_size() for tensor in stored) / 1e6,
        multiply_adds=multiply_adds,
        latency_ms=statistics.median(times),
        latency_low=deciles[0],
        latency_high=deciles[-1],
        repeats=len(times),
        threads=used,
        machine=machine_name(),
    )


def count_multiply_adds(module: nn.Module, example: Tensor) -> int:
    """Multiply-adds of one pass over `example`; the module should be in evaluation mode."""
    # no_grad, not inference_mode: there, linear layers are not broken into what the counter knows;
    # and torch 2.14 does not know the processor's fused attention, so it is taken apart as well
    apart = sdpa_kernel(SDPBackend.MATH)
    with FlopCounterMode(display=False) as counter, torch.no_grad(), apart:
        module(example)
    return int(counter.get_total_flops()) // 2


@torch.inference_mode()
def _times_ms(module: nn.Module, example: Tensor) -> list[float]:
    start = time.perf_counter()
    for _ in range(WARM_UP):
        module(example)
        if time.perf_counter() - start > BUDGET_S / 3:
            break
    times: list[float] = []
    while len(times) < REPEATS:
        before = time.perf_counter()
        module(example)
        now = time.perf_counter()
        times.append((now - before) * 1e3)
        if len(times) >= FEWEST and now - start > BUDGET_S:
            break
    return times


@contextlib.contextmanager
def _threads(wanted: int) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(wanted or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
