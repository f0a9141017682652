"""The player of frame networks keeps audio, not state, and plays blocks of any length in runs of at most 64 windows."""

from pathlib import Path

import numpy as np
import pytest

from neuralpedal.contract.affine import AffineCode, code_of
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.device.engine import open_engine
from neuralpedal.device.stream import stream
from neuralpedal.device.window_interpreter import WINDOWS_AT_ONCE, WindowInterpreter

pytestmark = pytest.mark.device

GOLDEN = Path(__file__).parents[1] / "golden"
MODELS = [f"{network}.{scheme}" for network in ("frame_lstm-1x3-of-8", "frame_lstm-2x3-of-5-skip")
          for scheme in ("float32", "w8", "w8a8")]


def golden(name: str) -> tuple[TfliteFile, AffineCode | None, np.ndarray]:
    """The file, its input's format, and the dry vector in the input's type."""
    file = read_tflite(GOLDEN / f"{name}.tflite")
    dry = np.load(GOLDEN / f"{name}.npz")["dry"]
    code = None if file.is_float else code_of(file.tensors[file.inputs[0]], name)
    return file, code, dry if code is None else code.encode(dry)


def play(interpreter: WindowInterpreter, block: np.ndarray) -> np.ndarray:
    interpreter.input[...] = block
    interpreter.invoke()
    return interpreter.output.copy()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("block_size", [2, 63, 65, 100, 129, 399])
def test_blocks_of_odd_lengths_sound_as_one(name, block_size):
    dry = np.load(GOLDEN / f"{name}.npz")["dry"]
    whole, parts = (stream(open_engine(GOLDEN / f"{name}.tflite", "litert", size), dry) for size in (400, block_size))
    np.testing.assert_allclose(parts, whole, rtol=0, atol=0.0 if name.endswith("w8a8") else 1e-6)


@pytest.mark.parametrize(("block_size", "windows"), [(1, 1), (64, 64), (65, 33), (100, 50), (128, 64), (1024, 64)])
def test_a_block_is_cut_into_equal_runs_of_at_most_64_windows(block_size, windows):
    file, code, _ = golden(MODELS[0])
    interpreter = WindowInterpreter(file, code, block_size)
    assert windows <= WINDOWS_AT_ONCE
    assert interpreter._input_view().shape == (8, windows, 1)


@pytest.mark.parametrize("name", MODELS)
def test_a_reset_forgets_what_was_played(name):
    file, code, dry = golden(name)
    interpreter = WindowInterpreter(file, code, 3)
    fresh = play(interpreter, dry[-50:-47])
    for start in range(200, 260, 3):
        play(interpreter, dry[start : start + 3])
    interpreter.reset()
    np.testing.assert_array_equal(play(interpreter, dry[-50:-47]), fresh)


@pytest.mark.parametrize("name", MODELS)
def test_a_block_shorter_than_the_past_shifts_it(name):
    file, code, dry = golden(name)
    one, many = WindowInterpreter(file, code, 1), WindowInterpreter(file, code, 20)
    singles = [play(one, dry[index : index + 1])[0] for index in range(300, 320)]
    np.testing.assert_allclose(np.array(singles, np.float64), play(many, dry[300:320]), rtol=0, atol=1e-6)


def test_playing_does_not_change_the_block_that_was_written():
    file, code, dry = golden(MODELS[0])
    interpreter = WindowInterpreter(file, code, 100)
    play(interpreter, dry[300:])
    np.testing.assert_array_equal(interpreter.input, dry[300:])


def test_a_stream_is_no_frame_network():
    with pytest.raises(ModelFileError, match="cannot play it"):
        WindowInterpreter(read_tflite(GOLDEN / "lstm-1x4-skip.float32.tflite"), None, 64)
