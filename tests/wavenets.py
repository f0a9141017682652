"""WaveNets for tests: small ones of every kind."""

from typing import Any

from neuralpedal.contract.wavenet import ConvArray, WaveNetSpec


def conv_array(channels: int, dilations: tuple[int, ...], taps: int | tuple[int, ...] = 3,
               **fields: Any) -> ConvArray:
    """An array whose layers all have ``taps``, or one number of taps each."""
    kernel_sizes = taps if isinstance(taps, tuple) else (taps,) * len(dilations)
    return ConvArray(channels=channels, dilations=dilations, kernel_sizes=kernel_sizes, **fields)


KINDS = {
    "a1": WaveNetSpec(arrays=(conv_array(4, (1, 2, 4), head_size=2), conv_array(2, (8, 1), head_bias=True)),
                      head_scale=0.5),
    "gated": WaveNetSpec(arrays=(conv_array(3, (1, 2, 8), head_size=2, gated=True),
                                 conv_array(2, (5, 1), 2, head_bias=True)), head_scale=0.5),
    "a2": WaveNetSpec(arrays=(conv_array(4, (1, 3, 7, 1), (6, 6, 6, 15), activation="leaky_relu", head_kernel_size=16,
                                         head_bias=True),), head_scale=0.125),
    "skip": WaveNetSpec(arrays=(conv_array(5, (3, 40), (2, 1), activation="relu"),), head_scale=1.0, skip=True),
}
