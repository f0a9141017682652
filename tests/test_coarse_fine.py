"""Audio in two int8 channels: what the code keeps, that LiteRT and the reference agree on it, that it is worth it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damage import damaged_bytes, damaged_words
from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.audio_border import open_border
from neuralpedal.contract.audio_code import RATIOS, CoarseFine
from neuralpedal.contract.coarse_fine import CoarseFineInput, CoarseFineOutput
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.manifest import Manifest, decode_manifest, encode_manifest
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.reference import ReferenceNetwork
from neuralpedal.contract.reference_int8 import open_int8_reference
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.tflite_file import parse_tflite, read_tflite
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.audio_codes import choose_audio_code
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.int8_graph import build_w8a8_on
from neuralpedal.convert.signal_grids import SignalGrids, choose_coarse_fine_grids, choose_grids
from neuralpedal.device.engine import open_engine
from neuralpedal.device.stream import stream

GOLDEN = Path(__file__).parent / "golden" / "lstm-1x4-skip.coarse-fine.w8a8.tflite"
NETWORKS = [(1, 1, False), (1, 5, True), (1, 16, True), (2, 7, True), (2, 8, False)]


def playing(samples: int = 4000) -> np.ndarray:
    """Noise whose level rises from nothing to more than full scale."""
    level = np.linspace(0.0, 1.2, samples)
    return (np.random.default_rng(0).normal(size=samples) * 0.3 * level).astype(np.float32)


def network(num_layers: int, size: int, skip: bool) -> NetworkWeights:
    return random_weights(make_spec(hidden_size=size, num_layers=num_layers, skip=skip), seed=size)


def coarse_fine_file(weights: NetworkWeights) -> bytes:
    grids = choose_coarse_fine_grids(weights, calibrate(weights, playing(), 4, 128))
    return build_w8a8_on(weights, grids, Manifest(name="test", scheme="w8a8", network=weights.spec))


@pytest.fixture
def pedal(tmp_path: Path) -> Path:
    path = tmp_path / "pedal.tflite"
    path.write_bytes(coarse_fine_file(network(1, 5, True)))
    return path


@given(st.lists(st.floats(-2.0, 2.0, width=32), min_size=1, max_size=50), st.sampled_from(RATIOS))
def test_both_channels_together_are_the_nearest_fine_step(samples: list[float], ratio: int) -> None:
    scale = 1 / 128
    values = np.array(samples, np.float32)
    code = CoarseFineInput(scale, ratio).encode(values).astype(np.float64)
    assert np.all(np.abs(code[:, 0]) <= 127)
    assert np.all((code[:, 1] >= -ratio // 2) & (code[:, 1] < ratio // 2))
    heard = (code[:, 0] + code[:, 1] / ratio) * scale
    inside = np.abs(values) < 127 * scale
    np.testing.assert_array_less(np.abs(heard - values)[inside], scale / ratio / 2 + 1e-9)
    assert np.all(np.sign(heard[~inside]) == np.sign(values[~inside]))


def test_silence_is_zero_in_both_channels() -> None:
    np.testing.assert_array_equal(CoarseFineInput(0.01, 16).encode(np.zeros(3, np.float32)), np.zeros((3, 2), np.int8))


def test_the_fine_answer_counts_until_it_reaches_an_end() -> None:
    output = CoarseFineOutput(AffineCode(0.1, 5), AffineCode(0.01, 0))
    coarse, fine = np.array([5, 6, 30, -20], np.int8), np.array([3, 12, 127, -128], np.int8)
    np.testing.assert_allclose(output.decode(coarse, fine), [0.03, 0.12, 2.5, -2.5], rtol=1e-6)


@pytest.mark.parametrize("block_size", [1, 17, 400])
def test_blocks_in_place_are_what_the_whole_track_gives(pedal: Path, block_size: int) -> None:
    file, dry = read_tflite(pedal), playing(400)
    whole, border = open_border(file), open_border(file, block_size)
    encoded = whole.encode(dry)
    answers = open_int8_reference(file).answers(encoded)
    block, wet = np.empty((block_size, 2), np.int8), np.empty(block_size, np.float32)
    for start in range(0, len(dry) - block_size + 1, block_size):
        part = slice(start, start + block_size)
        border.encode_into(dry[part], block)
        np.testing.assert_array_equal(block, encoded[part])
        border.decode_into([answer[part] for answer in answers], dry[part], wet)
        np.testing.assert_array_equal(wet, whole.decode(answers, dry)[part])


@pytest.mark.parametrize("shape", NETWORKS)
@pytest.mark.parametrize("block_size", [1, 16, 64])
def test_litert_gives_what_the_integer_reference_gives(tmp_path: Path, shape: tuple[int, int, bool],
                                                      block_size: int) -> None:
    path = tmp_path / "pedal.tflite"
    path.write_bytes(coarse_fine_file(network(*shape)))
    played, wanted = (stream(open_engine(path, engine, block_size), playing()) for engine in ("litert", "reference"))
    np.testing.assert_array_equal(played, wanted)


def cost(weights: NetworkWeights, grids: SignalGrids, dry: np.ndarray) -> float:
    manifest = Manifest(name="test", scheme="w8a8", network=weights.spec)
    file = parse_tflite(Path("pedal.tflite"), build_w8a8_on(weights, grids, manifest))
    border = open_border(file)
    return esr(ReferenceNetwork(weights).process(dry), border.decode(open_int8_reference(file).answers(
        border.encode(dry)), dry))


@pytest.mark.parametrize("skip", [True, False])
def test_soft_playing_through_much_gain_needs_the_fine_channel(skip: bool) -> None:
    weights = network(1, 6, skip)
    layer = weights.layers[0]
    # Recurrent weights that hardly feed the hidden state's own steps back: only those of the dry signal are left.
    gritty = replace(weights, layers=(replace(layer, kernel=layer.kernel * 20,
                                              recurrent_kernel=layer.recurrent_kernel * 0.05),))
    ranges, soft = calibrate(gritty, playing(), 4, 128), playing() * 0.03
    chosen = choose_audio_code(gritty, ranges, soft)
    assert chosen.ratio
    assert cost(gritty, chosen, soft) < 0.2 * cost(gritty, choose_grids(gritty, ranges), soft)


def test_frames_keep_one_channel() -> None:
    weights = random_weights(make_spec(family="frame_lstm", hidden_size=3, frame_samples=4), seed=0)
    assert choose_audio_code(weights, calibrate(weights, playing()), playing()).ratio is None


def test_an_older_reader_is_told_by_the_format_version(pedal: Path) -> None:
    manifest = read_tflite(pedal).manifest()
    assert manifest.format_version == 2
    assert b'"format_version": 1' in encode_manifest(Manifest(name="plain", scheme="w8a8", network=manifest.network))


@pytest.mark.parametrize(("change", "said"), [({"audio_code": {"ratio": 3}}, "ratio"), ({"scheme": "w8"}, "audio_code"),
                                              ({"audio_code": {"ratio": 16, "x": 1}}, "audio_code")])
def test_an_impossible_audio_code_is_refused(pedal: Path, change: dict, said: str) -> None:
    fields = json.loads(encode_manifest(read_tflite(pedal).manifest())) | change
    with pytest.raises(ModelFileError, match=said):
        decode_manifest(json.dumps(fields).encode(), "pedal.tflite")


def test_a_graph_that_lacks_what_the_manifest_says_is_refused() -> None:
    weights = network(1, 4, True)
    grids = choose_grids(weights, calibrate(weights, playing(), 4, 128))
    manifest = Manifest(name="test", scheme="w8a8", network=weights.spec, audio_code=CoarseFine(ratio=16))
    file = parse_tflite(Path("mixed.tflite"), build_w8a8_on(weights, grids, manifest))
    with pytest.raises(ModelFileError, match=r"mixed\.tflite: operators .* wanted"):
        open_int8_reference(file)


@settings(max_examples=150)
@given(damaged_bytes([GOLDEN.read_bytes()]) | damaged_words([GOLDEN.read_bytes()]))
def test_a_damaged_file_is_refused_or_plays(damaged: bytes) -> None:
    try:
        file = parse_tflite(Path("damaged.tflite"), damaged)
        open_int8_reference(file).answers(open_border(file).encode(playing(20)))
    except ModelFileError:
        return
