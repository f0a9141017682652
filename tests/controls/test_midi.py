"""What MIDI messages do, and a port that comes and goes; the library's place is taken by one that the test moves."""

import sys
from types import SimpleNamespace

import pytest

from neuralpedal.contract.errors import ControlError
from neuralpedal.device.action import Action, parse_action
from neuralpedal.device.controls.midi import Midi, MidiMapping
from neuralpedal.device.controls.value_range import ValueRange


class Cable:
    """In the place of python-rtmidi: ports by name, messages in a list."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.messages: list[list[int]] = []
        self.open: str | None = None
        self.breaks = False
        self.module = SimpleNamespace(
            API_LINUX_ALSA=1, API_UNIX_JACK=2, API_UNSPECIFIED=0, get_compiled_api=lambda: [1, 2],
            RtMidiError=type("RtMidiError", (Exception,), {}), MidiIn=lambda api, name, queue_size_limit: self)

    def get_ports(self) -> list[str]:
        if self.breaks:
            raise self.module.RtMidiError("the sequencer is gone")
        return self.names

    def open_port(self, place: int, name: str) -> None:
        self.open = self.names[place]

    def close_port(self) -> None:
        self.open = None

    def get_message(self) -> tuple[list[int], float] | None:
        return (self.messages.pop(0), 0.0) if self.open and self.messages else None

    def delete(self) -> None:
        self.open = None


class Rig:
    """A controller that is plugged in."""

    def __init__(self, cable: Cable, *mappings: MidiMapping, part: str = "") -> None:
        self.cable, self.now_s = cable, 0.0
        self.done: list[str] = []
        self.said: list[str] = []
        self.midi = Midi(part, mappings, self._deliver, self.said.append)

    def _deliver(self, action: Action, source: str) -> bool:
        self.done.append(f"{source}: {action}")
        return True

    def tend(self, seconds: float = 0.01) -> None:
        self.now_s += seconds
        self.midi.tend(self.now_s)

    def send(self, *data: int) -> list[str]:
        self.cable.messages.append([*data])
        self.tend()
        done, self.done = self.done, []
        return done


@pytest.fixture
def cable(monkeypatch) -> Cable:
    made = Cable()
    made.names = ["Midi Through:0", "nanoKONTROL2:0"]
    monkeypatch.setitem(sys.modules, "rtmidi", made.module)
    monkeypatch.delenv("RTMIDI_API", raising=False)
    return made


def test_program_changes_choose_presets_and_one_program_may_do_something_else(cable):
    rig = Rig(cable, MidiMapping(), MidiMapping(program=5, channel=2, press=parse_action("mute toggle")))
    assert rig.send(0xC0, 0) == ["midi program 0: preset 1"]
    assert rig.send(0xCF, 127) == ["midi program 127: preset 128"]
    assert rig.send(0xC1, 5) == ["midi program 5: preset 6", "midi program 5: mute toggle"]


def test_a_controller_sets_a_parameter_within_its_range_on_its_channel(cable):
    rig = Rig(cable, MidiMapping(controller=7, channel=16, parameter="bass", values=ValueRange(2.0, 8.0)))
    assert rig.send(0xBF, 7, 0) == ["midi cc 7: set bass 2"]
    assert rig.send(0xBF, 7, 127) == ["midi cc 7: set bass 8"]
    assert rig.send(0xBF, 7, 64) == [f"midi cc 7: set bass {2 + 6 * 64 / 127:.9g}"]
    assert rig.send(0xB0, 7, 64) == [] and rig.send(0xBF, 8, 64) == []


def test_a_momentary_switch_is_pressed_once_and_let_go_once(cable):
    rig = Rig(cable, MidiMapping(controller=64, press=parse_action("bypass off"), release=parse_action("bypass on")))
    assert rig.send(0xB0, 64, 10) == []
    assert rig.send(0xB0, 64, 64) == ["midi cc 64: bypass off"]
    assert rig.send(0xB0, 64, 127) == []
    assert rig.send(0xB1, 64, 127) == ["midi cc 64: bypass off"], "another channel is another switch"
    assert rig.send(0xB0, 64, 63) == ["midi cc 64: bypass on"]


def test_a_latching_switch_is_followed(cable):
    rig = Rig(cable, MidiMapping(controller=80, switch="mute"), MidiMapping(controller=81, switch="gate"))
    assert rig.send(0xB0, 80, 127) == ["midi cc 80: mute on"] and rig.send(0xB0, 80, 0) == ["midi cc 80: mute off"]
    assert rig.send(0xB0, 81, 127) == ["midi cc 81: set gate 1"]
    assert rig.send(0xB0, 81, 63) == ["midi cc 81: set gate 0"]


def test_notes_clocks_and_broken_messages_do_nothing(cable):
    rig = Rig(cable, MidiMapping(), MidiMapping(controller=7, switch="mute"))
    for data in ((0x90, 60, 100), (0xF8,), (0xB0, 7), (0xB0,), (7, 7), (0xB0, 7, 200), ()):
        assert rig.send(*data) == []
    assert rig.send(0xC0, 3) == ["midi program 3: preset 4"]


def test_a_port_that_is_unplugged_is_noted_once_looked_for_and_found_again(cable):
    rig = Rig(cable, MidiMapping(), part="nano")
    rig.tend()
    assert cable.open == "nanoKONTROL2:0" and rig.said == ["midi nano: nanoKONTROL2:0 is connected"]
    cable.names = ["Midi Through:0"]
    for _ in range(50):
        rig.tend(0.1)
    assert cable.open is None and len(rig.said) == 2 and "is gone; the music goes on" in rig.said[1]
    cable.names = ["Midi Through:0", "other:0", "nanoKONTROL2:1"]
    rig.tend(1.1)
    assert cable.open == "nanoKONTROL2:1" and len(rig.said) == 3
    assert rig.send(0xC0, 3) == ["midi program 3: preset 4"]


def test_a_port_that_is_not_there_yet_is_said(cable):
    cable.names = ["Midi Through:0"]
    rig = Rig(cable, MidiMapping())
    for _ in range(5):
        rig.tend(1.1)
    assert rig.said == ["midi: no such port yet; it is looked for, once a second"]


def test_a_system_that_fails_is_a_control_error(cable):
    rig = Rig(cable, MidiMapping())
    cable.breaks = True
    with pytest.raises(ControlError, match="the sequencer is gone"):
        rig.tend()


@pytest.mark.parametrize("missing", ["rtmidi", "mido"])
def test_what_is_not_installed_is_named_with_its_extra(cable, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ControlError, match=r"neuralpedal\[midi\]"):
        Rig(cable, MidiMapping())


def test_an_unknown_system_is_refused(cable, monkeypatch):
    monkeypatch.setenv("RTMIDI_API", "WINDOWS_MM")
    with pytest.raises(ControlError, match="wanted LINUX_ALSA or UNIX_JACK"):
        Rig(cable, MidiMapping())


def test_a_switch_that_was_held_when_the_port_went_is_pressed_anew_when_it_is_back(cable):
    rig = Rig(cable, MidiMapping(controller=64, press=Action("bypass", "on"), release=Action("bypass", "off")))
    rig.tend()
    assert rig.send(0xB0, 64, 127) == ["midi cc 64: bypass on"]
    names, cable.names = cable.names, []
    rig.tend(1.1)
    cable.names = names
    rig.tend(1.1)
    assert rig.send(0xB0, 64, 127) == ["midi cc 64: bypass on"]
