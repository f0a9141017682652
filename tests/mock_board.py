"""A Raspberry Pi's pins without a Raspberry Pi: gpiozero's mock pins, and an MCP3008 that is made of them.

Run as a program it is ``neuralpedal`` with such pins, moved by lines on stdin (``low 17``, ``high 17``, ``adc 0 512``,
``state 27``), each answered on stdout once it is done.
"""

import os
import sys
import threading

import gpiozero
from gpiozero.pins.mock import MockFactory, MockSPIDevice


class MockConverter(MockSPIDevice):
    """An MCP3008 on the pins of SPI 0: start bit, single-ended bit and three of the channel in, ten bits out."""

    values: dict[int, int]

    def on_bit(self) -> None:
        """Answer after the last bit of the channel."""
        if self.rx_bit == 12:
            channel = sum(int(bit) << place for place, bit in enumerate(reversed(self.rx_buf[-3:])))
            self.tx_buf.clear()
            self.tx_word(self.values.get(channel, 0), 12)


class MockBoard:
    """Pins and converter of one process; gpiozero uses them from now on."""

    def __init__(self) -> None:
        self.factory = gpiozero.Device.pin_factory = MockFactory()
        self.converter: MockConverter | None = None
        self._values: dict[int, int] = {}

    def low(self, pin: int) -> None:
        """As a closed contact to ground."""
        self.factory.pin(pin).drive_low()

    def high(self, pin: int) -> None:
        """As an open contact."""
        self.factory.pin(pin).drive_high()

    def state(self, pin: int) -> bool:
        """Of a pin that the pedal drives."""
        return bool(self.factory.pin(pin).state)

    def adc(self, channel: int, value: int) -> None:
        """Turn a knob: 0 to 1023."""
        if self.converter is None:
            self.converter = MockConverter(11, 10, 9, 8, pin_factory=self.factory)
            self.converter.values = self._values
        self._values[channel] = value


def _serve(board: MockBoard) -> None:
    for line in sys.stdin:
        word, *numbers = line.split()
        answer = getattr(board, word)(*map(int, numbers))
        print(int(answer) if answer is not None else "done", flush=True)


if __name__ == "__main__":
    from neuralpedal.cli.main import run

    rig = MockBoard()
    rig.adc(0, 0)
    # What plays is a fork of this process; a thread stays behind.
    os.register_at_fork(after_in_child=lambda: threading.Thread(target=_serve, args=(rig,), daemon=True).start())
    code = run(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
