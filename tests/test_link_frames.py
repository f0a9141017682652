"""Frames of the link: C and Python write and read the same, and what the wire damages is never taken for a message."""

import ctypes
import random
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from link_library import FRAME_FILES, CReader, build, c_encode
from neuralpedal.contract.errors import LinkError
from neuralpedal.firmware_bridge.link.frame import Frame, FrameReader
from neuralpedal.firmware_bridge.link.generation import HEADER, MODULE, header_text, module_text, read_protocol
from neuralpedal.firmware_bridge.link.protocol import LARGEST_PAYLOAD_BYTES

BRIDGE = Path(__file__).parents[1] / "firmware_bridge"

messages, sequences = st.integers(0, 255), st.integers(0, 65535)
payloads = (st.binary(max_size=LARGEST_PAYLOAD_BYTES)
            | st.integers(0, LARGEST_PAYLOAD_BYTES).map(lambda size: b"\7" * size))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return build(tmp_path_factory.mktemp("frames"), FRAME_FILES)


def read(wire: bytes) -> list[tuple[int, int, int, bytes]]:
    """By Python, in one piece."""
    return [(one.version, one.message, one.sequence, one.payload) for one in FrameReader().take(wire)]


def test_header_and_enums_are_what_the_yaml_says() -> None:
    protocol = read_protocol()
    assert (BRIDGE / HEADER).read_text() == header_text(protocol)
    assert (BRIDGE / MODULE).read_text() == module_text(protocol)


@pytest.mark.usefixtures("c_compiler")
@settings(max_examples=200)
@given(messages, sequences, payloads)
@example(1, 0, b"")
@example(2, 65535, bytes(range(1, 255)) * 2 + b"\1" * 4)
def test_c_and_python_write_the_same_bytes_and_read_each_other(library: ctypes.CDLL, message: int, sequence: int,
                                                               payload: bytes) -> None:
    wire = Frame(message, sequence, payload).encode()
    assert c_encode(library, message, sequence, payload) == wire
    assert wire.count(0) == 1 and wire[-1] == 0
    assert CReader(library).take(wire) == read(wire) == [(1, message, sequence, payload)]


@pytest.mark.usefixtures("c_compiler")
@settings(max_examples=200)
@given(st.lists(st.tuples(messages, sequences, payloads) | st.binary(max_size=40) | st.integers(600, 1300), max_size=6))
def test_whatever_comes_both_find_the_same_frames(library: ctypes.CDLL, pieces: list[object]) -> None:
    wire = b""
    for piece in pieces:
        if isinstance(piece, tuple):
            wire += Frame(*piece).encode()
        else:
            wire += piece if isinstance(piece, bytes) else b"\5" * (piece if isinstance(piece, int) else 0)
    last = Frame(9, 9, b"after it all").encode()
    found = read(wire + b"\0" + last)
    assert CReader(library).take(wire + b"\0" + last) == found
    assert found[-1] == (1, 9, 9, b"after it all")


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_how_a_stream_is_cut_into_reads_does_not_matter(pieces: list[bytes]) -> None:
    wire = b"".join(pieces) + b"\0" + Frame(3, 4, b"x").encode()
    reader = FrameReader()
    assert [one for byte in wire for one in reader.take(bytes([byte]))] == list(FrameReader().take(wire))


@pytest.mark.usefixtures("c_compiler")
@pytest.mark.parametrize("size", [0, 1, 30, 253, 254, 300])
def test_every_single_bit_that_flips_in_a_frame_is_noticed(library: ctypes.CDLL, size: int) -> None:
    payload = random.Random(size).randbytes(size)
    wire, after = Frame(6, 77, payload).encode(), Frame(7, 78, b"next").encode()
    for place in range(8 * len(wire)):
        flipped = bytearray(wire)
        flipped[place // 8] ^= 1 << place % 8
        # The frame behind it is lost when its border was hit, else not.
        found = CReader(library).take(bytes(flipped) + after)
        assert found == read(bytes(flipped) + after)
        assert found == ([] if place // 8 == len(wire) - 1 else [(1, 7, 78, b"next")])


def test_a_payload_that_is_too_large_is_refused_on_both_sides(library: ctypes.CDLL) -> None:
    large = b"\1" * (LARGEST_PAYLOAD_BYTES + 1)
    assert c_encode(library, 1, 1, large) == b""
    with pytest.raises(LinkError, match="at most 520"):
        Frame(1, 1, large).encode()
