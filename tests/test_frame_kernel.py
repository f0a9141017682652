"""Frame networks in C: near the float64 reference for every width, the same to the last bit however blocks fall."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from firmware_pedals import need
from frame_pedals import frame_weights, write_frame_model
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.firmware_bridge.c_sources import runtime_text
from neuralpedal.firmware_bridge.compiler import run_compiler
from neuralpedal.firmware_bridge.expected_audio import ExpectedAudio
from neuralpedal.firmware_bridge.kernel_race import LARGEST_ESR
from neuralpedal.firmware_bridge.loaded_pedal import LoadedPedal
from neuralpedal.firmware_bridge.target import WARNING_FLAGS
from neuralpedal.firmware_bridge.toolchain import find_toolchain
from neuralpedal.firmware_bridge.vector_kernel import VectorKernel
from signals import plucks
from vector_kernels import FLAGS, X86, runs_here, write_sources

pytestmark = pytest.mark.usefixtures("c_compiler")

SHAPES = ((1, 16, 32, False), (2, 5, 7, True), (1, 1, 2, True))


def _model(shape: tuple[int, int, int, bool], folder: Path) -> TfliteFile:
    return read_tflite(write_frame_model(folder, frame_weights(*shape), "w8", plucks(0.02)))


@pytest.mark.parametrize("kernel", [VectorKernel(4), VectorKernel(8, together=2), VectorKernel(16, together=2)],
                         ids=lambda kernel: str(kernel.lanes))
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_frames_play_as_in_the_reference_whatever_the_blocks(shape: tuple[int, int, int, bool], kernel: VectorKernel,
                                                             tmp_path: Path) -> None:
    if not runs_here(kernel.lanes):
        pytest.skip(f"no {kernel.lanes} lanes on this machine")
    file = _model(shape, tmp_path)
    sources, state_bytes = write_sources(file, tmp_path, kernel)
    tuning = X86[kernel.lanes] if "__x86_64__" in find_toolchain().macros else ()
    name = f"{shape[0]}-{shape[1]}-{kernel.lanes}.so"
    run_compiler(["cc", *FLAGS, *tuning, *WARNING_FLAGS, "-shared", "-fPIC", *sources, "-o", name], tmp_path)
    dry = plucks(0.01, 3)
    played = [LoadedPedal(tmp_path / name, state_bytes).process(dry, block) for block in (64, 1, 7, 33, 1024)]
    assert esr(ExpectedAudio(file).play(dry), played[0]) <= LARGEST_ESR
    for other in played[1:]:
        np.testing.assert_array_equal(other, played[0])


def test_frames_on_neon_play_as_in_the_reference(tmp_path: Path) -> None:
    need("aarch64-linux-gnu-gcc", "qemu-aarch64-static")
    file = _model(SHAPES[1], tmp_path)
    sources, _ = write_sources(file, tmp_path, VectorKernel(4, together=2))
    (tmp_path / "harness_host.c").write_text(runtime_text("harness_host.c"))
    run_compiler(["aarch64-linux-gnu-gcc", *FLAGS, "-mcpu=cortex-a72", "-static", *WARNING_FLAGS, *sources,
                  "harness_host.c", "-o", "pedal"], tmp_path)
    dry = plucks(0.02, 3).astype("<f4")
    dry.tofile(tmp_path / "dry.bin")
    subprocess.run(["qemu-aarch64-static", "-cpu", "cortex-a72", str(tmp_path / "pedal"), "dry.bin", "wet.bin", "48"],
                   cwd=tmp_path, check=True, timeout=120)
    assert esr(ExpectedAudio(file).play(dry), np.fromfile(tmp_path / "wet.bin", "<f4")) <= LARGEST_ESR
