"""Joint rounding where it plays nearer to the float network, nearest where that does.

Joint rounding is made for the calibration audio; whether it is better is asked on audio that it was not made for. A
network that training left on its grid is on it still, and comes back as it was.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.any_network import AnyWeights
from neuralpedal.contract.audio import is_silent
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.wavenet_weights import WaveNetWeights
from neuralpedal.contract.weights import Array, NetworkWeights
from neuralpedal.convert.rounding import Watch, nearest_weights, round_weights
from neuralpedal.convert.scheme_arithmetic import float_arithmetic
from neuralpedal.convert.sensitivity import Weights
from neuralpedal.convert.simulation import choose_excerpt, simulate
from neuralpedal.convert.wavenet_stretches import cut_stretches, play_stretches

ROUNDINGS = ("joint", "nearest")
"""For the smallest output error, or every weight for itself."""

_WAVENET_SECONDS, _COUNTED_SAMPLES = 8, 8192


def better_rounded(weights: Weights, scales: str, calibration: Array, validation: Array,
                   watch: Watch = lambda fraction: None) -> Weights:
    """The network on its int8 grid, rounded as plays ``validation`` (T,) most like float.

    Args:
        scales, calibration, watch: of :func:`neuralpedal.convert.rounding.round_weights`.
    """
    joint, nearest = round_weights(weights, scales, calibration, watch=watch), nearest_weights(weights, scales)
    if joint is weights or is_silent(validation):
        return joint
    wanted, ours, theirs = _answers((weights, joint, nearest), validation)
    if not np.any(wanted):
        return joint
    return joint if esr(wanted, ours) <= esr(wanted, theirs) else nearest


def _answers(networks: tuple[AnyWeights, ...], validation: Array) -> list[NDArray[Any]]:
    """What each makes of some seconds of audio; all are of one family."""
    first = networks[0]
    if isinstance(first, WaveNetWeights):
        heard = validation[-_WAVENET_SECONDS * first.spec.sample_rate_hz :]
        return [np.concatenate([play_stretches(network, dry)[0].ravel() for dry in cut_stretches(
            first, heard, _COUNTED_SAMPLES, 1)]) for network in networks if isinstance(network, WaveNetWeights)]
    excerpt, arithmetic = choose_excerpt(validation, 0, first), float_arithmetic(first.spec)
    return [simulate(network, arithmetic, excerpt).ravel() for network in networks
            if isinstance(network, NetworkWeights)]
