"""Joint rounding where it plays nearer to the float network, nearest where that does.

Joint rounding is made for the calibration audio; whether it is better is asked on audio that it was not made for. A
network that training left on its grid is on it still, and comes back as it was.
"""

import numpy as np

from neuralpedal.contract.audio import is_silent
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.weights import Array, NetworkWeights
from neuralpedal.convert.rounding import Watch, nearest_weights, round_weights
from neuralpedal.convert.scheme_arithmetic import float_arithmetic
from neuralpedal.convert.simulation import choose_excerpt, simulate

ROUNDINGS = ("joint", "nearest")
"""For the smallest output error, or every weight for itself."""


def better_rounded(weights: NetworkWeights, scales: str, calibration: Array, validation: Array,
                   watch: Watch = lambda fraction: None) -> NetworkWeights:
    """The network on its int8 grid, rounded as plays ``validation`` (T,) most like float.

    Args:
        scales, calibration, watch: of :func:`neuralpedal.convert.rounding.round_weights`.
    """
    joint, nearest = round_weights(weights, scales, calibration, watch=watch), nearest_weights(weights, scales)
    if joint is weights or is_silent(validation):
        return joint
    excerpt, arithmetic = choose_excerpt(validation, 0, weights), float_arithmetic(weights.spec)
    wanted, ours, theirs = (simulate(network, arithmetic, excerpt).ravel() for network in (weights, joint, nearest))
    if not np.any(wanted):
        return joint
    return joint if esr(wanted, ours) <= esr(wanted, theirs) else nearest
