"""The float kernel for vectors: near the float64 reference for every size, width and storage, however blocks fall."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from firmware_pedals import Wanted, trying_audio, write_pedal
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.weights import random_weights
from neuralpedal.firmware_bridge.compiler import run_compiler
from neuralpedal.firmware_bridge.expected_audio import ExpectedAudio
from neuralpedal.firmware_bridge.kernel_race import LARGEST_ESR
from neuralpedal.firmware_bridge.loaded_pedal import play_library
from neuralpedal.firmware_bridge.toolchain import find_toolchain
from neuralpedal.firmware_bridge.vector_kernel import VectorKernel
from vector_kernels import CORES, FLAGS, play_here, play_on_core, runs_here, write_sources

pytestmark = pytest.mark.usefixtures("c_compiler")


def _play(wanted: Wanted, folder: Path, kernel: VectorKernel, dry: np.ndarray) -> tuple[np.ndarray, ...]:
    """What the kernel and the reference answer to ``dry``."""
    folder.mkdir(parents=True, exist_ok=True)
    file = write_pedal(folder / "pedal.tflite", wanted)
    return play_here(file, folder / "c", kernel, dry), ExpectedAudio(file).play(dry)


@st.composite
def kernels(draw: st.DrawFn, hidden_size: int) -> VectorKernel:
    """Any setting that fits a layer."""
    lanes = draw(st.sampled_from((4, 8, 16)))
    groups = -(-hidden_size // lanes)
    together = draw(st.sampled_from([count for count in (1, 2, 3) if groups % count == 0]))
    return VectorKernel(lanes, draw(st.booleans()), together, draw(st.integers(0, min(2, groups - 1))),
                        draw(st.booleans()), draw(st.booleans()), precise=draw(st.booleans()))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Wanted, VectorKernel]:
    """A random network and a kernel for it."""
    size, seed = draw(st.integers(1, 70)), draw(st.integers(0, 2**16))
    wanted = Wanted(draw(st.sampled_from(("float32", "w8"))), size, draw(st.integers(1, 2)), seed=seed, scale=0.3,
                    skip=draw(st.booleans()), input_gain_db=3.0, output_gain_db=-2.0,
                    family=draw(st.sampled_from(("lstm", "gru"))))
    return wanted, draw(kernels(size))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@example(case=(Wanted("w8", 1), VectorKernel(8, True)))
@example(case=(Wanted("float32", 33, 2), VectorKernel(16, True, 3, 2)))
@example(case=(Wanted("float32", 16, 2), VectorKernel(8, False, 2, 1, True)))
@example(case=(Wanted("w8", 16, 2), VectorKernel(4, False, 2, 1)))
@example(case=(Wanted("float32", 16, family="gru"), VectorKernel(8, False, 2, 0, True)))
@example(case=(Wanted("w8", 33, 2, family="gru", scale=0.3), VectorKernel(8, True, 1, 1)))
@example(case=(Wanted("w8", 12, 2, family="gru"), VectorKernel(4, True, 3, 2)))
@given(case=cases())
def test_every_setting_plays_what_the_reference_plays(case: tuple[Wanted, VectorKernel], tmp_path: Path) -> None:
    wanted, kernel = case
    if not runs_here(kernel.lanes):
        return
    dry = (trying_audio(1500, wanted.seed) / 32768).astype(np.float32)
    got, expected = _play(wanted, tmp_path / "case", kernel, dry)
    assert esr(expected, got) <= LARGEST_ESR


@pytest.mark.parametrize("family", ["lstm", "gru"])
def test_precise_kernels_are_as_exact_as_sums_of_float32_and_quick_ones_are_not(family: str, tmp_path: Path) -> None:
    dry = (trying_audio(1500) / 32768).astype(np.float32)
    for precise, least, most in ((True, 0.0, 2e-6), (False, 1e-5, 1e-3)):
        kernel = VectorKernel(4, precise=precise)
        got, expected = _play(Wanted("float32", 16, family=family, scale=1.0, seed=3), tmp_path, kernel, dry)
        assert least <= np.max(np.abs(got - expected)) <= most


@pytest.mark.parametrize("int16_weights", [False, True])
def test_a_slow_integrator_keeps_its_time_constant(int16_weights: bool, tmp_path: Path) -> None:
    """Forget gates of 0.9999: an error of 6e-6 in them would be one of 6 % in 1 − f."""
    lanes = find_toolchain().lanes(8)
    weights = random_weights(NetworkSpec(hidden_size=8, skip=False), 3, 0.2)
    layer = weights.layers[0]
    layer.recurrent_kernel[...] *= 0.1
    layer.bias[8:16] = 9.2
    file = write_pedal(tmp_path / "slow.tflite", Wanted("float32"), weights)
    sources, state_bytes = write_sources(file, tmp_path, VectorKernel(lanes, int16_weights))
    run_compiler(["cc", *FLAGS, *find_toolchain().tuning, "-shared", "-fPIC", *sources, "-o", "slow.so"], tmp_path)
    dry = (trying_audio(20_000) / 32768).astype(np.float32)
    assert esr(ExpectedAudio(file).play(dry), play_library(tmp_path / "slow.so", state_bytes, dry)) < 1e-7


@pytest.mark.parametrize("int16_weights", [False, True])
def test_a_gru_that_hardly_updates_keeps_its_time_constant(int16_weights: bool, tmp_path: Path) -> None:
    """Update gates of 0.9999, as above."""
    weights = random_weights(NetworkSpec(family="gru", hidden_size=8, skip=False), 3, 0.2)
    layer = weights.layers[0]
    layer.recurrent_kernel[...] *= 0.1
    layer.bias[0, :8] = 9.2
    file = write_pedal(tmp_path / "slow.tflite", Wanted("float32"), weights)
    dry = (trying_audio(20_000) / 32768).astype(np.float32)
    kernel = VectorKernel(find_toolchain().lanes(8), int16_weights)
    assert esr(ExpectedAudio(file).play(dry), play_here(file, tmp_path / "c", kernel, dry)) < 1e-7


@pytest.mark.parametrize("family", ["lstm", "gru"])
def test_audio_that_is_no_number_is_forgotten_again(family: str, tmp_path: Path) -> None:
    wanted = Wanted("float32", 8, 1, skip=False, family=family)
    dry = (trying_audio(4000) / 32768).astype(np.float32)
    broken = dry.copy()
    broken[100:103] = [np.nan, np.inf, -np.inf]
    lanes = find_toolchain().lanes(8)
    whole, _ = _play(wanted, tmp_path / "whole", VectorKernel(lanes), dry)
    got, _ = _play(wanted, tmp_path / "broken", VectorKernel(lanes), broken)
    assert np.all(np.isfinite(got))
    np.testing.assert_allclose(got[3000:], whole[3000:], atol=1e-3)


@pytest.mark.parametrize(("core", "family"), [*((core, "lstm") for core in CORES), ("cortex-a72", "gru")])
@pytest.mark.parametrize("int16_weights", [False, True])
def test_neon_gives_what_this_machine_gives(core: str, family: str, int16_weights: bool, tmp_path: Path) -> None:
    file = write_pedal(tmp_path / "pedal.tflite", Wanted("w8", 20, 2, seed=4, family=family, scale=0.3))
    sources, state_bytes = write_sources(file, tmp_path, VectorKernel(4, int16_weights, 1, 1, not int16_weights))
    dry = (trying_audio(6000) / 32768).astype(np.float32)
    wet, wanted = play_on_core(core, sources, tmp_path, dry, FLAGS), ExpectedAudio(file).play(dry)
    assert esr(wanted, wet) <= LARGEST_ESR
    run_compiler(["cc", *FLAGS, "-shared", "-fPIC", *sources, "-o", "host.so"], tmp_path)
    # Rounded to 15 bits, a state may fall to the other side.
    tolerance = 3e-5 if int16_weights else 1e-6
    np.testing.assert_allclose(wet, play_library(tmp_path / "host.so", state_bytes, dry), rtol=0, atol=tolerance)
