"""What people see of the tuner: `ctl tuner`, the view's needle, a board's display."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralpedal.cli.live_controls import shown_text
from neuralpedal.cli.live_view import tuner_text
from neuralpedal.device.action import parse_action
from neuralpedal.device.pedal_file import PresetSettings
from neuralpedal.device.pedalboard import Pedalboard
from neuralpedal.device.voice import Voice
from signals import RATE_HZ
from toy_engines import ToyEngine

Cli = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.device


@pytest.fixture
def board() -> Pedalboard:
    return Pedalboard([Voice(ToyEngine(64), PresetSettings(name="clean", model="clean"))])


@pytest.fixture
def pedal(board: Pedalboard, tmp_path: Path) -> Iterator[Path]:
    """A socket that says the board's status, whatever it is asked."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "ctl.sock"))
    listener.listen()

    def answer() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1024)
                connection.sendall(json.dumps({"ok": True, "status": board.status()}).encode() + b"\n")

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield tmp_path / "ctl.sock"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5.0)


def play(board: Pedalboard, frequency_hz: float) -> None:
    dry = np.sin(2 * np.pi * frequency_hz * np.arange(16_384) / RATE_HZ).astype(np.float32)
    for block in dry.reshape(-1, 64):
        board.pedal.process(block, np.empty_like(block))
    board.tend()


def test_ctl_says_note_and_cents_or_how_to_switch_the_tuner_on(board: Pedalboard, pedal: Path, cli: Cli) -> None:
    code, _, errors = cli("ctl", "--socket", pedal, "tuner")
    assert code == 1 and "the tuner is off" in errors and "ctl tuner mute" in errors
    board.apply(parse_action("tuner on"))
    assert cli("ctl", "--socket", pedal, "tuner")[:2] == (0, "no note: play one string\n")
    play(board, 82.407 * 2 ** (-3.2 / 1200))
    assert cli("ctl", "--socket", pedal, "tuner")[:2] == (0, "E2 -3.2 cents (82.25 Hz)\n")
    code, text, _ = cli("ctl", "--socket", pedal, "tuner", "--json")
    assert json.loads(text) == {"note": "E2", "cents": -3.2, "frequency_hz": 82.25}
    assert cli("ctl", "--socket", pedal, "tuner", "loud")[0] == 2


def test_a_display_shows_the_tuner_in_place_of_the_preset(board: Pedalboard) -> None:
    assert shown_text(board) == "clean"
    board.apply(parse_action("tuner mute"))
    assert shown_text(board) == "tuner: –"
    play(board, 440.0 * 2 ** (17.0 / 1200))
    assert shown_text(board) == "tuner: A4 +17 cents"
    board.apply(parse_action("tuner off"))
    assert shown_text(board) == "clean"


@pytest.mark.parametrize(("cents", "place"), [(0.0, 10), (-50.0, 0), (50.0, 20), (-5.0, 9), (24.0, 15)])
def test_the_needle_of_the_view_stands_where_the_cents_say(cents: float, place: int) -> None:
    reading: dict[str, Any] = {"note": "E2", "cents": cents, "frequency_hz": 82.4}
    assert tuner_text(reading)[4:25].index("▲") == place
    assert "play one string" in tuner_text({"note": None, "cents": None, "frequency_hz": None})
