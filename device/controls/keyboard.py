"""Keys of the terminal that ``run`` was started in: each alone, without Enter, and without being printed.

The terminal is given back as it was found: at ``close``, and should even that be left out, when Python exits. Only the
process in the terminal's foreground may read it; in the background keys are left alone.
"""

import atexit
import os
import re
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from neuralpedal.contract.errors import ControlError
from neuralpedal.device.action import Action, parse_action
from neuralpedal.device.controls.source import IDLE_S, Deliver

END, HELP = "q", "?"

USUAL_KEYS: dict[str, str] = {
    " ": "bypass toggle", "m": "mute toggle", "n": "preset next", "p": "preset previous",
    **{str(number % 10): f"preset {number}" for number in range(1, 11)},
    "+": "turn output_gain_db +1", "-": "turn output_gain_db -1", "s": "save", "t": "tuner toggle",
}
"""What keys do unless ``controls:`` says otherwise; 0 is the tenth preset."""

HELP_TEXT = ("space bypass, 1…9 0 preset, n p next and previous, m mute, t tuner, + − output gain, s save, q end, "
             "? this help")

_MOST_BYTES = 64
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;]*[@-~]|O.|.)?", re.DOTALL)
"""What arrows and function keys send: an escape and letters, which are not the keys of these letters."""


class Keyboard:
    """One terminal.

    Args:
        actions: by key, one character each; ``END`` and ``HELP`` are told by ``end`` and ``show_help``.
        terminal: its file descriptor.
    """

    _found: list[Any] | None

    name = "keyboard"

    def __init__(self, actions: Mapping[str, Action], deliver: Deliver, end: Callable[[], None],
                 show_help: Callable[[], None], terminal: int) -> None:
        self._actions, self._deliver = dict(actions), deliver
        self._end, self._show_help, self._terminal = end, show_help, terminal
        self._is_open, self._found = True, None

    def descriptors(self) -> list[int]:
        """The terminal's, until it hangs up."""
        return [self._terminal] if self._is_open and _is_in_foreground(self._terminal) else []

    def tend(self, now_s: float) -> float:
        """Take the terminal, the first time; do what the keys say that were pressed."""
        if self._found is None:
            self._take()
        if self.descriptors() and select.select([self._terminal], [], [], 0.0)[0]:
            try:
                pressed = os.read(self._terminal, _MOST_BYTES)
            except OSError:
                pressed = b""
            # A terminal that was closed is readable for ever.
            self._is_open = pressed != b""
            self._answer(pressed)
        return IDLE_S

    def close(self) -> None:
        """The terminal is as it was found."""
        self._restore()
        atexit.unregister(self._restore)

    def _take(self) -> None:
        try:
            found = termios.tcgetattr(self._terminal)
            atexit.register(self._restore)
            self._found = found
            tty.setcbreak(self._terminal, termios.TCSANOW)
        except (termios.error, OSError) as error:
            raise ControlError(f"keyboard: stdin is no terminal that gives its keys ({error})") from error

    def _answer(self, pressed: bytes) -> None:
        for key in _ESCAPES.sub("", pressed.decode(errors="ignore")):
            if key in self._actions:
                self._deliver(self._actions[key], f"key {'space' if key == ' ' else key}")
            elif key == END:
                self._end()
            elif key == HELP:
                self._show_help()

    def _restore(self) -> None:
        found, self._found = self._found, None
        if found is not None:
            _set(self._terminal, found)


def usual_actions() -> dict[str, Action]:
    """Those of ``USUAL_KEYS``."""
    return {key: parse_action(text) for key, text in USUAL_KEYS.items()}


def is_usable(terminal: int) -> bool:
    """Whether a file descriptor is a terminal in whose foreground this process is."""
    return os.isatty(terminal) and _is_in_foreground(terminal)


def stdin_descriptor() -> int | None:
    """That of stdin; None where there is none."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return None


@contextmanager
def given_back(terminal: int | None) -> Iterator[None]:
    """A terminal is afterwards as it was before, even if a process in between was killed that had changed it."""
    try:
        found = termios.tcgetattr(terminal) if terminal is not None and is_usable(terminal) else None
    except (termios.error, OSError):
        found = None
    try:
        yield
    finally:
        if found is not None and terminal is not None:
            _set(terminal, found)


def _set(terminal: int, found: list[Any]) -> None:
    try:
        # In the background setting it would stop this process; there the shell has its own.
        if _is_in_foreground(terminal) and termios.tcgetattr(terminal) != found:
            termios.tcsetattr(terminal, termios.TCSADRAIN, found)
    except (termios.error, OSError):
        # It is gone, and nobody can see it.
        return


def _is_in_foreground(terminal: int) -> bool:
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
