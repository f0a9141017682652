"""Files whose layers are played in a loop (GRU, RNN): they play as the reference does, and anything else is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from damage import with_flipped_bits
from neuralpedal.contract import loop_file
from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.loop_plan import GraphPlan, loop_plans
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.network_file import check_graph, read_weights
from neuralpedal.contract.reference import ReferenceNetwork
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert import loop_graph
from neuralpedal.convert.float_graph import build_float32, build_w8
from neuralpedal.convert.scheme_arithmetic import channel_weights
from neuralpedal.convert.schemes import check_schemes, parse_schemes
from neuralpedal.device.engine import open_engine
from neuralpedal.device.stream import stream
from neuralpedal.train.networks.model_file import build_model
from signals import plucks

BUILDERS = {"float32": build_float32, "w8": build_w8}


def weights_of(family: str = "gru", hidden_size: int = 5, **fields: object) -> NetworkWeights:
    return random_weights(make_spec(family=family, hidden_size=hidden_size, **fields), seed=4, scale=0.4)


def write(path: Path, weights: NetworkWeights, scheme: str = "float32", manifest: Manifest | None = None) -> Path:
    path.write_bytes(BUILDERS[scheme](weights, manifest or Manifest(name="x", scheme=scheme, network=weights.spec)))
    return path


@pytest.mark.parametrize("scheme", BUILDERS)
@pytest.mark.parametrize(("family", "layers", "skip"), [("gru", 1, True), ("gru", 2, False), ("rnn", 1, False),
                                                        ("rnn", 2, True)])
def test_blocks_of_any_length_play_as_the_reference_does(family: str, layers: int, skip: bool, scheme: str,
                                                         tmp_path: Path) -> None:
    weights = weights_of(family, 7, num_layers=layers, skip=skip)
    path, dry = write(tmp_path / "model.tflite", weights, scheme), plucks(0.06)
    wanted = ReferenceNetwork(channel_weights(weights) if scheme == "w8" else weights).process(dry)
    for block_size in (1, 7, 64, 1024):
        engine = open_engine(path, "litert", block_size)
        for _ in range(2):
            np.testing.assert_allclose(stream(engine, dry), wanted, rtol=0, atol=2e-6)
            engine.reset()


def test_state_is_carried_on_without_drift_for_ten_seconds(tmp_path: Path) -> None:
    weights = weights_of(hidden_size=8)
    dry = plucks(10.0)
    wet = stream(open_engine(write(tmp_path / "model.tflite", weights), "litert", 64), dry)
    np.testing.assert_allclose(wet, ReferenceNetwork(weights).process(dry), rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", ["gru", "rnn"])
def test_keras_and_the_file_play_alike(family: str, tmp_path: Path) -> None:
    weights, dry = weights_of(family, 6), plucks(0.2)
    model = build_model(weights.spec)
    model.assign(weights)
    wet = stream(open_engine(write(tmp_path / "model.tflite", weights), "litert", 64), dry)
    np.testing.assert_allclose(wet, model.process(dry), rtol=0, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(family=st.sampled_from(["gru", "rnn"]), hidden_size=st.integers(1, 9), layers=st.integers(1, 2),
       skip=st.booleans())
def test_a_file_gives_its_weights_back_to_the_last_bit(family: str, hidden_size: int, layers: int, skip: bool,
                                                       tmp_path_factory: pytest.TempPathFactory) -> None:
    weights = weights_of(family, hidden_size, num_layers=layers, skip=skip)
    path = tmp_path_factory.mktemp("file") / "model.tflite"
    assert read_weights(read_tflite(write(path, weights))).digest() == weights.digest()
    held = read_weights(read_tflite(write(path, weights, "w8")))
    assert held.digest() == channel_weights(weights).digest()


def test_int8_weights_make_a_smaller_file(tmp_path: Path) -> None:
    weights = weights_of(hidden_size=32)
    assert write(tmp_path / "b", weights, "w8").stat().st_size < 0.7 * write(tmp_path / "a", weights).stat().st_size


@pytest.mark.parametrize("scheme", ["w8a16", "tflm16x8", "w8a8"])
def test_integer_schemes_are_refused_by_name_with_advice(scheme: str) -> None:
    words = rf"scheme {scheme}: does not exist for gru 1×4; take float32, w8; for integer arithmetic train an LSTM"
    with pytest.raises(SpecError, match=words):
        check_schemes(parse_schemes(scheme), make_spec(family="gru", hidden_size=4))


Change = Callable[[tuple[GraphPlan, GraphPlan, GraphPlan]], None]


def _change_constant(graph: int, name: str, value: object) -> Change:
    def change(plans: tuple[GraphPlan, GraphPlan, GraphPlan]) -> None:
        plans[graph].constants[name] = np.full_like(plans[graph].constants[name], value)

    return change


def _change_option(graph: int, operator: str, option: str, value: float) -> Change:
    def change(plans: tuple[GraphPlan, GraphPlan, GraphPlan]) -> None:
        next(step for step in plans[graph].steps if step.operator == operator).options[option] = value

    return change


def _exchange_operator(graph: int, old: str, new: str) -> Change:
    def change(plans: tuple[GraphPlan, GraphPlan, GraphPlan]) -> None:
        step = next(step for step in plans[graph].steps if step.operator == old)
        object.__setattr__(step, "operator", new)

    return change


def _reconnect(graph: int, operator: str, place: int, name: str) -> Change:
    def change(plans: tuple[GraphPlan, GraphPlan, GraphPlan]) -> None:
        step = next(step for step in plans[graph].steps if step.operator == operator)
        inputs = (*step.inputs[:place], name, *step.inputs[place + 1 :])
        object.__setattr__(step, "inputs", inputs)

    return change


CHANGES: dict[str, tuple[Change, str]] = {
    "a second sample": (_change_constant(2, "one", 2), r"does not hold \[1\]"),
    "a store that forgets": (_change_constant(0, "store0/one", 0.5), r"does not hold \[\[1.0\]\]"),
    "a store that remembers": (_change_constant(0, "store0/nothing", 0.1), r"does not hold \[\[0.0\]\]"),
    "a length of another axis": (_change_constant(1, "axis", 0), r"does not hold \[1\]"),
    "an activation": (_change_option(2, "ADD", "fused_activation_function", 1), "ADD with fused_activation_function 1"),
    "another axis": (_change_option(2, "GATHER", "axis", 2), "GATHER with axis 2; wanted 1"),
    "another body": (_change_option(0, "WHILE", "body_subgraph_index", 1), "WHILE with body_subgraph_index 1"),
    "another function": (_exchange_operator(2, "TANH", "LOGISTIC"), "operators GATHER, .+; wanted GATHER, "),
    "a gate of the input": (_reconnect(2, "MUL", 0, "layer0/update"), "a SUB|a MUL"),
    "no new sum": (_reconnect(2, "SUB", 0, "layer0/candidate"), "a SUB that is connected otherwise"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_graph_that_differs_anywhere_is_refused(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, (change, words) = weights_of(), CHANGES[what]
    plans = loop_plans(weights.spec)
    change(plans)
    monkeypatch.setattr(loop_graph, "loop_plans", lambda spec: plans)
    file = read_tflite(write(tmp_path / "model.tflite", weights))
    for read in (check_graph, read_weights):
        with pytest.raises(ModelFileError, match=words):
            read(file)


def test_a_state_that_is_not_kept_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = loop_plans(weights_of().spec)
    plans[0].variables.clear()
    monkeypatch.setattr(loop_graph, "loop_plans", lambda spec: plans)
    with pytest.raises(ModelFileError, match="tensor 'kept0' of another kind"):
        check_graph(read_tflite(write(tmp_path / "model.tflite", weights_of())))


def test_a_manifest_of_another_network_or_scheme_is_refused(tmp_path: Path) -> None:
    weights = weights_of()
    for spec, words in ((weights_of(hidden_size=6).spec, "has shape|of another kind or shape|does not hold"),
                        (weights_of(num_layers=2).spec, "operators RESHAPE, .+ for gru 2×5"),
                        (weights_of("rnn").spec, "operators GATHER, .+ for rnn 1×5"),
                        (make_spec(hidden_size=5), "operators RESHAPE, .+ for lstm 1×5")):
        manifest = Manifest(name="x", scheme="float32", network=spec)
        with pytest.raises(ModelFileError, match=words):
            check_graph(read_tflite(write(tmp_path / "model.tflite", weights, "float32", manifest)))
    integer = Manifest(name="x", scheme="w8a8", network=weights.spec)
    with pytest.raises(ModelFileError, match="scheme w8a8 with a gru 1×5, wanted float32 or w8"):
        check_graph(read_tflite(write(tmp_path / "model.tflite", weights, "float32", integer)))


def test_a_graph_that_is_missing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_file, "loop_plans", lambda spec: loop_plans(spec)[:2])
    with pytest.raises(ModelFileError, match=r"3 graphs; wanted 2 for gru 1×5"):
        check_graph(read_tflite(write(tmp_path / "model.tflite", weights_of())))


def test_a_damaged_file_is_read_or_refused_but_never_breaks_the_reader(tmp_path: Path) -> None:
    whole = write(tmp_path / "model.tflite", weights_of(hidden_size=2)).read_bytes()
    refused = 0
    for damaged in with_flipped_bits(whole):
        (tmp_path / "model.tflite").write_bytes(damaged)
        try:
            read_weights(read_tflite(tmp_path / "model.tflite"))
        except ModelFileError:
            refused += 1
    assert refused > 100


def test_every_operator_is_builtin_and_of_a_version_that_tflite_runtime_knows(tmp_path: Path) -> None:
    model = schema.ModelT.InitFromPackedBuf(write(tmp_path / "model.tflite", weights_of(), "w8").read_bytes())
    versions = {code.builtinCode: code.version for code in model.operatorCodes}
    assert schema.BuiltinOperator.CUSTOM not in versions and max(versions.values()) <= 5
