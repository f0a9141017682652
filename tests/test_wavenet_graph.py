"""Files of WaveNets: they play as the reference does from the first sample on, and anything else is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st
from wavenets import KINDS, conv_array, source_of

from damage import with_flipped_bits
from neuralpedal.cli.file_player import FilePlayer
from neuralpedal.cli.tflite_player import open_tflite
from neuralpedal.contract import planned_file
from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.graph_plan import GraphPlan
from neuralpedal.contract.manifest import Manifest, decode_manifest, encode_manifest
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.network_file import check_graph, read_weights
from neuralpedal.contract.reference_wavenet import ReferenceWaveNet
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.contract.wavenet_plan import wavenet_plans
from neuralpedal.contract.wavenet_weights import WaveNetWeights, random_wavenet, wavenet_weights
from neuralpedal.convert import wavenet_graph
from neuralpedal.convert.conversion import convert
from neuralpedal.convert.float_graph import build_float32, build_w8
from neuralpedal.convert.schemes import check_schemes, parse_schemes
from neuralpedal.convert.tuning import check_tunable
from neuralpedal.convert.wavenet_graph import grid_weights
from neuralpedal.device.engine import open_engine
from neuralpedal.device.stream import stream
from neuralpedal.train.networks.model_file import build_model
from neuralpedal.train.wavenet_presets import preset_spec
from neuralpedal.train.weight_grid import snap
from signals import plucks

BUILDERS = {"float32": build_float32, "w8": build_w8}
kinds = pytest.mark.parametrize("kind", KINDS)


def write(path: Path, weights: WaveNetWeights, scheme: str = "float32", manifest: Manifest | None = None) -> Path:
    path.write_bytes(BUILDERS[scheme](weights, manifest or Manifest(name="x", scheme=scheme, network=weights.spec)))
    return path


def held(weights: WaveNetWeights, scheme: str) -> WaveNetWeights:
    """What a file gives back: on its grid, and without what its last layer would pass on."""
    arrays = list((grid_weights(weights) if scheme == "w8" else weights).arrays())
    unheard = -4 if weights.spec.arrays[-1].head_bias else -3
    for place in (unheard, unheard + 1):
        arrays[place] = np.zeros_like(arrays[place])
    return wavenet_weights(weights.spec, arrays)


@pytest.mark.parametrize("scheme", BUILDERS)
@kinds
def test_blocks_of_any_length_play_as_the_reference_does_and_so_they_do_after_a_reset(kind: str, scheme: str,
                                                                                      tmp_path: Path) -> None:
    weights = random_wavenet(KINDS[kind], 3)
    path, dry = write(tmp_path / "model.tflite", weights, scheme), plucks(0.06)
    wanted = ReferenceWaveNet(held(weights, scheme)).process(dry)
    for block_size in (1, 7, 64, 1024):
        engine = open_engine(path, "litert", block_size)
        for _ in range(2):
            np.testing.assert_allclose(stream(engine, dry), wanted, rtol=0, atol=3e-6)
            engine.reset()


def test_two_players_of_one_file_remember_each_their_own_past(tmp_path: Path) -> None:
    weights = random_wavenet(KINDS["a1"], 3)
    path, dry = write(tmp_path / "model.tflite", weights), plucks(0.02)
    wanted = stream(open_engine(path, "litert", 64), dry)
    one, other = (open_engine(path, "litert", 64) for _ in range(2))
    wet, disturbing = np.empty(64, np.float32), np.full(64, 0.9, np.float32)
    for start in range(0, 640, 64):
        one.process(dry[start : start + 64], wet)
        np.testing.assert_array_equal(wet, wanted[start : start + 64])
        other.process(disturbing, wet)


def test_the_past_is_carried_on_without_drift_for_ten_seconds(tmp_path: Path) -> None:
    weights, dry = random_wavenet(KINDS["gated"], 5), plucks(10.0)
    wet = stream(open_engine(write(tmp_path / "model.tflite", weights), "litert", 64), dry)
    np.testing.assert_allclose(wet, ReferenceWaveNet(weights).process(dry), rtol=0, atol=1e-5)


@pytest.mark.parametrize("preset", ["nano", "a2-lite"])
def test_networks_of_the_usual_sizes_play_as_the_reference_does(preset: str, tmp_path: Path) -> None:
    weights, dry = random_wavenet(preset_spec(preset, 48_000), 3), plucks(0.2)
    wet = stream(open_engine(write(tmp_path / "model.tflite", weights), "litert", 64), dry)
    np.testing.assert_allclose(wet, ReferenceWaveNet(weights).process(dry), rtol=0, atol=1e-5)


@kinds
def test_keras_and_the_file_play_alike(kind: str, tmp_path: Path) -> None:
    weights, dry = random_wavenet(KINDS[kind], 6), plucks(0.1)
    model = build_model(weights.spec)
    model.assign(weights)
    wet = stream(open_engine(write(tmp_path / "model.tflite", weights), "litert", 64), dry)
    np.testing.assert_allclose(wet, model.process(dry), rtol=0, atol=1e-5)


@pytest.mark.parametrize("scheme", BUILDERS)
@kinds
def test_a_file_gives_its_weights_back_to_the_last_bit(kind: str, scheme: str, tmp_path: Path) -> None:
    weights = random_wavenet(KINDS[kind], 4)
    found = read_weights(read_tflite(write(tmp_path / "model.tflite", weights, scheme)))
    assert found.digest() == held(weights, scheme).digest()


@settings(deadline=None, max_examples=10)
@given(channels=st.integers(1, 5), taps=st.integers(1, 4), dilation=st.integers(1, 9), gated=st.booleans(),
       activation=st.sampled_from(["tanh", "relu", "leaky_relu"]), head_taps=st.integers(1, 4), skip=st.booleans(),
       second=st.booleans())
def test_any_network_comes_back_and_plays(channels: int, taps: int, dilation: int, gated: bool, activation: str,
                                          head_taps: int, skip: bool, second: bool,
                                          tmp_path_factory: pytest.TempPathFactory) -> None:
    last = conv_array(channels, (dilation, 1), (taps, 2), gated=gated, activation=activation,
                      head_kernel_size=head_taps, head_bias=gated)
    arrays = (conv_array(2, (1,), head_size=channels), last) if second else (last,)
    weights = random_wavenet(WaveNetSpec(arrays=arrays, head_scale=0.5, skip=skip), 7)
    path, dry = write(tmp_path_factory.mktemp("file") / "model.tflite", weights), plucks(0.01)
    found = read_weights(read_tflite(path))
    assert found.digest() == held(weights, "float32").digest()
    wanted = ReferenceWaveNet(weights).process(dry)
    np.testing.assert_allclose(stream(open_engine(path, "litert", 50), dry), wanted, rtol=0,
                               atol=1e-5 * max(1.0, float(np.max(np.abs(wanted)))))


@kinds
def test_what_training_left_on_its_grid_loses_nothing_in_w8(kind: str) -> None:
    weights = random_wavenet(KINDS[kind], 8)
    arrays = list(weights.arrays())
    trained = wavenet_weights(weights.spec, snap(arrays, [array.ndim > 1 for array in arrays]))
    for ours, theirs in zip(grid_weights(trained).arrays(), trained.arrays(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=0)


def test_int8_weights_make_a_large_network_s_file_smaller(tmp_path: Path) -> None:
    weights = random_wavenet(preset_spec("standard", 48_000), 1)
    assert write(tmp_path / "b", weights, "w8").stat().st_size < 0.8 * write(tmp_path / "a", weights).stat().st_size


def test_convert_measures_both_schemes_and_says_where_the_error_comes_from(tmp_path: Path) -> None:
    weights = random_wavenet(KINDS["a1"], 9)
    result = convert(source_of(weights), ("float32", "w8"), tmp_path, FilePlayer(64, 0.05), target="pi", budget=0.1)
    plain, small = (result.report["schemes"][scheme] for scheme in ("float32", "w8"))
    assert plain["esr_float"] < 1e-11 and 1e-7 < small["esr_float"] < 1e-2
    budget = small["error_budget"]
    assert budget["terms"]["weights"] == budget["together"] and budget["measured"] > 0
    assert abs(budget["gap"]) < 0.01
    wanted = ReferenceWaveNet(grid_weights(weights)).process(plucks(1.0))[4800:]
    assert small["esr_wet"] == pytest.approx(esr(result.float_wet, wanted.astype(np.float32)), rel=1e-2)
    assert result.report["recommendation"]["scheme"] == "w8"


def test_what_tflite_micro_alone_plays_is_refused_by_name() -> None:
    with pytest.raises(SpecError, match=r"scheme tflm16x8: does not exist for wavenet 4\+2 ch, 5 layers; take"):
        check_schemes(parse_schemes("tflm16x8"), KINDS["a1"])


def test_what_is_not_there_for_wavenets_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="WaveNets are not fine-tuned yet"):
        check_tunable(KINDS["a1"])
    with pytest.raises(SpecError, match=r"net: a wavenet 4\+2 ch, 5 layers is no recurrent network"):
        _ = source_of(random_wavenet(KINDS["a1"], 1)).channel_rounded


def test_auto_compiles_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "model.tflite", random_wavenet(KINDS["a1"], 1))
    assert open_tflite(path, "auto", cache=tmp_path / "cache").description.startswith("native")


Change = Callable[[tuple[GraphPlan, GraphPlan]], None]


def _constant(name: str, value: object) -> Change:
    def change(plans: tuple[GraphPlan, GraphPlan]) -> None:
        plans[0].constants[name] = np.full_like(plans[0].constants[name], value)

    return change


def _option(operator: str, option: str, value: float | str, graph: int = 0) -> Change:
    def change(plans: tuple[GraphPlan, GraphPlan]) -> None:
        next(step for step in plans[graph].steps if step.operator == operator).options[option] = value

    return change


def _exchange(old: str, new: str) -> Change:
    def change(plans: tuple[GraphPlan, GraphPlan]) -> None:
        object.__setattr__(next(step for step in plans[0].steps if step.operator == old), "operator", new)

    return change


def _reconnect(operator: str, place: int, name: str) -> Change:
    def change(plans: tuple[GraphPlan, GraphPlan]) -> None:
        step = next(step for step in plans[0].steps if step.operator == operator)
        object.__setattr__(step, "inputs", (*step.inputs[:place], name, *step.inputs[place + 1 :]))

    return change


CHANGES: dict[str, tuple[Change, str]] = {
    "another scale": (_constant("head_scale", 2.0), r"does not hold 0.5"),
    "an older past": (_constant("last2", -3), r"does not hold \[0, 0, -2, 0\]"),
    "a bias": (_constant("zeros4", 0.1), r"does not hold \[0.0, 0.0, 0.0, 0.0\]"),
    "another dilation": (_option("CONV_2D", "dilation_w_factor", 2), "CONV_2D with dilation_w_factor 2; wanted 1"),
    "a padding": (_option("CONV_2D", "padding", 0), "CONV_2D with padding 0; wanted 1"),
    "an activation": (_option("CONV_2D", "fused_activation_function", 1), "CONV_2D with fused_activation_function 1"),
    "another variable": (_option("VAR_HANDLE", "shared_name", "past1"), "VAR_HANDLE with shared_name past1; wanted "),
    "another beginning": (_option("VAR_HANDLE", "shared_name", "past1", graph=1), "VAR_HANDLE with shared_name past1"),
    "another function": (_exchange("TANH", "LOGISTIC"), "operators CALL_ONCE, .+; wanted CALL_ONCE, "),
    "no residual": (_reconnect("CONCATENATION", 1, "array0/layer0/heard"), "is connected otherwise"),
}


def _changed(monkeypatch: pytest.MonkeyPatch, spec: WaveNetSpec, change: Change) -> None:
    plans = wavenet_plans(spec)
    change(plans)
    monkeypatch.setattr(wavenet_graph, "wavenet_plans", lambda _: plans)


@pytest.mark.parametrize("what", CHANGES)
def test_a_graph_that_differs_anywhere_is_refused(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, (change, words) = random_wavenet(KINDS["a1"], 1), CHANGES[what]
    _changed(monkeypatch, weights.spec, change)
    file = read_tflite(write(tmp_path / "model.tflite", weights))
    for read in (check_graph, read_weights):
        with pytest.raises(ModelFileError, match=words):
            read(file)


def test_a_file_that_begins_elsewhere_than_in_silence_is_refused(tmp_path: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    true = wavenet_graph.rests
    monkeypatch.setattr(wavenet_graph, "rests", lambda weights: {
        name: values + 0.01 for name, values in true(weights).items()})
    with pytest.raises(ModelFileError, match="does not begin where silence leaves its network"):
        check_graph(read_tflite(write(tmp_path / "model.tflite", random_wavenet(KINDS["a1"], 1))))


def test_a_manifest_of_another_network_or_scheme_is_refused(tmp_path: Path) -> None:
    weights = random_wavenet(KINDS["a1"], 1)
    for spec, words in ((KINDS["gated"], "operators CALL_ONCE, .+ for wavenet 3"),
                        (KINDS["a1"].model_copy(update={"skip": True}), "operators CALL_ONCE"),
                        (make_spec(hidden_size=5), "operators CALL_ONCE, .+ for lstm 1×5")):
        manifest = Manifest(name="x", scheme="float32", network=spec)
        with pytest.raises(ModelFileError, match=words):
            check_graph(read_tflite(write(tmp_path / "model.tflite", weights, "float32", manifest)))
    other = Manifest(name="x", scheme="tflm16x8", network=weights.spec)
    with pytest.raises(ModelFileError, match=r"5 layers as tflm16x8; WaveNets are one of float32, w8, w8a16, w8a8"):
        check_graph(read_tflite(write(tmp_path / "model.tflite", weights, "float32", other)))
    integer = Manifest(name="x", scheme="w8a8", network=weights.spec)
    with pytest.raises(ModelFileError, match=r"operators CALL_ONCE, .+, FULLY_CONNECTED"):
        check_graph(read_tflite(write(tmp_path / "model.tflite", weights, "float32", integer)))


def test_an_older_reader_refuses_and_nothing_that_decides_the_sound_is_left_to_defaults() -> None:
    fields = json.loads(encode_manifest(Manifest(name="x", scheme="w8", network=KINDS["a2"])))
    assert fields["format_version"] == 4
    assert decode_manifest(json.dumps(fields).encode(), "x.tflite").network == KINDS["a2"]
    del fields["network"]["arrays"][0]["activation"], fields["network"]["head_scale"]
    with pytest.raises(ModelFileError, match=r"x\.tflite: .* lacks head_scale, arrays\.0\.activation; convert"):
        decode_manifest(json.dumps(fields).encode(), "x.tflite")


def test_a_beginning_that_is_missing_is_refused(tmp_path: Path) -> None:
    weights = random_wavenet(KINDS["a1"], 1)
    file = read_tflite(write(tmp_path / "model.tflite", weights))
    with pytest.raises(ModelFileError, match="2 graphs; wanted 1 for wavenet"):
        planned_file.check_planned(file, wavenet_plans(weights.spec)[:1])


def test_a_damaged_file_is_read_or_refused_but_never_breaks_the_reader(tmp_path: Path) -> None:
    whole = write(tmp_path / "model.tflite", random_wavenet(WaveNetSpec(arrays=(conv_array(1, (1,)),)), 1)).read_bytes()
    refused = 0
    for damaged in with_flipped_bits(whole):
        (tmp_path / "model.tflite").write_bytes(damaged)
        try:
            read_weights(read_tflite(tmp_path / "model.tflite"))
        except ModelFileError:
            refused += 1
    assert refused > 100


def test_every_operator_is_builtin_and_of_a_version_that_tflite_runtime_knows(tmp_path: Path) -> None:
    data = write(tmp_path / "model.tflite", random_wavenet(KINDS["gated"], 1), "w8").read_bytes()
    versions = {code.builtinCode: code.version for code in schema.ModelT.InitFromPackedBuf(data).operatorCodes}
    assert schema.BuiltinOperator.CUSTOM not in versions and max(versions.values()) <= 5
