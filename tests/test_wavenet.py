"""WaveNets: the reference is NAM's network, Keras and the compiled kernel are the reference."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from wavenets import KINDS, conv_array, wavenet_specs

from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.reference import open_reference
from neuralpedal.contract.reference_wavenet import ReferenceWaveNet
from neuralpedal.contract.wavenet import ConvArray, WaveNetSpec, make_wavenet
from neuralpedal.contract.wavenet_weights import (
    WaveNetWeights,
    flat_arrays,
    random_wavenet,
    wavenet_weights,
    weight_shapes,
)
from neuralpedal.train.exporting.exported_run import FORMATS
from neuralpedal.train.exporting.layout import Exported
from neuralpedal.train.exporting.nam import nam_content
from neuralpedal.train.exporting.nam_wavenet import flat_weights
from neuralpedal.train.importing.capture import ImportOptions
from neuralpedal.train.importing.formats import read_capture
from neuralpedal.train.importing.json_node import read_json
from neuralpedal.train.importing.nam_wavenet import read_wavenet
from neuralpedal.train.native.wavenet_kernel import WaveNetKernel
from neuralpedal.train.native.wavenet_op import native_wavenet
from neuralpedal.train.networks.model_file import build_model, load_model, save_model
from neuralpedal.train.wavenet_presets import preset_spec
from signals import plucks

GOLDEN = Path(__file__).parent / "golden"

kinds = pytest.mark.parametrize("kind", KINDS)


def _golden(name: str) -> tuple[WaveNetWeights, np.ndarray, np.ndarray]:
    """A network of ours as a .nam file, and what NeuralAmpModelerCore 0.5 (blocks of 64, plain tanh) made of noise."""
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        return read_wavenet(read_json(GOLDEN / f"{name}.nam"), 48_000), arrays["dry"], arrays["wet"]


@pytest.mark.parametrize("name", ["wavenet-3+2-gated", "wavenet-4-a2"])
def test_the_reference_plays_what_nam_s_own_player_plays(name: str) -> None:
    weights, dry, wet = _golden(name)
    np.testing.assert_allclose(ReferenceWaveNet(weights).process(dry), wet, atol=1e-6)


def test_a_file_s_weights_come_back_in_its_order() -> None:
    root = read_json(GOLDEN / "wavenet-4-a2.nam")
    found = flat_weights(read_wavenet(root, 48_000))
    assert np.array_equal(found, np.array(root["weights"].value, np.float32))


@kinds
def test_an_exported_network_comes_back_to_the_last_bit(kind: str, tmp_path: Path) -> None:
    weights = random_wavenet(KINDS[kind], 5)
    if weights.spec.skip:
        with pytest.raises(SpecError, match="NAM has no skip"):
            nam_content(Exported(weights, "amp"))
        return
    path = tmp_path / "amp.nam"
    path.write_text(json.dumps(nam_content(Exported(weights, "amp", {"gear_make": "Ibanez"})), allow_nan=False))
    capture = read_capture(path, ImportOptions())
    assert capture.weights.digest() == weights.digest() and capture.metadata["gear_make"] == "Ibanez"
    assert not capture.remarks


def test_an_exported_a2_says_what_nam_s_quick_player_asks_for() -> None:
    layers = nam_content(Exported(random_wavenet(preset_spec("a2-lite", 48_000), 5), "amp"))["config"]["layers"]
    assert [(array["bottleneck"], array["layer1x1"]) for array in layers] == [(3, {"active": True, "groups": 1})]


@pytest.mark.parametrize("name", ["aidax", "guitarml"])
def test_formats_without_wavenets_refuse_one(name: str) -> None:
    with pytest.raises(SpecError, match="has no wavenet, only lstm and gru; export to nam"):
        FORMATS[name][1](Exported(random_wavenet(KINDS["a1"], 5), "amp"))


def test_of_a_container_the_largest_network_is_taken_and_said(tmp_path: Path) -> None:
    small, large = (random_wavenet(KINDS[kind], 6) for kind in ("a1", "gated"))
    models = [{"max_value": value, "model": nam_content(Exported(weights, "amp"))}
              for value, weights in ((1.0, large), (0.5, small))]
    path = tmp_path / "amp.nam"
    path.write_text(json.dumps({"architecture": "SlimmableContainer", "config": {"submodels": models}}))
    capture = read_capture(path, ImportOptions(sample_rate_hz=48_000))
    assert capture.weights.digest() == large.digest() and "holds 2 networks" in " ".join(capture.remarks)


@pytest.mark.parametrize(("preset", "weights"), [("nano", 842), ("feather", 3026), ("standard", 13_802),
                                                 ("a2-lite", 1871), ("a2-full", 12_146)])
def test_presets_are_of_the_sizes_that_nam_s_files_have(preset: str, weights: int) -> None:
    # The scale of the head is a weight of theirs.
    assert preset_spec(preset, 48_000).num_parameters + 1 == weights


@kinds
def test_blocks_of_any_length_play_as_one(kind: str) -> None:
    network, dry = ReferenceWaveNet(random_wavenet(KINDS[kind], 1)), plucks(0.05)
    whole = network.process(dry)
    network.reset()
    parts = [network.process(part) for part in np.split(dry, [1, 8, 8, 300, 301])]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-12)


@kinds
def test_a_reset_network_is_where_long_silence_leaves_it(kind: str) -> None:
    network = ReferenceWaveNet(random_wavenet(KINDS[kind], 2))
    fresh = network.past()
    network.process(plucks(0.02))
    network.process(np.zeros(KINDS[kind].receptive_field, np.float32))
    np.testing.assert_allclose(network.past(), fresh, atol=1e-6)


@kinds
@pytest.mark.parametrize("native", [False, True], ids=["tensorflow", "native"])
def test_keras_equals_the_reference(kind: str, native: bool) -> None:
    weights, dry = random_wavenet(KINDS[kind], 3), plucks(0.1)
    model = build_model(weights.spec)
    model.assign(weights)
    if native:
        model.use_native()
    wanted = open_reference(weights).process(dry)
    np.testing.assert_allclose(model.process(dry, chunk=1000), wanted, atol=1e-5)
    np.testing.assert_allclose(model(dry[np.newaxis, :, np.newaxis])[0, :, 0], wanted, atol=1e-5)


@kinds
def test_a_model_survives_its_file(kind: str, tmp_path: Path) -> None:
    model = build_model(KINDS[kind])
    save_model(model, tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    assert again.spec == model.spec and again.network_weights().digest() == model.network_weights().digest()


@kinds
def test_the_compiled_gradient_is_tensorflow_s(kind: str) -> None:
    model, dry = build_model(KINDS[kind]), tf.random.stateless_normal((3, 333, 1), (1, 2)) * 0.4
    found = []
    for native in (None, native_wavenet(KINDS[kind])):
        model._stack.native = native
        _, states = model.stream(dry[:, :200], model.zero_states(3))
        with tf.GradientTape() as tape:
            output, _ = model.stream(dry[:, 200:], [tuple(map(tf.stop_gradient, state)) for state in states])
            loss = tf.reduce_sum(tf.square(output)) + tf.reduce_sum(output)
        gradients = tape.gradient(loss, model.trainable_variables)
        # What the last layer passes on is heard by nobody.
        found.append([tf.zeros(weight.shape) if gradient is None else gradient
                      for weight, gradient in zip(model.trainable_variables, gradients, strict=True)])
    largest = max(float(tf.reduce_max(tf.abs(gradient))) for gradient in found[0])
    for ours, theirs in zip(found[1], found[0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5 * largest)


@settings(deadline=None, max_examples=8)
@given(wavenet_specs(), st.integers(1, 90))
def test_the_compiled_kernel_is_the_reference_for_any_network(spec: WaveNetSpec, first: int) -> None:
    weights, dry = random_wavenet(spec, 4), plucks(0.01)[:150]
    kernel, reference = WaveNetKernel(spec), ReferenceWaveNet(weights)
    past, flat = reference.past()[np.newaxis], flat_arrays(weights)
    out = []
    for part in (dry[:first], dry[first:]):
        head, past, history = kernel.forward(part[np.newaxis], past, flat)
        kernel.release(history)
        out.append(head[0])
    wanted = reference.process(dry)
    np.testing.assert_allclose(np.concatenate(out), wanted, atol=2e-5 * max(1.0, np.abs(wanted).max()))
    np.testing.assert_allclose(past[0], reference.past(), atol=1e-4 * np.abs(past).max(initial=1.0))


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SpecError, match="head has 3 channels, the next array has 2"):
        make_wavenet(arrays=(conv_array(4, (1,), head_size=3), conv_array(2, (1,))))
    with pytest.raises(SpecError, match="last head has 2 channels"):
        make_wavenet(arrays=(conv_array(4, (1,), head_size=2),))
    with pytest.raises(ValueError, match="1 kernel sizes for 2 dilations"):
        ConvArray(channels=2, dilations=(1, 2), kernel_sizes=(3,))


def test_weights_of_another_shape_or_without_numbers_are_refused() -> None:
    spec = KINDS["a1"]
    arrays = [np.zeros(shape, np.float32) for shape in weight_shapes(spec)]
    with pytest.raises(SpecError, match="weight 2 of"):
        wavenet_weights(spec, [*arrays[:2], np.zeros(9, np.float32), *arrays[3:]])
    arrays[4][0, 0] = np.nan
    with pytest.raises(ModelFileError, match="NaN"):
        wavenet_weights(spec, arrays)


@pytest.mark.parametrize(("change", "said"), [
    ({"weights": [0.5] * 3}, "3 weights, but a WaveNet of this shape has 289"),
    ({"config.condition_dsp": {"architecture": "WaveNet"}}, "a WaveNet with condition_dsp"),
    ({"config.layers.0.conv_pre_film": {"active": True}}, "has conv_pre_film"),
    ({"config.layers.0.slimmable": {"method": "slice"}}, "has slimmable"),
    ({"config.layers.0.layer1x1": {"active": False}}, "layers without layer1x1"),
    ({"config.layers.0.bottleneck": 2}, "has bottleneck"),
    ({"config.layers.0.activation": "Softsign"}, "'Softsign', wanted one of Tanh, ReLU, LeakyReLU"),
    ({"config.layers.0.activation": {"type": "LeakyReLU", "negative_slope": 0.2}}, "a slope of 0.2, wanted 0.01"),
    ({"config.layers.0.condition_size": 2}, "condition_size is 2, wanted 1"),
    ({"config.layers.0.channels": 100_000}, "channels is 100000, wanted a whole number from 1 to 64"),
    ({"config.layers.0.dilations": [1] * 65}, "has 65 layers, wanted at most 64"),
    ({"config.layers.0.head_size": 7}, "head has 7 channels, the next array has 2"),
])
def test_what_no_network_of_ours_has_is_refused_by_name(change: dict[str, object], said: str, tmp_path: Path) -> None:
    content = json.loads((GOLDEN / "wavenet-3+2-gated.nam").read_text())
    for place, value in change.items():
        at = content
        *path, last = place.split(".")
        for key in path:
            at = at[int(key) if isinstance(at, list) else key]
        at[last] = value
    path_of_file = tmp_path / "changed.nam"
    path_of_file.write_text(json.dumps(content))
    with pytest.raises(ModelFileError, match=f"changed.nam: .*{said}"):
        read_wavenet(read_json(path_of_file), 48_000)
