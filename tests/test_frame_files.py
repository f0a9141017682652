"""Frame files that are damaged, contradict themselves or are foreign: one kind of error, never a wrong sound."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from damage import damaged_bytes, damaged_words
from frame_pedals import SCHEMES, frame_model, frame_weights, write_frame_model
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.reference_int8 import open_int8_reference
from neuralpedal.contract.signal_chain import signal_chain
from neuralpedal.contract.spec import NetworkSpec, make_spec
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.contract.weights import random_weights
from neuralpedal.convert import layouts
from neuralpedal.convert.float_graph import build_float32
from neuralpedal.convert.tflite_writer import TfliteWriter
from neuralpedal.device.engine import open_engine

GOLDEN = Path(__file__).parent / "golden"
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 512).astype(np.float32)
MODELS = {scheme: frame_model(frame_weights(2, 3, 8, True), scheme, NOISE) for scheme in SCHEMES}


def plays_or_is_refused(path: Path, data: bytes) -> bool:
    """Whether the NumPy players take the file; whatever they refuse, they refuse by name."""
    path.write_bytes(data)
    try:
        file = read_tflite(path)
        if file.is_float:
            read_weights(file)
        else:
            assert open_int8_reference(file).process(np.zeros(3, np.int8)).shape == (3,)
    except ModelFileError as error:
        assert str(path) in str(error)
        return False
    return True


def patched(folder: Path, scheme: str, old: bytes, new: bytes) -> Path:
    assert len(old) == len(new)
    assert MODELS[scheme].count(old) == 1
    path = folder / "patched.tflite"
    path.write_bytes(MODELS[scheme].replace(old, new))
    return path


def check_refused(path: Path, words: str) -> None:
    for engine in ("litert", "reference"):
        with pytest.raises(ModelFileError, match=words) as caught:
            open_engine(path, engine)
        assert str(path) in str(caught.value)


@pytest.fixture(scope="module")
def damaged_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "model.tflite"


def test_the_chain_names_every_operator_that_computes(tmp_path):
    file = read_tflite(write_frame_model(tmp_path, frame_weights(2, 3, 8, True), "w8", NOISE))
    chain = signal_chain(file)
    assert [operator.name for operator in file.operators if operator.name != "DEQUANTIZE"] == [
        *["UNIDIRECTIONAL_SEQUENCE_LSTM"] * 2, "GATHER", "FULLY_CONNECTED", "GATHER", "ADD"]
    assert [layer.name for layer in chain.layers] == ["UNIDIRECTIONAL_SEQUENCE_LSTM"] * 2
    assert chain.head.name == "FULLY_CONNECTED"
    assert chain.skip is not None and chain.skip.name == "ADD"
    assert [file.tensors[index].name for index in chain.states] == ["lstm_0/h", "lstm_0/c", "lstm_1/h", "lstm_1/c"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_another_frame_length_in_the_manifest_is_refused(scheme, tmp_path):
    check_refused(patched(tmp_path, scheme, b'"frame_samples": 8', b'"frame_samples": 9'),
                  r"an input of shape \[8, 64, 1\]; wanted \[9, any, 1\] for frame_lstm 2×3/9")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_step_that_is_not_the_last_is_refused(scheme, tmp_path, monkeypatch):
    constant = TfliteWriter.constant

    def wrong_index(self, name, values, quantization=None):  # type: ignore[no-untyped-def]
        return constant(self, name, values - 1 if name.endswith("/index") else values, quantization)

    monkeypatch.setattr(TfliteWriter, "constant", wrong_index)
    path = write_frame_model(tmp_path, frame_weights(1, 3, 8, False), scheme, NOISE)
    check_refused(path, "a GATHER that does not take the last of 8 steps")


def test_a_skip_that_adds_whole_windows_is_refused(tmp_path, monkeypatch):
    add_last_step = layouts.Layout.add_last_step

    def only_hidden(self, writer, signal, name, *rest):  # type: ignore[no-untyped-def]
        return signal if name == "last_dry" else add_last_step(self, writer, signal, name, *rest)

    monkeypatch.setattr(layouts.Layout, "add_last_step", only_hidden)
    path = write_frame_model(tmp_path, frame_weights(1, 3, 8, True), "float32", NOISE)
    check_refused(path, "wanted UNIDIRECTIONAL_SEQUENCE_LSTM, GATHER, FULLY_CONNECTED, GATHER, ADD")


@pytest.mark.parametrize(("claimed", "written"), [("lstm", "frame_lstm"), ("frame_lstm", "lstm")])
def test_a_graph_of_the_other_kind_is_refused(claimed, written, tmp_path):
    """A stream played as windows, or windows as a stream, would sound wrong in silence."""
    specs = {"frame_lstm": frame_weights(1, 3, 8, True).spec, "lstm": make_spec(hidden_size=3)}
    manifest = Manifest(name="mixed", scheme="float32", network=specs[claimed])
    path = tmp_path / "mixed.tflite"
    path.write_bytes(build_float32(random_weights(specs[written], seed=1), manifest))
    check_refused(path, "wanted .* for |cannot play it")


def test_a_frame_network_without_a_length_is_refused(tmp_path):
    network = {"family": "frame_lstm", "hidden_size": 3, "num_layers": 1, "skip": True, "sample_rate_hz": 48000}
    spec = NetworkSpec.model_construct(**network, frame_samples=None)
    manifest = Manifest.model_construct(name="no length", scheme="float32", network=spec)
    path = tmp_path / "endless.tflite"
    path.write_bytes(build_float32(frame_weights(1, 3, 8, True), manifest))
    check_refused(path, "endless.tflite: .*frame_lstm needs frame_samples")


@pytest.mark.parametrize("family", ["gru", "rnn"])
def test_a_file_that_claims_another_family_than_its_graph_s_is_refused(family, tmp_path):
    data = (GOLDEN / "lstm-1x4-skip.float32.tflite").read_bytes()
    assert data.count(b'"lstm"') == 1
    path = tmp_path / "other.tflite"
    # JSON does not mind a blank.
    path.write_bytes(data.replace(b'"lstm"', f'"{family}" '.encode()))
    with pytest.raises(ModelFileError, match=f"1 graphs; wanted 3 for {family} 1×4"):
        open_engine(path, "reference")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_file_cut_at_any_length_is_refused(damaged_path, scheme):
    model = MODELS[scheme]
    assert plays_or_is_refused(damaged_path, model)
    lengths = [*range(0, len(model) - 200, 37), *range(len(model) - 200, len(model))]
    assert [length for length in lengths if plays_or_is_refused(damaged_path, model[:length])] == []


@given(damaged_bytes(list(MODELS.values())))
@settings(max_examples=300, deadline=None)
def test_damaged_bytes_play_or_raise_a_model_file_error(damaged_path, damaged):
    plays_or_is_refused(damaged_path, damaged)


@given(damaged_words(list(MODELS.values())))
@settings(max_examples=200, deadline=None)
def test_damaged_words_play_or_raise_a_model_file_error(damaged_path, damaged):
    plays_or_is_refused(damaged_path, damaged)
