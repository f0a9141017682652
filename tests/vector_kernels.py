"""Vector kernels compiled for tests: for which processors this machine can play, and the C of a setting."""

from pathlib import Path

from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.firmware_bridge.c_sources import c_sources
from neuralpedal.firmware_bridge.code_generation import CodeRequest
from neuralpedal.firmware_bridge.toolchain import find_toolchain
from neuralpedal.firmware_bridge.vector_code import VectorKernel

FLAGS = ("-std=gnu11", "-O1", "-ffp-contract=fast", "-fno-math-errno")
X86 = {4: ("-march=x86-64",), 8: ("-march=haswell",), 16: ("-march=native",)}

def runs_here(lanes: int) -> bool:
    macros = find_toolchain().macros
    if "__x86_64__" not in macros:
        return lanes == 4
    return {4: True, 8: {"__AVX2__", "__FMA__"} <= macros, 16: {"__AVX512F__", "__AVX512BW__"} <= macros}[lanes]


def write_sources(file: TfliteFile, folder: Path, kernel: VectorKernel) -> tuple[list[str], int]:
    """The C of a file; its sources and the bytes of its state."""
    made = c_sources(file, CodeRequest("float", None, "pedal", "a test", kernel))
    return made.write(folder), made.code.state_bytes
