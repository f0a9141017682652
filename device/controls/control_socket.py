"""Where a running pedal listens to scripts, and how they talk: one line asks, one line of JSON answers.

A line is an action (``bypass toggle``), ``status`` or ``watch``; UTF-8, ``LONGEST_LINE`` bytes at most. Answers are
``{"ok": true, "done": …, "status": {…}}`` or ``{"ok": false, "error": …, "usage": …}``; ``usage`` tells a wrong wish
from a pedal that cannot. ``watch`` is answered with a status at once and with another one after every change.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from neuralpedal.contract.errors import SpecError

LONGEST_LINE = 1024
LONGEST_ANSWER = 1 << 16
STATUS, WATCH = "status", "watch"

VARIABLE = "NEURALPEDAL_SOCKET"
SERVICE_SOCKET = Path("/run/neuralpedal/ctl.sock")
"""Of the service of the whole machine, as `neuralpedal install-service` makes it: a service has another runtime folder
and mostly another /tmp than whoever calls it."""

_LONGEST_PATH = 107
"""What Linux has room for in the address of a Unix socket."""


def socket_path(given: Path | None = None) -> Path:
    """The given path, that of $NEURALPEDAL_SOCKET, or ctl.sock in the user's own runtime folder.

    Raises:
        SpecError: the path is longer than a socket's may be.
    """
    named = os.environ.get(VARIABLE)
    path = (given or (Path(named) if named else _runtime_folder() / "ctl.sock")).absolute()
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise SpecError(f"{path}: {len(os.fsencode(path))} bytes, wanted {_LONGEST_PATH} at most for a socket; choose "
                        "a shorter --socket")
    return path


def places_to_look(given: Path | None = None) -> Sequence[Path]:
    """Where a running pedal may listen, the likeliest first: :func:`socket_path`, and the service's if none was named.

    Raises:
        SpecError: as :func:`socket_path`.
    """
    is_named = given is not None or bool(os.environ.get(VARIABLE))
    return (socket_path(given), *(() if is_named else (SERVICE_SOCKET,)))


def _runtime_folder() -> Path:
    folder = os.environ.get("XDG_RUNTIME_DIR")
    return Path(folder) / "neuralpedal" if folder else Path(tempfile.gettempdir()) / f"neuralpedal-{os.getuid()}"
