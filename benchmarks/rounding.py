"""What rounding costs 47 networks trained by others, to nearest and jointly, at the output of what a w8 file holds.

    python benchmarks/rounding.py --every 6

Calibrates on the training take of sd1 at 22.05 kHz, measures on windows of its test take, prints a row per network and
exits 1 when a target is missed. Data: $NEURALPEDAL_DATA or ../shared/data. One BLAS thread (OPENBLAS_NUM_THREADS=1) is
fastest on a busy machine.
All 47 take most of an hour; --rows FILE lets another run go on where one was stopped.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from neuralpedal.contract.audio import read_recording
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.weights import Array, NetworkWeights
from neuralpedal.convert.calibration_windows import windows_of
from neuralpedal.convert.rounding import nearest_weights
from neuralpedal.convert.rounding_choice import better_rounded
from neuralpedal.convert.sensitivity import first_states, play

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from captures import read_seed_model

DATA = Path(os.environ.get("NEURALPEDAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
RATE_HZ = 22_050
MEDIAN_TARGET_ESR, WORST_TARGET_ESR = 5e-5, 1e-3
_MEASURED_WINDOWS, _AT_ONCE = 20_000, 2_000


def read_guitar(name: str, rate_hz: int = RATE_HZ) -> Array:
    """A dry take at a rate."""
    recording = read_recording(DATA / "sd1" / name)
    return np.asarray(soxr.resample(recording.samples, recording.sample_rate_hz, rate_hz), dtype=np.float32)


def read_network(path: Path) -> NetworkWeights:
    """With its frame, which is how it was trained."""
    weights = read_seed_model(path)
    with np.load(path) as arrays:
        frame = int(arrays["frame"])
    spec = weights.spec
    return replace(weights, spec=make_spec(family="frame_lstm", frame_samples=frame, hidden_size=spec.hidden_size,
                                           num_layers=spec.num_layers, skip=False, sample_rate_hz=RATE_HZ))


def measure(weights: NetworkWeights, rounded: NetworkWeights, audio: Array) -> float:
    """ESR of ``rounded`` against ``weights`` over random windows."""
    places = np.random.default_rng(5).integers(0, len(audio), _MEASURED_WINDOWS)
    windows, error, energy = windows_of(audio, weights.spec.frame_samples or 1), 0.0, 0.0
    for start in range(0, len(places), _AT_ONCE):
        dry = windows[places[start : start + _AT_ONCE]]
        wanted, found = (play(network, dry, first_states(network, len(dry)))[0][:, -1].astype(np.float64)
                         for network in (weights, rounded))
        error += float(np.sum((found - wanted) ** 2))
        energy += float(np.sum(wanted**2))
    return error / energy


def read_rows(path: Path | None) -> dict[str, dict[str, float]]:
    """What an earlier run has measured, by network."""
    if path is None or not path.is_file():
        return {}
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["network"]: row for row in rows}


def compare(path: Path, scales: str, playing: Array, test: Array) -> dict[str, Any]:
    """One network's row; the last tenth of ``playing`` chooses between joint and nearest."""
    weights = read_network(path)
    calibration, validation = np.split(playing, [len(playing) * 9 // 10])
    began = time.perf_counter()
    joint = better_rounded(weights, scales, calibration, validation)
    seconds = time.perf_counter() - began
    return {"network": path.stem, "label": weights.spec.label, "joint": measure(weights, joint, test),
            "nearest": measure(weights, nearest_weights(weights, scales), test), "seconds": round(seconds, 1)}


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="take every n-th network only")
    parser.add_argument("--scales", default="channel", choices=["channel", "gate"])
    parser.add_argument("--rows", type=Path, help="file of rows: those in it are not measured again, new ones added")
    options = parser.parse_args()
    playing, test = read_guitar("dry_train.flac"), read_guitar("dry_test.flac")
    known, rows = read_rows(options.rows), []
    for path in sorted((DATA / "seed_models").glob("*.npz"))[:: options.every]:
        row = known.get(path.stem) or compare(path, options.scales, playing, test)
        rows.append(row)
        if options.rows is not None and path.stem not in known:
            with options.rows.open("a") as file:
                file.write(json.dumps(row) + "\n")
        print(f"{path.stem:26} {row['label']:20} nearest {row['nearest']:.1e}  joint {row['joint']:.1e}  "
              f"{row['seconds']:5.1f} s", flush=True)
    losses = np.array([(row["nearest"], row["joint"]) for row in rows])
    (median_nearest, median), (worst_nearest, worst) = np.median(losses, axis=0), np.max(losses, axis=0)
    print(f"{len(losses)} networks: median nearest {median_nearest:.1e}, joint {median:.1e} "
          f"(target {MEDIAN_TARGET_ESR:.0e}); worst {worst_nearest:.1e}, {worst:.1e} (target {WORST_TARGET_ESR:.0e})")
    return int(median > MEDIAN_TARGET_ESR or worst > WORST_TARGET_ESR)


if __name__ == "__main__":
    sys.exit(main())
