"""What pedals of several sizes take on emulated Cortex-Ms: instructions per sample, flash, RAM and stack.

    python benchmarks/firmware.py
    python benchmarks/firmware.py --costs firmware_bridge/costs.yaml      (about ten minutes)
    python benchmarks/firmware.py --family gru --costs firmware_bridge/gru_costs.yaml
    python benchmarks/firmware.py [--family gru] --boards

Weights are random: no kernel's time depends on them. Integer networks play int16 samples, float ones float samples.
Instructions are counted in blocks of 48 samples, flash and RAM without start-up code. Exits 1 when a target is missed.
The second form and the third fit the polynomials that `neuralpedal firmware verify` estimates other sizes and boards
with, the last prints the largest sizes that they say fit.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from emulated_pedal import io_of, measure_emulated

from neuralpedal.contract.atomic import write_json, write_text
from neuralpedal.firmware_bridge.board_catalog import boards
from neuralpedal.firmware_bridge.cost_model import Cost, RecurrentSize
from neuralpedal.firmware_bridge.fit import MeasuredPedal, fit_board

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from firmware_pedals import Wanted, write_pedal

SCHEMES = ("float32", "w8a16", "w8a8", "w8a8/tflm")
SIZES = (8, 12, 16, 20, 24, 32, 40)
FITTED_SIZES = (4, 8, 16, 24, 40)
FITTED_SCHEMES = ("float32", "w8a16", "w8a8", "w8a8/tflm", "tflm16x8")
FITTED_TARGETS = ("cortex-m7", "cortex-m4", "cortex-m33", "cortex-m3", "cortex-m0plus")
TARGETS = {("cortex-m7", "w8a16", 16): 5000, ("cortex-m7", "w8a8", 16): 4500, ("cortex-m7", "float32", 16): 6000,
           ("cortex-m7", "w8a16", 8): 2000}
"""Instructions per sample, at most."""

RATE_HZ = 48_000
_COSTS = {"lstm": "--costs firmware_bridge/costs.yaml", "gru": "--family gru --costs firmware_bridge/gru_costs.yaml"}


@dataclass(frozen=True)
class Row:
    """One pedal on one target."""

    target: str
    scheme: str
    num_layers: int
    hidden_size: int
    cost: Cost
    stack_bytes: int
    difference_lsb: float


def measure(target: str, scheme: str, num_layers: int, hidden_size: int, family: str) -> Row:
    """Generate, build, play."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        name, _, kernels = scheme.partition("/")
        file = write_pedal(place / "pedal.tflite", Wanted(name, hidden_size, num_layers, family=family))
        found = measure_emulated(file.path, target, place, io_of(name), kernels or None)
    return Row(target, scheme, num_layers, hidden_size, found.cost, found.stack_bytes, found.difference_lsb)


def print_row(row: Row) -> bool:
    """Print a row; whether its target is met."""
    limit = TARGETS.get((row.target, row.scheme, row.hidden_size)) if row.num_layers == 1 else None
    missed = limit is not None and row.cost.instructions_per_sample > limit
    verdict = "" if limit is None else f"  target {limit:,}: {'MISSED' if missed else 'met'}"
    print(f"{row.target:14}{row.scheme:10}{row.num_layers}x{row.hidden_size:<4}{row.cost.instructions_per_sample:10,.0f}"
          f"{row.cost.flash_bytes:10,}{row.cost.ram_bytes:8,}{row.stack_bytes:8,}{row.difference_lsb:10.4f}"
          f"{verdict}", flush=True)
    return not missed


def fit_costs(rows: list[Row], family: str) -> str:
    """costs.yaml or gru_costs.yaml: by target, scheme and layers the coefficients of 1, H and H² of each figure."""
    lines = ["# Instructions per sample and bytes by target, scheme and layers: coefficients of 1, H and H².",
             f"# RAM includes the stack. Written by: python benchmarks/firmware.py {_COSTS[family]}"]
    worst: dict[str, float] = {}
    for target in dict.fromkeys(row.target for row in rows):
        lines.append(f"{target}:")
        for scheme in dict.fromkeys(row.scheme for row in rows):
            lines.append(f"  {scheme}:")
            for layers in dict.fromkeys(row.num_layers for row in rows):
                chosen = [row for row in rows if (row.target, row.scheme, row.num_layers) == (target, scheme, layers)]
                sizes = np.array([row.hidden_size for row in chosen], dtype=float)
                lines.append(f"    {layers}:")
                for name, values in _figures(chosen):
                    coefficients = np.polynomial.polynomial.polyfit(sizes, values, 2, w=1.0 / values)
                    fitted = np.polynomial.polynomial.polyval(sizes, coefficients)
                    worst[name] = max(worst.get(name, 0.0), float(np.max(np.abs(fitted / values - 1.0))))
                    lines.append(f"      {name}: [{', '.join(f'{value:.6g}' for value in coefficients)}]")
    print("the polynomials are off by at most " + ", ".join(f"{value:.0%} ({name})" for name, value in worst.items()))
    return "\n".join(lines) + "\n"


def _figures(rows: list[Row]) -> Iterator[tuple[str, np.ndarray]]:
    yield "instructions_per_sample", np.array([row.cost.instructions_per_sample for row in rows])
    yield "flash_bytes", np.array([row.cost.flash_bytes for row in rows], dtype=float)
    yield "ram_bytes", np.array([row.cost.ram_bytes + row.stack_bytes for row in rows], dtype=float)


def print_boards(family: str) -> None:
    """Largest hidden sizes with one and with two layers, by board and arithmetic."""
    schemes = FITTED_SCHEMES if family == "lstm" else FITTED_SCHEMES[:1]
    print(f"{'board':20}" + "".join(f"{scheme:>12}" for scheme in schemes))
    for name in boards():
        sizes = ["/".join(str(_largest(scheme, RecurrentSize(layers, 8, family), name)) for layers in (1, 2))
                 for scheme in schemes]
        print(f"{name:20}" + "".join(f"{size:>12}" for size in sizes))


def _largest(scheme: str, size: RecurrentSize, board: str) -> int | None:
    return fit_board(MeasuredPedal(scheme, size, RATE_HZ), board).largest_hidden_size


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", default=["cortex-m7", "cortex-m4"])
    parser.add_argument("--family", choices=("lstm", "gru"), default="lstm", help="GRUs are float32 alone")
    parser.add_argument("--schemes", nargs="+", default=None)
    parser.add_argument("--layers", nargs="+", type=int, default=[1])
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--costs", type=Path, help="fit polynomials to all targets and both layers, into this file")
    parser.add_argument("--boards", action="store_true", help="print the largest sizes that fit, and measure nothing")
    options = parser.parse_args()
    if options.boards:
        print_boards(options.family)
        return 0
    if options.costs:
        options.targets, options.sizes, options.layers = FITTED_TARGETS, FITTED_SIZES, (1, 2)
    every = FITTED_SCHEMES if options.costs else SCHEMES
    options.schemes = options.schemes or (every if options.family == "lstm" else every[:1])
    print(f"{'target':14}{'scheme':10}{'size':6}{'instr/smp':>10}{'flash':>10}{'RAM':>8}{'stack':>8}{'off, lsb':>10}")
    rows, met = [], True
    for target in options.targets:
        for scheme in options.schemes:
            for layers in options.layers:
                for size in options.sizes:
                    rows.append(measure(target, scheme, layers, size, options.family))
                    met &= print_row(rows[-1])
    if options.json:
        write_json(options.json, [asdict(row) for row in rows])
    if options.costs:
        write_text(options.costs, fit_costs(rows, options.family))
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
