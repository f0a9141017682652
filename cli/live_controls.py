"""The controls of ``run``: those of the file, the keys of its terminal, and the socket of ``neuralpedal ctl``."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpedal.cli.console import note, warn
from neuralpedal.contract.errors import ControlError
from neuralpedal.device.controls.control_panel import ControlPanel
from neuralpedal.device.controls.control_settings import ControlSettings
from neuralpedal.device.controls.control_socket import socket_path
from neuralpedal.device.controls.control_table import all_limits
from neuralpedal.device.controls.keyboard import is_usable, stdin_descriptor
from neuralpedal.device.pedalboard import Pedalboard

if TYPE_CHECKING:
    from neuralpedal.cli.board_controls import BoardControls


def open_panel(board: Pedalboard, rows: Sequence[ControlSettings], end: Callable[[], None], socket: Path | None,
               headless: bool) -> ControlPanel:
    """Pins, MIDI, keys and socket of a board; they listen once the panel is started.

    A socket that was asked for must be had; without the usual one, which another pedal may have, the music plays on.

    Raises:
        ControlError: a pin, MIDI or the socket that was asked for is not to be had; all others are given back.
        SpecError: the socket's path is too long.
    """
    panel = ControlPanel(board.apply, board.status, lambda: board.pedal.heard, note, rows, all_limits())
    terminal = stdin_descriptor()
    with ExitStack() as stack:
        stack.callback(panel.close)
        panel.connect(terminal if not headless and terminal is not None and is_usable(terminal) else None, end)
        for source in _boards(board, rows, panel):
            panel.loop.add(source)
        try:
            panel.listen(socket_path(socket))
        except ControlError as error:
            if socket is not None:
                raise
            warn(f"{error}; `neuralpedal ctl` does not reach this one")
        stack.pop_all()
    return panel


def _boards(board: Pedalboard, rows: Sequence[ControlSettings], panel: ControlPanel) -> list["BoardControls"]:
    """The boards on serial lines that the rows are about, one for each port."""
    if not any(row.board for row in rows):
        return []
    from neuralpedal.cli.board_controls import BoardControls

    ports = dict.fromkeys(row.board.port for row in rows if row.board)
    return [BoardControls(port, rows, panel.loop.deliver, lambda: board.pedal.heard, lambda: shown_text(board), note)
            for port in ports]


def shown_text(board: Pedalboard) -> str:
    """What a small display shows: the preset's name, or what the tuner hears."""
    return str(board.tuner) if board.tuner.is_on else board.preset.name
