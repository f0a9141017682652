"""WaveNets in C: what the reference and NAM's own player play, for every width of vectors, however blocks fall."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wavenets import KINDS, conv_array, wavenet_specs, write_wavenet

from firmware_pedals import IRREGULAR, need
from neuralpedal.cli.tflite_player import open_tflite
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.reference_wavenet import ReferenceWaveNet
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.contract.wavenet_weights import random_wavenet
from neuralpedal.device.stream import stream
from neuralpedal.firmware_bridge.c_sources import c_sources, runtime_text
from neuralpedal.firmware_bridge.code_generation import CodeRequest
from neuralpedal.firmware_bridge.compiler import run_compiler
from neuralpedal.firmware_bridge.expected_audio import ExpectedAudio
from neuralpedal.firmware_bridge.kernel_race import LARGEST_ESR
from neuralpedal.firmware_bridge.loaded_pedal import LoadedPedal
from neuralpedal.firmware_bridge.target import WARNING_FLAGS
from neuralpedal.firmware_bridge.vector_kernel import VectorKernel
from neuralpedal.train.importing.json_node import read_json
from neuralpedal.train.importing.nam_wavenet import read_wavenet
from signals import plucks
from vector_kernels import play_here, play_on_core, runs_here, write_sources

pytestmark = pytest.mark.usefixtures("c_compiler")

GOLDEN = Path(__file__).parent / "golden"
KERNELS = {"4 lanes": VectorKernel(4, together=2, sums=12), "8 lanes": VectorKernel(8, together=1, sums=8),
           "16 lanes": VectorKernel(16, together=4, sums=16)}
PORTABLE_FLAGS = ("-std=c99", "-pedantic", "-O1", "-ffp-contract=off", *WARNING_FLAGS)
WIDE = WaveNetSpec(arrays=(conv_array(17, (1, 9), 2, head_size=9, gated=True), conv_array(9, (3,), head_bias=True)),
                   head_scale=0.1)
"""More channels than are summed at once, and no whole number of shares."""

kinds = pytest.mark.parametrize("kind", KINDS)


def _portable(file: TfliteFile, folder: Path) -> LoadedPedal:
    folder.mkdir()
    made = c_sources(file, CodeRequest("float", None, "pedal", "a test"))
    run_compiler(["cc", *PORTABLE_FLAGS, "-shared", "-fPIC", *made.write(folder), "-o", "pedal.so"], folder)
    return LoadedPedal(folder / "pedal.so", made.code.state_bytes)


@kinds
@pytest.mark.parametrize("name", KERNELS)
def test_vectors_of_any_width_play_what_the_reference_plays(name: str, kind: str, tmp_path: Path) -> None:
    kernel = KERNELS[name]
    if not runs_here(kernel.lanes):
        pytest.skip(f"no vectors of {kernel.lanes} here")
    file, dry = write_wavenet(tmp_path / "pedal.tflite", random_wavenet(KINDS[kind], 5)), plucks(0.05)
    np.testing.assert_allclose(play_here(file, tmp_path / "c", kernel, dry), ExpectedAudio(file).play(dry), atol=1e-5)


@pytest.mark.parametrize("spec", [*KINDS.values(), WIDE], ids=[*KINDS, "wide"])
def test_without_vectors_c99_plays_what_the_reference_plays(spec: WaveNetSpec, tmp_path: Path) -> None:
    file, dry = write_wavenet(tmp_path / "pedal.tflite", random_wavenet(spec, 6)), plucks(0.02)
    played = _portable(file, tmp_path / "c").process(dry)
    np.testing.assert_allclose(played, ExpectedAudio(file).play(dry), atol=1e-5)


@pytest.mark.parametrize("name", ["wavenet-3+2-gated", "wavenet-4-a2"])
def test_c_plays_what_nam_s_own_player_plays(name: str, tmp_path: Path) -> None:
    file = write_wavenet(tmp_path / "pedal.tflite", read_wavenet(read_json(GOLDEN / f"{name}.nam"), 48_000))
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        played = _portable(file, tmp_path / "c").process(arrays["dry"])
        np.testing.assert_allclose(played, arrays["wet"], atol=1e-5)


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spec=wavenet_specs(), lanes=st.sampled_from((4, 8, 16)), together=st.sampled_from((1, 2, 4)),
       sums=st.sampled_from((8, 12, 16)), scheme=st.sampled_from(("float32", "w8")))
def test_any_network_in_any_setting_is_the_reference(spec: WaveNetSpec, lanes: int, together: int, sums: int,
                                                     scheme: str, tmp_path: Path) -> None:
    if not runs_here(lanes):
        return
    file = write_wavenet(tmp_path / "pedal.tflite", random_wavenet(spec, 7), scheme, input_gain_db=3.0,
                         output_gain_db=-2.0)
    dry = plucks(0.02)
    played = play_here(file, tmp_path / "c", VectorKernel(lanes, together=together, sums=sums), dry)
    wanted = ExpectedAudio(file).play(dry)
    np.testing.assert_allclose(played, wanted, atol=2e-5 * max(1.0, float(np.abs(wanted).max())))


@pytest.mark.parametrize("kind", ["gated", "a2"])
def test_neon_plays_what_the_reference_plays(kind: str, tmp_path: Path) -> None:
    file, dry = write_wavenet(tmp_path / "pedal.tflite", random_wavenet(KINDS[kind], 8)), plucks(0.02)
    folder = tmp_path / "c"
    folder.mkdir()
    sources, _ = write_sources(file, folder, VectorKernel(4, together=2, sums=16))
    played = play_on_core("cortex-a53", sources, folder, dry, ("-std=gnu11", "-ffp-contract=fast"))
    np.testing.assert_allclose(played, ExpectedAudio(file).play(dry), atol=1e-5)


@pytest.mark.parametrize(("name", "compiler"), [("portable", "clang"), *((name, "gcc") for name in KERNELS)])
def test_sanitizers_find_nothing(name: str, compiler: str, tmp_path: Path) -> None:
    need(compiler)
    kernel = KERNELS.get(name)
    if kernel and not runs_here(kernel.lanes):
        pytest.skip(f"no vectors of {kernel.lanes} here")
    file, dry = write_wavenet(tmp_path / "pedal.tflite", random_wavenet(KINDS["gated"], 9)), plucks(0.05)
    sources = c_sources(file, CodeRequest("float", None, "pedal", "a test", kernel)).write(tmp_path)
    (tmp_path / "harness_host.c").write_text(runtime_text("harness_host.c"))
    flags = PORTABLE_FLAGS if kernel is None else ("-std=gnu11", "-O1", "-march=native", *WARNING_FLAGS)
    run_compiler([compiler, *flags, "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *sources,
                  "harness_host.c", "-o", "pedal"], tmp_path)
    dry.astype("<f4").tofile(tmp_path / "dry.bin")
    blocks = map(str, (*IRREGULAR, 1024, 63, 65))
    subprocess.run([str(tmp_path / "pedal"), "dry.bin", "wet.bin", *blocks], cwd=tmp_path, check=True, timeout=120)
    np.testing.assert_allclose(np.fromfile(tmp_path / "wet.bin", "<f4"), ExpectedAudio(file).play(dry), atol=1e-5)


@pytest.mark.parametrize(("kind", "scheme"), [("a1", "float32"), ("gated", "w8"), ("a2", "w8"), ("skip", "float32")])
def test_the_native_engine_plays_a_file_in_blocks_of_any_length(kind: str, scheme: str, tmp_path: Path) -> None:
    file, dry = write_wavenet(tmp_path / "pedal.tflite", random_wavenet(KINDS[kind], 10), scheme), plucks(0.05)
    wanted = ExpectedAudio(file).play(dry)
    for block_size in (1, 7, 64, 100, 1024):
        engine = open_tflite(file.path, "native", block_size, tmp_path / "cache")
        assert "lanes" in engine.description
        played = stream(engine, dry)
        assert esr(wanted, played) <= LARGEST_ESR
        np.testing.assert_allclose(played, wanted, atol=1e-5)
        engine.reset()
        np.testing.assert_array_equal(stream(engine, dry), played)


def test_a_reset_pedal_is_where_long_silence_leaves_it(tmp_path: Path) -> None:
    file = write_wavenet(tmp_path / "pedal.tflite", random_wavenet(KINDS["gated"], 11))
    engine, silence = open_tflite(file.path, "native", 64, tmp_path / "cache"), np.zeros(640, np.float32)
    fresh = stream(engine, silence)
    np.testing.assert_allclose(fresh, ReferenceWaveNet(random_wavenet(KINDS["gated"], 11)).process(silence), atol=1e-5)
    stream(engine, plucks(0.02))
    np.testing.assert_allclose(stream(engine, silence)[-64:], fresh[-64:], atol=1e-6)


def test_what_is_no_number_is_forgotten_after_the_receptive_field(tmp_path: Path) -> None:
    file, dry = write_wavenet(tmp_path / "pedal.tflite", random_wavenet(KINDS["a2"], 12)), plucks(0.02)
    wanted = ExpectedAudio(file).play(dry)
    dry[100] = np.nan
    played = _portable(file, tmp_path / "c").process(dry)
    after = 100 + KINDS["a2"].receptive_field
    assert np.isnan(played[100])
    np.testing.assert_allclose(played[after:], wanted[after:], atol=1e-5)
