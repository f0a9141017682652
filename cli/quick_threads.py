"""The audio thread gets the interpreter soon."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SWITCH_INTERVAL_S = 1e-4
"""How long another Python thread may go on when a block comes. Python's own 5 ms are four blocks of 64 samples."""


@contextmanager
def quick_threads() -> Iterator[None]:
    """Threads take turns often, and no garbage collection goes through all that was imported."""
    kept = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(kept)
