"""WaveNets in integers: LiteRT's own kernels and the reference agree in every bit, from the first sample on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from hypothesis import given, settings
from hypothesis import strategies as st
from wavenets import KINDS, build_in_integers, conv_array, source_of, wavenet_specs, write_wavenet

from neuralpedal.cli.file_player import FilePlayer
from neuralpedal.contract import integer_operators
from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.errors import ModelFileError, RecordingError
from neuralpedal.contract.integer_operators import IntegerFunction
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.network_file import check_graph, read_weights
from neuralpedal.contract.reference_integer_wavenet import open_integer_wavenet
from neuralpedal.contract.reference_wavenet import ReferenceWaveNet
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.contract.wavenet_plan import pasts
from neuralpedal.contract.wavenet_weights import WaveNetWeights, random_wavenet
from neuralpedal.convert import wavenet_integers
from neuralpedal.convert.clipped_ranges import clipped_ranges
from neuralpedal.convert.conversion import convert
from neuralpedal.convert.tflite_writer import Quantization, TfliteWriter
from neuralpedal.convert.wavenet_integers import measure_signals
from neuralpedal.convert.wavenet_stretches import cut_stretches, play_stretches
from neuralpedal.device.engine import open_engine
from neuralpedal.device.stream import stream
from neuralpedal.train.wavenet_presets import preset_spec
from signals import plucks

MORE_KINDS = {
    **KINDS,
    "gated leaky": WaveNetSpec(arrays=(conv_array(3, (1, 4), gated=True, activation="leaky_relu", head_bias=True),),
                               head_scale=0.5, skip=True),
    "gated relu": WaveNetSpec(arrays=(conv_array(2, (1, 2), 2, gated=True, activation="relu"),), head_scale=-0.5),
}
kinds = pytest.mark.parametrize("kind", MORE_KINDS)
schemes = pytest.mark.parametrize("scheme", ["w8a16", "w8a8"])


@schemes
@kinds
def test_interpreter_and_reference_agree_in_every_bit_in_any_block_length_and_after_a_reset(
        kind: str, scheme: str, tmp_path: Path) -> None:
    path, dry = tmp_path / "model.tflite", plucks(0.05)
    reference = open_integer_wavenet(write_wavenet(path, random_wavenet(MORE_KINDS[kind], 3), scheme))
    wanted = reference.play(dry)
    assert np.ptp(wanted) > 0
    for block_size in (1, 7, 64):
        engine = open_engine(path, "litert", block_size)
        for _ in range(2):
            np.testing.assert_array_equal(stream(engine, dry), wanted)
            engine.reset()
    reference.reset()
    blocks = [reference.play(dry[start : start + 37]) for start in range(0, len(dry), 37)]
    np.testing.assert_array_equal(np.concatenate(blocks), wanted)


@settings(deadline=None, max_examples=12)
@given(spec=wavenet_specs(), seed=st.integers(0, 99), loudness=st.floats(0.1, 8.0), scheme=st.sampled_from(
    ["w8a16", "w8a8"]))
def test_any_network_plays_alike_in_interpreter_and_reference_however_loud(
        spec: WaveNetSpec, seed: int, loudness: float, scheme: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path, dry = tmp_path_factory.mktemp("file") / "model.tflite", plucks(0.02) * np.float32(loudness)
    reference = open_integer_wavenet(write_wavenet(path, random_wavenet(spec, seed), scheme))
    np.testing.assert_array_equal(stream(open_engine(path, "litert", 50), dry), reference.play(dry))
    np.testing.assert_array_equal(stream(open_engine(path, "reference", 50), dry),
                                  stream(open_engine(path, "litert", 50), dry))


@pytest.mark.parametrize("preset", ["nano", "a2-lite"])
def test_networks_of_the_usual_sizes_play_alike_and_like_the_float_network(preset: str, tmp_path: Path) -> None:
    weights, dry = random_wavenet(preset_spec(preset, 48_000), 3), plucks(0.3)
    path = tmp_path / "model.tflite"
    reference = open_integer_wavenet(write_wavenet(path, weights, "w8a16"))
    wet = reference.play(dry)
    np.testing.assert_array_equal(stream(open_engine(path, "litert", 64), dry), wet)
    assert esr(ReferenceWaveNet(weights).process(dry), wet) < 2e-3


@pytest.mark.parametrize("step", [2.0**-12, 2.0**-11, 2.0**-13, 3.1e-4])
@pytest.mark.parametrize(("operator", "function"), [("TANH", integer_operators.tanh),
                                                    ("LOGISTIC", integer_operators.sigmoid)])
def test_the_int16_tables_are_the_interpreter_s_for_every_input(
        operator: str, function: Callable[[AffineCode, AffineCode], IntegerFunction], step: float) -> None:
    inputs = np.arange(-(2**15), 2**15).astype(np.int16)[np.newaxis]
    writer = TfliteWriter("test")
    source = writer.activation("source", inputs.shape, np.int16, Quantization((step,), (0,)))
    answer = writer.activation("answer", inputs.shape, np.int16, Quantization((2.0**-15,), (0,)))
    writer.operator(getattr(schema.BuiltinOperator, operator), 1, [source], [answer])
    interpreter = Interpreter(model_content=writer.finish([source], [answer], {}),
                              experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], inputs)
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    code = AffineCode(float(np.float32(step)), 0, np.int16)
    np.testing.assert_array_equal(function(code, AffineCode(2.0**-15, 0, np.int16)).table, found)


@kinds
def test_stretches_side_by_side_play_as_the_reference_does(kind: str) -> None:
    weights, dry = random_wavenet(MORE_KINDS[kind], 5), plucks(0.1)
    heads = [play_stretches(weights, piece)[0] for piece in cut_stretches(weights, dry, 700, 3)]
    found = np.concatenate([head.ravel() for head in heads])[: len(dry)]
    wanted = ReferenceWaveNet(weights).head_signal(dry) * weights.spec.head_scale
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["gated", "skip"])
def test_convert_measures_integer_schemes_and_its_budget_explains_them(kind: str, tmp_path: Path) -> None:
    weights = random_wavenet(KINDS[kind], 9)
    report = convert(source_of(weights), ("w8", "w8a16", "w8a8"), tmp_path, FilePlayer(64, 0.05)).report["schemes"]
    assert abs(report["w8a16"]["esr_float"] - report["w8"]["esr_float"]) < 1e-5
    assert report["w8a16"]["esr_float"] < report["w8a8"]["esr_float"] < 2e-2
    for scheme in ("w8a16", "w8a8"):
        budget = report[scheme]["error_budget"]
        assert abs(budget["gap"]) < 0.05
        assert budget["terms"]["weights"] == report["w8"]["error_budget"]["terms"]["weights"]
    eight = report["w8a8"]["error_budget"]["terms"]
    assert all(eight[term] > report["w8a16"]["error_budget"]["terms"][term] for term in eight if term != "weights")


def test_ranges_of_int8_are_clipped_where_the_file_plays_nearer_to_float_by_it(tmp_path: Path) -> None:
    weights, calibration = random_wavenet(KINDS["a1"], 9), plucks(0.5) ** 3
    whole = measure_signals(weights, calibration)
    clipped = clipped_ranges(weights, calibration, whole)
    assert clipped.keys() == whole.keys() and clipped["dry"].peak < whole["dry"].peak
    assert all(clipped[name].peak <= whole[name].peak for name in whole)
    dry, manifest, errors = plucks(0.5, seed=2) ** 3, Manifest(name="x", scheme="w8a8", network=weights.spec), []
    wanted, path = ReferenceWaveNet(weights).process(dry), tmp_path / "model.tflite"
    for ranges in (clipped, whole):
        formats = wavenet_integers.choose_wavenet_formats(weights.spec, ranges, "w8a8")
        path.write_bytes(wavenet_integers.build_integer_wavenet(weights, formats, manifest))
        errors.append(esr(wanted, open_integer_wavenet(read_tflite(path)).play(dry)))
    assert errors[0] < 0.8 * errors[1]


def test_silent_calibration_is_refused() -> None:
    with pytest.raises(RecordingError, match="calibration audio is empty or silent"):
        measure_signals(random_wavenet(KINDS["a1"], 1), np.zeros(1000, np.float32))


def _scale(name: str, factor: float) -> Callable[[wavenet_integers.Formats], None]:
    def change(formats: wavenet_integers.Formats) -> None:
        formats[name] = replace(formats[name], scale=formats[name].scale * factor)

    return change


def _zero_point(name: str) -> Callable[[wavenet_integers.Formats], None]:
    def change(formats: wavenet_integers.Formats) -> None:
        formats[name] = replace(formats[name], zero_point=1)

    return change


@pytest.mark.parametrize(("change", "said"), [
    (_scale("past0/track", 2.0), "a CONCATENATION that changes the format of 'past0/before'"),
    (_scale("past0/after", 2.0), "a STRIDED_SLICE that changes the format of 'past0/track'"),
    (_scale("wet", 2.0), "a RESHAPE that changes the format of 'array1/answer'"),
    (_zero_point("array0/layer0/heard"), "an int16 signal 'array0/layer0/heard' with the zero point 1"),
])
def test_formats_that_kernels_would_not_obey_are_refused(change: Callable[[wavenet_integers.Formats], None], said: str,
                                                         tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, path = random_wavenet(KINDS["a1"], 1), tmp_path / "model.tflite"
    formats = wavenet_integers.choose_wavenet_formats(weights.spec, measure_signals(weights, plucks(0.1)), "w8a16")
    change(formats)
    # The builder asks the file where silence leaves it, and a file like this it would refuse already.
    monkeypatch.setattr(wavenet_integers, "_rests", lambda data, spec, signal: _zeros(spec))
    path.write_bytes(wavenet_integers.build_integer_wavenet(weights, formats, _manifest(weights)))
    with pytest.raises(ModelFileError, match=said):
        check_graph(read_tflite(path))


def test_another_beginning_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wavenet_integers, "_rests", lambda data, spec, signal: _zeros(spec))
    file = write_wavenet(tmp_path / "model.tflite", random_wavenet(KINDS["a1"], 1), "w8a16")
    with pytest.raises(ModelFileError, match="does not begin where silence leaves its network"):
        check_graph(file)


def _zeros(spec: WaveNetSpec) -> dict[str, np.ndarray]:
    return {past.rest: np.zeros((1, 1, 1, past.channels), np.int16) for past in pasts(spec)}


def _manifest(weights: WaveNetWeights) -> Manifest:
    return Manifest(name="x", scheme="w8a16", network=weights.spec)


def test_an_integer_file_gives_no_float_weights(tmp_path: Path) -> None:
    file = write_wavenet(tmp_path / "model.tflite", random_wavenet(KINDS["a1"], 1), "w8a16")
    with pytest.raises(ModelFileError, match=r"scheme w8a16 with a wavenet 4\+2 ch, 5 layers, wanted float32 or w8"):
        read_weights(file)


def test_two_builds_give_the_same_bytes() -> None:
    weights = random_wavenet(KINDS["a2"], 1)
    assert build_in_integers(weights, _manifest(weights)) == build_in_integers(weights, _manifest(weights))
