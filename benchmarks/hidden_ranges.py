"""What w8a8 costs 47 networks trained by others, with the hidden states' grids over all that was seen and by error.

    python benchmarks/hidden_ranges.py --every 6

Calibrates on the training take of sd1 at 22.05 kHz, simulates the file's arithmetic (weights as they are) on windows of
its test take and prints, per network, the share of the range that was kept in each layer and both ESR against float.
Exits 1 when the median is no better. Data: $NEURALPEDAL_DATA or ../shared/data. A few seconds per network.
"""

import argparse
import sys

import numpy as np
from rounding import DATA, read_guitar, read_network

from neuralpedal.contract.metrics import esr
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.convert.calibration import ActivationRanges, calibrate
from neuralpedal.convert.hidden_ranges import clip_hidden_ranges
from neuralpedal.convert.scheme_arithmetic import float_arithmetic, w8a8_arithmetic
from neuralpedal.convert.signal_grids import choose_grids
from neuralpedal.convert.simulation import Excerpt, choose_excerpt, simulate


def cost(weights: NetworkWeights, ranges: ActivationRanges, excerpt: Excerpt) -> float:
    """ESR of all grids of w8a8 but the weights'."""
    arithmetic = w8a8_arithmetic(choose_grids(weights, ranges), weights.spec.skip)
    wanted = simulate(weights, float_arithmetic(weights.spec), excerpt)
    return esr(wanted.ravel(), simulate(weights, arithmetic, excerpt).ravel())


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="take every n-th network only")
    options = parser.parse_args()
    calibration, test = read_guitar("dry_train.flac"), read_guitar("dry_test.flac")
    costs = []
    for path in sorted((DATA / "seed_models").glob("*.npz"))[:: options.every]:
        weights = read_network(path)
        seen = calibrate(weights, calibration)
        chosen = clip_hidden_ranges(weights, seen, calibration)
        excerpt = choose_excerpt(test, 0, weights)
        costs.append((cost(weights, seen, excerpt), cost(weights, chosen, excerpt)))
        shares = ", ".join(f"{ours.peak / theirs.peak:.0%}"
                           for ours, theirs in zip(chosen.hidden, seen.hidden, strict=True))
        print(f"{path.stem:26} {weights.spec.label:20} {shares:9} seen {costs[-1][0]:.1e}  by error {costs[-1][1]:.1e}",
              flush=True)
    before, after = np.median(costs, axis=0)
    print(f"{len(costs)} networks: median {before:.2e}, by error {after:.2e}; worst {np.max(costs, axis=0)[0]:.2e}, "
          f"{np.max(costs, axis=0)[1]:.2e}; worse in {sum(ours > theirs for theirs, ours in costs)}")
    return int(after >= before)


if __name__ == "__main__":
    sys.exit(main())
