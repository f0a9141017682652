"""A MIDI input that may come and go: the one file that talks to python-rtmidi.

Messages are collected by RtMidi's own thread and fetched from there; no Python runs when one arrives, so that a
controller cannot get in the way of the audio thread. One client is kept for good and asked for its ports: a new one for
every look would come and go in the graph of a JACK server.
"""

import os
from collections.abc import Iterator
from typing import Any

from neuralpedal.contract.errors import ControlError
from neuralpedal.device.controls.library import library, reason_of

_QUEUE = 1024
_NOT_CONTROLLERS = ("midi through", "rtmidi")
_OWN_NAME = "neuralpedal"


class MidiPort:
    """The first input whose name contains a text.

    Args:
        part: of the name, in any case; empty: the first input that is no loop of the system.

    Attributes:
        connected: the name of the input; empty while there is none.

    Raises:
        ControlError: python-rtmidi is missing, or the machine has no MIDI.
    """

    def __init__(self, part: str = "") -> None:
        self._part, self.connected = part.casefold(), ""
        self._rtmidi = library("rtmidi", "python-rtmidi", "MIDI", "midi", "midi")
        try:
            # RTMIDI_API, as in python-rtmidi's own programs: LINUX_ALSA (what else is tried first) or UNIX_JACK.
            self._input = self._rtmidi.MidiIn(_api(self._rtmidi), name=_OWN_NAME, queue_size_limit=_QUEUE)
        except self._failures() as error:
            raise ControlError(f"midi: no MIDI on this machine ({reason_of(error)}); `modprobe snd-seq`, or set "
                               "RTMIDI_API=UNIX_JACK for a JACK server") from error

    def look(self) -> bool:
        """Connect if the port is there now, let go if it is gone; whether anything changed. Raises ControlError."""
        try:
            names = self._input.get_ports()
            if self.connected:
                if self.connected in names:
                    return False
                self._input.close_port()
                self.connected = ""
                return True
            for place, name in enumerate(names):
                if self._is_wanted(name):
                    self._input.open_port(place, "controls")
                    self.connected = name
                    return True
            return False
        except self._failures() as error:
            raise ControlError(f"midi: the system refuses ({reason_of(error)}); it is tried again") from error

    def messages(self) -> Iterator[list[int]]:
        """The bytes of each message that came since the last time. Raises ControlError."""
        for _ in range(_QUEUE):
            try:
                found = self._input.get_message()
            except self._failures() as error:
                raise ControlError(f"midi: the system refuses ({reason_of(error)}); it is tried again") from error
            if found is None:
                return
            yield found[0]

    def close(self) -> None:
        """Leave the system."""
        self._input.delete()

    def _is_wanted(self, name: str) -> bool:
        found = name.casefold()
        return self._part in found if self._part else not any(word in found for word in _NOT_CONTROLLERS)

    def _failures(self) -> tuple[type[BaseException], ...]:
        return (self._rtmidi.RtMidiError, OSError, SystemError, ValueError, RuntimeError, TypeError)


def _api(rtmidi: Any) -> int:
    name = os.environ.get("RTMIDI_API", "").upper()
    if not name:
        compiled = rtmidi.get_compiled_api()
        return int(rtmidi.API_LINUX_ALSA if rtmidi.API_LINUX_ALSA in compiled else rtmidi.API_UNSPECIFIED)
    found = getattr(rtmidi, f"API_{name}", None)
    if not isinstance(found, int):
        raise ControlError(f"RTMIDI_API={name}: wanted LINUX_ALSA or UNIX_JACK")
    return found
