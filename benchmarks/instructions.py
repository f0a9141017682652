"""Instructions per sample of the native kernels, beside those on record.

    python benchmarks/instructions.py                      (six minutes; compares, exits 1 when one takes over 5 % more)
    python benchmarks/instructions.py --kernels wavenet    (those with this in their name)
    python benchmarks/instructions.py --record             (after a change that is meant to stay; also with --kernels)

Unlike times, they are the same on every machine that has the same compiler: kernels are compiled for one processor each
(Haswell, counted by callgrind; the cores of three Pis, with NEON, and a Cortex-M7, counted in qemu), with random
weights from a seed. Of the settings of a vector kernel that would race on that processor, the one with the fewest
instructions counts. Counts by another compiler, or another major version of it, are printed and not compared.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from counted_kernels import KERNELS, Kernel, Machine, compiler_version, instructions_per_sample, obstacle

from neuralpedal.contract.atomic import write_json

RECORD = Path(__file__).with_name("instructions.json")
LARGEST_GROWTH = 0.05
_HOW = "python benchmarks/instructions.py --record"

Counts = dict[str, dict[str, float]]


def count(kernel: Kernel, size: str) -> float:
    """Of one of the kernel's sizes."""
    return round(instructions_per_sample(kernel, size), 1)


def read_record() -> dict[str, Any]:
    """Compilers by machine and counts by kernel and size; empty before the first record."""
    if not RECORD.is_file():
        return {"compilers": {}, "instructions_per_sample": {}}
    content: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return content


def other_compiler(record: dict[str, Any], machine: Machine) -> str | None:
    """Why the counts on record cannot be compared with, or None. Raises FirmwareError: no compiler."""
    recorded, here = record["compilers"].get(machine.name), compiler_version(machine)
    return None if recorded == here else f"{machine.name}: recorded with {recorded or 'nothing'}, here is {here}"


def complaint(record: dict[str, Any], kernel: str, size: str, counted: float) -> str | None:
    """What is wrong with a kernel that takes more than it may, or None."""
    recorded = record["instructions_per_sample"].get(kernel, {}).get(size)
    if recorded is None:
        return f"{kernel}, {size}: not on record; {_HOW}"
    if counted <= recorded * (1.0 + LARGEST_GROWTH):
        return None
    return (f"{kernel}, {size}: {counted:.1f} instructions per sample, {recorded:.1f} on record "
            f"({counted / recorded - 1.0:+.1%}, at most {LARGEST_GROWTH:+.0%}); mend it, or, if that is meant: {_HOW}")


def count_all(kernels: list[Kernel], sizes: list[str]) -> tuple[Counts, list[str]]:
    """Counts of every kernel, at those of ``sizes`` that it has, printed as they come, and what kept some from being
    counted."""
    counts: Counts = {}
    obstacles = {machine: obstacle(machine) for machine in dict.fromkeys(kernel.machine for kernel in kernels)}
    told: tuple[str, ...] = ()
    for kernel in kernels:
        chosen = tuple(size for size in kernel.sizes if size in sizes)
        if not obstacles[kernel.machine] and chosen:
            if chosen != told:
                print(f"{'instructions per sample':36}" + "".join(f"{size:>9}" for size in chosen))
                told = chosen
            row = counts[kernel.name] = {size: count(kernel, size) for size in chosen}
            print(f"{kernel.name:36}" + "".join(f"{value:9.1f}" for value in row.values()), flush=True)
    return counts, [f"{machine.name}: {reason}" for machine, reason in obstacles.items() if reason]


def merged(record: dict[str, Any], kernels: list[Kernel], counts: Counts) -> dict[str, Any]:
    """The record with new counts in it; what no kernel is called any more is left out."""
    compilers = record["compilers"] | {kernel.machine.name: compiler_version(kernel.machine) for kernel in kernels}
    rows = record["instructions_per_sample"] | counts
    return {"written_by": _HOW, "compilers": compilers,
            "instructions_per_sample": {kernel.name: rows[kernel.name] for kernel in KERNELS if kernel.name in rows}}


def compare(counts: Counts) -> list[str]:
    """Complaints about counts of the compiler on record; prints which machines have another one."""
    record = read_record()
    kernels = [kernel for kernel in KERNELS if kernel.name in counts]
    others = {machine: other_compiler(record, machine) for machine in {kernel.machine for kernel in kernels}}
    for reason in filter(None, others.values()):
        print(f"not compared: {reason}")
    found = [complaint(record, kernel.name, size, value) for kernel in kernels if not others[kernel.machine]
             for size, value in counts[kernel.name].items()]
    return [line for line in found if line]


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.name}; needs both processors' tools")
    parser.add_argument("--kernels", default="", metavar="PART", help="only those with this in their name")
    all_sizes = list(dict.fromkeys(size for kernel in KERNELS for size in kernel.sizes))
    parser.add_argument("--sizes", nargs="+", default=all_sizes, metavar="SIZE", help="LAYERSxHIDDEN, or presets")
    options = parser.parse_args()
    kernels = [kernel for kernel in KERNELS if options.kernels in kernel.name]
    counts, missing = count_all(kernels, all_sizes if options.record else options.sizes)
    print("\n".join(f"not counted: {reason}" for reason in missing), end="\n" if missing else "")
    if options.record:
        if missing:
            return 1
        write_json(RECORD, merged(read_record(), kernels, counts))
        return 0
    complaints = compare(counts)
    print("\n".join(f"FAILED: {line}" for line in complaints) or f"nothing grew by more than {LARGEST_GROWTH:.0%}")
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
