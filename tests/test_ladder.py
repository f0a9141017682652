"""The ladder of equality: Keras = NumPy reference = LiteRT, one shot = streamed, for a minute without drift."""

from pathlib import Path

import numpy as np
import pytest

from neuralpedal.contract.audio import read_recording
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.reference import ReferenceNetwork
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.float_graph import build_float32
from neuralpedal.device.engine import open_engine
from neuralpedal.device.stream import stream
from neuralpedal.train.networks.model_file import build_model
from signals import RATE_HZ, plucks

NETWORKS = [(16, 1, True), (16, 1, False), (8, 2, True), (32, 1, True), (13, 2, False)]


def _written(weights: NetworkWeights, folder: Path) -> Path:
    path = folder / "pedal.float32.tflite"
    path.write_bytes(build_float32(weights, Manifest(name="pedal", scheme="float32", network=weights.spec)))
    return path


def _weights(hidden_size: int, num_layers: int, skip: bool) -> NetworkWeights:
    return random_weights(make_spec(hidden_size=hidden_size, num_layers=num_layers, skip=skip), seed=hidden_size)


@pytest.mark.parametrize(("hidden_size", "num_layers", "skip"), NETWORKS)
def test_keras_equals_reference_equals_litert(hidden_size: int, num_layers: int, skip: bool, tmp_path: Path) -> None:
    weights, dry = _weights(hidden_size, num_layers, skip), plucks(0.5)
    model = build_model(weights.spec)
    model.assign(weights)
    reference = ReferenceNetwork(weights).process(dry)
    litert = stream(open_engine(_written(weights, tmp_path)), dry)
    np.testing.assert_allclose(model.process(dry), reference, atol=1e-5)
    np.testing.assert_allclose(litert, reference, atol=1e-5)


@pytest.mark.parametrize("block_size", [1, 7, 64, 1024])
def test_streamed_in_blocks_equals_one_shot(block_size: int, tmp_path: Path) -> None:
    path, dry = _written(_weights(16, 2, True), tmp_path), plucks(0.2)
    one_shot = stream(open_engine(path, block_size=len(dry)), dry)
    np.testing.assert_allclose(stream(open_engine(path, block_size=block_size), dry), one_shot, atol=1e-6)


def test_reset_is_as_good_as_new(tmp_path: Path) -> None:
    engine, dry = open_engine(_written(_weights(16, 2, True), tmp_path)), plucks(0.2)
    first = stream(engine, dry)
    assert not np.array_equal(stream(engine, dry), first)
    engine.reset()
    np.testing.assert_array_equal(stream(engine, dry), first)


def test_a_minute_of_streaming_does_not_drift(tmp_path: Path) -> None:
    weights, dry = _weights(16, 1, True), plucks(60.0)
    model = build_model(weights.spec)
    model.assign(weights)
    keras, litert = model.process(dry), stream(open_engine(_written(weights, tmp_path)), dry)
    assert np.max(np.abs(litert - keras)) < 1e-5
    # The reference, too slow for a minute, joins for the last half second after half a second to find the state.
    reference = ReferenceNetwork(weights)
    warm_up = RATE_HZ // 2
    tail = reference.process(dry[-warm_up - RATE_HZ // 2 :])[warm_up:]
    assert np.max(np.abs(litert[-RATE_HZ // 2 :] - tail)) < 1e-5


def test_real_guitar_climbs_the_ladder_too(data_folder: Path, tmp_path: Path) -> None:
    dry = read_recording(data_folder / "sd1" / "dry_test.flac").samples[RATE_HZ : 2 * RATE_HZ]
    weights = _weights(16, 1, True)
    model = build_model(weights.spec)
    model.assign(weights)
    reference = ReferenceNetwork(weights).process(dry)
    np.testing.assert_allclose(model.process(dry), reference, atol=1e-5)
    np.testing.assert_allclose(stream(open_engine(_written(weights, tmp_path)), dry), reference, atol=1e-5)
