"""Kernels that may play a pedal on this machine: compiled, compared with the reference, and timed against each other.

Which setting of the vector kernel is fastest depends on the network's size and on the processor in ways that no rule of
ours foretold; a race takes a second or two, once.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.integer_network import SCHEME as W8A16
from neuralpedal.contract.manifest import FLOAT_SCHEMES
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.native_library import LIBRARY_FILE
from neuralpedal.contract.network_file import read_recurrent_weights
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.firmware_bridge.c_sources import c_sources
from neuralpedal.firmware_bridge.code_generation import CodeRequest
from neuralpedal.firmware_bridge.compiler import run_compiler
from neuralpedal.firmware_bridge.generated_code import GeneratedCode
from neuralpedal.firmware_bridge.loaded_pedal import LoadedPedal, play_library
from neuralpedal.firmware_bridge.toolchain import Toolchain
from neuralpedal.firmware_bridge.vector_code import holds_beginning
from neuralpedal.firmware_bridge.vector_kernel import VectorKernel

LARGEST_ESR = 1e-6
"""Of a float kernel's output against the float64 reference; kernels that miss it are not taken."""
RACE_ROUNDS = 20
SHARED_FLAGS = ("-shared", "-fPIC")
FLOAT_FLAGS = ("-std=gnu11", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
EXACT_FLAGS = ("-std=gnu11", "-O3", "-ffp-contract=off")
SCHEDULED_FLAGS, IN_ORDER_FLAGS = ("-fschedule-insns",), ("-fno-tree-ter",)


@dataclass
class Trial:
    """A compiled kernel.

    Attributes:
        differs: from the reference, somewhere. ns_per_sample: the least that was seen.
    """

    folder: Path
    kernel: str
    state_bytes: int
    esr: float
    differs: bool
    ns_per_sample: float = float("inf")

    def is_right(self, exact: bool) -> bool:
        """It plays what the reference plays: every sample where it must be exact, else within LARGEST_ESR."""
        return not self.differs if exact else self.esr <= LARGEST_ESR


def vector_kernels(file: TfliteFile, toolchain: Toolchain) -> Sequence[VectorKernel | None]:
    """Settings worth a try; None: the portable kernel.

    A recurrent file of float32 is played within 1e-5 of full scale: by precise kernels, which take longer. In w8
    the weights' rounding is larger than what quick sigmoids and states of 16 bits do.
    """
    network = file.manifest().network
    if isinstance(network, WaveNetSpec):
        return _wavenet_kernels(toolchain) if file.is_float else [None]
    kernels, scheme = _settings(file, toolchain), file.manifest().scheme
    if scheme == "float32":
        return [replace(kernel, precise=True) for kernel in kernels if kernel and not kernel.int16_weights]
    if scheme not in FLOAT_SCHEMES or (holds_beginning(read_recurrent_weights(file)) and not network.bends):
        return kernels
    return [kernel for kernel in kernels if kernel is None or not kernel.int16_weights]


def _settings(file: TfliteFile, toolchain: Toolchain) -> Sequence[VectorKernel | None]:
    """All of them, whatever the network begins in; None is the only one of most integer schemes."""
    spec, scheme = file.manifest().recurrent, file.manifest().scheme
    if scheme not in FLOAT_SCHEMES:
        return _integer_kernels(spec.hidden_size, scheme, toolchain)
    if spec.kind.has_frame:
        return [VectorKernel(toolchain.lanes(16), together=together) for together in (1, 2)]
    lanes = toolchain.lanes(spec.hidden_size)
    groups = -(-spec.hidden_size // lanes)
    several = max(count for count in (1, 2, 3) if groups % count == 0)
    floats = VectorKernel(lanes, together=several, registers=groups <= 4, written_out=groups <= 4)
    integers = VectorKernel(lanes, int16_weights=True, in_order=True)
    if groups == 1:
        kept = replace(integers, registers=True)
        return [floats, replace(floats, scheduled=True), kept, replace(kept, in_order=False)]
    kernels = [floats, *(replace(integers, late=late, written_out=False) for late in (0, 1))]
    if groups <= 4:
        kernels.append(VectorKernel(lanes, together=several, written_out=False))
        kernels += [replace(integers, together=several, registers=registers) for registers in (False, True)]
    return kernels


def _integer_kernels(hidden_size: int, scheme: str, toolchain: Toolchain) -> Sequence[VectorKernel | None]:
    """Without vectors of integers, the kernel that uses some for its sums only is the better one."""
    if scheme != W8A16 or not toolchain.has_integer_vectors:
        return [None]
    lanes = toolchain.lanes(hidden_size)
    groups = -(-hidden_size // lanes)
    return [VectorKernel(lanes, int16_weights=True, together=together) for together in (1, 2) if groups % together == 0]


def _wavenet_kernels(toolchain: Toolchain) -> Sequence[VectorKernel]:
    """More vectors of time at once load weights less often, and the signal more often: narrow layers want them."""
    lanes = toolchain.lanes(16)
    if toolchain.has_many_registers:
        return [VectorKernel(lanes, together=together, sums=16) for together in (2, 4)]
    return [VectorKernel(lanes, together=1, sums=8), VectorKernel(lanes, together=2, sums=12)]


def try_kernel(file: TfliteFile, vector: VectorKernel | None, folder: Path, toolchain: Toolchain,
               dry: NDArray[np.float32], wanted: NDArray[np.float32]) -> Trial:
    """Compile one kernel in ``folder`` and compare it with what is ``wanted``. Raises FirmwareError."""
    folder.mkdir()
    made = c_sources(file, CodeRequest("float", None, "pedal", "(made for this machine)", vector))
    sources = made.write(folder)
    run_compiler([*toolchain.command, *compiler_flags(made.code, vector), *toolchain.tuning, *SHARED_FLAGS, *sources,
                  "-o", LIBRARY_FILE], folder)
    for name in made.texts:
        (folder / name).unlink()
    got = play_library(folder / LIBRARY_FILE, made.code.state_bytes, dry)
    scheme = file.manifest().scheme
    kernel = vector.label if vector else "portable" if scheme in FLOAT_SCHEMES else scheme
    error = esr(wanted, got) if np.all(np.isfinite(got)) else float("inf")
    return Trial(folder, kernel, made.code.state_bytes, error, not np.array_equal(wanted, got))


def compiler_flags(code: GeneratedCode, vector: VectorKernel | None) -> tuple[str, ...]:
    """Of a kernel. A float one may fuse; one of integers must round its audio as the reference does."""
    flags = FLOAT_FLAGS if code.arithmetic == "FLOAT" else EXACT_FLAGS
    scheduled, in_order = (vector.scheduled, vector.in_order) if vector else (False, False)
    return (*flags, *SCHEDULED_FLAGS * scheduled, *IN_ORDER_FLAGS * in_order)


def race(trials: Sequence[Trial], dry: NDArray[np.float32]) -> None:
    """Times trials in turns, so that a busy moment hits all of them."""
    if len(trials) == 1:
        return
    pedals = [LoadedPedal(trial.folder / LIBRARY_FILE, trial.state_bytes) for trial in trials]
    for _ in range(RACE_ROUNDS):
        for trial, pedal in zip(trials, pedals, strict=True):
            begun = time.perf_counter_ns()
            pedal.process(dry)
            trial.ns_per_sample = min(trial.ns_per_sample, (time.perf_counter_ns() - begun) / len(dry))
