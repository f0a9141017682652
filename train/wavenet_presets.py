"""Sizes of WaveNets that guitarists know by name.

Source: github.com/sdatkinson/neural-amp-modeler (nam/train/core.py) for A1's four; NeuralAmpModelerCore's
example A2.nam for the two sizes of A2.
"""

from typing import Any

from neuralpedal.contract.wavenet import ConvArray, WaveNetSpec, make_wavenet

_FIRST, _SECOND = (1, 2, 4, 8, 16, 32, 64), (128, 256, 512, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_DOUBLING = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_A2_CYCLE = (1, 3, 7, 17, 41, 101, 239)

A1_CHANNELS = {"nano": (4, 2), "feather": (8, 4), "lite": (12, 6), "standard": (16, 8)}
"""Channels of the two arrays."""

A2_CHANNELS = {"a2-lite": 3, "a2-full": 8}

PRESETS = (*A1_CHANNELS, *A2_CHANNELS)
"""Names, smallest first in each generation."""


def preset_spec(name: str, sample_rate_hz: int, skip: bool = False) -> WaveNetSpec:
    """The network of a name of ``PRESETS``. Raises SpecError for a sample rate out of range."""
    fields: dict[str, Any] = {"sample_rate_hz": sample_rate_hz, "skip": skip}
    if name in A2_CHANNELS:
        return make_wavenet(arrays=(_a2_array(A2_CHANNELS[name]),), head_scale=0.01, **fields)
    first, second = A1_CHANNELS[name]
    shorter, longer = (_DOUBLING, _DOUBLING) if name == "standard" else (_FIRST, _SECOND)
    arrays = (_a1_array(first, shorter, head_size=second), _a1_array(second, longer, head_size=1, head_bias=True))
    return make_wavenet(arrays=arrays, head_scale=0.02, **fields)


def _a1_array(channels: int, dilations: tuple[int, ...], **head: Any) -> ConvArray:
    return ConvArray(channels=channels, dilations=dilations, kernel_sizes=(3,) * len(dilations), **head)


def _a2_array(channels: int) -> ConvArray:
    return ConvArray(channels=channels, dilations=(*_A2_CYCLE, *_A2_CYCLE, 1, 13, *_A2_CYCLE),
                     kernel_sizes=(*(6,) * 14, 15, 15, *(6,) * 7), activation="leaky_relu", head_size=1,
                     head_kernel_size=16, head_bias=True)
