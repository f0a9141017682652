"""Keeps a pedal playing when its card goes: another process plays on as soon as there is one again."""

import signal
import time
from types import FrameType
from typing import Any

from neuralpedal.cli.console import note, warn
from neuralpedal.cli.player_process import HANDED_ON, Play, PlayerProcess
from neuralpedal.cli.signal_handlers import handled
from neuralpedal.contract.errors import AudioDeviceError, DeviceError

_GLANCE_S = 0.05
_MOST_CRASHES = 5


class Backoff:
    """Pauses between attempts: 0.25 s, then twice as long, 5 s at most; after ten good seconds from the start."""

    FIRST_S, LONGEST_S, GOOD_S = 0.25, 5.0, 10.0

    def __init__(self) -> None:
        self._next_s = self.FIRST_S

    def pause_s(self, played_s: float) -> float:
        """Before the next attempt, after one that played so long."""
        if played_s >= self.GOOD_S:
            self._next_s = self.FIRST_S
        pause_s, self._next_s = self._next_s, min(self.LONGEST_S, 2.0 * self._next_s)
        return pause_s


class PlayerKeeper:
    """See the module.

    Args:
        play: a turn, in a process of its own. What it remembers is the next one's.
        seconds: how long to play, pauses included; None: until SIGINT or SIGTERM.
    """

    def __init__(self, play: Play, seconds: float | None = None) -> None:
        self._play, self._seconds = play, seconds
        self._player: PlayerProcess | None = None
        self._memory: dict[str, Any] | None = None
        self._first_sound_s = self._turn_sound_s = 0.0
        self._early: list[int] = []
        self._stopping, self._sounds, self._crashes = False, False, 0

    def play(self) -> None:
        """Play turns until it is time, or the end of one says that all is over.

        Raises:
            AudioDeviceError: the card was not there at the start. DeviceError: what plays crashes again and again.
            Others: of a turn.
        """
        backoff, number = Backoff(), 0
        with handled(dict.fromkeys(HANDED_ON, self._hand_on)):
            while not self._stopping and self._left_s() != 0.0:
                failure = self._take_turn(number)
                if failure is None:
                    return
                self._check(failure)
                now = time.monotonic()
                pause_s = backoff.pause_s(now - self._turn_sound_s if self._sounds else 0.0)
                told = str(failure).partition("; ")[0]
                warn(f"{now - self._first_sound_s:.1f} s: {told}; trying again in {pause_s:g} s, models stay loaded")
                self._rest(pause_s)
                number += 1
        note("ended while there was no sound card")

    def _take_turn(self, number: int) -> BaseException | None:
        self._sounds = False
        self._player = PlayerProcess(self._play, number, self._left_s(), self._memory)
        # What came between the fork and now, when there was nobody to hand it to.
        while self._early:
            self._player.send(self._early.pop(0))
        try:
            return self._player.wait(self._remember)
        finally:
            self._player = None

    def _check(self, failure: BaseException) -> None:
        """Raise what no other attempt can mend."""
        is_crash = isinstance(failure, DeviceError) and not isinstance(failure, AudioDeviceError)
        self._crashes = self._crashes + 1 if is_crash else 0
        if self._memory is None or not isinstance(failure, DeviceError) or self._crashes >= _MOST_CRASHES:
            raise failure

    def _left_s(self) -> float | None:
        if self._seconds is None or self._memory is None:
            return self._seconds
        return max(0.0, self._seconds - (time.monotonic() - self._first_sound_s))

    def _remember(self, memory: dict[str, Any]) -> None:
        now = time.monotonic()
        if self._memory is None:
            self._first_sound_s = now
        if not self._sounds:
            self._sounds, self._turn_sound_s = True, now
        self._memory = memory

    def _rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopping and self._left_s() != 0.0 and time.monotonic() < end:
            time.sleep(_GLANCE_S)

    def _hand_on(self, number: int, _frame: FrameType | None) -> None:
        if number in (signal.SIGINT, signal.SIGTERM):
            self._stopping = True
        if self._player:
            self._player.send(number)
        else:
            self._early.append(number)
