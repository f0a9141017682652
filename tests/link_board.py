"""A board in this process: the link's C, a flash whose power can be cut, and a wire that can be damaged."""

import ctypes
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from neuralpedal.contract.errors import LinkError
from neuralpedal.firmware_bridge.compiler import compiler_command, run_compiler
from neuralpedal.firmware_bridge.player_sources import PlayerSettings, player_texts, player_units
from neuralpedal.firmware_bridge.target import WARNING_FLAGS, load_target

Damage = Callable[[bytes], bytes]

_ANSWER_BYTES = 1 << 16


class HostBoard:
    """``power(n)``: n more bytes of flash are written or erased, then none; ``start()``: as after power-up."""

    def __init__(self, folder: Path, flags: tuple[str, ...] = ("-O1",)) -> None:
        texts = player_texts(PlayerSettings(int16_audio=True))
        texts["link_host.c"] = Path(__file__).with_name("link_host.c").read_text()
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        host, library = load_target("host"), folder / "board.so"
        run_compiler([*compiler_command(host), *host.flags, "-std=c11", *WARNING_FLAGS, *flags, "-shared", "-fPIC",
                      *player_units(texts), "-o", str(library)], folder)
        self.c = ctypes.CDLL(str(library))
        self.c.host_take.restype = ctypes.c_size_t
        self.c.host_text.restype = ctypes.c_char_p
        self.c.host_flash.restype = ctypes.c_void_p
        self.c.host_flash_bytes.restype = ctypes.c_size_t
        self._answer = (ctypes.c_uint8 * _ANSWER_BYTES)()
        self.renew()

    def renew(self) -> None:
        """An empty board."""
        self.power(-1)
        self.c.host_erase()
        self.start()

    def start(self) -> None:
        """As after power-up."""
        self.c.host_start()

    def power(self, count: int) -> None:
        """Bytes of flash until it is gone; -1 for no end."""
        self.c.host_power(ctypes.c_long(count))

    def take(self, received: bytes) -> bytes:
        """What it answers to these bytes."""
        count = self.c.host_take(received, ctypes.c_size_t(len(received)), self._answer)
        return ctypes.string_at(self._answer, count)

    def flash(self) -> bytes:
        """All of it."""
        return ctypes.string_at(self.c.host_flash(), self.c.host_flash_bytes())

    def set_flash(self, content: bytes) -> None:
        """Write all of it."""
        ctypes.memmove(self.c.host_flash(), content, len(content))

    def play(self, dry: np.ndarray) -> np.ndarray:
        """Live audio, int16."""
        samples, wet = np.ascontiguousarray(dry, np.int16), np.empty(len(dry), np.int16)
        self.c.host_play(samples.ctypes.data_as(ctypes.c_void_p), wet.ctypes.data_as(ctypes.c_void_p),
                         ctypes.c_size_t(len(dry)))
        return wet


class HostPort:
    """A wire to it. ``down`` and ``up``: what becomes of bytes to the board and from it."""

    def __init__(self, board: HostBoard, down: Damage = bytes, up: Damage = bytes) -> None:
        self.name, self._board, self._down, self._up = "host", board, down, up
        self._waiting, self.is_cut = b"", False

    def write(self, data: bytes) -> None:
        if self.is_cut:
            raise LinkError("host: the line is gone (pulled); plug the board in and try again")
        self._waiting += self._up(self._board.take(self._down(data)))

    def read(self, timeout_s: float) -> bytes:
        if self.is_cut:
            raise LinkError("host: the line is gone (pulled); plug the board in and try again")
        received, self._waiting = self._waiting, b""
        if not received:
            time.sleep(min(timeout_s, 0.002))
        return received

    def close(self) -> None:
        """Bytes under way are lost."""
        self._waiting = b""
