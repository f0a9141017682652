"""The engine that plays a pedal compiled for this machine: a shared library that ``firmware_bridge`` built and proved.

The library is loaded by path, and only after it answered golden audio to the last bit as it did when it was proved.
"""

from pathlib import Path
from typing import Any

import numpy as np
from cffi import FFI

from neuralpedal.contract.errors import DeviceError, ModelFileError
from neuralpedal.contract.native_library import NativeLibrary, read_native_library
from neuralpedal.contract.tflite_file import read_manifest
from neuralpedal.device.engine import Block, Engine

_DECLARATIONS = """
void pedal_init(void *state);
void pedal_reset(void *state);
void pedal_process(void *state, const void *in, void *out, size_t n);
"""
_ALIGNMENT_BYTES = 64
_PROOF_BLOCK = 64


class NativeEngine(Engine):
    """See :class:`Engine`. Gains and skip are inside the library.

    Args:
        path: the ``.tflite`` that the library was made from. library: its folder.

    Raises:
        ModelFileError: another model or processor, a damaged library, or one that does not play as it should.
        DeviceError: the library does not load.
    """

    def __init__(self, path: Path, block_size: int, library: Path) -> None:
        self.manifest = read_manifest(path)
        self.block_size = block_size
        found = read_native_library(library, path)
        self.description = f"native ({found.kernel})"
        self._ffi = FFI()
        self._ffi.cdef(_DECLARATIONS)
        try:
            self._library: Any = self._ffi.dlopen(str(found.library.resolve()))
            self._play = self._library.pedal_process
        except (OSError, AttributeError) as error:
            raise DeviceError(f"{found.library}: does not load ({error}); remove {library}, and it is made again"
                              ) from error
        self._memory = np.zeros(found.state_bytes + _ALIGNMENT_BYTES, np.uint8)
        address = self._memory.ctypes.data
        self._state = self._ffi.cast("void *", address + -address % _ALIGNMENT_BYTES)
        self._view = self._ffi.from_buffer
        self._block_bytes = 4 * block_size
        self._prove(found)

    def process(self, dry: Block, wet: Block) -> None:
        """One block. Real-time safe but for two short-lived views of memory.

        Raises:
            ValueError: an array is not one contiguous block of float32; nothing was played then.
        """
        if dry.nbytes != self._block_bytes or wet.nbytes != self._block_bytes:
            raise ValueError(f"blocks of {dry.nbytes} and {wet.nbytes} bytes, wanted {self._block_bytes}")
        self._play(self._state, self._view(dry), self._view(wet), self.block_size)

    def reset(self) -> None:
        """As freshly opened. Real-time safe."""
        self._library.pedal_reset(self._state)

    def _prove(self, found: NativeLibrary) -> None:
        """Plays the golden audio: a few milliseconds."""
        dry, wanted = (np.ascontiguousarray(row) for row in found.golden())
        wet = np.empty_like(dry)
        self._library.pedal_init(self._state)
        for start in range(0, len(dry), _PROOF_BLOCK):
            part = slice(start, start + _PROOF_BLOCK)
            self._play(self._state, self._view(dry[part]), self._view(wet[part]), len(dry[part]))
        if not np.array_equal(wet, wanted):
            raise ModelFileError(f"{found.library}: does not play its golden audio as it did when it was made; remove "
                                 f"{found.folder}, and it is made again")
        self.reset()
