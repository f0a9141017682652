"""How well `inspect` finds what is wrong between two tracks: latency, polarity, drift, vibrato and chorus.

    python benchmarks/inspection.py            # 200 takes
    python benchmarks/inspection.py --quick    # 40 of them

Tracks that are in step (the SD-1, the DS-1 put right, a virtual overdrive at two settings, a soft clipper) are delayed
by random fractions of samples, inverted, given a clock of their own and noise, by an interpolation that is not the one
that corrects them. Counted are takes whose latency is right within half a sample and within one, at both ends.
Data: $NEURALPEDAL_DATA or ../shared/data.
"""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralpedal.cli.demo.overdrive import Overdrive
from neuralpedal.cli.virtual.guitar import synthesize_guitar
from neuralpedal.contract.alignment import Alignment
from neuralpedal.contract.pair import RecordingPair, read_pair
from neuralpedal.train.inspection.correction import choose_alignment
from neuralpedal.train.inspection.latency import estimate_latency

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("NEURALPEDAL_DATA", ROOT.parent / "shared" / "data"))
RATE_HZ = 48_000
LONG_S, SHORT_S = 20.0, (4.0, 8.0)
LATENCY_SAMPLES = 2000.0
DRIFT_PPM = 50.0
NOISE_RMS = (0.0, 1e-4, 1e-3)
SWAY_HZ, SWAY_SAMPLES = (0.3, 8.0), (10.0, 150.0)
IN_STEP_SAMPLES = 1.0
"""A take whose delay swings counts as moved when it was corrected by more."""

Track = NDArray[np.float32]
Tracks = dict[str, tuple[Track, Track]]


@dataclass(frozen=True)
class Found:
    """One take.

    Attributes:
        error_samples: the larger of those at the beginning and at the end. inverted_right: polarity was found.
        corrected: `train` would have moved it. swaying: vibrato or chorus was named.
    """

    error_samples: float
    inverted_right: bool
    corrected: bool
    swaying: bool


def tracks() -> Tracks:
    """Dry and wet (T,) of every pedal, in step."""
    guitar = synthesize_guitar(LONG_S + 2.0, RATE_HZ, seed=3)
    sd1 = read_pair(DATA / "sd1" / "dry_test.flac", DATA / "sd1" / "wet_test.flac")
    ds1 = _ds1_in_step(read_pair(DATA / "ds1" / "dry.flac", DATA / "ds1" / "wet.flac"))
    return {"sd1": (sd1.dry.samples, sd1.wet.samples), "ds1": (ds1.dry.samples, ds1.wet.samples),
            "overdrive": (guitar, Overdrive(drive=0.6, tone=0.5).process(guitar, RATE_HZ)),
            "fierce": (guitar, Overdrive(drive=1.0, tone=1.0).process(guitar, RATE_HZ)),
            "soft clip": (guitar, np.tanh(4.0 * guitar))}


def _ds1_in_step(pair: RecordingPair) -> RecordingPair:
    """It leads by nine samples, inverted: so it was recorded."""
    return Alignment(latency_samples=-9.0, inverted=True).apply(pair)


def judge_clock(pair: tuple[Track, Track], rng: np.random.Generator, seconds: float, drift_ppm: float) -> Found:
    """A piece of a take, delayed and inverted at random."""
    from misaligned import misalign  # tests/ is on the path, see main

    dry, wet = _cut(pair, rng, seconds)
    latency, inverted = rng.uniform(-LATENCY_SAMPLES, LATENCY_SAMPLES), bool(rng.integers(2))
    found = estimate_latency(dry, misalign(wet, latency, drift_ppm, inverted, rng.choice(NOISE_RMS)), RATE_HZ)
    at_start = found.latency_samples - latency
    at_end = at_start + (found.drift_ppm - drift_ppm) * 1e-6 * len(dry)
    return Found(max(abs(at_start), abs(at_end)), found.inverted == inverted,
                 not choose_alignment(found).is_identity, found.sway.clear)


def judge_sway(pair: tuple[Track, Track], rng: np.random.Generator, mix: float) -> Found:
    """Twenty seconds of vibrato or chorus of a random rate and depth."""
    from misaligned import sway

    dry, wet = _cut(pair, rng, LONG_S)
    rate_hz, depth = (float(np.exp(rng.uniform(*np.log(span)))) for span in (SWAY_HZ, SWAY_SAMPLES))
    found = estimate_latency(dry, sway(wet, rate_hz, depth, mix, RATE_HZ), RATE_HZ)
    alignment = choose_alignment(found)
    return Found(0.0, not found.inverted, abs(alignment.latency_samples) > IN_STEP_SAMPLES, found.sway.clear)


def _cut(pair: tuple[Track, Track], rng: np.random.Generator, seconds: float) -> tuple[Track, Track]:
    length = round(seconds * RATE_HZ)
    begin = int(rng.integers(0, len(pair[0]) - length + 1))
    return pair[0][begin : begin + length], pair[1][begin : begin + length]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sys.path.append(str(ROOT / "tests"))  # one way to put tracks out of step, in tests and here
    takes = 8 if options.quick else 40
    pedals = tracks()

    def bank(judge: Callable[[tuple[Track, Track], np.random.Generator], Found]) -> list[Found]:
        rng = np.random.default_rng(options.seed)
        return [judge(list(pedals.values())[index % len(pedals)], rng) for index in range(takes)]

    def drift(rng: np.random.Generator) -> float:
        return DRIFT_PPM if rng.integers(2) else -DRIFT_PPM

    clocks = {
        f"{LONG_S:g} s, no drift": bank(lambda pair, rng: judge_clock(pair, rng, LONG_S, 0.0)),
        f"{LONG_S:g} s, ±{DRIFT_PPM:g} ppm": bank(lambda pair, rng: judge_clock(pair, rng, LONG_S, drift(rng))),
        f"{SHORT_S[0]:g}–{SHORT_S[1]:g} s, ±{DRIFT_PPM:g} ppm":
            bank(lambda pair, rng: judge_clock(pair, rng, rng.uniform(*SHORT_S), drift(rng))),
    }
    print("| takes | within ½ sample | within 1 sample | polarity right | worst, samples |\n|---|---|---|---|---|")
    for name, found in clocks.items():
        errors = np.array([take.error_samples for take in found])
        print(f"| {name} | {np.sum(errors < 0.5)} of {takes} | {np.sum(errors < 1.0)} of {takes} | "
              f"{sum(take.inverted_right for take in found)} of {takes} | {errors.max():.2f} |", flush=True)
    print(f"\nFalse alarms of vibrato in these: {sum(take.swaying for found in clocks.values() for take in found)}.\n")
    print("| effect | named | moved |\n|---|---|---|")
    for name, mix in (("vibrato", 1.0), ("chorus, half wet", 0.5)):
        swung = bank(lambda pair, rng, mix=mix: judge_sway(pair, rng, mix))
        print(f"| {name} | {sum(take.swaying for take in swung)} of {takes} | "
              f"{sum(take.corrected for take in swung)} of {takes} |", flush=True)


if __name__ == "__main__":
    main()
