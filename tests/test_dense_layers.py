"""Dense layers that bend, before and behind the recurrent ones: imported, played and written as by their own tools."""

import itertools
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beginnings import begun
from capture_files import dense_layer, network, rtneural_json, write
from firmware_pedals import compile_pedal
from neuralpedal.contract.dense import BENDS, SLOPES
from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.manifest import Manifest, decode_manifest, encode_manifest
from neuralpedal.contract.network_file import check_graph, read_weights
from neuralpedal.contract.reference import open_reference
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.float_graph import build_float32, build_w8
from neuralpedal.convert.scheme_arithmetic import channel_weights, w8_arithmetic
from neuralpedal.convert.schemes import check_schemes
from neuralpedal.device.engine import open_engine
from neuralpedal.device.stream import stream
from neuralpedal.firmware_bridge.link.protocol import Samples
from neuralpedal.firmware_bridge.model_blob import write_blob
from neuralpedal.firmware_bridge.native_library import build_native
from neuralpedal.train.exporting.exported_run import FORMATS
from neuralpedal.train.exporting.layout import Exported
from neuralpedal.train.finetuning import Budget, finetune
from neuralpedal.train.importing.capture import ImportOptions
from neuralpedal.train.importing.formats import read_capture
from neuralpedal.train.networks.model_file import build_model, load_model, save_model
from signals import plucks

BUILDERS = {"float32": build_float32, "w8": build_w8}
DRY = plucks(1.0)[24_000:24_300]
SOME_BENDS = st.lists(st.sampled_from(sorted(BENDS)), max_size=2)


def layers(*bends: str, units: int = 3) -> list[dict[str, Any]]:
    return [{"units": units + place, "activation": bend} for place, bend in enumerate(bends)]


def bent(family: str = "lstm", front: tuple[str, ...] = ("tanh",), head: tuple[str, ...] = ("sigmoid", "elu"),
         **fields: Any) -> NetworkWeights:
    return network(family, hidden_size=5, front=layers(*front), head=layers(*head), **fields)


def file_of(weights: NetworkWeights, path: Path, scheme: str = "float32", **fields: Any) -> Path:
    manifest = Manifest(name="x", scheme=scheme, network=weights.spec)
    path.write_bytes(BUILDERS[scheme](weights, manifest.model_copy(update=fields)))
    return path


@pytest.mark.parametrize("name", ["gru", "gru_1d", "lstm"])
def test_rtneural_s_own_outputs_come_out_of_every_engine(name: str, data_folder: Path, tmp_path: Path,
                                                         c_compiler: None) -> None:
    folder = data_folder / "captures" / "rtneural"
    weights = read_capture(folder / f"{name}.json", ImportOptions()).weights
    assert isinstance(weights, NetworkWeights) and weights.spec.bends
    dry, wet = (np.loadtxt(folder / f"{name}_{track}.csv").astype(np.float32) for track in "xy")
    np.testing.assert_allclose(open_reference(weights).process(dry), wet, atol=1e-5)
    model = build_model(weights.spec)
    model.assign(weights)
    np.testing.assert_allclose(model.process(dry), wet, atol=1e-5)
    path = file_of(weights, tmp_path / "model.tflite")
    np.testing.assert_allclose(stream(open_engine(path, "litert", 16), dry), wet, atol=1e-5)
    native = open_engine(path, "native", 16, library=build_native(path, tmp_path / "cache").folder)
    np.testing.assert_allclose(stream(native, dry), wet, atol=1e-5)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_a_keras_model_of_such_layers_plays_as_keras_plays_it(cell: str, suffix: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(4)
    dense, kind = keras.layers.Dense, getattr(keras.layers, cell)
    random = {"bias_initializer": "uniform"}
    model = keras.Sequential([
        keras.layers.Input((None, 1)), dense(3), dense(4, activation="tanh", **random), dense(2, **random),
        kind(5, return_sequences=True), dense(6, activation="elu", **random), dense(3, activation="relu", **random),
        dense(2), dense(4, activation="sigmoid"), dense(1, activation="tanh", **random)])
    model.save(tmp_path / f"amp{suffix}")
    weights = read_capture(tmp_path / f"amp{suffix}", ImportOptions()).weights
    wanted = model(DRY[np.newaxis, :, np.newaxis]).numpy()[0, :, 0]
    np.testing.assert_allclose(open_reference(weights).process(DRY), wanted, atol=1e-5)
    assert weights.spec.label == f"tanh 4 → {cell.lower()} 1×5 → elu 6 → relu 3 → sigmoid 4 → tanh 1"


def test_knobs_and_gains_go_into_the_layer_that_hears_the_input(tmp_path: Path) -> None:
    weights, content = network("gru"), rtneural_json(network("gru"), in_gain=6.0, out_gain=-3.0)
    kernel = np.array([[0.5, -0.7, 0.2], [0.3, 0.4, -0.6]])
    recurrent = content["layers"][0]
    recurrent["weights"][0] = np.random.default_rng(1).normal(size=(3, 12)).tolist()
    content["layers"].insert(0, dense_layer(kernel, np.array([0.1, 0.0, -0.2]), "tanh"))
    content["in_shape"][-1] = 2
    capture = read_capture(write(tmp_path / "a.json", content), ImportOptions(knobs={"gain": 0.5}))
    plain = rtneural_json(weights)
    plain["layers"] = [dense_layer(kernel[:1], np.array([0.1, 0.0, -0.2]) + 0.5 * kernel[1], "tanh"), recurrent,
                       plain["layers"][-1]]
    alone = read_capture(write(tmp_path / "b.json", plain), ImportOptions()).weights
    driven = 10 ** (6 / 20) * DRY.astype(np.float64)
    np.testing.assert_allclose(open_reference(capture.weights).process(DRY),
                               10 ** (-3 / 20) * open_reference(alone).process(driven), atol=1e-6)


@pytest.mark.parametrize(("change", "said"), [
    (("softmax", 3), "a dense layer with activation softmax.*dense layers .linear, tanh, sigmoid, relu, elu. can be"),
    (("prelu", 3), "a dense layer with activation prelu"),
    (("tanh", 300), r"front.0.units: Input should be less than or equal to 256 \(found 300\)"),
])
def test_layers_that_we_have_not_are_refused_by_name(change: tuple[str, int], said: str, tmp_path: Path) -> None:
    activation, units = change
    content = rtneural_json(network())
    content["layers"][0]["weights"][0] = np.zeros((units, 16)).tolist()
    content["layers"].insert(0, dense_layer(np.ones((1, units)), np.zeros(units), activation))
    with pytest.raises(ModelFileError, match=said):
        read_capture(write(tmp_path / "amp.json", content), ImportOptions())


def test_five_layers_a_frame_and_an_unknown_activation_are_no_network_of_ours() -> None:
    for fields, said in (({"front": layers(*["tanh"] * 5)}, "front: Tuple should have at most 4 items"),
                         ({"family": "frame_lstm", "frame_samples": 8, "head": layers("tanh")}, "only networks that"),
                         ({"head": layers("softmax")}, "'softmax' is not one of tanh, sigmoid, relu, elu")):
        with pytest.raises(SpecError, match=said):
            make_spec(**fields)


def test_networks_without_such_layers_are_written_and_digested_as_before_there_were_any() -> None:
    plain = random_weights(make_spec(family="lstm"), 0)
    assert plain.digest() == "d9293fb8834a" + plain.digest()[12:]
    said = encode_manifest(Manifest(name="x", scheme="w8", network=plain.spec))
    assert json.loads(said)["format_version"] == 1 and b"front" not in said and b"head" not in said
    weights = bent()
    told = json.loads(encode_manifest(Manifest(name="x", scheme="w8", network=weights.spec)))
    assert told["format_version"] == 5 and told["network"]["front"] == [{"units": 3, "activation": "tanh"}]
    assert weights.digest() != network(hidden_size=5).digest()


@settings(deadline=None, max_examples=25)
@given(family=st.sampled_from(["lstm", "gru", "rnn"]), num_layers=st.integers(1, 2), skip=st.booleans(),
       front=SOME_BENDS, head=SOME_BENDS,
       scheme=st.sampled_from(sorted(BUILDERS)), block_size=st.sampled_from([1, 7, 64]))
def test_a_file_gives_its_weights_back_and_plays_as_the_reference(
    family: str, num_layers: int, skip: bool, front: list[str], head: list[str], scheme: str, block_size: int,
    tmp_path_factory: pytest.TempPathFactory
) -> None:
    weights = bent(family, tuple(front), tuple(head), num_layers=num_layers, skip=skip)
    path = file_of(weights, tmp_path_factory.mktemp("file") / "model.tflite", scheme)
    held = channel_weights(weights) if scheme == "w8" else weights
    assert read_weights(read_tflite(path)).digest() == held.digest()
    engine = open_engine(path, "litert", block_size)
    wanted = open_reference(held).process(DRY)
    np.testing.assert_allclose(stream(engine, DRY), wanted, rtol=0, atol=2e-6)
    engine.reset()
    np.testing.assert_allclose(stream(engine, DRY[:64]), wanted[:64], rtol=0, atol=2e-6)


@pytest.mark.parametrize("family", ["lstm", "gru"])
def test_the_c_plays_them_with_every_activation_and_from_a_state(family: str, tmp_path: Path, c_compiler: None) -> None:
    weights = bent(family, ("tanh", "relu"), ("sigmoid", "elu"), num_layers=2, skip=True)
    weights = begun(weights, 3, hidden=0.5, cell=1.0) if family == "lstm" else weights
    state = {"initial_state": tuple(tuple(tuple(map(float, array)) for array in layer)
                                    for layer in weights.initial_state)} if weights.initial_state else {}
    path, wanted = file_of(weights, tmp_path / "model.tflite", **state), open_reference(weights).process(DRY)
    compiled = compile_pedal(read_tflite(path), tmp_path / "c")
    np.testing.assert_allclose(compiled.pedal.process(DRY, (7, 64)), wanted, atol=1e-6)
    library = build_native(path, tmp_path / "cache")
    assert "lanes" in library.kernel
    native = open_engine(path, "native", 16, library=library.folder)
    np.testing.assert_allclose(stream(native, DRY), wanted, atol=1e-6)


def test_a_graph_of_other_layers_than_its_manifest_says_is_refused(tmp_path: Path) -> None:
    for family, (ours, other) in itertools.product(("lstm", "gru"), ((("tanh",), ("sigmoid",)), (("tanh",), ()))):
        path = tmp_path / "model.tflite"
        manifest = Manifest(name="x", scheme="float32", network=bent(family, other).spec)
        path.write_bytes(build_float32(bent(family, ours), manifest))
        with pytest.raises(ModelFileError, match=r"operators .*; wanted .* for (sigmoid 3 → )?(lstm|gru) 1×5"):
            check_graph(read_tflite(path))


def test_keras_saves_and_trains_them_compiled_too(tmp_path: Path, c_compiler: None) -> None:
    weights = bent("gru", ("relu", "tanh"), ("elu",))
    model = build_model(weights.spec)
    model.assign(weights)
    save_model(model, tmp_path / "model.keras")
    model = load_model(tmp_path / "model.keras")
    assert model.network_weights().digest() == weights.digest()
    assert model.is_matrix == ["kernel" in variable.path for variable in model.weights]
    start, target = network("gru", hidden_size=5, front=layers("relu", "tanh"), head=layers("elu"), seed=2), plucks(2.0)
    wet = open_reference(weights).process(target[:24_000]).astype(np.float32)
    tuned, history = finetune(start, w8_arithmetic(weights.spec), target[:24_000], wet, Budget(batches=6))
    assert history.esr_best < 0.9 * history.esr_start
    moved = [not np.array_equal(ours, theirs) for ours, theirs in zip(tuned.arrays(), start.arrays(), strict=True)]
    assert all(moved) and channel_weights(tuned).digest() == tuned.digest()


def test_the_slope_of_every_activation_follows_from_what_it_gives() -> None:
    x = np.linspace(-3.0, 3.0, 100)
    for name, bend in BENDS.items():
        wanted = (bend(x + 1e-6) - bend(x - 1e-6)) / 2e-6
        np.testing.assert_allclose(SLOPES[name](bend(x)), wanted, atol=1e-8)


@pytest.mark.parametrize(("name", "said"), [("nam", "NAM has no dense layers with an activation; export to aidax"),
                                            ("guitarml", "GuitarML has no dense layers with an activation")])
def test_formats_without_such_layers_say_so(name: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        FORMATS[name][1](Exported(bent(), "x"))


def test_what_plays_integers_or_on_a_board_s_player_says_that_it_has_none(tmp_path: Path) -> None:
    weights = bent()
    with pytest.raises(SpecError, match=r"scheme w8a16: does not exist for tanh 3 → lstm 1×5 .*; take float32, w8"):
        check_schemes(("w8a16",), weights.spec)
    with pytest.raises(ModelFileError, match="has no dense layers that bend; flash its C"):
        write_blob(file_of(weights, tmp_path / "model.tflite"), Samples.FLOAT)
    fields = encode_manifest(Manifest(name="x", scheme="w8", network=weights.spec)).replace(b'"w8"', b'"w8a8"')
    with pytest.raises(ModelFileError, match="as w8a8; dense layers that bend are float32 or w8"):
        decode_manifest(fields, "x.tflite")
