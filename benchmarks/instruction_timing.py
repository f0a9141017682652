"""Cycles per instruction of the kernels, from Arm's timing tables: what cores.yaml's assumptions rest on.

    python benchmarks/instruction_timing.py

Compiles an LSTM 1×16 of every arithmetic, takes each instruction of pedal_process once and adds up the cycles that the
technical reference manuals of Cortex-M0+, M3 and M4 state for it (loads not pipelined, branches taken, no wait states).
The Cortex-M7's and M33's timings are not published.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from neuralpedal.firmware_bridge.project import write_project
from neuralpedal.firmware_bridge.target import load_target

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from firmware_pedals import Wanted, write_pedal

ARITHMETICS = ("float32", "w8a16", "w8a8", "w8a8/tflm")

_INSTRUCTION = re.compile(r"^\s*[0-9a-f]+:\t(?:[0-9a-f]{4} ?)+\s*\t([a-z]\S*)\s*(.*)$", re.MULTILINE)
_REGISTER = re.compile(r"\b(?:[rs]\d+|sl|fp|ip|lr|pc)\b")
_BRANCH = re.compile(r"b(?:eq|ne|lt|le|gt|ge|mi|pl|cs|cc|hi|ls|x)?$|cbn?z$")
_MULTIPLE = re.compile(r"v?(?:ldm|stm|push|pop)")


def cortex_m4(name: str) -> int:
    """Cycles of an instruction without its width."""
    if name.startswith("ldrd") or name in ("vfma", "vfms", "vmla", "vmls", "vfnma", "vfnms"):
        return 3
    if name.startswith(("ldr", "vldr", "strd")) or _BRANCH.match(name) or name == "bl":
        return 2
    return 14 if name in ("vdiv", "vsqrt") else 1


def cortex_m3(name: str) -> int:
    """The same, without float unit and with slower products."""
    if name in ("smull", "umull", "smlal", "umlal"):
        return 4
    return 2 if name in ("mla", "mls") else cortex_m4(name)


def cortex_m0plus(name: str) -> int:
    """The same, with the fast multiplier."""
    if name == "bl":
        return 3
    return 2 if name.startswith(("ldr", "str")) or _BRANCH.match(name) else 1


CORES: dict[str, Callable[[str], int]] = {"cortex-m4": cortex_m4, "cortex-m3": cortex_m3,
                                          "cortex-m0plus": cortex_m0plus}


def instructions(core: str, arithmetic: str) -> list[tuple[str, str]]:
    """Of pedal_process: names without width, and operands."""
    scheme, _, kernels = arithmetic.partition("/")
    with tempfile.TemporaryDirectory() as folder:
        place, target = Path(folder), load_target(core)
        write_pedal(place / "pedal.tflite", Wanted(scheme, 16))
        project = write_project(place / "pedal.tflite", place / "c", core, "float" if scheme == "float32" else "int16",
                                kernels or None, golden_s=0.001)
        kernel = next(name for name in project.sources if name != "pedal_model.c")
        subprocess.run([target.compiler[0], *target.flags, "-c", kernel, "-o", "kernel.o"], cwd=project.folder,
                       check=True)
        text = subprocess.run(["arm-none-eabi-objdump", "-d", "kernel.o"], cwd=project.folder, check=True, text=True,
                              capture_output=True).stdout
    body = text[text.index("<pedal_process>:") :]
    return [(name.split(".")[0], operands) for name, operands in _INSTRUCTION.findall(body)]


def main() -> None:
    """See above."""
    for core, cycles in CORES.items():
        for arithmetic in ARITHMETICS:
            found = instructions(core, arithmetic)
            total = sum(1 + len(_REGISTER.findall(operands)) if _MULTIPLE.match(name) else cycles(name)
                        for name, operands in found)
            print(f"{core:14}{arithmetic:10}{len(found):6} instructions  {total / len(found):.2f} cycles each")


if __name__ == "__main__":
    main()
