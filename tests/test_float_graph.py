"""The float and w8 files, played by LiteRT, against the slow reference."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.reference import ReferenceNetwork
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.float_graph import build_float32, build_w8
from neuralpedal.convert.tflite_writer import TfliteWriter

Build = Callable[[NetworkWeights, Manifest], bytes]
BUILDERS: dict[str, Build] = {"float32": build_float32, "w8": build_w8}
SHAPES = [(num_layers, size) for num_layers in (1, 2) for size in (1, 3, 8, 16, 33)]


def network(num_layers: int, size: int, skip: bool) -> NetworkWeights:
    return random_weights(NetworkSpec(hidden_size=size, num_layers=num_layers, skip=skip), seed=size)


def build(weights: NetworkWeights, scheme: str) -> bytes:
    return BUILDERS[scheme](weights, Manifest(name="test", scheme=scheme, network=weights.spec))


def noise(length: int) -> np.ndarray:
    return np.random.default_rng(7).normal(0.0, 0.3, length).astype(np.float32)


def player(model: bytes, block: int) -> Interpreter:
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], [1, block, 1], strict=True)
    interpreter.allocate_tensors()
    return interpreter


def stream(interpreter: Interpreter, samples: np.ndarray) -> np.ndarray:
    """Whole blocks through the interpreter, states kept."""
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    block = source["shape"][1]
    output = np.empty_like(samples)
    for start in range(0, len(samples), block):
        interpreter.set_tensor(source["index"], samples[np.newaxis, start : start + block, np.newaxis])
        interpreter.invoke()
        output[start : start + block] = interpreter.get_tensor(target["index"])[0, :, 0]
    return output


def write(folder: Path, model: bytes) -> Path:
    path = folder / "model.tflite"
    path.write_bytes(model)
    return path


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize(("num_layers", "size"), SHAPES)
def test_litert_plays_the_float_file_as_the_reference_does(num_layers: int, size: int, skip: bool) -> None:
    weights, samples = network(num_layers, size, skip), noise(512)
    output = stream(player(build(weights, "float32"), 512), samples)
    assert np.abs(output - ReferenceNetwork(weights).process(samples)).max() < 1e-5


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize(("num_layers", "size"), SHAPES)
def test_litert_plays_the_w8_file_as_the_reference_plays_its_weights(num_layers: int, size: int, skip: bool,
                                                                     tmp_path: Path) -> None:
    model, samples = build(network(num_layers, size, skip), "w8"), noise(512)
    weights = read_weights(read_tflite(write(tmp_path, model)))
    output = stream(player(model, 512), samples)
    assert np.abs(output - ReferenceNetwork(weights).process(samples)).max() < 1e-5


@pytest.mark.parametrize("scheme", list(BUILDERS))
@pytest.mark.parametrize(("num_layers", "size"), [(1, 16), (2, 3)])
def test_one_shot_equals_blocks_of_every_length(scheme: str, num_layers: int, size: int) -> None:
    model, samples = build(network(num_layers, size, skip=True), scheme), noise(7168)
    whole = stream(player(model, len(samples)), samples)
    for block in (1, 7, 64, 1024):
        assert np.abs(stream(player(model, block), samples) - whole).max() < 1e-6, block


@pytest.mark.parametrize("scheme", list(BUILDERS))
def test_a_reset_brings_the_first_block_back(scheme: str) -> None:
    interpreter, samples = player(build(network(2, 8, skip=True), scheme), 64), noise(256)
    first = stream(interpreter, samples)
    assert not np.array_equal(stream(interpreter, samples), first)
    interpreter.reset_all_variables()
    assert np.array_equal(stream(interpreter, samples), first)


def test_another_block_length_can_be_chosen_while_playing() -> None:
    interpreter, samples = player(build(network(1, 8, skip=True), "w8"), 64), noise(256)
    whole = stream(interpreter, samples)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], [1, 32, 1], strict=True)
    interpreter.allocate_tensors()
    interpreter.reset_all_variables()
    assert np.abs(stream(interpreter, samples) - whole).max() < 1e-6


@pytest.mark.parametrize("scheme", list(BUILDERS))
def test_the_weights_come_back_out_of_the_file(scheme: str, tmp_path: Path) -> None:
    weights = network(2, 8, skip=False)
    read = read_weights(read_tflite(write(tmp_path, build(weights, scheme))))
    assert read.spec == weights.spec
    for found, wanted in zip(read.arrays(), weights.arrays(), strict=True):
        # One step of the widest row is the peak over 127; rounding moves a weight by half of it.
        tolerance = 0.0 if scheme == "float32" else np.abs(wanted).max() / 127 * 0.501
        assert np.abs(found - wanted).max() <= tolerance


def test_the_same_network_gives_the_same_bytes() -> None:
    weights = network(1, 8, skip=True)
    assert build(weights, "w8") == build(weights, "w8")


def test_w8_makes_a_file_much_smaller_than_float32() -> None:
    weights = network(1, 32, skip=True)
    assert len(build(weights, "w8")) < 0.6 * len(build(weights, "float32"))


def test_weights_lie_at_multiples_of_16_bytes() -> None:
    model = build(network(1, 8, skip=True), "float32")
    start = np.frombuffer(model, np.uint8).ctypes.data
    parsed = schema.Model.GetRootAs(model, 0)
    buffers = [parsed.Buffers(index) for index in range(parsed.BuffersLength())]
    offsets = [buffer.DataAsNumpy().ctypes.data - start for buffer in buffers if buffer.DataLength()]
    assert len(offsets) > 10
    assert all(offset % 16 == 0 for offset in offsets)


def test_no_cell_is_clipped() -> None:
    """A slow integrator whose cell passes 10, where the converter's files would clip it."""
    weights = network(1, 1, skip=False)
    layer = weights.layers[0]
    layer.kernel[:], layer.recurrent_kernel[:] = 0.0, 0.0
    layer.bias[:] = (8.0, 8.0, 3.0, 0.0)
    samples = noise(64)
    reference = ReferenceNetwork(weights)
    wanted = reference.process(samples)
    assert reference.states[0][1][0, 0] > 20.0
    interpreter = player(build(weights, "float32"), 64)
    assert np.abs(stream(interpreter, samples) - wanted).max() < 1e-5
    assert max(interpreter.get_tensor(detail["index"]).max() for detail in interpreter.get_tensor_details()
               if detail["name"] == "lstm_0/c") > 20.0


def test_a_file_whose_skip_contradicts_its_manifest_is_refused(tmp_path: Path) -> None:
    weights = network(1, 3, skip=False)
    manifest = Manifest(name="test", scheme="float32", network=network(1, 3, skip=True).spec)
    file = read_tflite(write(tmp_path, build_float32(weights, manifest)))
    with pytest.raises(ModelFileError, match=r"wanted .*ADD"):
        read_weights(file)


def test_a_file_whose_size_contradicts_its_manifest_is_refused(tmp_path: Path) -> None:
    manifest = Manifest(name="test", scheme="float32", network=network(1, 8, skip=True).spec)
    file = read_tflite(write(tmp_path, build_float32(network(1, 3, skip=True), manifest)))
    with pytest.raises(ModelFileError, match="contradict its manifest"):
        read_weights(file)


def test_a_foreign_graph_without_a_manifest_is_refused(tmp_path: Path) -> None:
    writer = TfliteWriter("foreign")
    source = writer.activation("in", (1, 4), np.float32)
    target = writer.activation("out", (1, 4), np.float32)
    writer.operator(schema.BuiltinOperator.TANH, 1, [source], [target])
    file = read_tflite(write(tmp_path, writer.finish([source], [target], {})))
    with pytest.raises(ModelFileError, match="without a neuralpedal manifest"):
        read_weights(file)
