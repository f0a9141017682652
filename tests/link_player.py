"""The board's player as a shared library of this machine: bytes of a blob and samples in, samples out."""

import ctypes
from pathlib import Path
from typing import Any

import numpy as np

from neuralpedal.firmware_bridge.compiler import compiler_command, run_compiler
from neuralpedal.firmware_bridge.player_sources import PlayerSettings, player_texts, player_units
from neuralpedal.firmware_bridge.target import WARNING_FLAGS, load_target

_ALIGNMENT = 8


class CCapacity(ctypes.Structure):
    """pedal_capacity."""

    _fields_ = [("arithmetics", ctypes.c_uint32), ("sample_rate_hz", ctypes.c_uint32), ("hidden", ctypes.c_uint16),
                ("layers", ctypes.c_uint8), ("samples", ctypes.c_uint8)]


class PlayerLibrary:
    """Compiled once, played as often as wanted."""

    def __init__(self, folder: Path, int16: bool, flags: tuple[str, ...] = ("-O1",)) -> None:
        texts = player_texts(PlayerSettings(int16))
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        host, library = load_target("host"), folder / "player.so"
        run_compiler([*compiler_command(host), *host.flags, *WARNING_FLAGS, *flags, "-shared", "-fPIC",
                      *player_units(texts), "-o", str(library)], folder)
        self.c = ctypes.CDLL(str(library))
        self.c.pedal_player_capacity.restype = CCapacity
        self._dtype: Any = np.int16 if int16 else np.float32
        self._blob = (ctypes.c_uint8 * 512)()

    def choose(self, content: bytes, room: int | None = None) -> int:
        """Read and choose a blob: 0, or the fault."""
        capacity = self.c.pedal_player_capacity()
        # Behind the blob lies what must not be read, and it begins where a slot would.
        self._memory = np.zeros(len(content) + _ALIGNMENT, np.uint8)
        start = -self._memory.ctypes.data % _ALIGNMENT
        self._memory[start : start + len(content)] = np.frombuffer(content, np.uint8)
        fault = int(self.c.pedal_blob_read(self._blob, ctypes.c_void_p(self._memory.ctypes.data + start),
                                           ctypes.c_size_t(len(content) if room is None else room),
                                           ctypes.byref(capacity)))
        if not fault:
            self.c.pedal_player_choose(self._blob)
        return fault

    def play(self, dry: np.ndarray, block: int = 64) -> np.ndarray:
        """In blocks of one size."""
        samples = np.ascontiguousarray(dry, self._dtype)
        wet = np.empty_like(samples)
        for start in range(0, len(samples), block):
            part, heard = samples[start : start + block], wet[start : start + block]
            self.c.pedal_player_process(part.ctypes.data_as(ctypes.c_void_p), heard.ctypes.data_as(ctypes.c_void_p),
                                        ctypes.c_size_t(len(part)))
        return wet
