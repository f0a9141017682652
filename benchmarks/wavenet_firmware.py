"""What WaveNets take on emulated Cortex-Ms: instructions per sample, flash, RAM, stack, and on which boards they fit.

    python benchmarks/wavenet_firmware.py                                 (a minute; the table, and boards)
    python benchmarks/wavenet_firmware.py --costs firmware_bridge/wavenet_costs.yaml          (three minutes)

Weights are random: no kernel's time depends on them. Instructions are counted in blocks of 48 samples, flash and RAM
without start-up code. Whether a preset fits is what `neuralpedal firmware verify DIR --fits BOARD` says of it, with the
counts of the board's own core. The second form fits what that command estimates other cores and networks with. There is
no emulated Cortex-M0 with the memory of a Pico's. Exits 1 when a target is missed.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from emulated_pedal import io_of, measure_emulated

from neuralpedal.contract.atomic import write_text
from neuralpedal.contract.wavenet_weights import random_wavenet
from neuralpedal.firmware_bridge.board_catalog import find_board
from neuralpedal.firmware_bridge.cost_model import FIGURES, Cost, NetworkSize, arithmetic_of, size_of
from neuralpedal.firmware_bridge.fit import MeasuredPedal, fit_board
from neuralpedal.train.wavenet_presets import PRESETS, preset_spec

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from wavenets import write_wavenet

SCHEMES = ("float32", "w8a16")
TARGETS = ("cortex-m7", "cortex-m4", "cortex-m33", "cortex-m3")
BOARDS = ("daisy-seed", "teensy-4.1", "pico-2")
RATE_HZ = 48_000
LIMITS = {("cortex-m7", "w8a16", "a2-lite"): 3300.0}
"""Instructions per sample, at most, by target, scheme and preset."""


@dataclass(frozen=True)
class Row:
    """One preset on one target; ``cost`` is with the stack, which ``stack_bytes`` are of."""

    target: str
    scheme: str
    preset: str
    size: NetworkSize
    cost: Cost
    stack_bytes: int

    @property
    def limit(self) -> float | None:
        """See LIMITS."""
        return LIMITS.get((self.target, self.scheme, self.preset))

    @property
    def missed(self) -> bool:
        """Whether there is a target and it is missed."""
        return self.limit is not None and self.cost.instructions_per_sample > self.limit


def measure(target: str, scheme: str, preset: str) -> Row:
    """Generate, build, play."""
    spec = preset_spec(preset, RATE_HZ)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        file = write_wavenet(place / "pedal.tflite", random_wavenet(spec, 0), scheme)
        found = measure_emulated(file.path, target, place, io_of(scheme))
    cost = replace(found.cost, ram_bytes=found.cost.ram_bytes + found.stack_bytes)
    return Row(target, scheme, preset, size_of(spec), cost, found.stack_bytes)


def print_row(row: Row) -> None:
    """A line of the table."""
    verdict = "" if row.limit is None else f"  target {row.limit:,.0f}: {'MISSED' if row.missed else 'met'}"
    print(f"{row.target:12}{row.scheme:9}{row.preset:10}{row.cost.instructions_per_sample:10,.0f}"
          f"{row.cost.flash_bytes:10,}{row.cost.ram_bytes:10,}{row.stack_bytes:8,}{verdict}", flush=True)


def print_boards(rows: list[Row]) -> None:
    """Which preset fits which board, by the counts of its own core."""
    for name in BOARDS:
        board = find_board(name)
        for row in rows:
            if row.target == board.core:
                pedal = MeasuredPedal(arithmetic_of(row.scheme, None), row.size, RATE_HZ, row.target, row.cost)
                found = fit_board(pedal, name)
                print(f"{board.title:22}{row.scheme:9}{row.preset:10}{'yes' if found.fits else 'no':5}{found.reason}")


def fit_costs(rows: list[Row]) -> str:
    """wavenet_costs.yaml: by target and scheme the coefficients of a size's counts for each figure."""
    lines = ["# Instructions per sample and bytes of WaveNets by target and scheme: coefficients of 1, weights,",
             "# activations and remembered samples (cost_model.py). RAM includes the stack.",
             "# Written by: python benchmarks/wavenet_firmware.py --costs firmware_bridge/wavenet_costs.yaml"]
    worst = dict.fromkeys(FIGURES, 0.0)
    for target in dict.fromkeys(row.target for row in rows):
        lines.append(f"{target}:")
        for scheme in dict.fromkeys(row.scheme for row in rows):
            chosen = [row for row in rows if (row.target, row.scheme) == (target, scheme)]
            counts = np.array([row.size.counts() for row in chosen])
            lines += [f"  {scheme}:", "    wavenet:"]
            for figure in FIGURES:
                values = np.array([getattr(row.cost, figure) for row in chosen], float)
                coefficients = np.linalg.lstsq(counts / values[:, np.newaxis], np.ones(len(values)), rcond=None)[0]
                worst[figure] = max(worst[figure], float(np.max(np.abs(counts @ coefficients / values - 1.0))))
                lines.append(f"      {figure}: [{', '.join(f'{value:.6g}' for value in coefficients)}]")
    print("the sums are off by at most " + ", ".join(f"{value:.0%} ({name})" for name, value in worst.items()))
    return "\n".join(lines) + "\n"


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", default=["cortex-m7", "cortex-m4", "cortex-m33"])
    parser.add_argument("--schemes", nargs="+", default=list(SCHEMES))
    parser.add_argument("--presets", nargs="+", default=list(PRESETS))
    parser.add_argument("--costs", type=Path, help="fit sums to all targets, schemes and presets, into this file")
    options = parser.parse_args()
    if options.costs:
        options.targets, options.schemes, options.presets = list(TARGETS), list(SCHEMES), list(PRESETS)
    print(f"{'target':12}{'scheme':9}{'preset':10}{'instr/smp':>10}{'flash':>10}{'RAM':>10}{'stack':>8}")
    rows = []
    for target in options.targets:
        for scheme in options.schemes:
            for preset in options.presets:
                rows.append(measure(target, scheme, preset))
                print_row(rows[-1])
    if options.costs:
        write_text(options.costs, fit_costs(rows))
    else:
        print_boards(rows)
    return int(any(row.missed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
