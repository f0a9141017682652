"""What integer arithmetic costs beside float arithmetic with the same int8 weights, over 50 networks trained by others.

    python benchmarks/w8a16.py --every 8

Plays 10 s of the test take of sd1 as a stream and prints, per network, the ESR against float64 with the file's weights
of: the w8a16 file; float64 again, with nothing but the dry signal rounded to 16 bits; float32 (LiteRT playing the same
graph); float64 again, with every dry sample off by one part in ten million. The last three are no arithmetic of ours.
Where they are far from float64 too, the network carries any disturbance on by more than it was: it oscillates by itself
and loses its phase. The seed models answer windows; played as streams, as here, they do what nobody trained them for.
Exits 1 when a target is missed. Data: $NEURALPEDAL_DATA or ../shared/data. About half a minute per network.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rounding import DATA, read_guitar

from neuralpedal.contract.integer_network import read_integer_network
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.reference import ReferenceNetwork
from neuralpedal.contract.reference_w8a16 import W8A16ReferenceNetwork
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.contract.weights import Array, NetworkWeights
from neuralpedal.convert.float_graph import build_w8
from neuralpedal.convert.integer_formats import choose_formats, measure_ranges
from neuralpedal.device.engine import open_engine
from neuralpedal.device.stream import stream

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from captures import read_guitarml, read_nam_lstm, read_seed_model

MEDIAN_TARGET_ESR, WORST_TARGET_ESR = 1e-5, 1e-4
DISTURBANCE = 1e-7


@dataclass(frozen=True)
class Costs:
    """ESR against float64 with the weights of the file."""

    w8a16: float
    int16_input: float
    float32: float
    disturbed: float


def networks() -> Iterator[tuple[str, NetworkWeights]]:
    """Captures and seed models, by name."""
    for path in sorted((DATA / "captures" / "guitarml").glob("lstm*.json")):
        yield path.stem, read_guitarml(path)
    yield "nam lstm", read_nam_lstm(DATA / "captures" / "nam" / "lstm.nam")
    for path in sorted((DATA / "seed_models").glob("*.npz")):
        yield path.stem, read_seed_model(path)


def measure(weights: NetworkWeights, calibration: Array, dry: Array, folder: Path) -> Costs:
    """Of the file that ``convert`` would write."""
    formats = choose_formats(weights, measure_ranges(weights, calibration))
    path = folder / "pedal.tflite"
    path.write_bytes(build_w8(weights, Manifest(name="pedal", scheme="w8a16", network=weights.spec,
                                                integer_format=formats)))
    integers = read_integer_network(read_tflite(path))
    in_16_bits = integers.input_code.decode(integers.input_code.encode(dry))
    disturbed = dry * (1.0 + DISTURBANCE * np.random.default_rng(0).standard_normal(len(dry)))
    floats = ReferenceNetwork(read_weights(read_tflite(path)), lanes=3)
    wanted, rounded, moved = floats.process(np.stack([dry.astype(np.float64), in_16_bits, disturbed]))
    return Costs(esr(wanted, W8A16ReferenceNetwork(integers).play(dry)), esr(wanted, rounded),
                 esr(wanted, stream(open_engine(path), dry)), esr(wanted, moved))


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="take every n-th network only")
    parser.add_argument("--first", type=int, default=0, help="begin with this one, from 0")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    takes = {rate_hz: [read_guitar(name, rate_hz)[2 * rate_hz : round((2 + options.seconds) * rate_hz)]
                       for name in ("dry_train.flac", "dry_test.flac")] for rate_hz in (22_050, 48_000)}
    found = []
    print(f"{'':26} {'':10} " + " ".join(f"{field.name:>11}" for field in fields(Costs)))
    with TemporaryDirectory() as folder:
        for name, weights in list(networks())[options.first :: options.every]:
            costs = measure(weights, *takes[weights.spec.sample_rate_hz], Path(folder))
            found.append(costs)
            print(f"{name:26} {weights.spec.label:10} " + " ".join(
                f"{getattr(costs, field.name):11.1e}" for field in fields(costs)), flush=True)
    losses = [costs.w8a16 for costs in found]
    beyond = [costs for costs in found if costs.w8a16 > WORST_TARGET_ESR]
    helpless = sum(max(costs.int16_input, costs.float32) > WORST_TARGET_ESR for costs in beyond)
    print(f"{len(found)} networks: median {np.median(losses):.1e} (target {MEDIAN_TARGET_ESR:.0e}), worst "
          f"{max(losses):.1e} (target {WORST_TARGET_ESR:.0e}); {len(beyond)} beyond the target, {helpless} of which "
          "would be by 16 bits of dry signal, or float32, alone")
    return int(bool(beyond) or np.median(losses) > MEDIAN_TARGET_ESR)


if __name__ == "__main__":
    sys.exit(main())
