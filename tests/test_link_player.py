"""Models as blobs: played by the generated C's kernels to the reference's bits, and never read beyond their end."""

import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_pedals import Wanted, trying_audio, write_pedal
from link_player import PlayerLibrary
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.firmware_bridge.expected_audio import ExpectedAudio
from neuralpedal.firmware_bridge.link.protocol import Fault, Samples
from neuralpedal.firmware_bridge.model_blob import write_blob

pytestmark = pytest.mark.usefixtures("c_compiler")

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module", params=[True, False], ids=["int16", "float"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[PlayerLibrary, bool]:
    return PlayerLibrary(tmp_path_factory.mktemp("player"), request.param), request.param


def difference(player: PlayerLibrary, int16: bool, wanted: Wanted, folder: Path, block: int = 64) -> float:
    """The largest between a random pedal's blob and its reference, in full-scale units."""
    file = write_pedal(folder / "pedal.tflite", wanted)
    assert player.choose(write_blob(file.path, Samples.INT16 if int16 else Samples.FLOAT).content) == 0
    dry, expected = trying_audio(600, wanted.seed), ExpectedAudio(file)
    if int16:
        return float(np.max(np.abs(player.play(dry, block).astype(np.int32) - expected.play_int16(dry)))) / 32768.0
    floats = (dry / 32768).astype(np.float32)
    return float(np.max(np.abs(player.play(floats, block).astype(np.float64) - expected.play(floats))))


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 64), st.integers(1, 2), st.booleans(), st.floats(0.05, 4.0), st.integers(0, 99),
       st.sampled_from([0.0, 3.7, -11.3]), st.sampled_from([1, 7, 64]), st.booleans())
def test_any_w8a16_blob_plays_its_reference_in_every_bit(
        library: tuple[PlayerLibrary, bool], tmp_path_factory: pytest.TempPathFactory, size: int, layers: int,
        skip: bool, scale: float, seed: int, gain_db: float, block: int, begins: bool) -> None:
    wanted = Wanted("w8a16", size, layers, skip, scale, seed, gain_db, -gain_db / 2, begins)
    assert difference(*library, wanted, tmp_path_factory.getbasetemp(), block) == 0.0


@settings(deadline=None, max_examples=10)
@given(st.sampled_from(["w8a8", "coarse-fine"]), st.integers(1, 64), st.integers(1, 2), st.booleans(),
       st.floats(0.05, 4.0), st.integers(0, 99), st.sampled_from([0.0, 3.7, -11.3]), st.booleans())
def test_any_w8a8_blob_plays_its_reference_in_every_bit(
        library: tuple[PlayerLibrary, bool], tmp_path_factory: pytest.TempPathFactory, scheme: str, size: int,
        layers: int, skip: bool, scale: float, seed: int, gain_db: float, begins: bool) -> None:
    wanted = Wanted(scheme, size, layers, skip, scale, seed, gain_db, -gain_db / 2, begins)
    assert difference(*library, wanted, tmp_path_factory.getbasetemp()) == 0.0


@settings(deadline=None, max_examples=10)
@given(st.sampled_from(["float32", "w8"]), st.sampled_from(["lstm", "gru"]), st.integers(1, 64), st.integers(1, 2),
       st.booleans(), st.integers(0, 99), st.booleans())
def test_any_float_blob_is_near_its_reference(
        library: tuple[PlayerLibrary, bool], tmp_path_factory: pytest.TempPathFactory, scheme: str, family: str,
        size: int, layers: int, skip: bool, seed: int, begins: bool) -> None:
    wanted = Wanted(scheme, size, layers, skip, 0.4, seed, 1.5, -2.0, begins and family == "lstm", family)
    allowed = 1.0 / 32768.0 if library[1] else 1e-5
    assert difference(*library, wanted, tmp_path_factory.getbasetemp()) <= allowed


def test_a_model_that_takes_the_place_of_another_begins_in_its_own_state(library: tuple[PlayerLibrary, bool],
                                                                         tmp_path: Path) -> None:
    for wanted in (Wanted("w8a16", 12, 2, seed=1), Wanted("w8", 5), Wanted("w8a16", 3, seed=2),
                   Wanted("w8a16", 12, 2, begins=True), Wanted("w8a16", 12, 2), Wanted("w8", 5, begins=True),
                   Wanted("w8", 5), Wanted("w8", 5, family="gru")):
        assert difference(*library, wanted, tmp_path) <= (0.0 if wanted.scheme == "w8a16" else 1e-5)


@pytest.mark.parametrize("name", ["lstm-2x3.w8a16.tflite", "lstm-2x3.w8.tflite"])
def test_a_blob_with_any_byte_changed_or_missing_is_refused(library: tuple[PlayerLibrary, bool], name: str) -> None:
    player, int16 = library
    content = write_blob(GOLDEN / name, Samples.INT16 if int16 else Samples.FLOAT).content
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        assert player.choose(bytes(damaged)) in (Fault.BLOB, Fault.CRC, Fault.CAPACITY), place
        assert player.choose(content[:place]) in (Fault.BLOB, Fault.CRC), place
    assert player.choose(content) == 0


@pytest.mark.parametrize(("offset", "byte", "fault"), [
    (6, 1, Fault.BLOB), (6, 7, Fault.CAPACITY), (20, 3, Fault.BLOB), (20, 1, Fault.BLOB), (21, 4, Fault.BLOB),
    (22, 0, Fault.BLOB), (22, 65, Fault.CAPACITY), (80, 63, Fault.BLOB), (83, 21, Fault.BLOB), (86, 8, Fault.BLOB),
    (146, 31, Fault.BLOB)])
def test_a_blob_whose_crc_is_right_is_checked_all_the_same(library: tuple[PlayerLibrary, bool], offset: int, byte: int,
                                                           fault: Fault) -> None:
    player, int16 = library
    content = bytearray(write_blob(GOLDEN / "lstm-2x3.w8a16.tflite", Samples.INT16 if int16 else Samples.FLOAT).content)
    content[offset] = byte
    assert player.choose(sealed(content)) == fault


def sealed(content: bytearray) -> bytes:
    """With the size and the CRC that it says it has."""
    content[8:12] = len(content).to_bytes(4, "little")
    content[12:16] = zlib.crc32(content[16:]).to_bytes(4, "little")
    return bytes(content)


SETTINGS, LAYER_FORMAT, RATIO_WORD, CELL_FORMAT_WORD, FINE_CELLS_AT, FLAGS_AT = 136, 240, 19, 18, 72, 21


@pytest.mark.parametrize("name", ["lstm-2x3.w8a8", "lstm-1x4-skip.coarse-fine.w8a8"])
def test_a_w8a8_blob_whose_numbers_no_kernel_can_shift_by_is_refused(library: tuple[PlayerLibrary, bool], name: str
                                                                     ) -> None:
    player, int16 = library
    right = write_blob(GOLDEN / f"{name}.tflite", Samples.INT16 if int16 else Samples.FLOAT).content
    without_lines = next(bits for bits in (0, 1) if not right[FINE_CELLS_AT] >> bits & 1)
    for place, word in ((SETTINGS + 4 * RATIO_WORD, 16), (LAYER_FORMAT + 4, 31), (LAYER_FORMAT + 4, -32),
                        (LAYER_FORMAT + 4 * CELL_FORMAT_WORD, without_lines),
                        (LAYER_FORMAT + 4 * CELL_FORMAT_WORD, 16)):
        content = bytearray(right)
        content[place : place + 4] = word.to_bytes(4, "little", signed=True)
        assert player.choose(sealed(content)) == Fault.BLOB, (place, word)
    assert player.choose(sealed(bytearray(right))) == 0


def test_a_w8a8_blob_without_a_beginning_is_refused(library: tuple[PlayerLibrary, bool]) -> None:
    player, int16 = library
    right = write_blob(GOLDEN / "lstm-2x3.w8a8.tflite", Samples.INT16 if int16 else Samples.FLOAT).content
    for missing in range(0, 200, 4):
        content = bytearray(right[: len(right) - missing])
        content[FLAGS_AT] &= 1
        assert player.choose(sealed(content)) == Fault.BLOB, missing


def test_cells_that_a_sum_may_grow_beyond_its_format_from_are_refused(library: tuple[PlayerLibrary, bool],
                                                                      tmp_path: Path) -> None:
    player, int16 = library
    file = write_pedal(tmp_path / "pedal.tflite", Wanted("w8a16", 4, begins=True))
    right = write_blob(file.path, Samples.INT16 if int16 else Samples.FLOAT).content
    first_cell = len(right) - 4 * 2 - 4 * 4
    for cell, fault in ((2**30 - 1, 0), (2**30, Fault.BLOB), (-(2**30), 0), (-(2**30) - 1, Fault.BLOB)):
        content = bytearray(right)
        content[first_cell : first_cell + 4] = cell.to_bytes(4, "little", signed=True)
        assert player.choose(sealed(content)) == fault, cell


def test_a_blob_for_other_samples_is_refused(library: tuple[PlayerLibrary, bool]) -> None:
    player, int16 = library
    other = write_blob(GOLDEN / "lstm-2x3.w8a16.tflite", Samples.FLOAT if int16 else Samples.INT16).content
    assert player.choose(other) == Fault.CAPACITY


def test_a_model_without_a_player_says_what_to_convert_to() -> None:
    for name in ("lstm-2x3.tflm16x8.tflite", "frame_lstm-1x3-of-8.w8.tflite"):
        with pytest.raises(ModelFileError, match=r"no player on a board; convert an LSTM to w8a16"):
            write_blob(GOLDEN / name, Samples.INT16)
