"""Vector kernels compiled for tests: for which processors this machine can play, the C of a setting, what it plays."""

import shutil
import subprocess
from itertools import count
from pathlib import Path

import numpy as np

from firmware_pedals import need
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.firmware_bridge.c_sources import c_sources, runtime_text
from neuralpedal.firmware_bridge.code_generation import CodeRequest
from neuralpedal.firmware_bridge.compiler import run_compiler
from neuralpedal.firmware_bridge.loaded_pedal import play_library
from neuralpedal.firmware_bridge.target import WARNING_FLAGS
from neuralpedal.firmware_bridge.toolchain import find_toolchain
from neuralpedal.firmware_bridge.vector_kernel import VectorKernel

FLAGS = ("-std=gnu11", "-O1", "-ffp-contract=fast", "-fno-math-errno")
EXACT_FLAGS = ("-std=gnu11", "-O1", "-ffp-contract=off")
X86 = {4: ("-march=x86-64",), 8: ("-march=haswell",), 16: ("-march=native",)}
_NUMBERS = count()
CORES = ("cortex-a53", "cortex-a72", "cortex-a76")


def runs_here(lanes: int) -> bool:
    macros = find_toolchain().macros
    if "__x86_64__" not in macros:
        return lanes == 4
    return {4: True, 8: {"__AVX2__", "__FMA__"} <= macros, 16: {"__AVX512F__", "__AVX512BW__"} <= macros}[lanes]


def write_sources(file: TfliteFile, folder: Path, kernel: VectorKernel) -> tuple[list[str], int]:
    """The C of a file; its sources and the bytes of its state."""
    made = c_sources(file, CodeRequest("float", None, "pedal", "a test", kernel))
    return made.write(folder), made.code.state_bytes


def play_here(file: TfliteFile, folder: Path, kernel: VectorKernel, dry: np.ndarray,
              flags: tuple[str, ...] = FLAGS) -> np.ndarray:
    """What the kernel, compiled for this machine in ``folder``, answers to ``dry``."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sources, state_bytes = write_sources(file, folder, kernel)
    return play_sources(sources, folder, kernel, state_bytes, dry, flags)


def play_sources(sources: list[str], folder: Path, kernel: VectorKernel, state_bytes: int, dry: np.ndarray,
                 flags: tuple[str, ...]) -> np.ndarray:
    """As :func:`play_here`, of C that is in ``folder``."""
    tuning = X86[kernel.lanes] if "__x86_64__" in find_toolchain().macros else ()
    # dlopen knows a library by its name.
    library = folder / f"{next(_NUMBERS)}.so"
    run_compiler(["cc", *flags, *tuning, *WARNING_FLAGS, "-shared", "-fPIC", *sources, "-o", library.name], folder)
    return play_library(library, state_bytes, dry)


def play_on_core(core: str, sources: list[str], folder: Path, dry: np.ndarray, flags: tuple[str, ...]) -> np.ndarray:
    """What C in ``folder`` answers on an emulated core of a Pi; it must not hold dot products, which not all have."""
    need("aarch64-linux-gnu-gcc", "qemu-aarch64-static")
    (folder / "harness_host.c").write_text(runtime_text("harness_host.c"))
    run_compiler(["aarch64-linux-gnu-gcc", *flags, "-O3", f"-mcpu={core}", "-static", *WARNING_FLAGS, *sources,
                  "harness_host.c", "-o", "pedal"], folder)
    dry.astype("<f4").tofile(folder / "dry.bin")
    command = ["qemu-aarch64-static", "-cpu", core, str(folder / "pedal"), "dry.bin", "wet.bin", "64", "1", "17"]
    subprocess.run(command, cwd=folder, check=True, timeout=120)
    listing = subprocess.run(["aarch64-linux-gnu-objdump", "-d", str(folder / "pedal")], capture_output=True,
                             text=True, check=True).stdout
    assert not [line for line in listing.splitlines() if "\tsdot" in line or "\tudot" in line]
    return np.fromfile(folder / "wet.bin", "<f4")
