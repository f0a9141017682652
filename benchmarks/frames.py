"""The blog's frame networks in real time: our C against LiteRT, and the streaming LSTM that does as much for less.

    python benchmarks/frames.py [--block 64] [--rounds 30] [--json]

Every output sample of a frame network takes 32 or 64 steps from zero state. Shares are of one core at 22.05 kHz; the
engines of a row play in turns. On the SD-1 a streaming LSTM 1×8 has less than half the error of the best of the five
(docs/study.md), so that its row is the streaming network to compare with for all of them. Exits 1 when 1×16/32 takes
more than a quarter of a core, or an engine plays another network.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.spec import NetworkSpec, make_spec
from neuralpedal.contract.weights import random_weights
from neuralpedal.convert.float_graph import build_w8
from neuralpedal.device.engine import Engine, open_engine
from neuralpedal.device.stream import stream
from neuralpedal.firmware_bridge.native_library import build_native

RATE_HZ = 22_050
STRUCTURES = ((1, 16, 32), (2, 16, 32), (1, 16, 64), (1, 32, 64), (2, 32, 64))
LARGEST_SHARE, LARGEST_ESR = 0.25, 1e-6
_BLOCKS_A_TURN = 4


def networks() -> list[NetworkSpec]:
    """The five structures and the streaming network."""
    fields = {"skip": False, "sample_rate_hz": RATE_HZ}
    frames = [make_spec(family="frame_lstm", num_layers=layers, hidden_size=hidden, frame_samples=frame, **fields)
              for layers, hidden, frame in STRUCTURES]
    return [*frames, make_spec(family="lstm", hidden_size=8, **fields)]


def race(engines: dict[str, Engine], rounds: int) -> dict[str, float]:
    """Microseconds per sample, the median over rounds."""
    block = next(iter(engines.values())).block_size
    noise = np.random.default_rng(0).normal(0.0, 0.1, (_BLOCKS_A_TURN, block)).astype(np.float32)
    wet, spent = np.zeros(block, np.float32), {name: np.zeros(rounds) for name in engines}
    for turn in range(rounds):
        for name, engine in engines.items():
            begun = time.perf_counter_ns()
            for dry in noise:
                engine.process(dry, wet)
            spent[name][turn] = (time.perf_counter_ns() - begun) / 1e3 / noise.size
    return {name: float(np.median(taken)) for name, taken in spent.items()}


def measure(spec: NetworkSpec, folder: Path, block: int, rounds: int) -> dict[str, object]:
    """One row."""
    weights, path = random_weights(spec, 0, 0.4), folder / "pedal.tflite"
    path.write_bytes(build_w8(weights, Manifest(name="frames", scheme="w8", network=spec)))
    library = build_native(path, folder / "cache")
    engines = {"native": open_engine(path, "native", block, library=library.folder),
               "litert": open_engine(path, "litert", block)}
    dry = np.random.default_rng(1).normal(0.0, 0.2, 2000).astype(np.float32)
    played = {name: stream(engine, dry) for name, engine in engines.items()}
    taken = race(engines, rounds)
    return {"network": spec.label, "kernel": library.kernel, "us_per_sample_native": taken["native"],
            "us_per_sample_litert": taken["litert"], "share_native": taken["native"] * RATE_HZ / 1e6,
            "share_litert": taken["litert"] * RATE_HZ / 1e6, "ratio": taken["litert"] / taken["native"],
            "esr_native_litert": esr(played["litert"], played["native"])}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--block", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for spec in networks():
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(spec, Path(folder), options.block, options.rounds))
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        print("| network | native µs per sample | LiteRT | ratio | native, share of a core at 22.05 kHz | LiteRT |")
        print("|---|---|---|---|---|---|")
        for row in rows:
            print(f"| {row['network']} | {row['us_per_sample_native']:.3f} | {row['us_per_sample_litert']:.2f} | "
                  f"{row['ratio']:.1f}× | {row['share_native']:.2%} | {row['share_litert']:.1%} |")
    wrong = [row for row in rows if not float(str(row["esr_native_litert"])) <= LARGEST_ESR]
    sys.exit(1 if wrong or float(str(rows[0]["share_native"])) > LARGEST_SHARE else 0)


if __name__ == "__main__":
    main()
