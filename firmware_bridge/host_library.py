"""A project as a shared library of this machine, which plays in Python: what tests and longer comparisons use."""

import ctypes
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import FirmwareError
from neuralpedal.firmware_bridge.compiler import compiler_command, run_compiler
from neuralpedal.firmware_bridge.project import Project
from neuralpedal.firmware_bridge.target import WARNING_FLAGS, load_target

_GUARD_BYTES = 64


def build_library(project: Project, library: Path, compiler: str | None = None, flags: Sequence[str] = ()) -> Path:
    """Compile ``project`` to ``library`` (a ``.so``).

    Args:
        compiler: instead of the host's. flags: after the host target's, such as ``-O0``.

    Raises:
        FirmwareError: no compiler, or it fails.
    """
    host = load_target("host")
    command = [compiler] if compiler else compiler_command(host)
    run_compiler([*command, *host.flags, *WARNING_FLAGS, *flags, "-shared", "-fPIC", *project.sources, "-o",
                  str(library.resolve())], project.folder)
    return library


class HostPedal:
    """One state of a compiled pedal.

    Args:
        project: for the types of its samples. library: see :func:`build_library`.

    Raises:
        FirmwareError: the library does not load.
    """

    def __init__(self, project: Project, library: Path) -> None:
        try:
            # Under a name of its own: dlopen gives what it has under a known name, even if the file is a new one.
            with tempfile.TemporaryDirectory() as folder:
                self._library = ctypes.CDLL(str(shutil.copy(library, folder)))
        except OSError as error:
            raise FirmwareError(f"{library}: does not load ({error}); build it again") from error
        self.dtype: Any = np.int16 if project.io == "int16" else np.float32
        pointer = ctypes.c_void_p
        self._library.pedal_process.argtypes = [pointer, pointer, pointer, ctypes.c_size_t]
        # Guards around the state show a kernel that writes beside it.
        self._memory = np.full(project.state_bytes + 2 * _GUARD_BYTES, 0xA5, np.uint8)
        self._state = self._memory[_GUARD_BYTES:].ctypes.data
        self._call("pedal_init")

    def reset(self) -> None:
        """Back to zero state."""
        self._call("pedal_reset")

    def process(self, dry: NDArray[Any], blocks: Sequence[int] = (64,), in_place: bool = False) -> NDArray[Any]:
        """Stream (T,) samples in blocks of the given lengths, in turn.

        Raises:
            FirmwareError: the C wrote outside its state.
        """
        played = np.ascontiguousarray(dry, self.dtype).copy()
        wet = played if in_place else np.empty_like(played)
        start = turn = 0
        while start < len(played):
            count = min(blocks[turn % len(blocks)], len(played) - start)
            offset = start * played.itemsize
            self._library.pedal_process(self._state, played.ctypes.data + offset, wet.ctypes.data + offset, count)
            start, turn = start + count, turn + 1
        if np.any(self._memory[:_GUARD_BYTES] != 0xA5) or np.any(self._memory[-_GUARD_BYTES:] != 0xA5):
            raise FirmwareError("pedal_process wrote outside its state; this is a bug, please report it")
        return wet

    def _call(self, function: str) -> None:
        getattr(self._library, function)(ctypes.c_void_p(self._state))
