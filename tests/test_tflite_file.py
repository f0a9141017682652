"""Reading ``.tflite`` without an interpreter: the same tensors as LiteRT sees, and no way to break the reader."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from hypothesis import given, settings
from hypothesis import strategies as st

from damage import damaged_bytes, damaged_words
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.manifest import SCHEMES, Manifest
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.tflite_file import TfliteFile, read_manifest, read_tflite
from neuralpedal.contract.weights import random_weights
from neuralpedal.convert.float_graph import build_float32, build_w8
from neuralpedal.convert.tflite_writer import Quantization, TfliteWriter
from neuralpedal.convert.weight_quantization import quantize_per_channel

GOLDEN = Path(__file__).parent / "golden"
WEIGHTS = random_weights(make_spec(hidden_size=3, num_layers=2), seed=5)
BUILDERS = {"float32": build_float32, "w8": build_w8}


def manifest(scheme: str) -> Manifest:
    return Manifest(name="test", scheme=scheme, network=WEIGHTS.spec, provenance={"weights_sha256": WEIGHTS.digest()})


MODELS = {scheme: build(WEIGHTS, manifest(scheme)) for scheme, build in BUILDERS.items()}
MODELS["w8a16"] = (GOLDEN / "lstm-2x3.w8a16.tflite").read_bytes()
# Integer files have tables of their own (int16 states, intermediates, one scale per matrix).
MODELS["w8a8"] = (GOLDEN / "lstm-2x3.w8a8.tflite").read_bytes()
MODELS["tflm16x8"] = (GOLDEN / "lstm-2x3.tflm16x8.tflite").read_bytes()


def foreign_model(metadata: dict[str, bytes] | None = None) -> bytes:
    """A valid file of somebody else's: adds a constant to its input."""
    writer = TfliteWriter("foreign")
    source = writer.activation("in", (1, 4), np.float32)
    addend = writer.constant("addend", np.arange(4, dtype=np.float32).reshape(1, 4))
    target = writer.activation("out", (1, 4), np.float32)
    writer.operator(schema.BuiltinOperator.ADD, 1, [source, addend], [target],
                    (schema.BuiltinOptions.AddOptions, schema.AddOptionsT()))
    return writer.finish([source], [target], metadata or {})


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], TfliteFile]:
    def write_and_read(data: bytes) -> TfliteFile:
        (tmp_path / "model.tflite").write_bytes(data)
        return read_tflite(tmp_path / "model.tflite")

    return write_and_read


@pytest.fixture(scope="module")
def damaged_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "model.tflite"


@pytest.mark.parametrize("scheme", ["float32", "w8"])
def test_the_manifest_comes_back_as_it_was_written(read, tmp_path, scheme):
    assert read(MODELS[scheme]).manifest() == manifest(scheme)
    assert read_manifest(tmp_path / "model.tflite") == manifest(scheme)


@pytest.mark.parametrize(("scheme", "is_float"), [("float32", True), ("w8", True), ("w8a8", False)])
def test_a_file_is_float_when_its_audio_is(read, scheme, is_float):
    assert read(MODELS[scheme]).is_float is is_float


def test_the_operators_are_the_networks_in_order(read):
    layers = ["UNIDIRECTIONAL_SEQUENCE_LSTM"] * 2
    assert [operator.name for operator in read(MODELS["float32"]).operators] == [*layers, "FULLY_CONNECTED", "ADD"]
    w8 = [operator.name for operator in read(MODELS["w8"]).operators]
    assert [name for name in w8 if name != "DEQUANTIZE"] == [*layers, "FULLY_CONNECTED", "ADD"]
    assert w8.count("DEQUANTIZE") == 2 * 8 + 1


def test_the_weights_come_back_bit_for_bit(read):
    for ours, theirs in zip(read_weights(read(MODELS["float32"])).arrays(), WEIGHTS.arrays(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_int8_weights_come_back_as_what_they_stand_for(read):
    [head] = [tensor for tensor in read(MODELS["w8"]).tensors if tensor.name == "head/kernel/int8"]
    np.testing.assert_array_equal(head.dequantized(), quantize_per_channel(WEIGHTS.head_kernel.T).dequantized())
    assert head.dequantized().dtype == np.float32


def test_dequantized_uses_the_scale_and_zero_point_of_each_channel_of_its_axis(read):
    values = np.arange(-3, 3, dtype=np.int8).reshape(2, 3)
    writer = TfliteWriter("channels")
    writer.constant("rows", values, Quantization((0.5, 2.0), (1, -1), channel_axis=0))
    writer.constant("columns", values, Quantization((0.5, 2.0, 1.0), (0, 1, 2), channel_axis=1))
    writer.constant("whole", values, Quantization((0.25,), (-2,)))
    rows, columns, whole = read(writer.finish([], [], {})).tensors
    np.testing.assert_array_equal(rows.dequantized(), (values - [[1], [-1]]) * [[0.5], [2.0]])
    np.testing.assert_array_equal(columns.dequantized(), (values - [0, 1, 2]) * [0.5, 2.0, 1.0])
    np.testing.assert_array_equal(whole.dequantized(), (values + 2.0) * 0.25)


def test_an_activation_has_nothing_to_dequantize(read):
    file = read(MODELS["float32"])
    with pytest.raises(ModelFileError, match="'dry' holds no constant"):
        file.tensors[file.inputs[0]].dequantized()


# LiteRT has no 16x8 LSTM to prepare.
@pytest.mark.parametrize("scheme", [scheme for scheme in SCHEMES if scheme != "tflm16x8"])
def test_every_tensor_is_what_the_interpreter_of_litert_says(read, tmp_path, scheme):
    file = read(MODELS[scheme])
    interpreter = Interpreter(model_path=str(tmp_path / "model.tflite"),
                              experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    details = interpreter.get_tensor_details()
    interpreter.allocate_tensors()
    assert len(file.tensors) == len(details)
    for ours, theirs in zip(file.tensors, details, strict=True):
        quantization = theirs["quantization_parameters"]
        assert (ours.name, ours.shape, ours.dtype) == (theirs["name"], tuple(theirs["shape"]), theirs["dtype"])
        np.testing.assert_array_equal(ours.scales, quantization["scales"])
        np.testing.assert_array_equal(ours.zero_points, quantization["zero_points"])
        assert ours.channel_axis == quantization["quantized_dimension"]
        if ours.data is not None:
            np.testing.assert_array_equal(ours.data, interpreter.get_tensor(theirs["index"]))
    assert sum(tensor.data is not None for tensor in file.tensors) == 2 * 12 + 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_inputs_outputs_and_states_are_what_the_interpreter_of_litert_says(read, tmp_path, scheme):
    file = read(MODELS[scheme])
    interpreter = Interpreter(model_path=str(tmp_path / "model.tflite"))
    assert list(file.inputs) == [details["index"] for details in interpreter.get_input_details()]
    assert list(file.outputs) == [details["index"] for details in interpreter.get_output_details()]
    states = {tensor.name for tensor in file.tensors if tensor.is_variable}
    assert states == {f"lstm_{layer}/{state}" for layer in (0, 1) for state in "hc"}


def test_the_operators_are_what_the_interpreter_of_litert_says(read, tmp_path):
    file = read(MODELS["w8a8"])
    interpreter = Interpreter(model_path=str(tmp_path / "model.tflite"),
                              experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    for ours, theirs in zip(file.operators, interpreter._get_ops_details(), strict=True):
        assert (ours.name, list(ours.inputs), list(ours.outputs)) == (
            theirs["op_name"], list(theirs["inputs"]), list(theirs["outputs"]))
    assert {len(operator.intermediates) for operator in file.operators} == {5, 0}


def test_codes_beyond_127_are_read_from_the_wide_field(read):
    writer = TfliteWriter("wide")
    tensor = writer.activation("in", (1,), np.float32)
    writer.operator(schema.BuiltinOperator.GELU, 1, [tensor], [tensor])
    [operator] = read(writer.finish([tensor], [tensor], {})).operators
    assert operator.code == schema.BuiltinOperator.GELU == 150
    assert operator.name == "operator 150"


def test_a_foreign_model_is_read_but_has_no_manifest(read):
    file = read(foreign_model())
    assert [tensor.name for tensor in file.tensors] == ["in", "addend", "out"]
    np.testing.assert_array_equal(file.tensors[1].data, [[0, 1, 2, 3]])
    with pytest.raises(ModelFileError, match=r"model\.tflite: a TFLite model without a neuralpedal manifest; only"):
        file.manifest()


def test_other_metadata_is_kept_beside_the_manifest(read):
    assert read(foreign_model({"author": b"somebody", "empty": b""})).metadata == {"author": b"somebody", "empty": b""}


def test_a_manifest_that_is_damaged_is_refused_by_file(read):
    with pytest.raises(ModelFileError, match=r"model\.tflite: its manifest is not JSON"):
        read(foreign_model({"neuralpedal_manifest": b"{"})).manifest()


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path):
    with pytest.raises(ModelFileError, match=r"gone\.tflite: no such file"):
        read_tflite(tmp_path / "gone.tflite")
    with pytest.raises(ModelFileError, match=f"{tmp_path.name}: cannot be read"):
        read_tflite(tmp_path)


@pytest.mark.parametrize("data", [b"", b"TFL3", b"RIFF1234WAVEfmt ", b"\0" * 100])
def test_what_does_not_carry_the_mark_is_not_a_tflite_model(read, data):
    with pytest.raises(ModelFileError, match=r"model\.tflite: not a TFLite model"):
        read(data)


@pytest.mark.parametrize(("scales", "points", "axis"), [((0.5, 0.5), (0, 0), 0), ((0.5,), (), 0),
                                                        ((0.5, 0.5, 0.5), (0, 0, 0), 7), ((float("inf"),), (0,), 0),
                                                        ((float("nan"),), (0,), 0)])
def test_quantization_that_does_not_fit_its_tensor_is_refused(read, scales, points, axis):
    writer = TfliteWriter("misfit")
    writer.constant("weights", np.zeros((3, 4), np.int8), Quantization(scales, points, axis))
    with pytest.raises(ModelFileError, match=r"damaged or truncated TFLite model \(a tensor "):
        read(writer.finish([], [], {}))


@pytest.mark.parametrize(("inputs", "outputs"), [([0], [7]), ([-1], [0]), ([0], [-1]), ([3], [0])])
def test_a_border_outside_the_graph_is_refused(read, inputs, outputs):
    writer = TfliteWriter("border")
    writer.activation("in", (1,), np.float32)
    with pytest.raises(ModelFileError, match="the graph's border names tensor"):
        read(writer.finish(inputs, outputs, {}))


def test_an_operator_that_names_a_tensor_outside_the_graph_is_refused(read):
    writer = TfliteWriter("stray")
    tensor = writer.activation("in", (1,), np.float32)
    writer.operator(schema.BuiltinOperator.ADD, 1, [tensor, 9], [tensor])
    with pytest.raises(ModelFileError, match="ADD names tensor 9 of 1"):
        read(writer.finish([tensor], [tensor], {}))


def test_an_int8_weight_without_a_scale_is_refused_by_file_and_tensor(read, monkeypatch):
    monkeypatch.setattr("neuralpedal.convert.float_matrices.Quantization", lambda *scales_and_points: None)
    with pytest.raises(ModelFileError, match=r"model\.tflite: tensor 'lstm_0/input/kernel/int8' holds int8 arithmetic"):
        read_weights(read(build_w8(WEIGHTS, manifest("w8"))))


def read_whole(path: Path) -> None:
    """Everything that a player reads before it plays."""
    file = read_tflite(path)
    file.manifest()
    if file.is_float:
        read_weights(file)


def reads_or_is_refused(path: Path, data: bytes) -> bool:
    path.write_bytes(data)
    try:
        read_whole(path)
    except ModelFileError as error:
        assert str(path) in str(error)
        return False
    return True


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_file_cut_at_any_length_is_refused_with_a_model_file_error(damaged_path, scheme):
    # The end of the file is cut at every length, what comes before at every fifth.
    model = MODELS[scheme]
    lengths = [*range(0, len(model) - 500, 5), *range(len(model) - 500, len(model))]
    assert reads_or_is_refused(damaged_path, model)
    assert [length for length in lengths if reads_or_is_refused(damaged_path, model[:length])] == []


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_a_small_file_cut_at_every_length_is_refused_with_a_model_file_error(damaged_path, build):
    weights = random_weights(make_spec(hidden_size=1), seed=0)
    model = build(weights, Manifest(name="small", scheme="w8", network=weights.spec))
    assert reads_or_is_refused(damaged_path, model)
    assert [length for length in range(len(model)) if reads_or_is_refused(damaged_path, model[:length])] == []


@given(damaged_bytes(list(MODELS.values())))
@settings(max_examples=400, deadline=None)
def test_damaged_bytes_read_or_raise_a_model_file_error(damaged_path, damaged):
    reads_or_is_refused(damaged_path, damaged)


@given(damaged_words(list(MODELS.values())))
@settings(max_examples=200, deadline=None)
def test_damaged_offsets_read_or_raise_a_model_file_error(damaged_path, damaged):
    reads_or_is_refused(damaged_path, damaged)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_arbitrary_bytes_behind_the_mark_raise_a_model_file_error(damaged_path, data):
    assert not reads_or_is_refused(damaged_path, data[:4].ljust(4, b"\0") + b"TFL3" + data[4:])
