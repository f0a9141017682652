"""Where a quantized file's error comes from: the ESR against float of each place that rounds, alone and all together.

Simulated (simulation.py), because a file cannot round in one place only. So every budget says how far the simulation of
all places is from the file itself, measured on the same samples.
"""

from dataclasses import asdict, replace
from typing import Any

from neuralpedal.contract.arithmetic import Arithmetic, LayerArithmetic
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.convert.budget_advice import advice
from neuralpedal.convert.narrow_formats import NARROW_SCHEMES, measure_narrow_formats, remark
from neuralpedal.convert.schemes import PreparedScheme
from neuralpedal.convert.simulation import Float, answer, choose_excerpt, head_signal
from neuralpedal.convert.source import ConversionSource, Signal

TERMS = ("weights", "input_code", "hidden_state", "gate_saturation", "cell_format", "output_code")
"""weights: int8, biases included; input_code: the dry signal, on its way to the skip too; gate_saturation: rounding of
the gates' pre-activations as well, and of sigmoid and tanh; output_code: head and output."""

FLOAT_NOISE_ESR = 1e-11
"""What two orders of float32 sums cost, which no simulation in float64 can know."""


class ErrorBudgets:
    """Budgets of one conversion, which share what their schemes have in common.

    Args:
        float_wet: (T,), the float model's output over the measured part of the take.
    """

    def __init__(self, source: ConversionSource, float_wet: Signal) -> None:
        self._weights, self._float_wet = source.recurrent, float_wet
        self._excerpt = choose_excerpt(source.take.dry, source.take.warm_up_samples, self._weights)
        self._heads: dict[tuple[str, Arithmetic], Float] = {}

    def budget(self, prepared: PreparedScheme, wet: Signal) -> dict[str, Any] | None:
        """The budget of a scheme whose file gave ``wet`` (T,); None where the excerpt is silent.

        Keys: ``terms`` (ESR by name of ``TERMS``), ``sum`` of them, ``together``, ``measured`` on the same samples,
        ``gap`` = (together − measured) / measured (None where nothing but float noise was measured), ``advice``,
        ``seconds`` of audio, ``narrow_formats`` (None for schemes that choose their formats): shares as in
        narrow_formats.py, and ``remark``.
        """
        places = self._excerpt.places.ravel()
        if not self._float().any() or not self._float_wet[places].any():
            return None
        terms = {term: self._term(prepared, term) for term in TERMS}
        together = self._cost(_recurrent(prepared), prepared.arithmetic)
        measured = esr(self._float_wet[places], wet[places])
        rate_hz = self._weights.spec.sample_rate_hz
        return {
            "terms": terms, "sum": sum(terms.values()), "together": together, "measured": measured,
            "gap": (together - measured) / measured if measured > FLOAT_NOISE_ESR else None,
            "advice": advice(prepared.scheme, terms, measured, self._weights.spec.kind.has_frame, together),
            "seconds": round(len(places) / rate_hz, 2), "narrow_formats": self._narrow_formats(prepared, terms),
        }

    def _narrow_formats(self, prepared: PreparedScheme, terms: dict[str, float]) -> dict[str, Any] | None:
        if prepared.scheme not in NARROW_SCHEMES:
            return None
        found = measure_narrow_formats(self._weights, prepared.arithmetic, self._excerpt)
        return {**asdict(found), "remark": remark(prepared.scheme, found, terms, self._weights.spec.kind.has_frame)}

    def _term(self, prepared: PreparedScheme, term: str) -> float:
        if term == "weights":
            return self._cost(_recurrent(prepared), nothing_of(self._weights))
        return self._cost(self._weights, only(prepared.arithmetic, term))

    def _cost(self, weights: NetworkWeights, arithmetic: Arithmetic) -> float:
        return esr(self._float().ravel(), self._play(weights, arithmetic).ravel())

    def _float(self) -> Float:
        return self._play(self._weights, nothing_of(self._weights))

    def _play(self, weights: NetworkWeights, arithmetic: Arithmetic) -> Float:
        # Grids behind the head need no second run of the layers.
        inner = replace(arithmetic, weight_scales="free", head=None, dry=None, output=None)
        key = weights.digest(), inner
        if key not in self._heads:
            self._heads[key] = head_signal(weights, inner, self._excerpt)
        return answer(self._heads[key], arithmetic, self._excerpt, weights.spec.skip)


def _recurrent(prepared: PreparedScheme) -> NetworkWeights:
    assert isinstance(prepared.held, NetworkWeights)
    return prepared.held


def nothing_of(weights: NetworkWeights) -> Arithmetic:
    """Float arithmetic on given weights."""
    return Arithmetic("free", (LayerArithmetic(),) * weights.spec.num_layers)


def only(arithmetic: Arithmetic, term: str) -> Arithmetic:
    """The grids of one term (but ``weights``, which are no grid), everything else in float."""
    inner = {"hidden_state": ("hidden",), "gate_saturation": ("gates", "activations", "in_shares"),
             "cell_format": ("cell", "in_shares")}.get(term, ())
    layers = tuple(LayerArithmetic(**{place: getattr(layer, place) for place in inner}) for layer in arithmetic.layers)
    places = {"input_code": ("input", "dry"), "output_code": ("head", "output")}.get(term, ())
    return Arithmetic("free", layers, **{name: getattr(arithmetic, name) for name in places})

