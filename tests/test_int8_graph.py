"""The integer file: LiteRT and the integer reference must agree in every bit, and sound like the float network."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralpedal.contract.errors import ModelFileError, RecordingError
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.reference import ReferenceNetwork
from neuralpedal.contract.reference_int8 import Int8ReferenceNetwork
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.calibration import ActivationRanges, Range, calibrate, cut_into_lanes
from neuralpedal.convert.float_graph import build_float32
from neuralpedal.convert.int8_graph import build_w8a8
from neuralpedal.convert.signal_grids import cell_scale, choose_grids

RATE_HZ = 16000
# Layers, hidden size, skip, spread of the random weights (wide ones saturate gates and cells).
NETWORKS = [(1, 1, False, 0.4), (1, 3, True, 0.4), (1, 8, False, 1.0), (1, 8, True, 3.0), (1, 16, True, 0.4),
            (1, 16, False, 2.0), (1, 32, True, 0.6), (1, 33, False, 0.4), (2, 5, True, 0.8), (2, 16, True, 0.4)]


def guitar(seconds: float = 1.0) -> np.ndarray:
    """Plucks on four strings with decaying harmonics, float32 (T,), peak about 0.8."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    signal = 0.002 * np.random.default_rng(3).normal(size=len(t))
    for start_s, hertz in ((0.0, 82.4), (0.2, 110.0), (0.45, 196.0), (0.7, 329.6)):
        age = np.maximum(t - start_s, 0.0)
        for harmonic in range(1, 8):
            decay = np.exp(-age * (3.0 + 2.0 * harmonic)) * (t >= start_s)
            signal += 0.35 / harmonic * decay * np.sin(2.0 * np.pi * hertz * harmonic * age)
    return signal.astype(np.float32)


@dataclass(frozen=True)
class Pedal:
    """A network with its integer file."""

    weights: NetworkWeights
    model: bytes
    reference: Int8ReferenceNetwork

    def quantized(self, samples: np.ndarray) -> np.ndarray:
        return self.reference.input_code.encode(samples)


def make_pedal(folder: Path, weights: NetworkWeights, ranges: ActivationRanges) -> Pedal:
    model = build_w8a8(weights, ranges, Manifest(name="test", scheme="w8a8", network=weights.spec))
    path = folder / "model.tflite"
    path.write_bytes(model)
    return Pedal(weights, model, Int8ReferenceNetwork(read_tflite(path)))


def random_network(num_layers: int, size: int, skip: bool, spread: float) -> NetworkWeights:
    spec = NetworkSpec(hidden_size=size, num_layers=num_layers, skip=skip, sample_rate_hz=RATE_HZ)
    return random_weights(spec, seed=size, scale=spread)


def play(model: bytes, samples: np.ndarray, block: int, resolver: OpResolverType = OpResolverType.AUTO) -> np.ndarray:
    interpreter = Interpreter(model_content=model, num_threads=1, experimental_op_resolver_type=resolver)
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.resize_tensor_input(source["index"], [1, block, 1], strict=True)
    interpreter.allocate_tensors()
    output = np.empty_like(samples)
    for start in range(0, len(samples), block):
        interpreter.set_tensor(source["index"], samples[np.newaxis, start : start + block, np.newaxis])
        interpreter.invoke()
        output[start : start + block] = interpreter.get_tensor(target["index"])[0, :, 0]
    return output


@pytest.mark.parametrize(("num_layers", "size", "skip", "spread"), NETWORKS)
def test_litert_equals_the_integer_reference_bit_for_bit(num_layers: int, size: int, skip: bool, spread: float,
                                                         tmp_path: Path) -> None:
    weights, samples = random_network(num_layers, size, skip, spread), guitar()
    pedal = make_pedal(tmp_path, weights, calibrate(weights, samples))
    quantized = pedal.quantized(samples)
    wanted = pedal.reference.process(quantized)
    assert len(np.unique(wanted)) > 20, "a constant would prove nothing"
    for block in (1, 16, 64):
        assert np.array_equal(play(pedal.model, quantized, block), wanted), block
    assert np.array_equal(play(pedal.model, quantized, 64, OpResolverType.BUILTIN_REF), wanted)


@pytest.mark.parametrize(("num_layers", "size", "skip"), [(1, 8, True), (1, 16, False), (2, 8, True)])
def test_the_integer_file_sounds_like_the_float_network(num_layers: int, size: int, skip: bool,
                                                        tmp_path: Path) -> None:
    weights, samples = random_network(num_layers, size, skip, 0.4), guitar(0.5)
    pedal = make_pedal(tmp_path, weights, calibrate(weights, samples))
    output = play(pedal.model, pedal.quantized(samples), 64)[: len(samples)]
    assert len(np.unique(output)) > 50
    wanted = ReferenceNetwork(weights).process(samples)
    assert esr(wanted, pedal.reference.output_code.decode(output)) < 0.005


def test_the_reference_streams_blocks_as_one_shot_and_resets(tmp_path: Path) -> None:
    weights, samples = random_network(2, 5, True, 0.8), guitar(0.1)
    pedal = make_pedal(tmp_path, weights, calibrate(weights, samples))
    quantized = pedal.quantized(samples)
    whole = pedal.reference.process(quantized)
    pedal.reference.reset()
    parts = [pedal.reference.process(quantized[start : start + 7]) for start in range(0, len(quantized), 7)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_int8_output_saturates_instead_of_wrapping(tmp_path: Path) -> None:
    weights, samples = random_network(1, 8, True, 0.4), guitar(0.25)
    ranges = calibrate(weights, samples)
    quarter = Range(ranges.output.low / 4, ranges.output.high / 4)
    pedal = make_pedal(tmp_path, weights, replace(ranges, output=quarter))
    full_scale = np.where(np.arange(1024) // 64 % 2, 127, -128).astype(np.int8)
    output = play(pedal.model, full_scale, 64)
    assert np.array_equal(output, pedal.reference.process(full_scale))
    assert {-128, 127} <= set(output.tolist())
    # The dry part alone is beyond the range, so after each edge has settled the sign must be that of the input.
    settled = np.arange(1024) % 64 > 32
    assert np.array_equal(output[settled] > 0, full_scale[settled] > 0)


def test_cells_beyond_the_largest_format_saturate_as_litert_does(tmp_path: Path) -> None:
    """A slow integrator that reaches 64, the end of Q6.9."""
    weights = random_network(1, 3, False, 0.4)
    weights.layers[0].bias[:6] = 8.0
    samples = guitar(0.25)
    ranges = calibrate(weights, samples, lanes=1)
    assert ranges.cell[0].peak > 64.0
    pedal = make_pedal(tmp_path, weights, ranges)
    quantized = pedal.quantized(samples)
    assert np.array_equal(play(pedal.model, quantized, 16), pedal.reference.process(quantized))


@pytest.mark.parametrize("zeroed", ["kernel", "recurrent_kernel", "bias"])
def test_a_matrix_of_zeros_is_no_special_case(zeroed: str, tmp_path: Path) -> None:
    weights, samples = random_network(1, 8, True, 0.4), guitar(0.1)
    getattr(weights.layers[0], zeroed)[:] = 0.0
    pedal = make_pedal(tmp_path, weights, calibrate(weights, samples))
    quantized = pedal.quantized(samples)
    assert np.array_equal(play(pedal.model, quantized, 16), pedal.reference.process(quantized))


def test_a_large_bias_on_a_tiny_kernel_stays_inside_32_bits(tmp_path: Path) -> None:
    weights, samples = random_network(1, 8, True, 0.4), guitar(0.1)
    weights.layers[0].kernel[:] *= np.float32(1e-8)
    pedal = make_pedal(tmp_path, weights, calibrate(weights, samples))
    quantized = pedal.quantized(samples)
    output = play(pedal.model, quantized, 16)
    assert np.array_equal(output, pedal.reference.process(quantized))
    wanted = ReferenceNetwork(weights).process(samples)
    assert esr(wanted, pedal.reference.output_code.decode(output)) < 0.005


@pytest.mark.parametrize(("peak", "integer_bits"), [(0.0, 0), (0.3, 0), (1.0, 0), (1.01, 1), (2.5, 2), (63.0, 6),
                                                    (314.0, 6)])
def test_the_cell_scale_is_a_power_of_two_that_litert_knows(peak: float, integer_bits: int) -> None:
    assert cell_scale(peak) == 2.0 ** (integer_bits - 15)


@pytest.mark.parametrize("gain", [0.02, 0.3, 1.0, 4.0])
def test_grids_hold_the_calibrated_ranges_and_waste_little(gain: float) -> None:
    weights = random_network(1, 16, True, 0.4)
    weights.head_kernel[:] *= np.float32(gain)
    ranges = calibrate(weights, guitar(0.25))
    grids = choose_grids(weights, ranges)
    for grid, found in ((grids.dry, ranges.input), (grids.wet, ranges.output), (grids.head, ranges.head)):
        low, high = ((q - grid.zero_point) * grid.scale for q in (-128, 127))
        assert low <= found.low + 1.01 * grid.scale
        assert high >= found.high - 1.01 * grid.scale
    for grid, found in ((grids.dry, ranges.input), (grids.wet, ranges.output)):
        assert grid.scale < 1.1 * (found.high - found.low) / 255


def test_the_integer_reference_refuses_a_float_file(tmp_path: Path) -> None:
    weights = random_network(1, 3, True, 0.4)
    path = tmp_path / "model.tflite"
    path.write_bytes(build_float32(weights, Manifest(name="test", scheme="float32", network=weights.spec)))
    with pytest.raises(ModelFileError, match="w8a8 and tflm16x8 files only"):
        Int8ReferenceNetwork(read_tflite(path))


def test_the_float_reader_refuses_an_integer_file(tmp_path: Path) -> None:
    weights, samples = random_network(1, 3, True, 0.4), guitar(0.1)
    make_pedal(tmp_path, weights, calibrate(weights, samples))
    with pytest.raises(ModelFileError, match="int8 arithmetic"):
        read_weights(read_tflite(tmp_path / "model.tflite"))


def test_calibration_side_by_side_finds_the_ranges_of_one_stream() -> None:
    weights, samples = random_network(1, 8, True, 0.4), guitar(0.5)
    parallel = calibrate(weights, samples)
    single = calibrate(weights, samples, lanes=1)
    for found, wanted in ((parallel.hidden[0], single.hidden[0]), (parallel.cell[0], single.cell[0]),
                          (parallel.head, single.head), (parallel.output, single.output)):
        assert found.low == pytest.approx(wanted.low, abs=1e-3)
        assert found.high == pytest.approx(wanted.high, abs=1e-3)


def test_lanes_are_contiguous_and_led_by_the_audio_before_them() -> None:
    samples = np.arange(1, 101, dtype=np.float32)
    lanes = cut_into_lanes(samples, lanes=4, warm_up_samples=10)
    assert lanes.shape == (4, 35)
    assert not np.any(lanes[0, :10])
    assert np.array_equal(lanes[:, 10:].ravel(), samples)
    assert np.array_equal(lanes[1:, :10], lanes[:-1, -10:])


def test_silence_cannot_calibrate() -> None:
    weights = random_network(1, 3, True, 0.4)
    with pytest.raises(RecordingError, match="silent"):
        calibrate(weights, np.zeros(1000, np.float32))


GOLDEN = Path(__file__).parent / "golden" / "lstm-1x4-skip.w8a8.tflite"


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, GOLDEN.stat().st_size - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_integer_file_plays_or_raises_a_model_file_error(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, int]]
) -> None:
    data = bytearray(GOLDEN.read_bytes())
    for place, value in damage:
        data[place] = value
    path = tmp_path_factory.getbasetemp() / "damaged.tflite"
    path.write_bytes(data)
    try:
        network = Int8ReferenceNetwork(read_tflite(path))
    except ModelFileError as error:
        assert "damaged.tflite" in str(error)
    else:
        assert network.process(np.zeros(3, np.int8)).shape == (3,)
