"""The committed golden models are what their generator writes. Players are compared with them in tests/device."""

from pathlib import Path

import numpy as np
import pytest
from golden import generate

from neuralpedal.contract.affine import code_of
from neuralpedal.contract.tflite_file import read_manifest, read_tflite
from neuralpedal.convert.schemes import schemes_for

GOLDEN = Path(__file__).parent / "golden"
NAMES = [f"{network.name}.{scheme}" for network in (*generate.NETWORKS, *generate.WAVENETS)
         for scheme in schemes_for(network.spec)]
NAMES += [f"{network.name}.coarse-fine.w8a8" for network in generate.NETWORKS if not network.spec.kind.has_frame]


@pytest.fixture(scope="module")
def regenerated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("golden")
    generate.write_all(folder)
    return folder


def test_every_golden_file_is_one_that_the_generator_writes():
    # Beside a .nam lies what NAM's own player made of it.
    committed = {path.name for path in GOLDEN.iterdir()
                 if path.suffix in {".tflite", ".npz"} and not path.with_suffix(".nam").exists()}
    assert committed == {f"{name}.{suffix}" for name in NAMES for suffix in ("tflite", "npz")}


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_writes_the_committed_model_byte_for_byte(regenerated, name):
    assert (regenerated / f"{name}.tflite").read_bytes() == (GOLDEN / f"{name}.tflite").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_writes_the_committed_vectors(regenerated, name):
    fresh, committed = np.load(regenerated / f"{name}.npz"), np.load(GOLDEN / f"{name}.npz")
    np.testing.assert_array_equal(fresh["dry"], committed["dry"])
    # Float32 of a float64 reference: another machine's tanh may move the last bit.
    tolerance = 1e-7 if name.endswith((".float32", ".w8")) else 0
    np.testing.assert_allclose(fresh["wet"], committed["wet"], rtol=0, atol=tolerance)


def test_the_same_machine_writes_the_same_bytes_twice(regenerated, tmp_path):
    generate.write_all(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in regenerated.iterdir()}


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_file_is_small_and_says_what_it_is(name):
    path = GOLDEN / f"{name}.tflite"
    manifest = read_manifest(path)
    assert f"{manifest.name}{'.coarse-fine' if manifest.audio_code else ''}.{manifest.scheme}" == name
    # An integer WaveNet names some 200 tensors with their formats.
    assert max(path.stat().st_size, path.with_suffix(".npz").stat().st_size) < 12_000


@pytest.mark.parametrize("network", generate.NETWORKS, ids=lambda network: network.name)
def test_quantized_golden_vectors_stay_near_the_float_ones_within_the_calibrated_level(network):
    wet = {scheme: np.load(GOLDEN / f"{network.name}.{scheme}.npz")["wet"] for scheme in schemes_for(network.spec)}
    step = np.min(np.diff(np.unique(wet["w8a8"])))
    assert np.max(np.abs(wet["w8"] - wet["float32"])) < 0.01
    # The first samples hold the start from zero state and the last ones are too loud: both saturate.
    calibrated = slice(100, 300)
    assert np.max(np.abs((wet["w8a8"] - wet["float32"])[calibrated])) < 8 * step


@pytest.mark.parametrize("network", generate.NETWORKS, ids=lambda network: network.name)
def test_int8_golden_input_reaches_both_ends_of_int8(network):
    path = GOLDEN / f"{network.name}.w8a8.tflite"
    file = read_tflite(path)
    codes = code_of(file.tensors[file.inputs[0]], str(path)).encode(np.load(path.with_suffix(".npz"))["dry"])
    assert np.sum(codes == 127) > 5
    assert np.sum(codes == -128) > 5
