"""Our engines against LiteRT, ONNX Runtime and tflite-micro, through Python, in one interleaved run.

    make bench                                   (a minute; sets up its environment first)
    python benchmarks/engines.py --sizes 1x16 2x32 --block 64 --json engines.json --png engines.png

Every size is one random network that all engines play, an LSTM, or for gru-1x16 a GRU; ESR is each engine's distance
from it in float64. A round gives every engine a turn, in random order; of each turn some blocks warm the caches and the
next are timed one by one. Microseconds are percentiles over all timed blocks and hold the clock's own time, which is
printed. The ratio is the median, over rounds, of an engine's median block to native w8's in the same round: a busy
machine disturbs it least. Input is noise that was written before, a row per block, output is written memory too.

The last table is what Python adds to the bare call of the C. Exits 1 when a target is missed: native w8 at least 8
times as fast as LiteRT float32 at 1×16 and 1×32, at most 1 µs per block for Python, at most 20 ms to open a
compiled pedal, no engine that plays another network.
"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from contenders import BASELINE, open_contenders, open_ms, play, write_network
from python_cost import PythonCost, python_costs

from neuralpedal.cli.picture import png_figure
from neuralpedal.contract.atomic import write_json
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.reference import open_reference
from neuralpedal.device.engine import Engine

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from signals import plucks

SIZES = ("1x8", "1x16", "1x24", "1x32", "1x40", "1x64", "2x16", "2x32", "gru-1x16", "gru-1x32")
RIVAL, TARGET_RATIO, TARGET_SIZES = "LiteRT float32", 8.0, ("1x16", "1x32")
TARGET_PYTHON_US, TARGET_OPEN_MS = 1.0, 20.0
LARGEST_ESR, LARGEST_ESR_W8A8 = 1e-6, 1e-2
"""Of an engine that plays the right network; eight bits cost a random one less than the second."""

_ROWS = 16
_WARM_UP_BLOCKS = 4
_CHECKED_S = 0.1
_PYTHON_ROUNDS = 10


@dataclass(frozen=True)
class Row:
    """One engine at one size.

    Attributes:
        us_per_block_p50, us_per_block_p99: over all timed blocks. us_per_sample: the former, by block size.
        ratio: to native w8. esr: against float64. open_ms: to open and check a compiled pedal; None for the others.
    """

    size: str
    engine: str
    kernel: str
    us_per_block_p50: float
    us_per_block_p99: float
    us_per_sample: float
    ratio: float
    esr: float
    open_ms: float | None = None


def race(engines: dict[str, Engine], block_size: int, rounds: int, blocks: int, seed: int) -> dict[str, np.ndarray]:
    """Nanoseconds (rounds, blocks) of every engine."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, 0.1, (_ROWS, block_size)).astype(np.float32)
    wet = np.full(block_size, np.nan, np.float32)
    times = {name: np.zeros((rounds, blocks), np.int64) for name in engines}
    names = list(engines)
    for turn in range(rounds):
        for index in rng.permutation(len(names)):
            _time_turn(engines[names[index]], noise, wet, times[names[index]][turn])
    return times


def _time_turn(engine: Engine, noise: np.ndarray, wet: np.ndarray, nanoseconds: np.ndarray) -> None:
    clock, process = time.perf_counter_ns, engine.process
    for dry in noise[:_WARM_UP_BLOCKS]:
        process(dry, wet)
    for index in range(len(nanoseconds)):
        dry = noise[index % _ROWS]
        begun = clock()
        process(dry, wet)
        nanoseconds[index] = clock() - begun


def clock_us() -> float:
    """What reading the clock adds to every block."""
    clock = time.perf_counter_ns
    return float(np.median([-(clock() - clock()) for _ in range(10_000)])) / 1e3


def measure(size: str, folder: Path, options: argparse.Namespace) -> list[Row]:
    """All engines at one size, given as LAYERSxHIDDEN, or FAMILY-LAYERSxHIDDEN."""
    family, _, shape = size.rpartition("-")
    layers, hidden = (int(part) for part in shape.split("x"))
    folder.mkdir()
    weights = write_network(folder, layers, hidden, options.seed, family or "lstm")
    engines = open_contenders(folder, weights, options.block)
    dry = plucks(_CHECKED_S, options.seed)
    wanted = open_reference(weights).process(dry)
    errors = {}
    for name, engine in engines.items():
        played = play(engine, dry)
        errors[name] = esr(wanted[: len(played)], played)
    times = race(engines, options.block, options.rounds, options.blocks, options.seed)
    baseline = np.median(times[BASELINE], axis=1)
    rows = []
    for name, taken in times.items():
        p50, p99 = np.percentile(taken, (50, 99)) / 1e3
        native = open_ms(folder / f"{name.split()[1]}.tflite", options.block) if name.startswith("native") else None
        rows.append(Row(size, name, engines[name].description, float(p50), float(p99), float(p50) / options.block,
                        float(np.median(np.median(taken, axis=1) / baseline)), errors[name], native))
    return rows


def print_rows(rows: list[Row]) -> None:
    """A size's part of the table."""
    for row in rows:
        print(f"{row.size:10}{row.engine:20}{row.us_per_block_p50:10.2f}{row.us_per_block_p99:10.2f}"
              f"{row.us_per_sample:11.4f}{row.ratio:11.2f}{row.esr:10.1e}  {row.kernel}", flush=True)


def print_ratios(rows: list[Row]) -> None:
    """How native w8 stands to each of the others, size by size, and how long ours take to open."""
    for name in dict.fromkeys(row.engine for row in rows if not row.engine.startswith("native")):
        ratios = ", ".join(f"{row.size} {row.ratio:.1f}×" for row in rows if row.engine == name)
        print(f"{BASELINE} against {name}: {ratios}")
    opened = max((row for row in rows if row.open_ms), key=lambda row: row.open_ms or 0.0)
    print(f"a compiled pedal opens in at most {opened.open_ms:.1f} ms ({opened.engine}, {opened.size})")


def missed(rows: list[Row], costs: list[PythonCost]) -> list[str]:
    """What does not hold: each engine plays the network of its row, and the targets, as far as they were measured."""
    found = [f"{row.engine} at {row.size} plays another network: ESR {row.esr:.1e}" for row in rows
             if not row.esr <= (LARGEST_ESR_W8A8 if row.engine.endswith("w8a8") else LARGEST_ESR)]
    found += [f"{BASELINE} is {row.ratio:.1f} times as fast as {RIVAL} at {row.size}, target {TARGET_RATIO:.0f}"
              for row in rows if row.engine == RIVAL and row.size in TARGET_SIZES and row.ratio < TARGET_RATIO]
    found += [f"{row.engine} at {row.size} takes {row.open_ms:.0f} ms to open, target {TARGET_OPEN_MS:.0f} ms"
              for row in rows if row.open_ms and row.open_ms > TARGET_OPEN_MS]
    found += [f"Python adds {cost.added_us:.2f} µs to a block of {cost.block_size}, target {TARGET_PYTHON_US:.0f} µs"
              for cost in costs if cost.added_us > TARGET_PYTHON_US]
    return found


def draw(rows: list[Row], path: Path, title: str) -> None:
    """Time per sample of every engine over the sizes. Raises OutputError, DeviceError."""
    sizes = list(dict.fromkeys(row.size for row in rows))
    with png_figure(path, (10, 6), title) as figure:
        axes: Any = figure.subplots()
        for name in dict.fromkeys(row.engine for row in rows):
            chosen = [row for row in rows if row.engine == name]
            places = [sizes.index(row.size) for row in chosen]
            middle = np.array([row.us_per_sample for row in chosen])
            late = np.array([row.us_per_block_p99 / row.us_per_block_p50 for row in chosen]) * middle - middle
            axes.errorbar(places, middle, yerr=[np.zeros_like(late), late], marker="o", capsize=3, label=name,
                          linestyle="-" if name.startswith("native") else "--")
        axes.set(yscale="log", ylabel="µs per sample: p50, whiskers to p99", xlabel="layers × hidden size")
        axes.set_xticks(range(len(sizes)), [size.replace("x", "×") for size in sizes])
        axes.grid(visible=True, which="both", alpha=0.2)
        axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), metavar="LAYERSxHIDDEN",
                        help="with gru- before it of a GRU")
    parser.add_argument("--block", type=int, default=64, help="samples per call")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--blocks", type=int, default=32, help="timed blocks per engine and round")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="also write everything to this file")
    parser.add_argument("--png", type=Path, help="also draw it")
    options = parser.parse_args()
    title = f"blocks of {options.block}, {options.rounds} rounds of {options.blocks} blocks, {os.cpu_count()} cores"
    clock = clock_us()
    print(f"{title}; the clock's own {clock:.2f} µs per block are included")
    print(f"{'size':10}{'engine':20}{'µs/blk p50':>10}{'p99':>10}{'µs/sample':>11}{'/native w8':>11}{'ESR':>10}"
          "  kernel")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            rows += measure(size, Path(folder) / size, options)
            print_rows([row for row in rows if row.size == size])
        first = options.sizes[0]
        costs = python_costs(Path(folder) / first / "w8.tflite", _PYTHON_ROUNDS * options.rounds)
    print(f"\nnative w8 {first} in a loop: {'block':>6}{'C, µs':>10}{'Python, µs':>12}{'added, µs':>11}")
    for cost in costs:
        print(f"{'':28}{cost.block_size:>6}{cost.c_us:10.3f}{cost.python_us:12.3f}{cost.added_us:11.3f}")
    print()
    print_ratios(rows)
    faults = missed(rows, costs)
    print("\n".join(f"MISSED: {fault}" for fault in faults) or "every target is met")
    if options.json:
        write_json(options.json, {"block_size": options.block, "rounds": options.rounds, "blocks": options.blocks,
                                  "clock_us": clock, "rows": [asdict(row) for row in rows],
                                  "python": [asdict(cost) for cost in costs]})
    if options.png:
        draw(rows, options.png, title)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
