"""Which network for which target: what each reaches in the same minutes of training, and what it then costs to play.

Trains LSTMs and WaveNets for one budget and judges them on the test take. Costs are instructions per sample, those of
the scheme that takes the fewest: of the native kernels from benchmarks/instructions.json (AVX2 counted for Haswell, a
Pi 4's Cortex-A72), of a Cortex-M7 as `firmware verify --fits` estimates them (cost_model). A star stands where no
network of the table is better and takes fewer instructions: of those the choice is.
"""

import argparse
import json
import re
from typing import Any

from instructions import RECORD

from nam_comparison import Cell, Comparison, add_training_options
from network_names import recipe_fields
from neuralpedal.contract.errors import SpecError
from neuralpedal.firmware_bridge.cost_model import cost_model, size_of
from neuralpedal.train.recipe import read_recipe

NETWORKS = ("1x8", "1x16", "1x32", "nano", "feather", "a2-lite")
EMULATED = "cortex-m7"
COUNTED = ("haswell", "cortex-a72")
ARITHMETICS = ("float32", "w8a16", "w8a8")
RATE_HZ = 48_000


def instructions(network: str, target: str, counts: dict[str, dict[str, float]]) -> float:
    """Per sample, of the scheme that takes the fewest there; infinite where nothing is known.

    Args:
        counts: of benchmarks/instructions.json, by kernel and network.
    """
    if target in COUNTED:
        # LSTMs have no family in their kernel's name.
        kernels = re.compile(rf"{target} (wavenet )?w8")
        return min((row[network] for name, row in counts.items() if kernels.match(name) and network in row),
                   default=float("inf"))
    spec = read_recipe(None, **recipe_fields(network)).network(RATE_HZ)
    found = []
    for arithmetic in ARITHMETICS:
        try:
            found.append(cost_model(target, arithmetic, size_of(spec)).cost(size_of(spec)).instructions_per_sample)
        except SpecError:
            continue
    return min(found, default=float("inf"))


def best_choices(esr: dict[str, float], cost: dict[str, float]) -> set[str]:
    """Networks that no other one beats in both: Pareto's front."""
    return {name for name in esr if cost[name] < float("inf") and not any(
        esr[other] <= esr[name] and cost[other] <= cost[name] and (esr[other], cost[other]) != (esr[name], cost[name])
        for other in esr)}


def print_table(esr: dict[str, float], costs: dict[str, dict[str, float]]) -> None:
    """A row per network, least ESR first; ``costs`` by target and network."""
    print(f"{'network':10} {'test ESR':>9}" + "".join(f" {target:>12}" for target in costs))
    best = {target: best_choices(esr, cost) for target, cost in costs.items()}
    for name in sorted(esr, key=lambda name: esr[name]):
        told = "".join(f" {cost[name]:10.0f} {'*' if name in best[target] else ' '}" if cost[name] < float("inf")
                       else f" {'unknown':>12}" for target, cost in costs.items())
        print(f"{name:10} {esr[name]:9.5f}{told}")


def _network(name: str) -> str:
    """A name that can be trained. Raises ValueError."""
    recipe_fields(name)
    return name


def add_options(parser: argparse.ArgumentParser) -> None:
    """What this comparison is told."""
    add_training_options(parser)
    parser.add_argument("--networks", nargs="+", type=_network, default=list(NETWORKS), metavar="NETWORK",
                        help="LAYERSxUNITS of an LSTM, or a WaveNet's preset")
    parser.add_argument("--minutes", type=float, default=3.0)


def run(options: argparse.Namespace) -> None:
    """Train what is missing, print all."""
    rows = Comparison(options).run([Cell("ours", name, options.minutes) for name in options.networks])
    counts = json.loads(RECORD.read_text())["instructions_per_sample"]
    costs = {target: {name: instructions(name, target, counts) for name in options.networks}
             for target in (*COUNTED, EMULATED)}
    if options.json:
        told: list[dict[str, Any]] = [{**row, "instructions_per_sample": {
            target: cost[row["network"]] for target, cost in costs.items()}} for row in rows]
        print(json.dumps(told, indent=2))
        return
    print(f"{options.minutes:g} minutes by the {options.clock} clock, {options.cores} cores; instructions per sample")
    print_table({row["network"]: row["esr"] for row in rows}, costs)
