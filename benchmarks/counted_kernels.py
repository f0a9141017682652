"""Kernels whose instructions are counted, each for one fixed processor whatever machine counts: callgrind and qemu.

On a microcontroller the project's own harness counts, in blocks of 48 (firmware_bridge/emulator.py).
"""

import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from emulated_pedal import io_of, measure_emulated

from neuralpedal.contract.errors import FirmwareError
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.wavenet import FAMILY as WAVENET
from neuralpedal.contract.wavenet_weights import random_wavenet
from neuralpedal.firmware_bridge.c_sources import c_sources
from neuralpedal.firmware_bridge.code_generation import CodeRequest
from neuralpedal.firmware_bridge.compiler import compiler_command, find_program, run_compiler
from neuralpedal.firmware_bridge.emulator import EMULATOR
from neuralpedal.firmware_bridge.kernel_race import compiler_flags, vector_kernels
from neuralpedal.firmware_bridge.target import WARNING_FLAGS, load_target
from neuralpedal.firmware_bridge.toolchain import Toolchain, find_toolchain
from neuralpedal.firmware_bridge.vector_kernel import VectorKernel
from neuralpedal.train.wavenet_presets import PRESETS, preset_spec

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from wavenets import write_wavenet

from firmware_pedals import Wanted, write_pedal

RECURRENT_SIZES = ("1x8", "1x16", "1x24", "1x32", "1x40", "1x64", "2x16", "2x32")
BLOCK_SAMPLES = 64
_DRIVER = "play_blocks.c"
_TIMEOUT_S = 300
_RATE_HZ = 48_000


@dataclass(frozen=True)
class Machine:
    """A processor to compile for, and how its instructions are counted.

    Attributes:
        processor: the compiler's flag. macros: what the compiler then defines, as far as it decides the vectors' width.
        compiler: with flags that every program needs.
        blocks: of the shorter and the longer run.
        count: instructions of a program given a number of blocks, from first to last; None where the target of this
            name counts by itself.
    """

    name: str
    processor: str
    macros: frozenset[str]
    compiler: Callable[[], list[str]]
    blocks: tuple[int, int] = (0, 0)
    count: Callable[[Path, int], int] | None = None


@dataclass(frozen=True)
class Kernel:
    """What is counted.

    Attributes:
        int16_weights: which kind of vector kernel; None for integer schemes, which have one kind.
        family: of the network.
    """

    machine: Machine
    scheme: str
    int16_weights: bool | None = None
    family: str = "lstm"

    @property
    def name(self) -> str:
        """For tables: ``haswell w8, float weights``."""
        storage = "" if self.int16_weights is None else f", {'int16' if self.int16_weights else 'float'} weights"
        family = "" if self.family == "lstm" else f" {self.family}"
        return f"{self.machine.name}{family} {self.scheme}{storage}"

    @property
    def sizes(self) -> tuple[str, ...]:
        """That are on record: presets of a WaveNet, LAYERSxHIDDEN of all others."""
        return PRESETS if self.family == WAVENET else RECURRENT_SIZES

    def write(self, path: Path, size: str) -> TfliteFile:
        """A network of such a size with random weights from a seed."""
        if self.family == WAVENET:
            return write_wavenet(path, random_wavenet(preset_spec(size, _RATE_HZ), 0), self.scheme)
        layers, hidden = (int(part) for part in size.split("x"))
        return write_pedal(path, Wanted(self.scheme, hidden, layers, scale=0.3, family=self.family))

    def settings(self, file: TfliteFile) -> list[VectorKernel | None]:
        """Those of its kind that would race on such a machine. Never empty."""
        machine = Toolchain(("cc",), (self.machine.processor,), "", self.machine.macros)
        found = [setting for setting in vector_kernels(file, machine)
                 if self.int16_weights in (None, setting and setting.int16_weights)]
        if not found:
            raise FirmwareError(f"{self.name}: no such kernel races any more; mend KERNELS in {Path(__file__).name}")
        return found


def _count_with_callgrind(program: Path, blocks: int) -> int:
    find_program(["valgrind"], ["valgrind"], "instruction counts")
    place = program.with_suffix(".callgrind")
    _run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={place}", str(program), str(blocks)])
    found = re.search(r"^(?:summary|totals): (\d+)", place.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise FirmwareError(f"{place}: callgrind wrote no summary")
    return int(found[1])


def _count_with_qemu(core: str, program: Path, blocks: int) -> int:
    """Single instructions as blocks of translation, each one line of the log."""
    qemu = find_program(["qemu-aarch64-static", "qemu-aarch64"], ["qemu-user-static"], "instruction counts")
    told = _run([qemu, "-help"])
    single = "-one-insn-per-tb" if "one-insn-per-tb" in told else "-singlestep"
    log = program.with_suffix(".log")
    _run([qemu, "-cpu", core, single, "-d", "exec,nochain", "-D", str(log), str(program), str(blocks)])
    with log.open("rb") as lines:
        count = sum(line.startswith(b"Trace ") for line in lines)
    log.unlink()
    return count


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S, errors="replace")
    if done.returncode:
        raise FirmwareError(f"{command[0]}: exit code {done.returncode}; it says: {done.stderr.strip()[-300:]}")
    return done.stdout


_AVX2, _NEON = frozenset({"__AVX2__", "__FMA__"}), frozenset({"__aarch64__", "__ARM_NEON"})
HASWELL = Machine("haswell", "-march=haswell", _AVX2, lambda: compiler_command(load_target("host")), (4, 36),
                  _count_with_callgrind)
# Of a Pi Zero 2 and Pi 3, a Pi 4, a Pi 5.
CORTEX_A53, CORTEX_A72, CORTEX_A76 = (
    Machine(core, f"-mcpu={core}", _NEON, lambda: ["aarch64-linux-gnu-gcc", "-static"], (1, 3),
            partial(_count_with_qemu, core)) for core in ("cortex-a53", "cortex-a72", "cortex-a76"))
CORTEX_M7 = Machine("cortex-m7", "-mcpu=cortex-m7", frozenset(), lambda: list(load_target("cortex-m7").compiler))

KERNELS = (
    Kernel(HASWELL, "w8", False), Kernel(HASWELL, "w8", True), Kernel(HASWELL, "w8a16"), Kernel(HASWELL, "w8a8"),
    Kernel(HASWELL, "w8", False, "gru"), Kernel(HASWELL, "w8", True, "gru"),
    Kernel(CORTEX_A53, "w8", False), Kernel(CORTEX_A53, "w8", True),
    Kernel(CORTEX_A72, "w8", False), Kernel(CORTEX_A72, "w8", True), Kernel(CORTEX_A72, "w8a16"),
    Kernel(CORTEX_A76, "w8", False), Kernel(CORTEX_A76, "w8", True),
    Kernel(HASWELL, "w8", False, WAVENET), Kernel(CORTEX_A72, "w8", False, WAVENET),
    Kernel(CORTEX_M7, "float32", None, WAVENET),
)


def obstacle(machine: Machine) -> str | None:
    """Why this machine cannot count, or None."""
    try:
        if machine is HASWELL:
            find_program(["valgrind"], ["valgrind"], "instruction counts")
            # Callgrind runs AVX2 on a processor that has it.
            if platform.machine() != "x86_64" or not find_toolchain().macros >= _AVX2:
                return "callgrind needs a processor with AVX2"
        elif machine is CORTEX_M7:
            target = load_target(machine.name)
            find_program(target.compiler, target.packages, machine.name)
            find_program([EMULATOR], target.runner_packages, machine.name)
        else:
            find_program(["aarch64-linux-gnu-gcc"], ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"], machine.name)
            find_program(["qemu-aarch64-static", "qemu-aarch64"], ["qemu-user-static"], machine.name)
    except FirmwareError as error:
        return str(error)
    return None


def compiler_version(machine: Machine) -> str:
    """Name and major version, ``gcc 12``: others make other instructions of the same C. Raises FirmwareError."""
    command = machine.compiler()[:1]
    name = "clang" if "clang" in _run([*command, "--version"]) else "gcc"
    return f"{name} {_run([*command, '-dumpversion']).strip().partition('.')[0]}"


def instructions_per_sample(kernel: Kernel, size: str) -> float:
    """Of a seeded random network; the fewest of the kernel's settings. Raises FirmwareError."""
    with tempfile.TemporaryDirectory() as name:
        folder, machine = Path(name), kernel.machine
        file = kernel.write(folder / "pedal.tflite", size)
        if machine.count is None:
            return measure_emulated(file.path, machine.name, folder, io_of(kernel.scheme)).cost.instructions_per_sample
        few, many = machine.blocks
        found = []
        for setting in kernel.settings(file):
            program = _compile(machine, file, setting, folder)
            found.append((machine.count(program, many) - machine.count(program, few)) / (BLOCK_SAMPLES * (many - few)))
        return min(found)


def _compile(machine: Machine, file: TfliteFile, setting: VectorKernel | None, folder: Path) -> Path:
    made = c_sources(file, CodeRequest("float", None, "pedal", "(counted)", setting))
    (folder / _DRIVER).write_text(Path(__file__).with_name(_DRIVER).read_text(encoding="utf-8"), encoding="utf-8")
    run_compiler([*machine.compiler(), *compiler_flags(made.code, setting), machine.processor, *WARNING_FLAGS,
                  *made.write(folder), _DRIVER, "-o", "pedal"], folder)
    return folder / "pedal"
