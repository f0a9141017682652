"""Error budgets of any family; those of WaveNets are made here.

In the schemes that a WaveNet has nothing is rounded but its weights, so that its budget has one term. It is simulated
all the same, on one stretch, in float64: what the file costs beside it is float32.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.metrics import esr
from neuralpedal.contract.reference_wavenet import ReferenceWaveNet
from neuralpedal.contract.wavenet_weights import WaveNetWeights
from neuralpedal.convert.budget_advice import advice
from neuralpedal.convert.error_budget import FLOAT_NOISE_ESR, TERMS, ErrorBudgets
from neuralpedal.convert.schemes import PreparedScheme
from neuralpedal.convert.source import ConversionSource, Signal

SECONDS = 4.0
_SAMPLES_AT_ONCE = 8192


class Budgets(Protocol):
    """Of one conversion; see ErrorBudgets."""

    def budget(self, prepared: PreparedScheme, wet: Signal) -> dict[str, Any] | None:
        """The budget of a scheme."""


def open_budgets(source: ConversionSource, float_wet: Signal) -> Budgets:
    """The budgets of a source; ``float_wet`` as in ErrorBudgets."""
    if isinstance(source.weights, WaveNetWeights):
        return WaveNetBudgets(source, source.weights, float_wet)
    return ErrorBudgets(source, float_wet)


class WaveNetBudgets:
    """See :class:`Budgets`. The stretch is the take's loudest of ``SECONDS``."""

    def __init__(self, source: ConversionSource, weights: WaveNetWeights, float_wet: Signal) -> None:
        self._weights, self._float_wet = weights, float_wet
        self._dry, self._taken_from = source.take.dry, source.take.warm_up_samples
        length = min(len(float_wet), round(SECONDS * weights.spec.sample_rate_hz))
        energy = np.concatenate([[0.0], np.cumsum(np.square(float_wet, dtype=np.float64))])
        start = int(np.argmax(energy[length:] - energy[: len(energy) - length]))
        self._stretch = slice(start, start + length)
        self._float = self._play(weights)

    def budget(self, prepared: PreparedScheme, wet: Signal) -> dict[str, Any] | None:
        """As of ErrorBudgets; all terms but ``weights`` are 0."""
        assert isinstance(prepared.held, WaveNetWeights)
        wanted = self._float_wet[self._stretch]
        if not self._float.any() or not wanted.any():
            return None
        together = esr(self._float, self._play(prepared.held))
        measured = esr(wanted, wet[self._stretch])
        terms = {**dict.fromkeys(TERMS, 0.0), "weights": together}
        return {
            "terms": terms, "sum": together, "together": together, "measured": measured,
            "gap": (together - measured) / measured if measured > FLOAT_NOISE_ESR else None,
            "advice": advice(prepared.scheme, terms, measured, True, together),
            "seconds": round(len(wanted) / self._weights.spec.sample_rate_hz, 2), "narrow_formats": None,
        }

    def _play(self, weights: WaveNetWeights) -> NDArray[np.float64]:
        """The stretch, led by as much of the take as the network still hears."""
        begin = self._stretch.start + self._taken_from
        lead = min(begin, weights.spec.receptive_field)
        dry = self._dry[begin - lead : self._stretch.stop + self._taken_from]
        network = ReferenceWaveNet(weights)
        parts = [network.process(dry[at : at + _SAMPLES_AT_ONCE]) for at in range(0, len(dry), _SAMPLES_AT_ONCE)]
        return np.concatenate(parts)[lead:]
