"""Frame networks as files: LiteRT, the references and every way to cut the audio into blocks agree."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from frame_pedals import SCHEMES, frame_weights, write_frame_model
from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.reference import FrameReferenceNetwork, ReferenceNetwork
from neuralpedal.contract.reference_int8 import (
    Int8FrameReferenceNetwork,
    Int8ReferenceNetwork,
    open_int8_reference,
)
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.device.engine import Engine, open_engine
from neuralpedal.device.stream import stream
from signals import plucks

# Layers, hidden size, frame, skip, spread of the random weights: frames of 2 to 64, wide weights that saturate.
NETWORKS = [(1, 1, 2, False, 0.4), (1, 3, 8, True, 0.4), (1, 8, 32, False, 1.0), (1, 8, 64, True, 0.4),
            (1, 6, 128, False, 0.6), (2, 3, 5, True, 0.8), (2, 8, 32, False, 2.0), (2, 4, 64, False, 0.4),
            (1, 33, 7, True, 0.4)]
BLOCK_SIZES = (1, 7, 64, 100, 1024)


def audio(length: int = 1024) -> np.ndarray:
    """Silence, a pluck, noise that reaches full scale: float32 (T,)."""
    signal = 2.0 * plucks(0.1)[:length]
    signal[: length // 8] = 0.0
    noisy = slice(length // 2, 3 * length // 4)
    signal[noisy] = np.random.default_rng(1).uniform(-1.0, 1.0, length // 4)
    return signal


def engine_of(folder: Path, weights: NetworkWeights, scheme: str, block_size: int = 64,
              engine: str = "litert") -> Engine:
    return open_engine(write_frame_model(folder, weights, scheme, audio()), engine, block_size)


@pytest.mark.parametrize("scheme", ["float32", "w8"])
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_litert_plays_a_float_file_as_the_reference_plays_its_weights(network, scheme, tmp_path):
    path, dry = write_frame_model(tmp_path, frame_weights(*network), scheme, audio()), audio()
    wanted = FrameReferenceNetwork(read_weights(read_tflite(path))).process(dry)
    assert np.ptp(wanted) > 1e-3
    np.testing.assert_allclose(stream(open_engine(path), dry), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scheme", ["float32", "w8"])
def test_the_weights_come_back_out_of_the_file(scheme, tmp_path):
    weights = frame_weights(2, 5, 9, True)
    read = read_weights(read_tflite(write_frame_model(tmp_path, weights, scheme, audio())))
    assert read.spec == weights.spec
    for found, wanted in zip(read.arrays(), weights.arrays(), strict=True):
        tolerance = 0.0 if scheme == "float32" else np.abs(wanted).max() / 127 * 0.501
        assert np.abs(found - wanted).max() <= tolerance


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_litert_equals_the_integer_reference_bit_for_bit(network, tmp_path):
    path, dry = write_frame_model(tmp_path, frame_weights(*network), "w8a8", audio()), audio(512)
    reference = open_int8_reference(read_tflite(path))
    wanted = reference.output_code.decode(reference.process(reference.input_code.encode(dry)))
    assert len(np.unique(wanted)) > 15, "a constant would prove nothing"
    for block_size in (7, 64):
        np.testing.assert_array_equal(stream(open_engine(path, block_size=block_size), dry), wanted)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("engine", ["litert", "reference"])
def test_the_sound_does_not_depend_on_the_block_size(engine, scheme, tmp_path):
    weights, dry = frame_weights(2, 4, 12, True), audio()
    engines = [engine_of(tmp_path, weights, scheme, block_size, engine) for block_size in BLOCK_SIZES]
    first, *others = (stream(opened, dry) for opened in engines)
    for other in others:
        np.testing.assert_allclose(other, first, rtol=0, atol=0.0 if scheme == "w8a8" else 1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_sample_is_forgotten_after_one_frame(scheme, tmp_path):
    """What distinguishes frames from streams: whatever was played, the answer depends on the last F samples alone."""
    engine = engine_of(tmp_path, frame_weights(1, 4, 16, True, 2.0), scheme)
    loud, dry = audio(256)[-128:], audio(256)[-64:]
    stream(engine, loud)
    after_loud = stream(engine, dry)
    engine.reset()
    stream(engine, np.zeros(128, np.float32))
    after_silence = stream(engine, dry)
    assert not np.array_equal(after_loud[:15], after_silence[:15])
    np.testing.assert_array_equal(after_loud[15:], after_silence[15:])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_reset_and_prewarm_leave_silence_behind(scheme, tmp_path):
    engine, dry = engine_of(tmp_path, frame_weights(1, 4, 16, True, 2.0), scheme), audio(256)[-64:]
    fresh = stream(engine, dry)
    assert not np.array_equal(stream(engine, dry), fresh)
    engine.reset()
    np.testing.assert_array_equal(stream(engine, dry), fresh)
    engine.prewarm(0.01)
    np.testing.assert_array_equal(stream(engine, dry), fresh)


@pytest.mark.parametrize(("num_layers", "size", "skip"), [(1, 8, True), (2, 8, False)])
def test_the_integer_file_sounds_like_the_float_network(num_layers, size, skip, tmp_path):
    weights, dry = frame_weights(num_layers, size, 32, skip), audio()
    played = stream(engine_of(tmp_path, weights, "w8a8"), dry)
    assert esr(FrameReferenceNetwork(weights).process(dry), played) < 0.005


def test_int8_beyond_the_calibrated_range_saturates_as_the_reference_does(tmp_path):
    path = write_frame_model(tmp_path, frame_weights(1, 4, 8, True), "w8a8", audio() * np.float32(0.25))
    dry = audio() * np.float32(3.0)
    played = stream(open_engine(path), dry)
    assert np.sum(played == played.max()) > 5
    np.testing.assert_array_equal(played, stream(open_engine(path, "reference"), dry))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_players_may_resize_windows_and_states_but_not_the_frame(scheme, tmp_path):
    path = write_frame_model(tmp_path, frame_weights(1, 4, 16, True), scheme, audio())
    interpreter = Interpreter(model_path=str(path))
    free = {detail["name"]: list(detail["shape_signature"]) for detail in interpreter.get_tensor_details()}
    assert free["dry"] == [16, -1, 1]
    assert free["lstm_0/h"] == free["lstm_0/c"] == [-1, 4]
    assert list(interpreter.get_output_details()[0]["shape_signature"]) == [1, -1, 1]


def test_no_tensor_is_dynamic(tmp_path):
    """A dynamic tensor has no memory before the first block and makes LiteRT prepare the graph anew in every block."""
    path = write_frame_model(tmp_path, frame_weights(1, 4, 16, True), "float32", audio())
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    assert interpreter.tensor(interpreter.get_output_details()[0]["index"])().shape == (1, 64, 1)


def test_an_integer_reference_refuses_the_other_kind_of_network(tmp_path):
    frames = read_tflite(write_frame_model(tmp_path, frame_weights(1, 3, 8, True), "w8a8", audio()))
    golden = read_tflite(Path(__file__).parent / "golden" / "lstm-1x4-skip.w8a8.tflite")
    with pytest.raises(SpecError, match="frame_lstm 1×3/8: Int8ReferenceNetwork does not play it"):
        Int8ReferenceNetwork(frames)
    with pytest.raises(SpecError, match="lstm 1×4: Int8FrameReferenceNetwork does not play it"):
        Int8FrameReferenceNetwork(golden)
    with pytest.raises(SpecError, match="does not stream"):
        ReferenceNetwork(frame_weights(1, 3, 8, True))
