"""Every engine gives the golden output of every golden model, however the signal is cut into blocks."""

from pathlib import Path

import numpy as np
import pytest

from neuralpedal.cli.tflite_player import open_tflite
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.gain import linear_gain
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.device.engine import ENGINES, Engine
from neuralpedal.device.stream import stream

pytestmark = [pytest.mark.device, pytest.mark.usefixtures("c_compiler")]

GOLDEN = Path(__file__).parents[1] / "golden"
NETWORKS = ("lstm-1x4-skip", "lstm-2x3", "frame_lstm-1x3-of-8", "frame_lstm-2x3-of-5-skip")
# Networks that stream have two schemes more, of which LiteRT plays one.
MODELS = [f"{network}.{scheme}" for network in NETWORKS for scheme in ("float32", "w8", "w8a16", "w8a8")
          if scheme != "w8a16" or network.startswith("lstm")]
MODELS += [f"{network}.coarse-fine.w8a8" for network in NETWORKS if network.startswith("lstm")]
MODELS += [f"{network}.{scheme}" for network in ("wavenet-2-gated-skip", "wavenet-2+1")
           for scheme in ("float32", "w8", "w8a16", "w8a8")]
TFLM_MODELS = [f"{network}.tflm16x8" for network in NETWORKS if network.startswith("lstm")]
PLAYED = [(engine, name) for engine in ENGINES for name in MODELS
          if not (engine == "native" and name.startswith(("wavenet", "frame")) and name.endswith("w8a8"))]
"""Frame networks have no C in integers, WaveNets none in int8."""
BLOCK_SIZES = (1, 7, 64, 1024)
FLOAT_TOLERANCE = 1e-5
NATIVE_TOLERANCE = 5e-5
"""Its sigmoids and tanh are within 7e-6."""
BLOCK_TOLERANCE = 1e-6
FLOAT_VIEW_TOLERANCE = 2e-4


def vectors(name: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        return arrays["dry"], arrays["wet"]


def open_model(name: str, engine: str, block_size: int) -> Engine:
    return open_tflite(GOLDEN / f"{name}.tflite", engine, block_size)


def tolerance(name: str, of_floats: float) -> float:
    """Integers agree exactly or not at all."""
    return 0.0 if name.endswith(".w8a8") or is_integer_wavenet(name) else of_floats


def is_integer_wavenet(name: str) -> bool:
    """LiteRT plays these in the reference's bits, in every release."""
    return name.startswith("wavenet") and name.endswith(("w8a16", "w8a8"))


def golden_tolerance(name: str, played: Engine) -> float:
    """tflite-runtime rounds the int8 head twice where LiteRT rounds once: now and then one step of the output.

    An interpreter plays w8a16 of LSTMs in float: near the integers of the golden output, not equal to them.
    """
    if is_integer_wavenet(name):
        return 0.0
    if name.endswith(".w8a16"):
        return FLOAT_VIEW_TOLERANCE if played.description.startswith("litert") else 0.0
    if played.description.startswith("native"):
        return tolerance(name, NATIVE_TOLERANCE)
    if name.endswith(".w8a8") and "tflite_runtime" in played.description:
        file = read_tflite(GOLDEN / f"{name}.tflite")
        return 1.001 * file.tensors[file.outputs[0]].scales[0] * linear_gain(played.manifest.output_gain_db)
    return tolerance(name, FLOAT_TOLERANCE)


def test_every_golden_model_is_played_here():
    assert sorted(MODELS + TFLM_MODELS) == sorted(path.stem for path in GOLDEN.glob("*.tflite"))


@pytest.mark.parametrize(("engine", "name"), PLAYED)
@pytest.mark.parametrize("block_size", BLOCK_SIZES)
def test_an_engine_gives_the_golden_output(name, engine, block_size):
    dry, wet = vectors(name)
    opened = open_model(name, engine, block_size)
    played = stream(opened, dry)
    assert played.dtype == np.float32
    np.testing.assert_allclose(played, wet, rtol=0, atol=golden_tolerance(name, opened))


@pytest.mark.parametrize("name", TFLM_MODELS)
@pytest.mark.parametrize("block_size", BLOCK_SIZES)
def test_the_reference_plays_tflm16x8_exactly_as_golden(name, block_size):
    dry, wet = vectors(name)
    np.testing.assert_array_equal(stream(open_model(name, "reference", block_size), dry), wet)


@pytest.mark.parametrize("name", TFLM_MODELS)
def test_litert_refuses_tflm16x8_and_names_the_engine_that_plays_it(name):
    with pytest.raises(ModelFileError, match=f"{name}.tflite: scheme tflm16x8 .* take the engine reference"):
        open_model(name, "litert", 64)


@pytest.mark.parametrize(("engine", "name"), PLAYED)
def test_the_sound_does_not_depend_on_the_block_size(name, engine):
    dry, _ = vectors(name)
    first, *others = (stream(open_model(name, engine, block_size), dry) for block_size in BLOCK_SIZES)
    for other in others:
        np.testing.assert_allclose(other, first, rtol=0, atol=tolerance(name, BLOCK_TOLERANCE))


@pytest.mark.parametrize(("engine", "name"), PLAYED)
def test_reset_brings_back_the_state_of_a_freshly_opened_engine(name, engine):
    dry, _ = vectors(name)
    played = open_model(name, engine, 50)
    fresh = stream(played, dry)
    assert not np.array_equal(stream(played, dry), fresh)
    played.reset()
    np.testing.assert_array_equal(stream(played, dry), fresh)


@pytest.mark.parametrize(("engine", "name"), PLAYED)
def test_a_block_may_be_played_in_place(name, engine):
    dry, _ = vectors(name)
    block = dry[-100:].copy()
    expected = np.zeros(100, np.float32)
    apart, in_place = (open_model(name, engine, 100) for _ in range(2))
    apart.process(dry[-100:], expected)
    in_place.process(block, block)
    np.testing.assert_array_equal(block, expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_playing_leaves_the_dry_block_alone(engine):
    dry, _ = vectors("lstm-2x3.float32")
    kept = dry.copy()
    open_model("lstm-2x3.float32", engine, len(dry)).process(dry, np.zeros_like(dry))
    np.testing.assert_array_equal(dry, kept)


@pytest.mark.parametrize("engine", ENGINES)
def test_two_engines_of_one_file_do_not_share_their_state(engine):
    dry, wet = vectors("lstm-2x3.w8")
    one, other = (open_model("lstm-2x3.w8", engine, 40) for _ in range(2))
    stream(other, np.ones(400, np.float32))
    np.testing.assert_allclose(stream(one, dry), wet, rtol=0, atol=golden_tolerance("lstm-2x3.w8", one))


@pytest.mark.parametrize("engine", ENGINES)
def test_prewarm_settles_the_output_on_silence(engine):
    played, silence = open_model("lstm-2x3.float32", engine, 64), np.zeros(64, np.float32)
    cold, warm, later = (np.zeros(64, np.float32) for _ in range(3))
    played.process(silence, cold)
    assert np.ptp(cold) > 1e-3
    played.prewarm(0.1)
    played.process(silence, warm)
    played.process(silence, later)
    assert np.ptp(warm) < 1e-6
    np.testing.assert_allclose(warm, later, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("engine", "name"), PLAYED)
def test_an_engine_says_what_it_plays(name, engine):
    played = open_model(name, engine, 32)
    assert played.manifest == read_tflite(GOLDEN / f"{name}.tflite").manifest()
    assert played.sample_rate_hz == 48_000
    assert played.block_size == 32
    assert played.description.startswith(engine)


@pytest.mark.parametrize(("gain_db", "factor"), [(0.0, 1.0), (20.0, 10.0), (-6.0206, 0.5)])
def test_a_gain_in_db_is_a_factor_of_amplitude(gain_db, factor):
    assert linear_gain(gain_db) == pytest.approx(factor, rel=1e-5)
    assert linear_gain(gain_db).dtype == np.float32
