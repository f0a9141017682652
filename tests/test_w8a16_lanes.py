"""The w8a16 kernel for vectors plays the integer reference's bits: any size, width, processor and block."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from firmware_pedals import Wanted, trying_audio, write_pedal
from neuralpedal.firmware_bridge.expected_audio import ExpectedAudio
from neuralpedal.firmware_bridge.kernel_race import vector_kernels
from neuralpedal.firmware_bridge.toolchain import Toolchain
from neuralpedal.firmware_bridge.vector_kernel import VectorKernel
from slow_network import slow_network
from vector_kernels import CORES, EXACT_FLAGS, play_here, play_on_core, play_sources, runs_here, write_sources

pytestmark = pytest.mark.usefixtures("c_compiler")


def _floats(samples: int, seed: int = 0) -> np.ndarray:
    return (trying_audio(samples, seed) / 32768).astype(np.float32)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Wanted, VectorKernel]:
    """A random network and a kernel for it."""
    size, lanes = draw(st.integers(1, 70)), draw(st.sampled_from((4, 8, 16)))
    together = draw(st.sampled_from([count for count in (1, 2, 3) if -(-size // lanes) % count == 0]))
    gain_db = draw(st.sampled_from([0.0, 3.7, -11.3]))
    wanted = Wanted("w8a16", size, draw(st.integers(1, 2)), draw(st.booleans()), draw(st.floats(0.05, 4.0)),
                    draw(st.integers(0, 999)), gain_db, -gain_db / 2)
    return wanted, VectorKernel(lanes, True, together)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@example(case=(Wanted("w8a16", 1), VectorKernel(16, True)))
@example(case=(Wanted("w8a16", 16, 2, scale=1.5), VectorKernel(8, True, 2)))
@example(case=(Wanted("w8a16", 33, scale=3.0), VectorKernel(16, True, 3)))
@example(case=(Wanted("w8a16", 7, 2), VectorKernel(4, True, 2)))
@given(case=cases())
def test_every_size_and_width_plays_the_references_bits(case: tuple[Wanted, VectorKernel], tmp_path: Path) -> None:
    wanted, kernel = case
    if not runs_here(kernel.lanes):
        return
    file, dry = write_pedal(tmp_path / "pedal.tflite", wanted), _floats(1500, wanted.seed)
    got = play_here(file, tmp_path / "c", kernel, dry, EXACT_FLAGS)
    np.testing.assert_array_equal(got, ExpectedAudio(file).play(dry))


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_cells_that_saturate_for_seconds_are_exact(lanes: int, tmp_path: Path) -> None:
    if not runs_here(lanes):
        pytest.skip(f"this processor has no vectors of {lanes} floats")
    file = write_pedal(tmp_path / "slow.tflite", Wanted("w8a16"), slow_network())
    dry = np.concatenate([np.full(2000, 1.0), np.full(2000, -1.0), _floats(2000)]).astype(np.float32)
    got = play_here(file, tmp_path / "c", VectorKernel(lanes, True), dry, EXACT_FLAGS)
    np.testing.assert_array_equal(got, ExpectedAudio(file).play(dry))


@pytest.mark.parametrize(("right", "wrong"), [
    ("+ (1 << 13)) >> 14", "+ (1 << 13) - 1) >> 14"), ("(g + (INT32_C(1) << (29 - layer->cell_bits)))", "g"),
    ("x < 0 ? 65535 : 0", "0"), ("_mm256_set1_epi64x(INT64_C(1) << 30)", "_mm256_setzero_si256()"),
    ("_mm256_srli_epi64(even, 31)", "_mm256_srli_epi64(even, 32)"),
    ("_mm256_shuffle_ps(outer, inner, 0xDD) -", "_mm256_shuffle_ps(outer, inner, 0x88) -"),
])
def test_the_same_comparison_notices_one_rounding_changed(right: str, wrong: str, tmp_path: Path) -> None:
    if not runs_here(8):
        pytest.skip("this processor has no AVX2")
    kernel, dry = VectorKernel(8, True), _floats(600)
    file = write_pedal(tmp_path / "pedal.tflite", Wanted("w8a16", 24, seed=3))
    sources, state_bytes = write_sources(file, tmp_path, kernel)
    changed = 0
    for name in ("pedal_w8a16_lanes.c", "pedal_integer_lanes.h"):
        text = (tmp_path / name).read_text()
        changed += text.count(right)
        (tmp_path / name).write_text(text.replace(right, wrong))
    assert changed == 1
    got = play_sources(sources, tmp_path, kernel, state_bytes, dry, EXACT_FLAGS)
    assert np.any(got != ExpectedAudio(file).play(dry))


@pytest.mark.parametrize("core", CORES)
def test_neon_plays_the_references_bits(core: str, tmp_path: Path) -> None:
    file = write_pedal(tmp_path / "pedal.tflite", Wanted("w8a16", 20, 2, scale=1.5, seed=4, input_gain_db=3.7))
    sources, _ = write_sources(file, tmp_path, VectorKernel(4, True))
    dry = _floats(6000)
    got = play_on_core(core, sources, tmp_path, dry, EXACT_FLAGS)
    np.testing.assert_array_equal(got, ExpectedAudio(file).play(dry))


@pytest.mark.parametrize(("macros", "lanes"), [(("__AVX2__", "__FMA__"), 8), (("__aarch64__", "__ARM_NEON"), 4)])
def test_the_kernel_races_where_there_are_vectors_of_integers_and_nowhere_else(macros: tuple[str, ...], lanes: int,
                                                                            tmp_path: Path) -> None:
    file = write_pedal(tmp_path / "pedal.tflite", Wanted("w8a16", 16))
    assert vector_kernels(file, Toolchain(("cc",), (), "", frozenset(macros))) == [
        VectorKernel(lanes, True), VectorKernel(lanes, True, 2)]
    assert vector_kernels(file, Toolchain(("cc",), (), "", frozenset({"__SSE2__"}))) == [None]
