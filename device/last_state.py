"""Where the pedal stood when it was switched off: a small file that a power cut leaves as it was or as it shall be.

It is written a second after the last change, so that a knob that is turned does not wear out a memory card, and always
under another name first. A file that cannot be read is no reason to stay silent on stage: the pedal begins as
``pedal.yaml`` says, and says so.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neuralpedal.contract.atomic import write_json
from neuralpedal.contract.errors import OutputError

_FORMAT = 1
_QUIET_S, _LONGEST_S = 1.0, 5.0
_MAX_BYTES = 1 << 20

State = dict[str, Any]


class LastState:
    """One such file.

    Args:
        path: of the file. warn: is told in one line what went wrong. clock: seconds.
    """

    def __init__(self, path: Path, warn: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._warn, self._clock = path, warn, clock
        self._written: State | None = None
        self._seen: State | None = None
        self._changed_s = self._dirty_s = 0.0
        self._failed = False

    def read(self) -> State | None:
        """What was kept, unchecked but for its form; None if there is nothing that can be used."""
        try:
            if self._path.stat().st_size > _MAX_BYTES:
                raise ValueError("too long")
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if not isinstance(content, dict) or content.get("format") != _FORMAT:
                raise ValueError("of another format")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            self._warn(f"{self._path}: the last state cannot be read ({error}); starting as the settings say")
            return None
        state = {key: value for key, value in content.items() if key != "format"}
        self._written = self._seen = state
        return state

    def note(self, state: State) -> None:
        """This is how things stand: written when they have stood so for a second, or have changed for five."""
        now = self._clock()
        if state != self._seen:
            if self._seen == self._written:
                self._dirty_s = now
            self._seen, self._changed_s = state, now
        if self._seen != self._written and (now - self._changed_s >= _QUIET_S or now - self._dirty_s >= _LONGEST_S):
            self.write()

    def write(self) -> None:
        """Write what was noted last, if it is not there yet. A disk that refuses is said once."""
        if self._seen is None or self._seen == self._written:
            return
        try:
            write_json(self._path, {"format": _FORMAT, **self._seen})
        except OutputError as error:
            if not self._failed:
                self._warn(f"{error}; the last state is not kept")
            self._failed = True
        else:
            self._failed = False
        # Where it cannot be written, not ten times a second either.
        self._written = self._seen
