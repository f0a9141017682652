"""A network that begins in a state of its own begins in it in Keras, references, LiteRT and C, and after a reset."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beginnings import begun
from capture_files import nam_json, network, write
from firmware_pedals import Wanted, compile_pedal, need, trying_audio, write_pedal
from neuralpedal.cli.keras_engine import KerasEngine
from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.manifest import METADATA_NAME, Manifest, decode_manifest
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.reference import ReferenceNetwork
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.float_graph import build_float32
from neuralpedal.device.engine import Engine, open_engine
from neuralpedal.device.stream import stream
from neuralpedal.firmware_bridge.host_library import build_library
from neuralpedal.firmware_bridge.native_library import build_native
from neuralpedal.firmware_bridge.project import write_project
from neuralpedal.firmware_bridge.verification import verify_project
from neuralpedal.train.importing.capture import ImportOptions
from neuralpedal.train.importing.imported_run import import_file
from neuralpedal.train.networks.model_file import build_model, load_model, save_model
from signals import plucks

Cli = Callable[..., tuple[int, str, str]]
SCHEMES = ("float32", "w8", "w8a16", "w8a8", "coarse-fine", "tflm16x8")
DRY = np.concatenate([np.zeros(200, np.float32), plucks(1.0)[24_000:24_600]])


def reference_of(weights: NetworkWeights) -> np.ndarray:
    """What a network must give, from its equations and nothing that knows of initial states."""
    plain = ReferenceNetwork(replace(weights, initial_state=None))
    assert weights.initial_state is not None
    plain.states = [tuple(array[np.newaxis].astype(np.float64) for array in layer) for layer in weights.initial_state]
    return plain.process(DRY)


def twice(engine: Engine) -> np.ndarray:
    """The output, the same after a reset, and again after a prewarm."""
    first = stream(engine, DRY)
    engine.reset()
    np.testing.assert_array_equal(stream(engine, DRY), first)
    engine.prewarm(0.05)
    np.testing.assert_array_equal(stream(engine, DRY), first)
    return first


@pytest.mark.parametrize(("family", "num_layers"), [("lstm", 1), ("lstm", 2), ("gru", 1)])
def test_keras_and_the_reference_begin_in_the_state(family: str, num_layers: int, tmp_path: Path) -> None:
    weights = begun(network(family, 5, num_layers, skip=True))
    model = build_model(weights.spec)
    model.assign(weights)
    save_model(model, tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    wanted = reference_of(weights)
    assert loaded.network_weights().digest() == weights.digest() != replace(weights, initial_state=None).digest()
    np.testing.assert_array_equal(ReferenceNetwork(weights).process(DRY), wanted)
    np.testing.assert_allclose(loaded.process(DRY, chunk=100), wanted, atol=1e-5)
    np.testing.assert_allclose(loaded(DRY[np.newaxis, :, np.newaxis]).numpy()[0, :, 0], wanted, atol=1e-5)
    np.testing.assert_allclose(twice(KerasEngine(loaded, "x")), wanted, atol=1e-5)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("num_layers", [1, 2])
def test_every_engine_begins_in_the_state_of_a_file(scheme: str, num_layers: int, tmp_path: Path) -> None:
    weights = begun(random_weights(make_spec(hidden_size=7, num_layers=num_layers), 3))
    file = write_pedal(tmp_path / "a.tflite", Wanted(scheme), weights)
    assert json.loads(file.metadata[METADATA_NAME])["format_version"] == 3
    reference, wanted = twice(open_engine(file.path, "reference", 64)), reference_of(weights)
    zero = ReferenceNetwork(replace(weights, initial_state=None)).process(DRY)
    # A coarse int8 state is nearer to the right beginning than zero is.
    tolerance = {"float32": 1e-5, "w8": 0.02, "w8a16": 0.02}.get(scheme, 0.15)
    assert np.max(np.abs(reference - wanted)) < tolerance < np.max(np.abs(zero - wanted)[:50])
    if scheme == "tflm16x8":
        return
    played = twice(open_engine(file.path, "litert", 64))
    if scheme in ("w8a8", "coarse-fine"):
        np.testing.assert_array_equal(played, reference)
    else:
        np.testing.assert_allclose(played, reference, atol=1e-2 if scheme == "w8a16" else 1e-5)


@pytest.mark.parametrize("scheme", SCHEMES[:-1])
@pytest.mark.usefixtures("c_compiler")
def test_the_native_engine_begins_in_the_state(scheme: str, tmp_path: Path) -> None:
    file = write_pedal(tmp_path / "a.tflite", Wanted(scheme, hidden_size=12, num_layers=2, begins=True))
    native = twice(open_engine(file.path, "native", 64, library=build_native(file.path, tmp_path / "cache").folder))
    # Kernels whose states are 16 bits may take part in the race, within its bounds.
    np.testing.assert_allclose(native, stream(open_engine(file.path, "reference", 64), DRY), atol=1e-3)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.usefixtures("c_compiler")
def test_c_begins_in_the_state_and_says_what_flash_it_takes(scheme: str, tmp_path: Path) -> None:
    plain = write_pedal(tmp_path / "plain.tflite", Wanted(scheme, 6, 2))
    begins = write_pedal(tmp_path / "begins.tflite", Wanted(scheme, 6, 2, begins=True))
    compiled = compile_pedal(begins, tmp_path / "c", "int16")
    dry = np.concatenate([np.zeros(300, np.int16), trying_audio(300)])
    assert compiled.difference(dry) <= (1.0 if scheme in ("float32", "w8") else 0.0)
    project, without = compiled.project, write_project(plain.path, tmp_path / "plain", golden_s=0.001)
    # Cells of another format have other tables in w8a8.
    if "w8a8" not in scheme and scheme != "coarse-fine":
        assert project.table_bytes - without.table_bytes == project.state_bytes == without.state_bytes
    assert "pedal_initial_state = {" in (project.folder / "pedal_model.c").read_text()
    assert "pedal_initial_state" not in (without.folder / "pedal_model.c").read_text()


def test_a_kernel_that_forgets_the_state_is_noticed(tmp_path: Path, c_compiler: None) -> None:
    compiled = compile_pedal(write_pedal(tmp_path / "a.tflite", Wanted("w8a16", begins=True)), tmp_path / "c", "int16")
    header = compiled.project.folder / "pedal_first_state.c"
    header.write_text(header.read_text().replace("memcpy(state, &pedal_initial_state, sizeof *state)",
                                                 "memset(state, 0, sizeof *state)"))
    compiled.pedal = type(compiled.pedal)(compiled.project, build_library(compiled.project, tmp_path / "changed.so",
                                                                          None, ("-O1",)))
    assert compiled.difference(np.zeros(100, np.int16)) > 0.0


def test_a_microcontroller_begins_in_the_state(tmp_path: Path) -> None:
    need("arm-none-eabi-gcc", "qemu-system-arm")
    file = write_pedal(tmp_path / "a.tflite", Wanted("w8a16", begins=True))
    write_project(file.path, tmp_path / "c", io="int16", golden_s=0.02)
    found = verify_project(tmp_path / "c", "cortex-m7", blocks=((64,),))
    assert found.passed and found.max_abs_difference_lsb == 0


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 12), st.integers(1, 2), st.integers(0, 999))
def test_a_float_file_keeps_the_state_to_the_bit(size: int, num_layers: int, seed: int) -> None:
    weights = begun(random_weights(make_spec(hidden_size=size, num_layers=num_layers), seed), seed)
    manifest = Manifest(name="a", scheme="float32", network=weights.spec)
    file = _parsed(build_float32(weights, manifest))
    assert read_weights(file).digest() == weights.digest()


def _parsed(data: bytes) -> TfliteFile:
    from neuralpedal.contract.tflite_file import parse_tflite

    return parse_tflite(Path("a.tflite"), data)


def test_a_file_without_one_is_of_the_format_that_all_readers_know(tmp_path: Path) -> None:
    file = write_pedal(tmp_path / "a.tflite", Wanted("float32"))
    said = json.loads(file.metadata[METADATA_NAME])
    assert said["format_version"] == 1 and "initial_state" not in said


@pytest.mark.parametrize(("state", "said"), [
    ([[[1.0], [1.0]]], "wanted 1 of 2 times 2"), ([[[1.0, 2.0]]], "wanted 1 of 2 times 2"), ([], "0 layers"),
    ([[[1e39, 0.0], [0.0, 0.0]]], "NaN or infinity"), ([[["a", 0.0], [0.0, 0.0]]], "initial_state"),
])
def test_a_manifest_whose_state_is_of_another_network_is_refused(state: object, said: str) -> None:
    spec = make_spec(hidden_size=2)
    fields = {"format_version": 3, "name": "a", "scheme": "float32", "network": spec.model_dump(exclude_none=True),
              "initial_state": state}
    with pytest.raises(ModelFileError, match=said):
        decode_manifest(json.dumps(fields).encode(), "a.tflite")


def test_frames_begin_in_silence_and_have_no_state_of_their_own() -> None:
    weights = random_weights(make_spec(family="frame_lstm", hidden_size=3, frame_samples=8), 0)
    with pytest.raises(SpecError, match="begins anew for every sample"):
        begun(weights)


def test_a_state_of_zeros_is_none() -> None:
    weights = network(hidden_size=2)
    zeros = ((np.zeros(2, np.float32), -np.zeros(2, np.float32)),)
    assert replace(weights, initial_state=zeros).initial_state is None


def test_calibration_holds_what_the_beginning_reaches() -> None:
    weights = network(hidden_size=3)
    ranges = calibrate(begun(weights, hidden=0.9, cell=50.0), plucks(1.0))
    assert ranges.cell[0].peak > 10.0 > calibrate(weights, plucks(1.0)).cell[0].peak


def test_an_imported_nam_network_begins_as_its_file_says(tmp_path: Path) -> None:
    weights = begun(network(hidden_size=3))
    assert weights.initial_state is not None
    path = write(tmp_path / "a.nam", nam_json(replace(weights, initial_state=None), np.array(weights.initial_state)))
    content = import_file(path, tmp_path / "run", ImportOptions())
    assert content["imported"]["has_initial_state"] and content["imported"]["remarks"] == [
        remark for remark in content["imported"]["remarks"] if "sample rate" in remark]
    model = load_model(tmp_path / "run" / "model.keras")
    np.testing.assert_allclose(model.process(DRY), reference_of(weights), atol=1e-5)


def test_golden_files_read_as_before() -> None:
    for path in (Path(__file__).parent / "golden").glob("*.tflite"):
        assert read_tflite(path).manifest().initial_state is None


def test_a_beginning_that_a_scheme_cannot_hold_is_warned_of(tmp_path: Path, cli: Cli) -> None:
    weights = begun(network(hidden_size=3), hidden=1.9)
    assert weights.initial_state is not None and np.max(np.abs(weights.initial_state[0][0])) > 1.0
    path = write(tmp_path / "a.nam", nam_json(replace(weights, initial_state=None), np.array(weights.initial_state)))
    import_file(path, tmp_path / "run", ImportOptions())
    code, text, _ = cli("convert", tmp_path / "run", "--out", tmp_path / "pedals", "--schemes", "w8,w8a16",
                        "--rounding", "nearest", "--seconds", "0.1", "--json")
    warned = {name: row["warnings"] for name, row in json.loads(text)["schemes"].items()}
    assert code == 0 and "begins beyond" in warned["w8a16"][0] and not any("beyond" in text for text in warned["w8"])
    assert read_tflite(tmp_path / "pedals" / "run.w8.tflite").manifest().initial_state is not None
