"""Error budgets of any family; those of WaveNets are made here.

Every signal is known by its name in the graph (contract/wavenet_plan.py), so a term is the float network with some of
them on their grids (convert/wavenet_stretches.py). In ``w8`` nothing is rounded but the weights.
"""

from typing import Any, Protocol

import numpy as np

from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.arithmetic import Grid
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.wavenet_plan import last_answer
from neuralpedal.contract.wavenet_weights import WaveNetWeights
from neuralpedal.contract.weights import Array
from neuralpedal.convert.budget_advice import advice
from neuralpedal.convert.error_budget import FLOAT_NOISE_ESR, TERMS, ErrorBudgets
from neuralpedal.convert.schemes import PreparedScheme
from neuralpedal.convert.source import ConversionSource, Signal
from neuralpedal.convert.wavenet_integers import Formats
from neuralpedal.convert.wavenet_stretches import Through, cut_stretches, play_stretches

SECONDS = 4.0
_SAMPLES_AT_ONCE = 8192

_TERM_OF_PLACE = {
    "dry": "input_code", "answer": "output_code", "signal": "hidden_state", "mixed": "hidden_state",
    "total": "cell_format", **dict.fromkeys(("heard", "mixed_in", "sums", "activated", "gated"), "gate_saturation"),
}
"""By the last part of a signal's name: what layers pass on stands where a recurrent network's hidden state does, what
activations read and give where its gates do, and the sums of the head where its cell does."""


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
        self._float = self._play(weights, {})

    def budget(self, prepared: PreparedScheme, wet: Signal) -> dict[str, Any] | None:
        """As of ErrorBudgets."""
        assert isinstance(prepared.held, WaveNetWeights)
        wanted = self._float_wet[self._stretch]
        if not self._float.any() or not wanted.any():
            return None
        terms = dict.fromkeys(TERMS, 0.0)
        terms["weights"] = esr(self._float, self._play(prepared.held, {}))
        for term in set(_TERM_OF_PLACE.values()) if prepared.formats else ():
            formats = {name: code for name, code in prepared.formats.items() if _term(name, self._weights) == term}
            terms[term] = esr(self._float, self._play(self._weights, formats))
        together = esr(self._float, self._play(prepared.held, prepared.formats))
        measured = esr(wanted, wet[self._stretch])
        return {
            "terms": terms, "sum": sum(terms.values()), "together": together, "measured": measured,
            "gap": (together - measured) / measured if measured > FLOAT_NOISE_ESR else None,
            "advice": advice(prepared.scheme, terms, measured, True, together),
            "seconds": round(len(wanted) / self._weights.spec.sample_rate_hz, 2), "narrow_formats": None,
        }

    def _play(self, weights: WaveNetWeights, formats: Formats) -> Array:
        """The stretch with signals on their grids, led by as much of the take as the network still hears."""
        begin = self._stretch.start + self._taken_from
        lead = min(begin, weights.spec.receptive_field - 1)
        through = _on_grids(weights, formats)
        dry = self._dry[begin - lead : self._stretch.stop + self._taken_from]
        parts = []
        for piece in cut_stretches(weights, dry, _SAMPLES_AT_ONCE, 1):
            wet = play_stretches(weights, piece, through)[0]
            if weights.spec.skip:
                wet = through("answer", wet + through("dry", piece[:, -wet.shape[1] :]))
            parts.append(wet[0])
        return np.concatenate(parts)[: len(dry)][lead:]


def _grid_of(code: AffineCode) -> Grid:
    """Where a format's integers lie, as real numbers."""
    limits = np.iinfo(code.dtype)
    return Grid(code.scale, *(float(limit - code.zero_point) * code.scale for limit in (limits.min, limits.max)))


def _on_grids(weights: WaveNetWeights, formats: Formats) -> Through:
    """For :func:`play_stretches`: every signal on the grid of its format, the last head when it is scaled."""
    last = last_answer(weights.spec)
    grids = {"head" if name == last else name: _grid_of(code) for name, code in formats.items()}

    def through(name: str, signal: Array) -> Array:
        return grids[name].snap(signal).astype(np.float32) if name in grids else signal

    return through


def _term(name: str, weights: WaveNetWeights) -> str | None:
    if name == last_answer(weights.spec):
        return "output_code"
    if name.startswith("array") and name.endswith("/answer"):
        return "cell_format"
    return _TERM_OF_PLACE.get(name.rsplit("/", 1)[-1])
