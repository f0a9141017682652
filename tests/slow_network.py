"""A network that narrow integer formats cannot play: what a fuzz pedal's LSTM does, by construction.

Trained captures of a Big Muff have cells that reach 300 and forget gates of 0.9999, in a loop that nothing but tiny
increments drives. Sixteen units, in four groups:

* 0–3, integrators: forget gates of 0.9999, candidates that are the hard-clipped signal. Their cells reach hundreds.
* 4–7, slow followers: the same forget gates, but input gates of 0.002: their cells live on steps of a thousandth.
* 8–15, an ordinary network that hears the dry signal and all the others, and answers.

The integrators hear themselves a little, with opposite sign, so that they do not drift away for ever.
"""

from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights, random_weights

INTEGRATORS, FOLLOWERS, ORDINARY = slice(0, 4), slice(4, 8), slice(8, 16)
SLOW = slice(0, 8)
_I, _F, _G, _O = range(4)


def slow_network(sample_rate_hz: int = 48_000) -> NetworkWeights:
    """The network, LSTM 1×16 without skip."""
    spec = NetworkSpec(hidden_size=16, skip=False, sample_rate_hz=sample_rate_hz)
    base = random_weights(spec, seed=11, scale=0.5)
    layer = base.layers[0]
    kernel, recurrent, bias = (array.copy().reshape(-1, 4, 16)
                               for array in (layer.kernel, layer.recurrent_kernel, layer.bias))
    kernel[:, :, SLOW] = 0.0
    recurrent[:, :, SLOW] = 0.0
    bias[0, _F, SLOW] = 9.2
    bias[0, _O, SLOW] = 1.0
    bias[0, _I, INTEGRATORS] = 2.0
    bias[0, _G, INTEGRATORS] = (0.1, -0.1, 0.05, 0.0)
    kernel[0, _G, INTEGRATORS] = (20.0, -30.0, 10.0, 40.0)
    recurrent[range(4), _G, range(4)] = -0.3
    bias[0, _I, FOLLOWERS] = -6.2
    bias[0, _G, FOLLOWERS] = 0.0
    kernel[0, _I, FOLLOWERS] = (2.0, -2.0, 1.0, 0.5)
    kernel[0, _G, FOLLOWERS] = (3.0, -4.0, 5.0, -6.0)
    return NetworkWeights(spec, (RecurrentWeights(kernel.reshape(1, 64), recurrent.reshape(16, 64), bias.reshape(64)),),
                          base.head_kernel, base.head_bias)
