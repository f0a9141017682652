"""A serial port: pyserial's, or a socket of this machine, such as an emulator's. All talk to either stands here."""

import select
import socket
import time
from typing import Protocol

from neuralpedal.contract.errors import LinkError

UNIX = "unix:"
BAUD = 1_000_000
"""Of a real UART; USB ignores it."""


class Port(Protocol):
    """A line to a board. Every method raises LinkError when it is gone."""

    name: str

    def write(self, data: bytes) -> None:
        """Send all of it, within the port's time-out."""

    def read(self, timeout_s: float) -> bytes:
        """What has come, at least a byte; empty after ``timeout_s``."""

    def close(self) -> None:
        """Let go of it; twice is fine."""


def open_port(name: str, timeout_s: float = 5.0) -> Port:
    """A device (``/dev/ttyACM0``), a URL that pyserial knows, or ``unix:PATH``. Raises LinkError."""
    return _SocketPort(name, timeout_s) if name.startswith(UNIX) else _SerialPort(name, timeout_s)


class _SerialPort:
    def __init__(self, name: str, timeout_s: float) -> None:
        try:
            import serial
        except ImportError as error:
            raise LinkError("pyserial is missing; pip install 'neuralpedal[link]'") from error
        self.name, self._error = name, (serial.SerialException, OSError, ValueError)
        try:
            self._serial = serial.serial_for_url(name, baudrate=BAUD, timeout=0, write_timeout=timeout_s,
                                                 exclusive=True)
        except self._error as error:
            raise LinkError(f"{name}: cannot be opened ({error}); is the board plugged in, and is no other program "
                            "using it?") from error

    def write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except self._error as error:
            raise _gone(self.name, error) from error

    def read(self, timeout_s: float) -> bytes:
        try:
            self._serial.timeout = timeout_s
            first = self._serial.read(1)
            return bytes(first + self._serial.read(self._serial.in_waiting)) if first else b""
        except (*self._error, TypeError) as error:
            raise _gone(self.name, error) from error

    def close(self) -> None:
        self._serial.close()


class _SocketPort:
    def __init__(self, name: str, timeout_s: float) -> None:
        self.name, self._socket = name, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(name.removeprefix(UNIX))
        except OSError as error:
            self._socket.close()
            raise LinkError(f"{name}: cannot be opened ({error.strerror or error}); is the emulator running?"
                            ) from error

    def write(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise _gone(self.name, error) from error

    def read(self, timeout_s: float) -> bytes:
        try:
            ready, _, _ = select.select([self._socket], [], [], max(timeout_s, 0.0))
            received = self._socket.recv(65536) if ready else b""
        except (OSError, ValueError) as error:
            raise _gone(self.name, error) from error
        if ready and not received:
            raise LinkError(f"{self.name}: the other side has closed the line; start it and try again")
        return received

    def close(self) -> None:
        self._socket.close()


def _gone(name: str, error: Exception) -> LinkError:
    return LinkError(f"{name}: the line is gone ({error}); plug the board in and try again")


def now_s() -> float:
    """A clock that never goes back."""
    return time.monotonic()
