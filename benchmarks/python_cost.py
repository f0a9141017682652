"""What Python adds to a call of the compiled pedal: NativeEngine.process in a loop beside the same loop in C."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cffi import FFI

from neuralpedal.contract.native_library import read_native_library
from neuralpedal.device.engine import open_engine
from neuralpedal.firmware_bridge.compiler import compiler_command, run_compiler
from neuralpedal.firmware_bridge.native_library import build_native
from neuralpedal.firmware_bridge.target import load_target

BLOCK_SIZES = (1, 16, 64, 256)
_ROWS = 16
_DECLARATIONS = """
typedef void (*process_function)(void *state, const float *in, float *out, size_t n);
int64_t bare_calls(process_function process, void *state, const float *in, float *out, size_t block, size_t rows,
                   size_t calls);
void pedal_init(void *state);
void pedal_process(void *state, const float *in, float *out, size_t n);
"""


@dataclass(frozen=True)
class PythonCost:
    """Microseconds per block, medians over rounds; ``added_us`` is that of the differences within each round.

    Rounds are short, so that in most of them nothing else gets the core.
    """

    block_size: int
    c_us: float
    python_us: float
    added_us: float


def python_costs(model: Path, rounds: int, calls: int = 50,
                 block_sizes: Sequence[int] = BLOCK_SIZES) -> list[PythonCost]:
    """Measure ``model``, whose compiled pedal and the loop in C are kept beside it. Raises FirmwareError."""
    folder = model.parent
    native = read_native_library(build_native(model, folder / "libraries").folder, model)
    loop = _compile_loop(folder)
    return [_measure(model, native.folder, native.library, native.state_bytes, loop, rounds, calls, size)
            for size in block_sizes]


def _compile_loop(folder: Path) -> Path:
    source = Path(__file__).with_name("bare_calls.c")
    library = (folder / "bare_calls.so").resolve()
    run_compiler([*compiler_command(load_target("host")), "-std=c99", "-O2", "-shared", "-fPIC", str(source), "-o",
                  str(library)], folder)
    return library


def _measure(model: Path, native: Path, library: Path, state_bytes: int, loop: Path, rounds: int, calls: int,
             block_size: int) -> PythonCost:
    ffi = FFI()
    ffi.cdef(_DECLARATIONS)
    bare, pedal = ffi.dlopen(str(loop)), ffi.dlopen(str(library.resolve()))
    memory = np.zeros(state_bytes + 64, np.uint8)
    state = ffi.cast("void *", memory.ctypes.data + -memory.ctypes.data % 64)
    pedal.pedal_init(state)
    engine = open_engine(model, "native", block_size, library=native)
    dry = np.random.default_rng(0).normal(0.0, 0.1, (_ROWS, block_size)).astype(np.float32)
    wet, process = np.full(block_size, np.nan, np.float32), engine.process
    in_c, out_c = ffi.cast("float *", dry.ctypes.data), ffi.cast("float *", wet.ctypes.data)
    blocks = [dry[call % _ROWS] for call in range(calls)]
    times = np.zeros((rounds, 2))
    for row in times:
        row[0] = bare.bare_calls(pedal.pedal_process, state, in_c, out_c, block_size, _ROWS, calls)
        begun = time.perf_counter_ns()
        for block in blocks:
            process(block, wet)
        row[1] = time.perf_counter_ns() - begun
    c_us, python_us = np.median(times, axis=0) / calls / 1e3
    added = np.median(times[:, 1] - times[:, 0]) / calls / 1e3
    return PythonCost(block_size, float(c_us), float(python_us), float(added))
