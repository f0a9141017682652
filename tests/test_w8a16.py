"""The integer scheme w8a16: bit for bit as its page says, and as good as w8 in float."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captures import read_guitarml, read_nam_lstm, read_seed_model
from neuralpedal.contract.audio import read_recording
from neuralpedal.contract.errors import ConversionError, ModelFileError, SpecError
from neuralpedal.contract.integer_format import IntegerFormat
from neuralpedal.contract.integer_network import read_integer_network
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.reference import ReferenceNetwork
from neuralpedal.contract.reference_int8 import open_int8_reference
from neuralpedal.contract.reference_w8a16 import W8A16ReferenceNetwork
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.float_graph import build_w8
from neuralpedal.convert.int8_graph import build_w8a8
from neuralpedal.convert.integer_formats import IntegerRanges, choose_formats, measure_ranges
from neuralpedal.convert.schemes import check_schemes, schemes_for
from neuralpedal.device.engine import open_engine
from neuralpedal.device.stream import stream
from scalar_w8a16 import ScalarNetwork
from signals import RATE_HZ, plucks
from slow_network import slow_network

GOLDEN = Path(__file__).parent / "golden" / "lstm-1x4-skip.w8a16.tflite"
WORST_ESR = 1e-4


@dataclass(frozen=True)
class Pedal:
    """A network in both arithmetics, from one file."""

    file: TfliteFile
    integer: W8A16ReferenceNetwork
    floating: ReferenceNetwork

    def esr(self, dry: np.ndarray) -> float:
        """Of the integers against float arithmetic with the same int8 weights."""
        return esr(self.floating.process(dry), self.integer.play(dry))


def write(path: Path, weights: NetworkWeights, formats: IntegerFormat) -> Path:
    path.write_bytes(build_w8(weights, Manifest(name="test", scheme="w8a16", network=weights.spec,
                                                integer_format=formats)))
    return path


def make_pedal(folder: Path, weights: NetworkWeights, dry: np.ndarray, formats: IntegerFormat | None = None) -> Pedal:
    formats = formats or choose_formats(weights, measure_ranges(weights, dry))
    file = read_tflite(write(folder / "pedal.tflite", weights, formats))
    return Pedal(file, W8A16ReferenceNetwork(read_integer_network(file)), ReferenceNetwork(read_weights(file)))


def network(hidden_size: int, num_layers: int = 1, skip: bool = True, scale: float = 0.4) -> NetworkWeights:
    return random_weights(NetworkSpec(hidden_size=hidden_size, num_layers=num_layers, skip=skip), hidden_size, scale)


def loud_noise(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-(2**15), 2**15, length).astype(np.int16)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.integers(1, 2), st.booleans(), st.floats(0.01, 8.0), st.integers(0, 99))
def test_the_reference_equals_the_page_bit_for_bit_and_nothing_overflows(
    tmp_path_factory: pytest.TempPathFactory, size: int, num_layers: int, skip: bool, scale: float, seed: int
) -> None:
    weights = random_weights(NetworkSpec(hidden_size=size, num_layers=num_layers, skip=skip), seed, scale)
    cells = tuple(np.random.default_rng(seed).uniform(0.1, 400.0, num_layers))
    pedal = make_pedal(tmp_path_factory.getbasetemp(), weights, np.zeros(0),
                       choose_formats(weights, IntegerRanges(1.0, cells, 1.0)))
    dry = loud_noise(40, seed)
    scalar = ScalarNetwork(pedal.file)
    assert pedal.integer.process(dry).tolist() == [scalar.step(int(x)) for x in dry]


def test_slow_cells_equal_the_page_bit_for_bit(tmp_path: Path) -> None:
    pedal, dry = make_pedal(tmp_path, slow_network(), plucks(0.5)), loud_noise(300)
    scalar = ScalarNetwork(pedal.file)
    assert pedal.integer.process(dry).tolist() == [scalar.step(int(x)) for x in dry]


@settings(deadline=None, max_examples=8)
@given(st.integers(1, 48), st.integers(1, 2), st.booleans(), st.floats(0.1, 0.8), st.integers(0, 99))
def test_a_random_network_loses_next_to_nothing_against_float_arithmetic(
    tmp_path_factory: pytest.TempPathFactory, size: int, num_layers: int, skip: bool, scale: float, seed: int
) -> None:
    weights = random_weights(NetworkSpec(hidden_size=size, num_layers=num_layers, skip=skip), seed, scale)
    dry = plucks(0.05, seed)
    assert make_pedal(tmp_path_factory.getbasetemp(), weights, dry).esr(dry) < WORST_ESR


def test_a_fuzz_that_narrow_formats_cannot_play_loses_nothing(tmp_path: Path) -> None:
    weights, dry = slow_network(), plucks(0.5)
    ranges = measure_ranges(weights, dry)
    assert ranges.cells[0] > 60.0
    pedal = make_pedal(tmp_path, weights, dry, choose_formats(weights, ranges))
    assert pedal.esr(dry) < 1e-6
    path = tmp_path / "pedal.w8a8.tflite"
    path.write_bytes(build_w8a8(weights, calibrate(weights, dry),
                                Manifest(name="test", scheme="w8a8", network=weights.spec)))
    narrow = open_int8_reference(read_tflite(path))
    pedal.floating.reset()
    wanted = pedal.floating.process(dry)
    assert esr(wanted, narrow.output_code.decode(narrow.process(narrow.input_code.encode(dry)))) > 0.1
    # An int16 cell that holds the same range has 15 fraction bits fewer than 31 bits have.
    formats = choose_formats(weights, IntegerRanges(0.5, (400.0,), 1.0))
    int16_cell = formats.layers[0].model_copy(update={"cell_fraction_bits": 9})
    coarse = make_pedal(tmp_path, weights, dry, formats.model_copy(update={"layers": (int16_cell,)}))
    assert coarse.esr(dry) > 0.1


def read_takes(data_folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Calibration audio, and a quarter second of another take's playing."""
    train, test = (read_recording(data_folder / "sd1" / f"dry_{part}.flac").samples for part in ("train", "test"))
    return train[2 * RATE_HZ : 3 * RATE_HZ], test[2 * RATE_HZ : 9 * RATE_HZ // 4]


@pytest.mark.parametrize(("name", "read"), [
    ("captures/guitarml/lstm4_ts9_pytorch.json", read_guitarml),
    ("captures/guitarml/lstm8_ts9_pytorch.json", read_guitarml), ("captures/nam/lstm.nam", read_nam_lstm),
    ("seed_models/model_5011.npz", read_seed_model), ("seed_models/model_62.npz", read_seed_model),
    ("seed_models/model_6012_dual_layer_.npz", read_seed_model),
    ("seed_models/model_9043.npz", read_seed_model),
])
def test_trained_networks_lose_next_to_nothing(name: str, read: Callable[[Path], NetworkWeights], data_folder: Path,
                                               tmp_path: Path) -> None:
    weights, (calibration, dry) = read(data_folder / name), read_takes(data_folder)
    assert make_pedal(tmp_path, weights, calibration).esr(dry) < 1e-5


@pytest.mark.parametrize("block", [1, 7, 64])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_blocks_of_any_size_give_the_same_bits(block: int, num_layers: int, tmp_path: Path) -> None:
    pedal, dry = make_pedal(tmp_path, network(5, num_layers), plucks(0.1)), loud_noise(200)
    whole = pedal.integer.process(dry)
    pedal.integer.reset()
    parts = [pedal.integer.process(dry[start : start + block]) for start in range(0, len(dry), block)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_reset_is_as_good_as_new_and_empty_blocks_change_nothing(tmp_path: Path) -> None:
    pedal, dry = make_pedal(tmp_path, network(5, 2), plucks(0.1)), loud_noise(100)
    first = pedal.integer.process(dry)
    assert not np.array_equal(pedal.integer.process(dry), first)
    pedal.integer.reset()
    assert pedal.integer.process(dry[:0]).shape == (0,)
    assert np.array_equal(pedal.integer.process(dry), first)


def test_an_answer_stays_what_it_was_when_playing_goes_on(tmp_path: Path) -> None:
    pedal, dry = make_pedal(tmp_path, network(5), plucks(0.1)), loud_noise(50)
    first = pedal.integer.process(dry)
    kept = first.copy()
    pedal.integer.process(dry)
    assert np.array_equal(first, kept)


def test_full_scale_in_and_out_saturate_instead_of_wrapping(tmp_path: Path) -> None:
    weights = network(4)
    weights.head_kernel[:] = 0.0
    formats = choose_formats(weights, IntegerRanges(1.0, (1.0,), 0.25))
    # Output that saturates at a half: the skip alone goes beyond it.
    pedal = make_pedal(tmp_path, weights, np.zeros(0), formats.model_copy(update={"output_fraction_bits": 16}))
    wet = pedal.integer.play(np.array([3.0, -3.0, 0.25, 1.0, -1.0], np.float32))
    bias = float(weights.head_bias[0])
    assert wet == pytest.approx([0.5, -0.5, 0.25 + bias, 0.5, -0.5], abs=2e-5)


@pytest.mark.parametrize(("peak", "bits"), [(0.001, 15), (0.5, 15), (0.51, 14), (1.0, 14), (3.0, 12)])
def test_the_output_has_6_db_of_headroom_and_full_scale_always_passes(peak: float, bits: int) -> None:
    assert choose_formats(network(4), IntegerRanges(1.0, (1.0,), peak)).output_fraction_bits == bits


def test_the_input_gain_of_a_player_moves_the_level_at_which_the_input_saturates(tmp_path: Path) -> None:
    weights = network(4)
    ranges = IntegerRanges(0.7, (1.0,), 1.0)
    assert choose_formats(weights, ranges).input_fraction_bits == 15
    assert choose_formats(weights, ranges, input_gain=3.0).input_fraction_bits == 13
    assert choose_formats(weights, IntegerRanges(1.5, (1.0,), 1.0)).input_fraction_bits == 14


def test_cells_beyond_their_format_saturate_and_come_back(tmp_path: Path) -> None:
    weights = slow_network()
    formats = choose_formats(weights, IntegerRanges(1.0, (0.1,), 1.0))
    pedal = make_pedal(tmp_path, weights, np.zeros(0), formats)
    pedal.integer.process(np.full(500, 32767, np.int16))
    cells = pedal.integer.layers[0].c
    assert np.max(cells) == 2**30 - 1 and np.min(cells) == -(2**30)
    pedal.integer.process(np.full(500, -32768, np.int16))
    assert np.max(np.abs(pedal.integer.layers[0].c[:4]) - 2**30) <= 0


@pytest.mark.parametrize("zeroed", ["kernel", "recurrent_kernel", "bias"])
def test_a_matrix_of_zeros_is_no_special_case(zeroed: str, tmp_path: Path) -> None:
    weights, dry = network(8), plucks(0.1)
    getattr(weights.layers[0], zeroed)[:] = 0.0
    assert make_pedal(tmp_path, weights, dry).esr(dry) < WORST_ESR


def test_weights_beyond_32_bits_are_refused_by_convert_naming_another_scheme() -> None:
    weights = network(4)
    weights.layers[0].bias[:] = 1e9
    with pytest.raises(ConversionError, match=r"too large for the 32-bit sums of w8a16.*w8 instead"):
        choose_formats(weights, IntegerRanges(1.0, (1.0,), 1.0))


def test_formats_that_the_weights_do_not_fit_are_refused_by_the_reader(tmp_path: Path) -> None:
    weights = network(4, scale=20.0)
    good = choose_formats(weights, IntegerRanges(1.0, (1.0,), 1.0))
    fine = good.layers[0].model_copy(update={"gate_fraction_bits": 20})
    assert good.layers[0].gate_fraction_bits < 18
    path = write(tmp_path / "pedal.tflite", weights, good.model_copy(update={"layers": (fine,)}))
    with pytest.raises(ModelFileError, match=r"pedal\.tflite: its integer network is damaged .* gate fraction bits"):
        read_integer_network(read_tflite(path))


def test_formats_for_another_number_of_layers_are_refused(tmp_path: Path) -> None:
    weights = network(4)
    good = choose_formats(weights, IntegerRanges(1.0, (1.0,), 1.0))
    path = write(tmp_path / "pedal.tflite", weights, good.model_copy(update={"layers": good.layers * 2}))
    with pytest.raises(ModelFileError, match="formats for 2 layers, wanted 1"):
        read_integer_network(read_tflite(path))


def test_other_schemes_have_no_integer_network() -> None:
    with pytest.raises(ModelFileError, match="its scheme is w8; integer formats are in w8a16 files only"):
        read_integer_network(read_tflite(GOLDEN.with_name("lstm-1x4-skip.w8.tflite")))


def test_frames_have_every_scheme_but_those_of_16_bit_integers() -> None:
    spec = NetworkSpec(family="frame_lstm", hidden_size=4, frame_samples=16)
    assert schemes_for(spec) == ("float32", "w8", "w8a8")
    with pytest.raises(SpecError, match="tflm16x8: does not exist for frame_lstm"):
        check_schemes(("tflm16x8",), spec)
    with pytest.raises(SpecError, match="w8a16: does not exist for frame_lstm"):
        check_schemes(("w8", "w8a16"), spec)


def test_the_file_is_a_w8_graph_that_litert_plays_in_float_and_says_so() -> None:
    dry = plucks(0.1)
    exact, view = open_engine(GOLDEN, "reference"), open_engine(GOLDEN)
    assert "float view of w8a16" in view.description
    played = stream(view, dry)
    assert esr(played, stream(exact, dry)) < 1e-6
    assert not np.array_equal(played, stream(open_engine(GOLDEN, "reference"), dry))
    w8 = read_tflite(GOLDEN.with_name("lstm-1x4-skip.w8.tflite"))
    for ours, theirs in zip(read_weights(read_tflite(GOLDEN)).arrays(), read_weights(w8).arrays(), strict=True):
        assert np.array_equal(ours, theirs)


def test_the_sample_by_hand_of_the_page_is_right() -> None:
    network = W8A16ReferenceNetwork(read_integer_network(read_tflite(GOLDEN)))
    steps = [(8192, [-1551, -1123, -102, 473], -6804443, 3764), (-4096, [539, 581, 230, 1566], 2395609, -2446)]
    for dry, hidden, first_cell, wet in steps:
        assert network.process(np.array([dry], np.int16)).tolist() == [wet]
        assert network.layers[0].h.tolist() == hidden
        assert network.layers[0].c[0] == first_cell


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, GOLDEN.stat().st_size - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_file_plays_or_raises_a_model_file_error(tmp_path_factory: pytest.TempPathFactory,
                                                           damage: list[tuple[int, int]]) -> None:
    data = bytearray(GOLDEN.read_bytes())
    for place, value in damage:
        data[place] = value
    path = tmp_path_factory.getbasetemp() / "damaged.tflite"
    path.write_bytes(data)
    try:
        network = W8A16ReferenceNetwork(read_integer_network(read_tflite(path)))
    except ModelFileError as error:
        assert "damaged.tflite" in str(error)
    else:
        assert network.process(np.zeros(3, np.int16)).shape == (3,)
