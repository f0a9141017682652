"""Operators' options: an interpreter obeys them and our references do not know them, so only ours are played."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.signal_chain import signal_chain
from neuralpedal.contract.tflite_file import parse_tflite
from neuralpedal.device.engine import open_engine

GOLDEN = sorted(path for path in (Path(__file__).parent / "golden").glob("*.tflite") if "lstm" in path.name)
MODELS = {path.stem: path.read_bytes() for path in GOLDEN}
STREAMS = [name for name in MODELS if not name.startswith("frame")]

_ACTIVATIONS = st.integers(0, 5)
_CLIPS = st.floats(width=32, allow_nan=False).filter(bool) | st.just(float("nan"))
# By the class that holds them: every option of an operator that changes what is played, with values to try.
OPTIONS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "UnidirectionalSequenceLSTMOptionsT": {
        "fusedActivationFunction": _ACTIVATIONS, "cellClip": _CLIPS, "projClip": _CLIPS, "timeMajor": st.booleans(),
        "asymmetricQuantizeInputs": st.booleans(), "diagonalRecurrentTensors": st.booleans()},
    "FullyConnectedOptionsT": {"fusedActivationFunction": _ACTIVATIONS, "weightsFormat": st.integers(0, 1),
                               "keepNumDims": st.booleans(), "asymmetricQuantizeInputs": st.booleans()},
    "AddOptionsT": {"fusedActivationFunction": _ACTIVATIONS},
    "GatherOptionsT": {"axis": st.integers(-3, 3), "batchDims": st.integers(0, 2)},
}


def changed(model: bytes, change: Callable[[list[Any]], None]) -> bytes:
    """The file after ``change`` of its operators."""
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    change(tree.subgraphs[0].operators)
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def check(model: bytes) -> None:
    signal_chain(parse_tflite(Path("model.tflite"), model))


@pytest.mark.parametrize("name", MODELS)
def test_what_convert_writes_is_accepted_written_again_too(name):
    check(MODELS[name])
    check(changed(MODELS[name], lambda operators: None))


@given(st.data())
@settings(max_examples=150)
def test_any_option_that_convert_does_not_write_is_refused_by_name(data):
    model = MODELS[data.draw(st.sampled_from(sorted(MODELS)))]
    names = []

    def change(operators):
        places = [place for place, operator in enumerate(operators)
                  if type(operator.builtinOptions).__name__ in OPTIONS]
        options = operators[data.draw(st.sampled_from(places))].builtinOptions
        name = data.draw(st.sampled_from(sorted(OPTIONS[type(options).__name__])))
        before = getattr(options, name)
        after = data.draw(OPTIONS[type(options).__name__][name].filter(lambda value: value != before))
        setattr(options, name, after)
        names.append("".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name))

    damaged = changed(model, change)
    with pytest.raises(ModelFileError, match=rf"model\.tflite: [A-Z_]+ with {names[0]} .*; wanted"):
        check(damaged)


@pytest.mark.parametrize("name", MODELS)
def test_an_lstm_without_options_or_with_those_of_another_operator_is_refused(name):
    def none(operators):
        for operator in operators:
            operator.builtinOptionsType, operator.builtinOptions = 0, None

    def other(operators):
        for operator in operators:
            operator.builtinOptionsType = schema.BuiltinOptions.SoftmaxOptions
            operator.builtinOptions = schema.SoftmaxOptionsT()

    for change in (none, other):
        with pytest.raises(ModelFileError, match="UNIDIRECTIONAL_SEQUENCE_LSTM with fused_activation_function 0; want"):
            check(changed(MODELS[name], change))


def test_a_16_bit_skip_that_wants_scales_of_two_is_refused():
    def change(operators):
        operators[-1].builtinOptions.potScaleInt16 = True

    with pytest.raises(ModelFileError, match="ADD with pot_scale_int16 1; wanted 0"):
        check(changed(MODELS["lstm-1x4-skip.tflm16x8"], change))


@pytest.mark.parametrize("engine", ["litert", "reference"])
@pytest.mark.parametrize("name", [name for name in STREAMS if "tflm16x8" not in name])
def test_no_engine_opens_a_file_whose_cell_is_clipped(name, engine, tmp_path):
    def change(operators):
        next(operator for operator in operators if operator.builtinOptionsType
             == schema.BuiltinOptions.UnidirectionalSequenceLSTMOptions).builtinOptions.cellClip = 10.0

    path = tmp_path / "model.tflite"
    path.write_bytes(changed(MODELS[name], change))
    with pytest.raises(ModelFileError, match="LSTM with cell_clip 10; wanted 0"):
        open_engine(path, engine, 64)
