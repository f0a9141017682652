"""Which of the written schemes suits a target, within a budget of ESR against the float model.

The rules are the table below: for each target the schemes that it can play, best first. The first one within the budget
is named. Real-time factors of the machine that converts do not count, because it is not the target.
"""

from collections.abc import Mapping
from typing import Any

from neuralpedal.contract.any_network import make_network
from neuralpedal.convert.schemes import schemes_for

DEFAULT_BUDGET = 1e-3
"""ESR against the float model, 30 dB under the signal."""

RULES: dict[str, dict[str, str]] = {
    "pi": {
        "w8": "float arithmetic, in which LiteRT is fastest; int8 weights",
        "float32": "float arithmetic, in which LiteRT is fastest; float weights",
        "w8a16": "integers of 16 bits; LiteRT plays such a file in float, the reference engine in its integers",
        "w8a8": "integers of 8 bits, which LiteRT plays slower than float (measured on x86-64)",
    },
    "mcu-fpu": {
        "w8": "int8 weights in flash, float arithmetic in the FPU",
        "w8a16": "int8 weights in flash, integer arithmetic",
        "float32": "float arithmetic in the FPU; its weights take four times the flash of int8",
        "tflm16x8": "16-bit signals and cells in tflite-micro's formats, for firmware that runs it",
        "w8a8": "integers of 8 bits, in tflite-micro's formats",
    },
    "mcu-integer": {
        "w8a8": "integers of 8 bits: the smallest states, and tflite-micro plays it",
        "w8a16": "integers of 16 bits with cells of 32; of docs/integer-lstm.md, which tflite-micro does not play",
        "tflm16x8": "16-bit signals and cells in tflite-micro's formats, for firmware that runs it",
    },
}
"""Targets: a Raspberry Pi, a microcontroller with a floating-point unit, one without. What is not listed is too
slow: float arithmetic without such a unit."""

TARGETS = tuple(RULES)


def recommend(report: Mapping[str, Any], target: str, budget: float = DEFAULT_BUDGET) -> dict[str, Any]:
    """The best scheme of report.json for a target (of ``TARGETS``): ``target``, ``budget``, ``scheme`` (None where none
    is within the budget) and ``reason``."""
    spec = make_network(**report.get("network", {}))
    rules = {scheme: reason for scheme, reason in RULES[target].items() if scheme in schemes_for(spec)}
    if not rules:
        return {"target": target, "budget": budget, "scheme": None,
                "reason": f"{target} plays {' and '.join(RULES[target])}, and a {spec.label} has "
                          f"{' and '.join(schemes_for(spec))} alone; train an LSTM"}
    costs = {scheme: report["schemes"][scheme]["esr_float"] for scheme in rules if scheme in report["schemes"]}
    within = [scheme for scheme, cost in costs.items() if cost <= budget]
    if not within:
        return {"target": target, "budget": budget, "scheme": None, "reason": _nothing(rules, costs, target, budget)}
    scheme = within[0]
    order = list(costs)
    dearer = [f"{name}, which comes first, has {costs[name]:.2g}" for name in order[: order.index(scheme)]]
    reason = "; ".join([f"ESR {costs[scheme]:.2g} against the float model, within {budget:g}", rules[scheme], *dearer])
    return {"target": target, "budget": budget, "scheme": scheme, "reason": reason}


def _nothing(rules: Mapping[str, str], costs: Mapping[str, float], target: str, budget: float) -> str:
    unwritten = [scheme for scheme in rules if scheme not in costs]
    if not costs:
        return f"{target} plays {' and '.join(rules)}, and none was written; convert with --schemes {','.join(rules)}"
    nearest = min(costs, key=lambda scheme: costs[scheme])
    more = f", try --schemes {','.join(unwritten)}" if unwritten else ""
    return (f"none is within {budget:g}; the nearest is {nearest} with ESR {costs[nearest]:.2g}: its error_budget says "
            f"where that comes from{more}, or allow more with --budget")
