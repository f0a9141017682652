"""WaveNets' C for vectors against LiteRT, in one interleaved run, through Python.

    python benchmarks/wavenet_engines.py                              (two minutes)
    python benchmarks/wavenet_engines.py --presets nano --block 64 --json wavenets.json

Each preset is one random network. `native` is what the native engine compiles and races, for every kind of vectors that
this processor has; a file of `w8` holds the same arithmetic as one of `float32`. LiteRT plays with its default kernels
and as our engine of that name; for float convolutions both are XNNPACK. ESR is against the float64 reference. Times
as in `benchmarks/engines.py`: medians of blocks; the ratio, to the first row, is a median over rounds of one round's
medians. Exits 1 when an engine plays another network.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from contenders import open_installed, play
from engines import clock_us, race
from litert_defaults import LiteRTDefaults

from neuralpedal.contract.atomic import write_json
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.reference import open_reference
from neuralpedal.contract.wavenet_weights import random_wavenet
from neuralpedal.device.engine import Engine, open_engine
from neuralpedal.firmware_bridge.kernel_race import LARGEST_ESR
from neuralpedal.firmware_bridge.native_library import build_native
from neuralpedal.firmware_bridge.toolchain import find_toolchain
from neuralpedal.train.wavenet_presets import PRESETS, preset_spec

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from wavenets import write_wavenet

from signals import plucks

TUNINGS = {"AVX2": ("__AVX2__", ("-march=haswell",)), "AVX-512": ("__AVX512BW__", ("-march=native",)),
           "NEON": ("__ARM_NEON", ("-march=native",))}
"""What a processor must have, and how to compile for it."""

RATE_HZ = 48_000
_CHECKED_S = 0.1


@dataclass(frozen=True)
class Row:
    """One engine at one preset; ``ratio`` is to the first engine."""

    preset: str
    engine: str
    kernel: str
    ns_per_sample: float
    ratio: float
    esr: float


def open_engines(model: Path, block_size: int) -> dict[str, Engine]:
    """By name, ours first; those that this machine has. Raises PedalError when no native one plays."""
    engines: dict[str, Engine] = {}
    for name, (feature, tuning) in TUNINGS.items():
        if feature in find_toolchain().macros:
            library = build_native(model, model.parent / name, find_toolchain(tuning=tuning)).folder
            engines[f"native, {name}"] = open_engine(model, "native", block_size, library=library)
    return engines | open_installed({"LiteRT float32": lambda: LiteRTDefaults(model, block_size),
                                     "litert float32": lambda: open_engine(model, "litert", block_size)})


def measure(preset: str, folder: Path, options: argparse.Namespace) -> list[Row]:
    """All engines at one preset."""
    folder.mkdir()
    weights = random_wavenet(preset_spec(preset, RATE_HZ), options.seed)
    engines = open_engines(write_wavenet(folder / "float32.tflite", weights).path, options.block)
    dry = plucks(_CHECKED_S, options.seed)
    wanted = open_reference(weights).process(dry)
    played = {name: play(engine, dry) for name, engine in engines.items()}
    times = race(engines, options.block, options.rounds, options.blocks, options.seed)
    first = np.median(next(iter(times.values())), axis=1)
    return [Row(preset, name, engines[name].description, float(np.median(taken)) / options.block,
                float(np.median(np.median(taken, axis=1) / first)), esr(wanted[: len(played[name])], played[name]))
            for name, taken in times.items()]


def print_rows(rows: Sequence[Row]) -> None:
    """A preset's part of the table."""
    for row in rows:
        print(f"{row.preset:10}{row.engine:24}{row.ns_per_sample:10.1f}{row.ratio:10.2f}{row.esr:10.1e}  {row.kernel}",
              flush=True)


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=PRESETS, metavar="PRESET")
    parser.add_argument("--block", type=int, default=64, help="samples per call")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--blocks", type=int, default=32, help="timed blocks per engine and round")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    options = parser.parse_args()
    print(f"blocks of {options.block}; the clock's own {clock_us():.2f} µs per block are included")
    print(f"{'preset':10}{'engine':24}{'ns/sample':>10}{'ratio':>10}{'ESR':>10}  kernel")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for preset in options.presets:
            rows += measure(preset, Path(folder) / preset, options)
            print_rows([row for row in rows if row.preset == preset])
    faults = [f"{row.engine} at {row.preset} plays another network: ESR {row.esr:.1e}" for row in rows
              if not row.esr <= LARGEST_ESR]
    print("\n".join(f"MISSED: {fault}" for fault in faults) or "all play the same network")
    if options.json:
        write_json(options.json, [asdict(row) for row in rows])
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
