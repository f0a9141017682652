"""A board as foot-controller: its switches and knobs do what pedal.yaml says, its lights and display answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from link_board import HostBoard, HostPort
from neuralpedal.cli.board_controls import BoardControls
from neuralpedal.contract.errors import LinkError
from neuralpedal.device.action import Action
from neuralpedal.device.controls.control_settings import ControlSettings
from neuralpedal.device.pedal import Heard
from neuralpedal.firmware_bridge.link.board import Board

pytestmark = pytest.mark.usefixtures("c_compiler")

ROWS: list[dict[str, Any]] = [
    {"board": {"port": "host", "switch": 0}, "press": "bypass toggle", "hold": "preset next", "hold_ms": 500},
    {"board": {"port": "host", "switch": 1}, "press": "mute on", "release": "mute off"},
    {"board": {"port": "host", "knob": 2}, "set": "output_gain_db", "range": [-20, 0]},
    {"board": {"port": "host", "light": 3}},
    {"board": {"port": "host", "text": 1}},
    {"board": {"port": "another", "switch": 0}, "press": "save"},
]


class Rig:
    """A board, what was asked of the pedal, and a clock that moves when it is told to."""

    def __init__(self, host: HostBoard) -> None:
        self.host, self.now_s = host, 0.0
        self.asked: list[Action] = []
        self.told: list[str] = []
        self.light, self.preset = Heard.EFFECT, "clean"
        self.port = HostPort(host)
        self.controls = BoardControls("host", [ControlSettings.model_validate(row) for row in ROWS], self._deliver,
                                      lambda: self.light, lambda: self.preset, self.told.append, self._connect,
                                      lambda: self.now_s)

    def _deliver(self, action: Action, source: str) -> bool:
        assert source.startswith("board host ")
        self.asked.append(action)
        return True

    def _connect(self, name: str) -> Board:
        return Board(name, 0.02, lambda _: self.port)

    def after(self, seconds: float) -> list[Action]:
        """What is asked in so many seconds; events are on the wire."""
        self.port._waiting += self.host.take(b"")
        for _ in range(4):
            self.controls.turn()
        self.now_s += seconds
        self.controls.turn()
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    found = Rig(HostBoard(tmp_path))
    assert found.controls.turn()
    yield found
    found.controls.close()


def test_switches_press_hold_and_release_as_the_file_says(rig: Rig) -> None:
    rig.host.c.host_switch(0, 1)
    assert rig.after(0.1) == []
    rig.host.c.host_switch(0, 0)
    assert rig.after(0.1) == [Action("bypass", "toggle")]
    rig.host.c.host_switch(0, 1)
    assert rig.after(0.1) == [] and rig.after(0.5) == [Action("preset", "next")]
    rig.host.c.host_switch(0, 0)
    assert rig.after(0.1) == []
    rig.host.c.host_switch(1, 1)
    assert rig.after(0.1) == [Action("mute", "on")]
    rig.host.c.host_switch(1, 0)
    assert rig.after(0.1) == [Action("mute", "off")]


def test_a_knob_sets_its_parameter_between_the_two_ends(rig: Rig) -> None:
    for position, value in ((65535, 0.0), (0, -20.0), (13107, -16.0)):
        rig.host.c.host_knob(2, position)
        (action,) = rig.after(0.0)
        assert (action.verb, action.target) == ("set", "output_gain_db") and action.value == pytest.approx(value)


def test_lights_and_the_display_follow_the_pedal(rig: Rig) -> None:
    assert rig.host.c.host_light(3) == 1 and rig.host.c.host_text(1) == b"clean"
    rig.light, rig.preset = Heard.BYPASSED, "Fuzz Über alles"
    rig.after(0.0)
    assert rig.host.c.host_light(3) == 0 and rig.host.c.host_text(1).decode() == "Fuzz Über alles"


def test_a_board_that_was_reset_or_pulled_is_found_again_and_told_once(rig: Rig) -> None:
    rig.host.start()
    rig.light = Heard.BYPASSED
    rig.after(0.0)
    assert len(rig.told) == 2 and "started again" in rig.told[0] and "is connected" in rig.told[1]
    rig.port.is_cut = True
    for _ in range(3):
        assert rig.controls.turn() is False
    rig.port.is_cut = False
    assert rig.controls.turn() and len(rig.told) == 4 and "line is gone" in rig.told[2]
    rig.host.c.host_switch(1, 1)
    assert rig.after(0.1) == [Action("mute", "on")]


def test_a_press_whose_event_was_lost_is_seen_with_the_next_one(rig: Rig) -> None:
    rig.host.c.host_knob(2, 1)
    rig.after(0.0)
    rig.host.c.host_switch(1, 1)
    rig.host.take(b"")  # lost
    rig.host.c.host_knob(2, 2)
    assert Action("mute", "on") in rig.after(0.1)


def test_a_board_that_is_not_there_is_no_error_of_run(rig: Rig) -> None:
    def none(name: str) -> Board:
        raise LinkError(f"{name}: cannot be opened")

    told: list[str] = []
    controls = BoardControls("none", [], lambda *_: True, lambda: Heard.EFFECT, lambda: "", told.append, none)
    assert not controls.turn() and not controls.turn() and len(told) == 1
    controls.close()


@pytest.mark.parametrize(("row", "complaint"), [
    ({"board": {"port": "x"}}, "one of them"), ({"board": {"port": "x", "switch": 0}}, "does nothing"),
    ({"board": {"port": "x", "switch": 0, "knob": 1}, "press": "save"}, "one of them"),
    ({"board": {"port": "x", "knob": 0}}, "wanted set"),
    ({"board": {"port": "x", "light": 0}, "press": "save"}, "together"),
    ({"board": {"port": "x", "knob": 0}, "press": "save"}, "together")])
def test_a_row_about_a_board_that_makes_no_sense_is_refused(row: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        ControlSettings.model_validate(row)
