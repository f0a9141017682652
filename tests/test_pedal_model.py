"""The Keras model: equals the reference, streams, and survives its file."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.reference import open_reference
from neuralpedal.contract.spec import FAMILIES, NetworkSpec, make_spec
from neuralpedal.contract.weights import random_weights
from neuralpedal.train.networks import framing
from neuralpedal.train.networks.model_file import build_model, load_model, save_model
from neuralpedal.train.networks.pedal_model import PedalModel
from signals import plucks

GOLDEN = Path(__file__).parent / "golden"

families = pytest.mark.parametrize("family", FAMILIES)


def _random_model(hidden_size: int, num_layers: int, skip: bool = True, family: str = "lstm",
                  frame_samples: int = 12) -> PedalModel:
    frame = {"frame_samples": frame_samples} if FAMILIES[family].has_frame else {}
    spec = make_spec(family=family, hidden_size=hidden_size, num_layers=num_layers, skip=skip, **frame)
    model = build_model(spec)
    model.assign(random_weights(spec, seed=hidden_size))
    return model


def _equals_the_reference(model: PedalModel, dry: np.ndarray) -> None:
    reference = open_reference(model.network_weights()).process(dry)
    np.testing.assert_allclose(model.process(dry), reference, atol=1e-5)
    np.testing.assert_allclose(model(dry[np.newaxis, :, np.newaxis])[0, :, 0], reference, atol=1e-5)


@families
@pytest.mark.parametrize(("hidden_size", "num_layers", "skip"),
                         [(1, 1, True), (16, 1, True), (16, 1, False), (8, 2, True), (33, 2, False)])
def test_keras_equals_the_reference(family: str, hidden_size: int, num_layers: int, skip: bool) -> None:
    _equals_the_reference(_random_model(hidden_size, num_layers, skip, family), plucks(0.1))


@settings(deadline=None, max_examples=15)
@given(st.sampled_from([name for name in FAMILIES if FAMILIES[name].cell == "lstm"]), st.integers(1, 20),
       st.integers(1, 2), st.booleans(), st.integers(2, 40), st.integers(1, 200))
def test_keras_equals_the_reference_at_any_size(family: str, hidden_size: int, num_layers: int, skip: bool, frame: int,
                                                samples: int) -> None:
    # LSTMs alone: nothing has to be compiled for a new size.
    _equals_the_reference(_random_model(hidden_size, num_layers, skip, family, frame), plucks(0.01)[:samples])


@families
@pytest.mark.parametrize("chunk", [1, 7, 64, 1024])
def test_streaming_in_chunks_equals_one_shot(family: str, chunk: int) -> None:
    # Samples one by one are slow in TensorFlow: fewer of them.
    model, dry = _random_model(16, 2, family=family), plucks(0.03)[: 200 if chunk < 64 else None]
    np.testing.assert_allclose(model.process(dry, chunk=chunk), model.process(dry, chunk=len(dry)), atol=1e-6)


@families
def test_streams_side_by_side_are_each_played_as_if_alone(family: str) -> None:
    model = _random_model(6, 2, family=family)
    dry = np.stack([plucks(0.005, seed=seed) for seed in range(4)])
    batch = model(dry[:, :, np.newaxis]).numpy()[:, :, 0]
    alone = np.stack([model.process(lane) for lane in dry])
    np.testing.assert_allclose(batch, alone, atol=1e-6)
    in_lanes = build_model(model.spec, lanes=2)
    in_lanes.assign(model.network_weights())
    np.testing.assert_allclose(in_lanes(dry[:, :, np.newaxis])[:, :, 0], alone, atol=1e-6)


@families
@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler (apt install gcc)")
def test_compiled_layers_change_neither_output_nor_gradient(family: str) -> None:
    model = _random_model(6, 2, family=family)
    dry = tf.constant(np.random.default_rng(0).normal(0, 0.3, (20, 40, 1)), tf.float32)

    @tf.function
    def outputs_and_gradients() -> Any:
        with tf.GradientTape() as tape:
            output, states = model.stream(dry, model.zero_states(20))
            loss = tf.reduce_sum(tf.square(output - 0.1))
        return [output, *tf.nest.flatten(states), *tape.gradient(loss, model.trainable_variables)]

    plain = outputs_and_gradients()
    model.use_native()
    native = tf.function(outputs_and_gradients.python_function)()
    for ours, theirs in zip(native, plain, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * max(0.1, float(np.max(np.abs(theirs)))))
    np.testing.assert_allclose(model(dry), native[0], atol=1e-6)


@families
def test_warming_up_leaves_the_states_that_playing_leaves(family: str) -> None:
    model, dry = _random_model(6, 2, family=family), plucks(0.002)[np.newaxis, :, np.newaxis]
    states = model.zero_states(1)
    for warm, played in zip(tf.nest.flatten(model.warm_up(dry, states)), tf.nest.flatten(model.stream(dry, states)[1]),
                            strict=True):
        np.testing.assert_array_equal(warm, played)


def test_no_batch_of_frames_is_larger_than_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    model, dry = _random_model(4, 1, family="frame_lstm", frame_samples=8), plucks(0.02)
    whole = model(dry[np.newaxis, :, np.newaxis]).numpy()
    monkeypatch.setattr(framing, "HIDDEN_VALUES_AT_ONCE", 100 * 8 * 4)
    model, batches = _random_model(4, 1, family="frame_lstm", frame_samples=8), []
    compute = model.recurrent[0].run_with_head
    model.recurrent[0].run_with_head = lambda x, *rest: batches.append(len(x)) or compute(x, *rest)
    np.testing.assert_allclose(model(dry[np.newaxis, :, np.newaxis]), whole, atol=1e-6)
    np.testing.assert_allclose(model.process(dry), whole[0, :, 0], atol=1e-6)
    assert max(batches) == 100 and sum(batches) >= 2 * len(dry)


def _plain_layers(model: PedalModel) -> list[keras.layers.Layer]:
    kind = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}[model.spec.kind.cell]
    return [kind(model.spec.hidden_size, return_sequences=True) for _ in model.recurrent]


@pytest.mark.parametrize("family", [name for name in FAMILIES if not FAMILIES[name].has_frame])
def test_equals_a_network_of_plain_keras_layers_with_the_same_weights(family: str) -> None:
    model, dry = _random_model(8, 2, family=family), plucks(0.02)
    inputs = keras.Input((None, 1))
    signal = inputs
    for layer in [*_plain_layers(model), keras.layers.Dense(1)]:
        signal = layer(signal)
    plain = keras.Model(inputs, keras.layers.Add()([signal, inputs]))
    plain.set_weights(model.get_weights())
    np.testing.assert_allclose(model.process(dry), plain(dry[np.newaxis, :, np.newaxis])[0, :, 0], atol=1e-5)


@pytest.mark.parametrize(("hidden_size", "num_layers", "frame"), [(16, 1, 32), (16, 2, 32), (32, 1, 64)])
def test_the_answer_to_a_frame_is_that_of_plain_keras_layers_from_zero_state(
    hidden_size: int, num_layers: int, frame: int
) -> None:
    model = _random_model(hidden_size, num_layers, False, "frame_lstm", frame)
    plain = keras.Sequential([keras.Input((frame, 1)), *_plain_layers(model), keras.layers.Dense(1)])
    plain.set_weights(model.get_weights())
    dry = plucks(0.02)
    frames = np.lib.stride_tricks.sliding_window_view(dry, frame)[..., np.newaxis]
    answers = plain(frames)[:, -1]
    np.testing.assert_allclose(model.answer(frames), answers, atol=1e-5)
    np.testing.assert_allclose(model.process(dry)[frame - 1 :], answers[:, 0], atol=1e-5)


def test_answers_can_be_learned_from_frames_in_any_order() -> None:
    model = _random_model(4, 2, family="frame_lstm", frame_samples=6)
    frames = tf.constant(np.random.default_rng(0).normal(0, 0.4, (30, 6, 1)), tf.float32)
    states = [(frames[:, :-1, 0],)]

    def gradients(answer: Any) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(answer() - 0.3))
        return tape.gradient(loss, model.trainable_variables)

    by_frame = gradients(lambda: model.answer(frames))
    by_stream = gradients(lambda: model.stream(frames[:, -1:], states)[0][:, 0])
    assert all(np.any(gradient) for gradient in by_frame)
    for one, other in zip(by_frame, by_stream, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_saved_models_open_with_plain_keras_once_our_layers_are_registered(tmp_path: Path) -> None:
    models, dry = {family: _random_model(16, 2, family=family) for family in FAMILIES}, plucks(0.1)
    for family, model in models.items():
        save_model(model, tmp_path / f"{family}.keras")
    np.save(tmp_path / "dry.npy", dry)
    code = ("import sys, pathlib, numpy as np, keras, neuralpedal.train.networks\n"
            "dry = np.load(sys.argv[1] + '/dry.npy')[None, :, None]\n"
            "for path in pathlib.Path(sys.argv[1]).glob('*.keras'):\n"
            "    wet = keras.models.load_model(path).predict(dry, verbose=0)\n"
            "    np.save(path.with_suffix('.wet.npy'), wet[0, :, 0])\n")
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True)
    for family, model in models.items():
        # predict() runs a compiled graph, whose sums may be ordered otherwise.
        np.testing.assert_allclose(np.load(tmp_path / f"{family}.wet.npy"), model.process(dry), atol=1e-6)
        opened = load_model(tmp_path / f"{family}.keras")
        assert opened.spec == model.spec and opened.network_weights().digest() == model.network_weights().digest()


def test_a_file_from_before_there_were_frames_still_opens() -> None:
    model = load_model(GOLDEN / "lstm-2x3.before-frames.keras")
    assert model.spec == NetworkSpec(hidden_size=3, num_layers=2)
    assert model.network_weights().digest() == random_weights(model.spec, seed=1).digest()


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 half a zip"])
def test_a_damaged_file_is_a_model_file_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"model\.keras"):
        load_model(path)


def test_a_truncated_file_is_a_model_file_error(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    save_model(_random_model(4, 1), path)
    whole = path.read_bytes()
    for share in (0.3, 0.9, 0.99):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ModelFileError):
            load_model(path)


def test_another_kind_of_keras_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.keras"
    keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]).save(path)
    with pytest.raises(ModelFileError, match="Sequential"):
        load_model(path)


def test_weights_that_are_not_numbers_are_refused() -> None:
    model = _random_model(4, 1)
    model.head.bias.assign([np.nan])
    with pytest.raises(ModelFileError, match="head bias"):
        model.network_weights()
