"""The C side of the link as a shared library of this machine, with sanitizers where a test wants them."""

import ctypes
from pathlib import Path

from neuralpedal.firmware_bridge.c_sources import runtime_text
from neuralpedal.firmware_bridge.compiler import compiler_command, run_compiler
from neuralpedal.firmware_bridge.link.protocol import LARGEST_PAYLOAD_BYTES
from neuralpedal.firmware_bridge.target import WARNING_FLAGS, load_target

FRAME_FILES = ("pedal_link_frame.c", "pedal_link_frame.h", "pedal_link_protocol.h")
WIRE_BYTES = 2 * LARGEST_PAYLOAD_BYTES


class CFrame(ctypes.Structure):
    """pedal_link_frame."""

    _fields_ = [("version", ctypes.c_uint8), ("message", ctypes.c_uint8), ("sequence", ctypes.c_uint16),
                ("payload", ctypes.POINTER(ctypes.c_uint8)), ("payload_bytes", ctypes.c_size_t)]


def build(folder: Path, files: tuple[str, ...], flags: tuple[str, ...] = ()) -> ctypes.CDLL:
    """Compile files of the runtime."""
    for name in files:
        (folder / name).write_text(runtime_text(name), encoding="utf-8")
    host, library = load_target("host"), folder / "link.so"
    run_compiler([*compiler_command(host), *host.flags, *WARNING_FLAGS, "-O1", *flags, "-shared", "-fPIC",
                  *(name for name in files if name.endswith(".c")), "-o", str(library)], folder)
    return ctypes.CDLL(str(library))


class CReader:
    """The C parser, one of them."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._memory = (ctypes.c_uint8 * 1024)()

    def take(self, received: bytes) -> list[tuple[int, int, int, bytes]]:
        """Version, message, sequence number and payload of every frame that ends."""
        found, frame = [], CFrame()
        for byte in received:
            if self._library.pedal_link_take(self._memory, ctypes.c_uint8(byte), ctypes.byref(frame)):
                payload = ctypes.string_at(frame.payload, frame.payload_bytes)
                found.append((frame.version, frame.message, frame.sequence, payload))
        return found


def c_encode(library: ctypes.CDLL, message: int, sequence: int, payload: bytes) -> bytes:
    """A frame as the C writes it."""
    wire = (ctypes.c_uint8 * WIRE_BYTES)()
    library.pedal_link_write.restype = ctypes.c_size_t
    size = library.pedal_link_write(wire, ctypes.c_uint8(message), ctypes.c_uint16(sequence), payload,
                                    ctypes.c_size_t(len(payload)))
    return bytes(wire[:size])
