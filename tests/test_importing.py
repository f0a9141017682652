"""Networks of others: what is read from their files plays as their own tools say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from capture_files import dense_layer, guitarml_json, nam_json, network, rtneural_json, torch_rnn, write
from captures import read_nam_lstm
from neuralpedal.contract.errors import ModelFileError, OutputError, SpecError
from neuralpedal.contract.reference import ReferenceNetwork, open_reference
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.train.importing.capture import Capture, ImportOptions
from neuralpedal.train.importing.formats import SUFFIXES, read_capture
from neuralpedal.train.importing.golden_check import check_golden
from neuralpedal.train.importing.imported_run import import_file
from neuralpedal.train.networks.model_file import build_model, load_model
from neuralpedal.train.networks.pedal_model import PedalModel
from signals import plucks

Cli = Callable[..., tuple[int, str, str]]
PLAIN = ImportOptions()


def read(path: Path, **options: Any) -> Capture:
    return read_capture(path, ImportOptions(**options))


def played(weights: NetworkWeights, dry: np.ndarray) -> np.ndarray:
    return open_reference(weights).process(dry.astype(np.float32))


def in_keras(weights: NetworkWeights) -> PedalModel:
    model = build_model(weights.spec)
    model.assign(weights)
    return model


def test_rtneural_s_own_lstm_comes_out_as_its_python_says(data_folder: Path) -> None:
    folder = data_folder / "captures" / "rtneural"
    weights = read(folder / "lstm_1d.json").weights
    dry, wet = (np.loadtxt(folder / f"lstm_1d_{track}.csv") for track in "xy")
    np.testing.assert_allclose(played(weights, dry), wet, atol=1e-5)
    np.testing.assert_allclose(in_keras(weights).process(dry), wet, atol=1e-5)


def test_every_importable_capture_plays_equally_in_keras_and_in_the_reference(data_folder: Path) -> None:
    paths = [path for folder in ("captures", "seed_models") for path in sorted((data_folder / folder).rglob("*"))
             if path.suffix in SUFFIXES]
    dry, refused = plucks(1.0)[24_000:24_150], []
    for path in paths:
        try:
            weights = read(path).weights
        except ModelFileError:
            refused.append(path.name)
            continue
        np.testing.assert_allclose(in_keras(weights).process(dry), played(weights, dry), atol=1e-5, err_msg=str(path))
    assert refused == [] and len(paths) > 50


@pytest.mark.parametrize("name", ["gru4", "gru8", "lstm4", "lstm8"])
def test_guitarml_s_captures_play_as_pytorch_s_equations_say(name: str, data_folder: Path) -> None:
    path = data_folder / "captures" / "guitarml" / f"{name}_ts9_pytorch.json"
    dry = plucks(0.1)[:1000].astype(np.float64)
    wanted = torch_rnn(json.loads(path.read_text()), dry[:, np.newaxis])
    np.testing.assert_allclose(played(read(path).weights, dry), wanted, atol=1e-6)


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_a_knob_that_stands_still_becomes_a_bias(cell: str, tmp_path: Path) -> None:
    content = guitarml_json(cell, hidden_size=5, num_layers=2, input_size=3)
    capture = read(write(tmp_path / "amp.json", content), knobs={"drive": 0.7, "tone": 0.25})
    dry = plucks(0.1)[:500].astype(np.float64)
    wanted = torch_rnn(content, np.stack([dry, np.full(500, 0.7), np.full(500, 0.25)], axis=1))
    np.testing.assert_allclose(played(capture.weights, dry), wanted, atol=1e-6)
    assert capture.knobs == {"gain": 0.7, "tone": 0.25}


@pytest.mark.parametrize(("knobs", "said"), [
    ({}, "--knob gain=0.5 --knob tone=0.5"), ({"gain": 0.5}, "--knob tone=0.5"),
    ({"gain": 1.5, "tone": 0}, "gain=1.5: wanted 0 to 1"), ({"gain": 0.5, "wah": 0}, "gain/drive/knob1/param1"),
    ({"gain": 0.5, "drive": 0.5}, "twice the same"),
])
def test_a_network_with_knobs_says_which_settings_it_needs(knobs: dict[str, float], said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "amp.json", guitarml_json("LSTM", 4, input_size=3))
    with pytest.raises(SpecError, match=said):
        read(path, knobs=knobs)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_nam_lstm_plays_as_it_was_written_and_keeps_its_state_and_gear(num_layers: int, tmp_path: Path) -> None:
    weights = network(hidden_size=3, num_layers=num_layers)
    states = np.random.default_rng(1).normal(size=(num_layers, 2, 3)).astype(np.float32)
    metadata = {"gear_make": "Ibanez", "input_level_dbu": 18.3, "loudness": float("nan")}
    path = write(tmp_path / "ts.nam", nam_json(weights, states, metadata=metadata, sample_rate=44100.0))
    capture = read(path)
    for found, wanted in zip(capture.weights.arrays(), weights.arrays(), strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert capture.weights.initial_state is not None and capture.weights.spec.sample_rate_hz == 44100
    np.testing.assert_array_equal(np.array(capture.weights.initial_state), states)
    imported = import_file(path, tmp_path / "run", PLAIN)["imported"]
    assert imported["metadata"] == {"gear_make": "Ibanez", "input_level_dbu": 18.3, "loudness": None}
    assert imported["has_initial_state"]


def test_nam_s_own_lstm_is_read_as_the_tests_read_it(data_folder: Path) -> None:
    path = data_folder / "captures" / "nam" / "lstm.nam"
    for found, wanted in zip(read(path).weights.arrays(), read_nam_lstm(path).arrays(), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("skip", [0, 1])
@pytest.mark.parametrize("family", ["lstm", "gru"])
def test_aida_x_s_gains_and_skip_act_as_its_plug_in_has_them(skip: int, family: str, tmp_path: Path) -> None:
    weights, dry = network(family, num_layers=2), plucks(0.1)[:600]
    before, after = 10 ** (6 / 20), 10 ** (-2.5 / 20)
    driven = before * dry.astype(np.float64)
    wanted = after * (ReferenceNetwork(weights).process(driven) + skip * driven)
    content = rtneural_json(weights, in_skip=skip, in_gain=6.0, out_gain=-2.5, metadata={"samplerate": "44100"},
                            input_batch=dry.tolist(), output_batch=wanted.tolist())
    capture, error = check_golden(read(write(tmp_path / "amp.aidax", content)), force=False)
    gain = 10 ** (capture.output_gain_db / 20)
    np.testing.assert_allclose(gain * played(capture.weights, dry), wanted, atol=1e-5)
    assert error is not None and error < 1e-5
    assert capture.weights.spec.sample_rate_hz == 44100 and bool(capture.output_gain_db) == bool(skip)


def test_a_file_that_fails_its_own_test_is_refused_unless_forced(tmp_path: Path) -> None:
    weights, dry = network(), plucks(0.1)[:200]
    wet = played(weights, dry) + 2e-4
    path = write(tmp_path / "amp.json", rtneural_json(weights, input_batch=dry.tolist(), output_batch=wet.tolist()))
    with pytest.raises(ModelFileError, match=r"amp.json: its own test of 200 samples .* 0.0002 away.*--force"):
        import_file(path, tmp_path / "run", PLAIN)
    assert not (tmp_path / "run").exists()
    imported = import_file(path, tmp_path / "run", ImportOptions(force=True))["imported"]
    assert imported["golden_error"] == pytest.approx(2e-4, rel=1e-2) and "its own test" in imported["remarks"][-1]


def test_a_network_with_knobs_is_tested_with_all_of_them_at_zero(tmp_path: Path) -> None:
    weights, dry = network(hidden_size=5), plucks(0.1)[:200]
    content = rtneural_json(weights, input_batch=dry.tolist(), output_batch=played(weights, dry).tolist())
    content["in_shape"][-1] = 2
    content["layers"][0]["weights"][0].append([0.3] * 20)
    capture, error = check_golden(read(write(tmp_path / "amp.json", content), knobs={"param1": 0.9}), force=False)
    assert error is not None and error < 1e-6 and capture.knobs == {"gain": 0.9}
    assert np.max(np.abs(played(capture.weights, dry) - played(weights, dry))) > 1e-2


def test_linear_dense_layers_are_folded_into_their_neighbours(tmp_path: Path) -> None:
    rng, dry = np.random.default_rng(2), plucks(0.1)[:300].astype(np.float64)
    inner = network(hidden_size=4)
    content = rtneural_json(inner)
    # Twice its input, plus 0.1, into the LSTM; then 4 → 3 → 1.
    kernels = rng.normal(size=(4, 3)), rng.normal(size=(3, 1))
    biases = rng.normal(size=3), rng.normal(size=1)
    content["layers"] = [dense_layer(np.array([[2.0]]), np.array([0.1]), "linear"), content["layers"][0],
                         *(dense_layer(*layer) for layer in zip(kernels, biases, strict=True))]
    network_alone, wanted = ReferenceNetwork(inner), []
    for sample in dry:
        network_alone.step(np.array([2.0 * sample + 0.1]))
        hidden = network_alone.states[0][0][0]
        wanted.append(((hidden @ kernels[0] + biases[0]) @ kernels[1] + biases[1])[0])
    found = played(read(write(tmp_path / "a.json", content)).weights, dry)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def keras_model(cell: str, *layers: int, samples: int | None = None) -> keras.Model:
    """A plain model with random biases too; it answers frames where ``samples`` is given."""
    keras.utils.set_random_seed(3)
    kind = getattr(keras.layers, cell)
    inner = [kind(units, return_sequences=samples is None or index < len(layers) - 1, bias_initializer="uniform",
                  name=f"layer{len(layers) - index}") for index, units in enumerate(layers)]
    model = keras.Sequential([keras.layers.Input((samples, 1)), *inner, keras.layers.Dense(3), keras.layers.Dense(1)])
    model.layers[-1].set_weights([model.layers[-1].get_weights()[0], np.array([0.3])])
    return model


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize(("cell", "layers"), [("LSTM", (4,)), ("LSTM", (4, 4)), ("GRU", (4, 4))])
def test_a_plain_keras_model_plays_as_keras_plays_it(cell: str, layers: tuple[int, ...], suffix: str,
                                                     tmp_path: Path) -> None:
    model, dry = keras_model(cell, *layers), plucks(0.1)[:200]
    model.save(tmp_path / f"amp{suffix}")
    found = played(read(tmp_path / f"amp{suffix}").weights, dry)
    np.testing.assert_allclose(found, model(dry[np.newaxis, :, np.newaxis]).numpy()[0, :, 0], atol=1e-5)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_keras_model_that_answers_frames_becomes_a_frame_network(suffix: str, tmp_path: Path) -> None:
    given = keras.Input((16, 1))
    hidden = keras.layers.LSTM(4)(given)
    model, dry = keras.Model(given, keras.layers.Dense(1)(hidden)), plucks(0.1)[:64]
    model.save(tmp_path / f"amp{suffix}")
    capture = read(tmp_path / f"amp{suffix}", sample_rate_hz=22050)
    frames = np.lib.stride_tricks.sliding_window_view(np.concatenate([np.zeros(15, np.float32), dry]), 16)
    wanted = model(frames[:, :, np.newaxis]).numpy()[:, 0]
    np.testing.assert_allclose(played(capture.weights, dry), wanted, atol=1e-5)
    assert (capture.weights.spec.frame_samples, capture.weights.spec.sample_rate_hz) == (16, 22050)


def test_keras_models_that_are_no_such_chain_are_named(tmp_path: Path) -> None:
    given = keras.Input((None, 1))
    hidden = keras.layers.LSTM(4, return_sequences=True)(given)
    both = keras.layers.Add()([keras.layers.Dense(1)(hidden), given])
    keras.Model(given, both).save(tmp_path / "skip.keras")
    build_model(network().spec).save(tmp_path / "ours.keras")
    keras.Sequential([keras.layers.Input((None, 1)), keras.layers.LSTM(4, activation="relu", return_sequences=True),
                      keras.layers.Dense(1)]).save(tmp_path / "relu.h5")
    two = keras.layers.Dense(1)(hidden)
    keras.Model(given, keras.layers.Dense(1)(given)).save(tmp_path / "flat.keras")
    keras.Model(given, [two, keras.layers.Dense(1)(hidden)]).save(tmp_path / "fork.keras")
    for name, said in (("skip.keras", "LSTM → Dense → Add"), ("ours.keras", "of neuralpedal already"),
                       ("relu.h5", 'activation is "relu", wanted tanh'), ("flat.keras", "Keras model of Dense"),
                       ("fork.keras", "do not follow one another")):
        with pytest.raises(ModelFileError, match=said):
            read(tmp_path / name)


def test_networks_that_cannot_be_imported_are_named_with_their_size(tmp_path: Path) -> None:
    conv = rtneural_json(network())
    conv["layers"].insert(0, {"type": "conv1d", "activation": "relu", "shape": [None, None, 4], "weights": [[[[1.0]]]]})
    conv_net = {"architecture": "ConvNet", "config": {"channels": 8}, "weights": [0.5] * 12}
    container = {"architecture": "SlimmableContainer",
                 "config": {"submodels": [{"max_value": 1.0, "model": {**conv_net, "architecture": "Linear"}}]}}
    stacked = guitarml_json("LSTM", 4)
    stacked["model_data"]["num_layers"] = 3
    for path, said in ((write(tmp_path / "conv.nam", conv_net), r"a ConvNet \(12 weights\)"),
                       (write(tmp_path / "conv.json", conv), "conv1d 4 relu → lstm 4.*layers of type conv1d"),
                       (write(tmp_path / "a2.nam", container), r"a Linear \(12 weights\)"),
                       (write(tmp_path / "deep.json", stacked), "model_data.num_layers is 3, wanted .* 1 to 2")):
        with pytest.raises(ModelFileError, match=said):
            read(path)


def test_an_imported_run_evaluates_renders_and_converts_as_a_trained_one(
    pair_paths: tuple[Path, Path], tmp_path: Path, cli: Cli
) -> None:
    dry, wet = pair_paths
    path, run = write(tmp_path / "amp.json", guitarml_json("LSTM", 4)), tmp_path / "run"
    code, text, err = cli("import", path, "--out", run, "--json")
    assert code == 0 and json.loads(text)["outcome"] == "imported" and "48000 Hz is assumed" in err
    assert json.loads((run / "training.json").read_text()) == json.loads(text)
    np.testing.assert_array_equal(load_model(run / "model.keras").network_weights().head_kernel,
                                  read(path).weights.head_kernel)
    code, text, _ = cli("evaluate", run, dry, wet, "--no-probes", "--json")
    assert code == 0
    code, report, _ = cli("convert", run, "--out", tmp_path / "pedals", "--dry", dry, "--wet", wet, "--schemes",
                          "float32", "--rounding", "nearest", "--seconds", "0.1", "--no-report", "--json")
    row = json.loads(report)["schemes"]["float32"]
    assert code == 0 and row["esr_wet"] == pytest.approx(json.loads(text)["esr"], rel=1e-3)
    assert row["esr_float"] < 1e-9
    code, _, _ = cli("render", run, dry, tmp_path / "out.wav")
    assert code == 0 and (tmp_path / "out.wav").is_file()


def test_a_run_is_replaced_only_when_that_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "amp.json", guitarml_json("LSTM", 4))
    import_file(path, tmp_path / "run", PLAIN)
    (tmp_path / "run" / "checkpoint.npz").write_bytes(b"of another training")
    with pytest.raises(OutputError, match="--overwrite"):
        import_file(path, tmp_path / "run", PLAIN)
    import_file(path, tmp_path / "run", PLAIN, overwrite=True)
    assert sorted(item.name for item in (tmp_path / "run").iterdir()) == ["model.keras", "training.json"]


@pytest.mark.parametrize("knob", ["gain", "gain=loud", "=0.5x"])
def test_a_knob_that_cannot_be_read_is_wrong_usage(knob: str, tmp_path: Path, cli: Cli) -> None:
    code, _, err = cli("import", tmp_path / "amp.json", "--out", tmp_path / "run", "--knob", knob)
    assert code == 2 and f"--knob {knob}: wanted NAME=VALUE" in err
