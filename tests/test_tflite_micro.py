"""tflite-micro and its integer reference must agree in every bit, in blocks of any length."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.fixed_point import INT16_MAX, INT16_MIN, quantize_multiplier
from neuralpedal.contract.integer_kernels import kernels_of
from neuralpedal.contract.interpolated_activations import sigmoid_by_lines, tanh_by_lines
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.reference import ReferenceNetwork
from neuralpedal.contract.reference_int8 import open_int8_reference
from neuralpedal.contract.reference_int8_layers import IntegerHead
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.tflite_file import TfliteFile, parse_tflite, read_tflite
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.float_graph import head_options
from neuralpedal.convert.int8_graph import build_w8a8
from neuralpedal.convert.int16_graph import audio_grid, build_tflm16x8, cell_scale
from neuralpedal.convert.tflite_writer import Quantization, TfliteWriter
from neuralpedal.convert.weight_quantization import quantize_per_matrix
from signals import RATE_HZ, plucks

runtime = pytest.importorskip("tflite_micro", reason="tflite-micro has no wheel for this machine").runtime
tflm = pytest.importorskip("tflm_player")

# Layers, hidden size, skip, spread of the random weights (wide ones saturate gates and cells).
NETWORKS = [(1, 1, False, 0.4), (1, 3, True, 0.4), (1, 8, False, 3.0), (1, 16, True, 1.0), (2, 5, True, 0.8)]
BLOCKS = (1, 16, 64)
BUILDERS = {"w8a8": build_w8a8, "tflm16x8": build_tflm16x8}
INPUTS = np.arange(INT16_MIN, INT16_MAX + 1)


def network(num_layers: int, size: int, skip: bool, spread: float) -> NetworkWeights:
    spec = make_spec(hidden_size=size, num_layers=num_layers, skip=skip, sample_rate_hz=RATE_HZ)
    return random_weights(spec, seed=size, scale=spread)


def guitar() -> np.ndarray:
    return plucks(0.05)[:1920]


def integer_file(folder: Path, weights: NetworkWeights, scheme: str) -> TfliteFile:
    path = folder / "model.tflite"
    manifest = Manifest(name="test", scheme=scheme, network=weights.spec)
    path.write_bytes(BUILDERS[scheme](weights, calibrate(weights, guitar(), lanes=8, warm_up_samples=64), manifest))
    return read_tflite(path)


@pytest.mark.parametrize("scheme", BUILDERS)
@pytest.mark.parametrize(("num_layers", "size", "skip", "spread"), NETWORKS)
def test_tflite_micro_equals_its_reference_bit_for_bit(num_layers, size, skip, spread, scheme, tmp_path):
    file = integer_file(tmp_path, network(num_layers, size, skip, spread), scheme)
    reference = open_int8_reference(file, "tflm")
    samples = reference.input_code.encode(guitar())
    wanted = reference.process(samples)
    assert len(np.unique(wanted)) > 10, "a constant would prove nothing"
    for block in BLOCKS:
        assert np.array_equal(tflm.TflmPlayer(file.path.read_bytes(), block).process(samples), wanted), block


def test_litert_and_tflite_micro_play_one_w8a8_file_differently_but_alike(tmp_path):
    file = integer_file(tmp_path, network(1, 16, True, 0.4), "w8a8")
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
        open_int8_reference(integer_file(tmp_path, network(1, 3, True, 0.4), "w8a8"), "cmsis")


def test_tflm16x8_has_no_kernels_in_litert(tmp_path):
    with pytest.raises(SpecError, match="tflm16x8 has no integer kernels of litert"):
        open_int8_reference(integer_file(tmp_path, network(1, 3, True, 0.4), "tflm16x8"), "litert")


@pytest.mark.parametrize("seed", range(4))
def test_a_dense_layer_whose_sum_is_nearly_halfway_rounds_as_the_product_of_float64_scales(seed, tmp_path):
    rng = np.random.default_rng(seed)
    kernels, inputs, weights = kernels_of("w8a8", "tflm"), np.arange(-128, 128), np.arange(-127, 128)
    decisive: list = []
    while not decisive:
        dry, kernel = rng.uniform(0.003, 0.01, 2).astype(np.float32)
        wet = np.float32(dry * rng.uniform(0.3, 0.6))
        factors = float(dry) * float(kernel) / float(wet), float(dry * kernel) / float(wet)
        exact, single = (kernels.rescale_head(*quantize_multiplier(factor))(np.outer(inputs, weights))
                         for factor in factors)
        decisive = np.argwhere((exact != single) & (np.abs(exact) < 127)).tolist()
    place, column = decisive[0]
    writer = TfliteWriter("dense")
    grids = {"dry": dry, "kernel": kernel, "bias": dry * kernel, "wet": wet}
    dry_, kernel_, bias_, wet_ = (Quantization((float(scale),), (0,)) for scale in grids.values())
    tensors = [writer.activation("dry", (1, 1), np.int8, dry_),
               writer.constant("kernel", np.array([[weights[column]]], np.int8), kernel_),
               writer.constant("bias", np.zeros(1, np.int32), bias_)]
    output = writer.activation("wet", (1, 1), np.int8, wet_)
    writer.operator(schema.BuiltinOperator.FULLY_CONNECTED, 5, tensors, [output], head_options())
    model = writer.finish([tensors[0]], [output], {})
    file = parse_tflite(tmp_path, model)
    wanted = IntegerHead(file, file.operators[0], 1, kernels).process(np.array([[inputs[place]]]))
    assert wanted == exact[place, column] != single[place, column]
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 16)
    interpreter.set_input(np.array([[inputs[place]]], np.int8), 0)
    interpreter.invoke()
    assert interpreter.get_output(0)[0, 0] == wanted[0]


def on_gate_grids(weights: NetworkWeights) -> NetworkWeights:
    """The float network of the file's int8 matrices, one scale per gate."""
    def rounded(matrix: np.ndarray, gates: int) -> np.ndarray:
        return np.concatenate([quantize_per_matrix(np.ascontiguousarray(gate.T)).dequantized().T
                               for gate in np.split(matrix, gates, axis=1)], axis=1)

    layers = tuple(replace(layer, kernel=rounded(layer.kernel, 4), recurrent_kernel=rounded(layer.recurrent_kernel, 4))
                   for layer in weights.layers)
    return replace(weights, layers=layers, head_kernel=rounded(weights.head_kernel, 1))


@pytest.mark.parametrize(("num_layers", "size", "skip"), [(1, 8, True), (1, 16, False), (2, 8, True)])
def test_tflm16x8_sounds_like_the_float_network_of_its_weights(num_layers, size, skip, tmp_path):
    weights = network(num_layers, size, skip, 0.4)
    reference = open_int8_reference(integer_file(tmp_path, weights, "tflm16x8"))
    played = reference.output_code.decode(reference.process(reference.input_code.encode(guitar())))
    assert esr(ReferenceNetwork(on_gate_grids(weights)).process(guitar()), played) < 1e-6


def test_tflm16x8_audio_saturates_instead_of_wrapping(tmp_path):
    weights = network(1, 8, True, 0.4)
    weights.head_kernel[:] = -0.12
    ranges = calibrate(weights, 0.01 * guitar(), lanes=8, warm_up_samples=64)
    model = build_tflm16x8(weights, ranges, Manifest(name="test", scheme="tflm16x8", network=weights.spec))
    (tmp_path / "model.tflite").write_bytes(model)
    samples = np.where(np.arange(1024) // 64 % 2, INT16_MAX, INT16_MIN).astype(np.int16)
    reference = open_int8_reference(read_tflite(tmp_path / "model.tflite"))
    wanted = reference.process(samples)
    assert {INT16_MIN, INT16_MAX} & set(wanted.tolist())
    exact = ReferenceNetwork(weights).process(reference.input_code.decode(samples))
    # A value that wrapped would be wrong by 2.
    np.testing.assert_allclose(reference.output_code.decode(wanted), np.clip(exact, -1.0, 1.0), rtol=0, atol=0.1)
    assert np.array_equal(tflm.TflmPlayer(model, 64).process(samples), wanted)


def test_a_cell_that_reaches_hundreds_is_held_and_played_alike(tmp_path):
    weights = network(1, 4, False, 0.4)
    weights.layers[0].bias[:8] = 9.0
    file = integer_file(tmp_path, weights, "tflm16x8")
    reference = open_int8_reference(file)
    samples = reference.input_code.encode(guitar())
    wanted = reference.process(samples)
    assert next(tensor for tensor in file.tensors if tensor.name == "lstm_0/c").scales[0] > 2.0**-9
    assert np.array_equal(tflm.TflmPlayer(file.path.read_bytes(), 64).process(samples), wanted)


@pytest.mark.parametrize(("peak", "scale"), [(0.0, 2.0**-15), (0.8, 2.0**-15), (0.81, 2.0**-14), (3.0, 2.0**-13)])
def test_audio_grids_are_powers_of_two_with_a_quarter_of_room(peak, scale):
    assert audio_grid(peak).scale == scale


@pytest.mark.parametrize(("peak", "scale"), [(0.0, 2.0**-15), (1.5, 2.0**-14), (314.0, 2.0**-6), (1e9, 1.0)])
def test_cell_grids_hold_their_peak_up_to_32768(peak, scale):
    assert cell_scale(peak) == scale
