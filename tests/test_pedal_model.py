"""The Keras model: equals the reference, streams, and survives its file."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.reference import ReferenceNetwork
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.weights import random_weights
from neuralpedal.train.networks.pedal_model import PedalModel, build_model, load_model, save_model
from signals import plucks


def _random_model(hidden_size: int, num_layers: int, skip: bool = True) -> PedalModel:
    spec = make_spec(hidden_size=hidden_size, num_layers=num_layers, skip=skip)
    model = build_model(spec)
    model.assign(random_weights(spec, seed=hidden_size))
    return model


@pytest.mark.parametrize(("hidden_size", "num_layers", "skip"),
                         [(1, 1, True), (16, 1, True), (16, 1, False), (8, 2, True), (33, 2, False)])
def test_keras_equals_the_reference(hidden_size: int, num_layers: int, skip: bool) -> None:
    model = _random_model(hidden_size, num_layers, skip)
    dry = plucks(0.25)
    reference = ReferenceNetwork(model.network_weights()).process(dry)
    np.testing.assert_allclose(model.process(dry), reference, atol=1e-5)
    np.testing.assert_allclose(model(dry[np.newaxis, :, np.newaxis])[0, :, 0], reference, atol=1e-5)


@pytest.mark.parametrize("chunk", [1, 7, 64, 1024])
def test_streaming_in_chunks_equals_one_shot(chunk: int) -> None:
    model, dry = _random_model(16, 2), plucks(0.01)
    np.testing.assert_allclose(model.process(dry, chunk=chunk), model.process(dry, chunk=len(dry)), atol=1e-6)


def test_a_saved_model_opens_with_plain_keras_once_our_layers_are_registered(tmp_path: Path) -> None:
    model, dry = _random_model(16, 1), plucks(0.1)
    save_model(model, tmp_path / "model.keras")
    np.save(tmp_path / "dry.npy", dry)
    code = ("import sys, numpy as np, keras, neuralpedal.train.networks\n"
            "model = keras.models.load_model(sys.argv[1] + '/model.keras')\n"
            "dry = np.load(sys.argv[1] + '/dry.npy')\n"
            "np.save(sys.argv[1] + '/wet.npy', model.predict(dry[None, :, None], verbose=0)[0, :, 0])\n")
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True)
    # predict() runs a compiled graph, whose sums may be ordered otherwise.
    np.testing.assert_allclose(np.load(tmp_path / "wet.npy"), model.process(dry), atol=1e-6)
    assert load_model(tmp_path / "model.keras").spec == model.spec


def test_equals_a_network_of_plain_keras_layers_with_the_same_weights() -> None:
    model, dry = _random_model(8, 2), plucks(0.02)
    inputs = keras.Input((None, 1))
    signal = inputs
    for _ in range(2):
        signal = keras.layers.LSTM(8, return_sequences=True)(signal)
    plain = keras.Model(inputs, keras.layers.Add()([keras.layers.Dense(1)(signal), inputs]))
    plain.set_weights(model.get_weights())
    np.testing.assert_allclose(model.process(dry), plain(dry[np.newaxis, :, np.newaxis])[0, :, 0], atol=1e-5)


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
