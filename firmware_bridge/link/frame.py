"""Frames on the wire: COBS by the library of that name, a CRC-32 at the end, a zero between frames."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from neuralpedal.contract.errors import LinkError
from neuralpedal.firmware_bridge.link.protocol import CRC_BYTES, HEADER_BYTES, LARGEST_PAYLOAD_BYTES, VERSION

try:
    from cobs import cobs
except ImportError as missing:
    raise LinkError("cobs is missing; pip install 'neuralpedal[link]'") from missing

_HEADER = struct.Struct("<BBH")
_CRC = struct.Struct("<I")
_LARGEST_FRAME_BYTES = HEADER_BYTES + LARGEST_PAYLOAD_BYTES + CRC_BYTES
_LARGEST_WIRE_BYTES = _LARGEST_FRAME_BYTES + _LARGEST_FRAME_BYTES // 254 + 1


@dataclass(frozen=True)
class Frame:
    """A message. ``sequence``: 0 to 65535, the same in a request and its answer."""

    message: int
    sequence: int
    payload: bytes = b""
    version: int = VERSION

    def encode(self) -> bytes:
        """As it goes over the wire, its zero included. Raises LinkError for a payload that is too large."""
        if len(self.payload) > LARGEST_PAYLOAD_BYTES:
            raise LinkError(f"a message of {len(self.payload)} bytes; at most {LARGEST_PAYLOAD_BYTES} travel in one")
        body = _HEADER.pack(self.version, self.message, self.sequence) + self.payload
        return bytes(cobs.encode(body + _CRC.pack(zlib.crc32(body)))) + b"\0"


class FrameReader:
    """Finds frames in a stream of bytes that may be damaged.

    Attributes:
        dropped: pieces between zeros that were no right frames.
    """

    def __init__(self) -> None:
        self._piece = bytearray()
        self._too_long = False
        self.dropped = 0

    def take(self, received: bytes) -> Iterator[Frame]:
        """All frames that these bytes end."""
        *ended, rest = received.split(b"\0")
        for end in ended:
            self._append(end)
            frame = self._finish()
            if frame:
                yield frame
        self._append(rest)

    def _append(self, received: bytes) -> None:
        self._piece += received
        if len(self._piece) > _LARGEST_WIRE_BYTES:
            self._too_long = True
            self._piece.clear()

    def _finish(self) -> Frame | None:
        piece, too_long = bytes(self._piece), self._too_long
        self._piece.clear()
        self._too_long = False
        if not piece and not too_long:
            return None
        frame = None if too_long else _decode(piece)
        if frame is None:
            self.dropped += 1
        return frame


def _decode(piece: bytes) -> Frame | None:
    try:
        body = cobs.decode(piece)
    except cobs.DecodeError:
        return None
    if not HEADER_BYTES + CRC_BYTES <= len(body) <= _LARGEST_FRAME_BYTES:
        return None
    content, crc = body[:-CRC_BYTES], _CRC.unpack(body[-CRC_BYTES:])[0]
    if zlib.crc32(content) != crc:
        return None
    version, message, sequence = _HEADER.unpack(content[:HEADER_BYTES])
    return Frame(message, sequence, content[HEADER_BYTES:], version)
