"""What each part around a model costs per block, and whether a hundred thousand blocks leave memory as it was.

    python benchmarks/sound_stages.py [--blocks 20000] [--memory-blocks 100000]

Times are medians and 99th percentiles of single blocks, in microseconds, of plucked notes; the cabinet is 0.2 s of
decaying noise, the longest that is played.
"""

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from neuralpedal.device.pedal_file import CabinetSettings, GateSettings, PresetSettings, ToneSettings
from neuralpedal.device.ramp import FADE_S
from neuralpedal.device.sound.cabinet import LONGEST_S, Cabinet, ImpulseResponse
from neuralpedal.device.sound.noise_gate import NoiseGate
from neuralpedal.device.sound.tone_stack import ToneStack
from neuralpedal.device.voice import Voice
from signals import RATE_HZ, plucks
from toy_engines import ToyEngine

Play = Callable[[np.ndarray, np.ndarray], None]


def response(seconds: float) -> ImpulseResponse:
    """Decaying noise."""
    length = round(seconds * RATE_HZ)
    noise = np.random.default_rng(0).normal(0.0, 0.05, length) * np.exp(-6.0 * np.arange(length) / length)
    return ImpulseResponse(noise.astype(np.float32), RATE_HZ)


def stages(size: int) -> dict[str, Play]:
    """What is timed, by name."""
    fade = round(FADE_S * RATE_HZ)
    everything = PresetSettings(name="all", model="toy", input_gain_db=3.0, output_gain_db=-3.0, gate=GateSettings(),
                                tone=ToneSettings(), cabinet=CabinetSettings(file="ir.wav"))
    return {
        "gate": NoiseGate(GateSettings(), size, RATE_HZ).process,
        "tone stack": ToneStack(ToneSettings(), size, RATE_HZ, fade).process,
        "cabinet 40 ms": Cabinet(response(0.04), size).process,
        "cabinet 200 ms": Cabinet(response(LONGEST_S), size).process,
        "toy model alone": ToyEngine(size).process,
        "all, 200 ms": Voice(ToyEngine(size), everything, response(LONGEST_S)).process,
    }


def times_us(play: Play, blocks: np.ndarray, count: int) -> np.ndarray:
    """Of ``count`` blocks."""
    wet, found = np.empty_like(blocks[0]), np.zeros(count)
    for index in range(count):
        dry = blocks[index % len(blocks)]
        begun = time.perf_counter_ns()
        play(dry, wet)
        found[index] = time.perf_counter_ns() - begun
    return found / 1e3


def memory(size: int, count: int) -> tuple[int, int]:
    """Bytes that are there more after ``count`` blocks through everything, and at most meanwhile."""
    play, dry, wet = stages(size)["all, 200 ms"], plucks(0.1)[:size].copy(), np.empty(size, np.float32)
    tracemalloc.start()
    for _ in range(1000):
        play(dry, wet)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    for _ in range(count):
        play(dry, wet)
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return now - before, peak - before


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=20_000)
    parser.add_argument("--memory-blocks", type=int, default=100_000)
    arguments = parser.parse_args()
    print(f"{'stage':18}{'block':>6}{'p50 µs':>9}{'p99 µs':>9}{'of the block':>14}")
    for size in (16, 64, 256):
        blocks = plucks(2.0)[: RATE_HZ // size * size].reshape(-1, size)
        for name, play in stages(size).items():
            found = times_us(play, blocks, max(200, arguments.blocks * 16 // size))
            p50, p99 = np.percentile(found, (50, 99))
            print(f"{name:18}{size:6}{p50:9.1f}{p99:9.1f}{p50 / (1e6 * size / RATE_HZ):14.1%}", flush=True)
    more, peak = memory(64, arguments.memory_blocks)
    print(f"{arguments.memory_blocks} blocks of 64 through all of it: {more} bytes more than before, {peak} at most")


if __name__ == "__main__":
    main()
