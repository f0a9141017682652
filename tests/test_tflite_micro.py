"""tflite-micro and its integer reference must agree in every bit, in blocks of any length."""

from pathlib import Path

import numpy as np
import pytest

from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.fixed_point import INT16_MAX, INT16_MIN
from neuralpedal.contract.interpolated_activations import sigmoid_by_lines, tanh_by_lines
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.reference_int8 import open_int8_reference
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.int8_graph import build_w8a8
from signals import RATE_HZ, plucks

pytest.importorskip("tflite_micro", reason="tflite-micro has no wheel for this machine")
tflm = pytest.importorskip("tflm_player")

# Layers, hidden size, skip, spread of the random weights (wide ones saturate gates and cells).
NETWORKS = [(1, 1, False, 0.4), (1, 3, True, 0.4), (1, 8, False, 3.0), (1, 16, True, 1.0), (2, 5, True, 0.8)]
BLOCKS = (1, 16, 64)
INPUTS = np.arange(INT16_MIN, INT16_MAX + 1)


def network(num_layers: int, size: int, skip: bool, spread: float) -> NetworkWeights:
    spec = make_spec(hidden_size=size, num_layers=num_layers, skip=skip, sample_rate_hz=RATE_HZ)
    return random_weights(spec, seed=size, scale=spread)


def guitar() -> np.ndarray:
    return plucks(0.2)[:3200]


def w8a8_file(folder: Path, weights: NetworkWeights) -> TfliteFile:
    path = folder / "model.tflite"
    manifest = Manifest(name="test", scheme="w8a8", network=weights.spec)
    path.write_bytes(build_w8a8(weights, calibrate(weights, guitar()), manifest))
    return read_tflite(path)


@pytest.mark.parametrize(("num_layers", "size", "skip", "spread"), NETWORKS)
def test_tflite_micro_equals_its_reference_of_w8a8_bit_for_bit(num_layers, size, skip, spread, tmp_path):
    file = w8a8_file(tmp_path, network(num_layers, size, skip, spread))
    reference = open_int8_reference(file, "tflm")
    samples = reference.input_code.encode(guitar())
    wanted = reference.process(samples)
    assert len(np.unique(wanted)) > 10, "a constant would prove nothing"
    for block in BLOCKS:
        assert np.array_equal(tflm.TflmPlayer(file.path.read_bytes(), block).process(samples), wanted), block


def test_litert_and_tflite_micro_play_one_w8a8_file_differently_but_alike(tmp_path):
    file = w8a8_file(tmp_path, network(1, 16, True, 0.4))
    litert, micro = (open_int8_reference(file, kernels) for kernels in ("litert", "tflm"))
    samples = litert.input_code.encode(guitar())
    one, other = litert.output_code.decode(litert.process(samples)), litert.output_code.decode(micro.process(samples))
    assert not np.array_equal(one, other)
    assert esr(one, other) < 0.01


@pytest.mark.parametrize("integer_bits", [0, 3, 6, 9])
def test_tanh_by_lines_is_near_tanh(integer_bits):
    exact = np.tanh(INPUTS * 2.0 ** (integer_bits - 15))
    assert np.max(np.abs(tanh_by_lines(integer_bits) * 2.0**-15 - exact)) < 2e-4


def test_sigmoid_by_lines_is_near_sigmoid():
    exact = 1.0 / (1.0 + np.exp(-INPUTS * 2.0**-12))
    assert np.max(np.abs(sigmoid_by_lines() * 2.0**-15 - exact)) < 1e-4


def test_kernels_of_an_unknown_interpreter_are_refused(tmp_path):
    with pytest.raises(SpecError, match="litert for w8a8, tflm for w8a8"):
        open_int8_reference(w8a8_file(tmp_path, network(1, 3, True, 0.4)), "cmsis")
