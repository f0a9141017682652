"""What a training's minutes are counted by when two trainers are compared.

``wall`` is fair on a machine that does nothing else. ``cpu`` is the user and system time of this process and its
finished children over the number of cores: a minute of it is what the cores do in a minute, whoever else uses them.
A trainer that leaves a core idle gets that time back, one that waits by spinning pays for it.
Standard library alone: NAM's Python reads this file too.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

CLOCKS = ("wall", "cpu")


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """What both trainers are told besides their network."""
    parser.add_argument("dry", type=Path)
    parser.add_argument("wet", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--clock", choices=CLOCKS, required=True)
    parser.add_argument("--cores", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)


def cpu_seconds() -> float:
    """User and system time of this process and its finished children so far."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def make_clock(kind: str, cores: int) -> Callable[[], float]:
    """Seconds since any moment, by one of ``CLOCKS``."""
    return time.monotonic if kind == "wall" else lambda: cpu_seconds() / cores


def keep_to_cores(cores: int) -> None:
    """Let this process and all its threads run on the first ``cores`` of those that it has."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
