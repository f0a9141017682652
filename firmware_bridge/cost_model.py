"""What a pedal of another hidden size, or on another core, would cost: costs.yaml, fitted to counts under emulation.

Everything that a kernel does is done once per sample, once per unit or once per pair of units; so a polynomial of
second order in the hidden size says it within per cents (``benchmarks/firmware.py --costs`` fits them and prints how
well). Where the model itself was measured, that corrects the polynomials.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from neuralpedal.contract.errors import SpecError

COSTS_FILE = "costs.yaml"


@dataclass(frozen=True)
class Cost:
    """Of one pedal on one core; ``ram_bytes`` with the stack."""

    instructions_per_sample: float
    flash_bytes: float
    ram_bytes: float


@dataclass(frozen=True)
class CostModel:
    """Coefficients of 1, H and H² for each of a Cost's figures."""

    instructions_per_sample: tuple[float, ...]
    flash_bytes: tuple[float, ...]
    ram_bytes: tuple[float, ...]

    def cost(self, hidden_size: int) -> Cost:
        """The cost of H units per layer."""
        return Cost(*(_polynomial(coefficients, hidden_size) for coefficients in
                      (self.instructions_per_sample, self.flash_bytes, self.ram_bytes)))


def arithmetic_of(scheme: str, kernels: str | None) -> str:
    """Under which name the costs of a scheme stand, when played as the interpreter ``kernels`` does."""
    if scheme == "w8":
        return "float32"
    return f"{scheme}/{kernels}" if scheme == "w8a8" and kernels == "tflm" else scheme


def cost_model(target: str, arithmetic: str, num_layers: int) -> CostModel:
    """The fitted costs of a target. Raises SpecError when there are none for such a network."""
    try:
        row = _costs()[target][arithmetic][num_layers]
        return CostModel(*(tuple(float(value) for value in row[name]) for name in
                           ("instructions_per_sample", "flash_bytes", "ram_bytes")))
    except (KeyError, TypeError) as error:
        raise SpecError(f"{COSTS_FILE} has no costs of {arithmetic} with {num_layers} layers on {target}; "
                        "python benchmarks/firmware.py --costs fits them") from error


@cache
def _costs() -> dict[str, Any]:
    text = resources.files("neuralpedal.firmware_bridge").joinpath(COSTS_FILE).read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    assert isinstance(content, dict)
    return content


def _polynomial(coefficients: tuple[float, ...], hidden_size: int) -> float:
    return sum(value * float(hidden_size) ** power for power, value in enumerate(coefficients))
