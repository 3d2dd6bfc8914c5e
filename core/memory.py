"""When memory is too small for what is done at once: do less at once."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")
# how torch's processor allocator, and the libraries of a graphics card, put it
SAID = ("not enough memory", "can't allocate memory", "ALLOC_FAILED")


def within_memory(work: Callable[[], Result], shrink: Callable[[], None]) -> Result:
    """Do `work`, and as long as memory is too small for it, do it again in smaller pieces.

    Args:
        work: Started anew each time; nothing of an earlier attempt may count.
        shrink: Makes the next attempt smaller, or raises what the user is to be told.
    """
    while True:
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # out of the handler: the error's frames held on to what filled the memory
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        shrink()


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory is too small."""
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or any(words in str(error) for words in SAID)
