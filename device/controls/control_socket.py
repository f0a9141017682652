"""Where a running pedal listens to scripts, and how they talk: one line asks, one line of JSON answers.

A line is an action (``bypass toggle``), ``status`` or ``watch``; UTF-8, ``LONGEST_LINE`` bytes at most. Answers are
``{"ok": true, "done": …, "status": {…}}`` or ``{"ok": false, "error": …, "usage": …}``; ``usage`` tells a wrong wish
from a pedal that cannot. ``watch`` is answered with a status at once and with another one after every change.
"""

import os
import tempfile
from pathlib import Path

from neuralpedal.contract.errors import SpecError

LONGEST_LINE = 1024
LONGEST_ANSWER = 1 << 16
STATUS, WATCH = "status", "watch"

_VARIABLE = "NEURALPEDAL_SOCKET"
_LONGEST_PATH = 107
"""What Linux has room for in the address of a Unix socket."""


def socket_path(given: Path | None = None) -> Path:
    """The given path, that of $NEURALPEDAL_SOCKET, or ctl.sock in the user's own runtime folder.

    Raises:
        SpecError: the path is longer than a socket's may be.
    """
    named = os.environ.get(_VARIABLE)
    path = (given or (Path(named) if named else _runtime_folder() / "ctl.sock")).absolute()
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise SpecError(f"{path}: {len(os.fsencode(path))} bytes, wanted {_LONGEST_PATH} at most for a socket; choose "
                        "a shorter --socket")
    return path


def _runtime_folder() -> Path:
    folder = os.environ.get("XDG_RUNTIME_DIR")
    return Path(folder) / "neuralpedal" if folder else Path(tempfile.gettempdir()) / f"neuralpedal-{os.getuid()}"
