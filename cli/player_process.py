"""One turn of playing, in a process of its own that inherits the opened models.

PortAudio cannot be started again where a JACK server died under it: it waits ten minutes for that server, and
what it knows of it stays. So whoever opened the models never starts PortAudio. A fork of it does, and ends with the
card.
"""

import ctypes
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from typing import Any

from neuralpedal.cli.signal_handlers import end_quietly, handled, held_back
from neuralpedal.contract.errors import DeviceError, PedalError

HANDED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that are meant for whoever plays."""

_DIES_WITH_PARENT = 1
_REMEMBERED, _ENDED = "remembered", "ended"


@dataclass
class Turn:
    """What a process that plays is told, and what it tells.

    Attributes:
        number: how many came before it.
        seconds: how long to play; None: until it is told to end.
        memory: what the last one remembered (JSON-able); None for the first.
    """

    number: int
    seconds: float | None
    memory: dict[str, Any] | None
    _tell: Callable[[dict[str, Any]], None]
    _told: dict[str, Any] | None = field(default=None, init=False)

    def remember(self, memory: dict[str, Any]) -> None:
        """For the next turn, if there will be one; from the first sound on, now and then."""
        if memory != self._told:
            self._tell(memory)
            self._told = memory


Play = Callable[[Turn], None]


class PlayerProcess:
    """A process that plays a turn; begins at once.

    Args:
        play: what is played; an AudioDeviceError of it says that the card is gone.
        number, seconds, memory: see :class:`Turn`.
    """

    def __init__(self, play: Play, number: int, seconds: float | None, memory: dict[str, Any] | None) -> None:
        self._ours, its = Pipe(duplex=False)
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        # A signal must not reach the child while it still has the parent's handlers.
        kept = signal.pthread_sigmask(signal.SIG_BLOCK, HANDED_ON)
        try:
            with warnings.catch_warnings():
                # Threads that NumPy's libraries keep; they look after themselves in a fork.
                warnings.simplefilter("ignore", DeprecationWarning)
                self._pid = os.fork()
            if self._pid == 0:
                self._ours.close()
                turn = Turn(number, seconds, memory, lambda what: its.send((_REMEMBERED, what)))
                _be_player(play, turn, its, parent, kept)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, kept)
        its.close()

    def send(self, number: int) -> None:
        """A signal; nothing happens if it has ended."""
        if self._pid:
            os.kill(self._pid, number)

    def wait(self, remembered: Callable[[dict[str, Any]], None]) -> BaseException | None:
        """Until it ends: what went wrong, if anything did.

        Args:
            remembered: called with what it remembers, meanwhile.
        """
        ended, failure = False, None
        with self._ours:
            while not ended:
                try:
                    kind, what = self._ours.recv()
                except (EOFError, OSError):
                    break
                if kind == _REMEMBERED:
                    remembered(what)
                else:
                    ended, failure = True, what
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        if not ended:
            code = os.waitstatus_to_exitcode(status)
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            return DeviceError(f"the process that plays ended by itself ({how}); run again, and report this")
        return failure


def _be_player(play: Play, turn: Turn, pipe: Connection, parent: int, mask: set[Any]) -> None:
    """The child's whole life."""
    failure: BaseException | None = None
    try:
        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, int(signal.SIGTERM))
        if os.getppid() != parent:
            return
        with (handled(dict.fromkeys((signal.SIGINT, signal.SIGTERM), end_quietly)),
              held_back(signal.SIGUSR1, signal.SIGUSR2)):
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            play(turn)
    except SystemExit:
        pass
    except BaseException as error:  # noqa: BLE001 (whatever it is, the parent raises it)
        failure = _portable(error)
    finally:
        # Nothing of the parent may run here: no finally of its callers, no exit handler.
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, HANDED_ON)
            pipe.send((_ENDED, failure))
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(0)


def _portable(error: BaseException) -> BaseException:
    """Something that can be sent: errors of ours as they are, others with the traceback that is lost otherwise."""
    if isinstance(error, (PedalError, KeyboardInterrupt)):
        return type(error)(*error.args)
    return RuntimeError("".join(traceback.format_exception(error)))
