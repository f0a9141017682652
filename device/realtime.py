"""What the kernel can do for an audio thread: real-time priority, memory that is never paged out, a core of its own.

Each of it can be refused, and nothing breaks by that: what was granted is told, and what would grant the rest.
"""

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass

from neuralpedal.device.pedal_file import RealtimeSettings

JOIN_AUDIO = "sudo usermod -aG audio $USER, then log in anew"
_LIMITS = "sudo tee -a /etc/security/limits.d/95-neuralpedal.conf"
ALLOW_PRIORITY = f"echo '@audio - rtprio 95' | {_LIMITS} && {JOIN_AUDIO}"
ALLOW_LOCKING = f"echo '@audio - memlock unlimited' | {_LIMITS} && {JOIN_AUDIO}"
"""What puts a user into the group of sound cards, and what grants that group priority and locked memory."""

_LOCK_ALL = 3
"""MCL_CURRENT and MCL_FUTURE: what is there, and what will be."""

_REALTIME = (os.SCHED_FIFO, os.SCHED_RR)


@dataclass(frozen=True)
class Outcome:
    """One request: what came of it, and where it was refused what would grant it."""

    what: str
    granted: bool
    advice: str = ""

    def __str__(self) -> str:
        return self.what if self.granted else f"{self.what}; {self.advice}"


def lock_memory(settings: RealtimeSettings) -> list[Outcome]:
    """Lock what this process has and will have. Not inherited by a fork. Not real-time safe."""
    if not settings.lock_memory:
        return []
    reason = _refusal(_mlockall)
    if reason is None:
        return [Outcome("memory locked", True)]
    return [Outcome(f"memory not locked ({reason})", False, f"allow it: {ALLOW_LOCKING}")]


def raise_thread(settings: RealtimeSettings, thread: int) -> list[Outcome]:
    """Give the audio thread (its kernel id) priority and core; from any thread. Not real-time safe."""
    outcomes = []
    if settings.priority:
        outcomes.append(_raise_priority(settings.priority, thread))
    if settings.cpu is not None:
        cores = {settings.cpu}
        reason = _refusal(lambda: os.sched_setaffinity(thread, cores))
        outcomes.append(Outcome(f"audio thread on core {settings.cpu}", True) if reason is None else Outcome(
            f"audio thread not on core {settings.cpu} ({reason})", False,
            f"this process may use {', '.join(map(str, sorted(os.sched_getaffinity(0))))}: choose one of these"))
    return outcomes


def _raise_priority(priority: int, thread: int) -> Outcome:
    try:
        if os.sched_getscheduler(thread) in _REALTIME:
            found = os.sched_getparam(thread).sched_priority
            return Outcome(f"audio thread has real-time priority {found} already", True)
    except OSError:
        pass
    reason = _refusal(lambda: os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(priority)))
    if reason is None:
        return Outcome(f"audio thread has real-time priority {priority}", True)
    return Outcome(f"no real-time priority {priority} ({reason})", False, f"allow it: {ALLOW_PRIORITY}")


def _refusal(call: Callable[[], object]) -> str | None:
    try:
        call()
    except (OSError, AttributeError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None


def _mlockall() -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.mlockall(_LOCK_ALL):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
