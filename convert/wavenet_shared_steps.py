"""int16 signals of a WaveNet on common steps where sums meet them.

A sum of two signals on the same steps is one instruction on a microcontroller, on any others LiteRT's three rescalings.
So what is added shares the steps of its sum, or has them finer by a power of two. It costs range that 16 bits can
spare: an array's signals, and its totals, get the steps of the largest of them.
"""

import math
from collections.abc import Callable, Iterator, Mapping

from neuralpedal.contract.wavenet import ConvArray, WaveNetSpec
from neuralpedal.contract.wavenet_plan import array_answer, leads_on
from neuralpedal.convert.calibration import Range

_MOST_FINER_BITS = 13
"""That a kernel can shift by."""

_Q15 = 2.0**-15


def shared_steps(spec: WaveNetSpec, ranges: Mapping[str, Range], headroom: float) -> dict[str, float]:
    """Steps by the plan's names, of signals that have some in common with others; ``headroom``: over the ranges."""
    def step(*names: str) -> float:
        return max(headroom * max(ranges[name].peak for name in names), 1e-9) / 2**15

    found: dict[str, float] = {}
    for index, array in enumerate(spec.arrays):
        signals = [f"array{index}/signal", *(
            f"array{index}/layer{layer}/{name}" for layer in range(len(array.dilations))
            if leads_on(spec, index, layer) for name in ("mixed", "signal"))]
        found |= dict.fromkeys(signals, step(*signals))
        totals = list(_totals(index, array))
        if totals and not array.gated:
            shared, finer = _steps_of_totals(index, array, step(*totals), step)
            found |= dict.fromkeys(totals, shared) | finer
    return found


def _totals(index: int, array: ConvArray) -> Iterator[str]:
    """The head that the array before hands over, and every sum with it."""
    if index:
        yield array_answer(index - 1)
    yield from (f"array{index}/layer{layer}/total" for layer in range(0 if index else 1, len(array.dilations)))


def _steps_of_totals(index: int, array: ConvArray, least: float, step: Callable[..., float]
                     ) -> tuple[float, dict[str, float]]:
    """The totals' steps, and those of the sums and activations that are added to them."""
    if array.activation == "tanh":
        # What a table of tanh answers has steps of its own.
        return _Q15 * 2.0 ** max(0, math.ceil(math.log2(least / _Q15))), {}
    layers = [f"array{index}/layer{layer}" for layer in range(len(array.dilations))]
    needed = [step(*(f"{layer}/{name}" for name in ("heard", "mixed_in", "sums"))) for layer in layers]
    shared = max(least, *needed)
    found: dict[str, float] = {}
    for place, (layer, need) in enumerate(zip(layers, needed, strict=True)):
        bits = min(int(math.log2(shared / need)), _MOST_FINER_BITS) if place or index else 0
        found |= {f"{layer}/{name}": shared * 2.0**-bits for name in ("heard", "mixed_in", "sums", "activated")}
    return shared, found
