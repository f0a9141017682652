"""What a pedal of another size, or on another core, would cost: sums of what a network counts, fitted under emulation.

Everything that a recurrent network's kernel does is done once per sample, once per unit or once per pair of units; so a
polynomial of second order in the hidden size says it within per cents (costs.yaml, gru_costs.yaml). A WaveNet's does it
once per sample, weight, activation or remembered sample (wavenet_costs.yaml). What fits them prints how well. Where the
model itself was measured, that corrects the estimate.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, ClassVar

import yaml

from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.wavenet import WaveNetSpec

FIGURES = ("instructions_per_sample", "flash_bytes", "ram_bytes")


@dataclass(frozen=True)
class Cost:
    """Of one pedal on one core; ``ram_bytes`` with the stack."""

    instructions_per_sample: float
    flash_bytes: float
    ram_bytes: float


@dataclass(frozen=True)
class RecurrentSize:
    """Of a recurrent network: its costs are of 1, H and H², one file per cell, one table per number of layers."""

    num_layers: int
    hidden_size: int
    cell: str = "lstm"

    @property
    def file(self) -> str:
        """With the costs."""
        return "costs.yaml" if self.cell == "lstm" else f"{self.cell}_costs.yaml"

    @property
    def command(self) -> str:
        """Fits them."""
        return f"python benchmarks/firmware.py --family {self.cell} --costs"

    @property
    def row(self) -> int:
        """Of the table."""
        return self.num_layers

    @property
    def label(self) -> str:
        """For messages."""
        return f"{self.num_layers} layers"

    def counts(self) -> tuple[float, ...]:
        """What the coefficients multiply."""
        return 1.0, float(self.hidden_size), float(self.hidden_size) ** 2


@dataclass(frozen=True)
class WaveNetSize:
    """Of a WaveNet: its weights, each of which is used once per sample; activations per sample; samples of all channels
    that its convolutions look back."""

    num_weights: int
    activations: int
    remembered: int

    file: ClassVar[str] = "wavenet_costs.yaml"
    command: ClassVar[str] = "python benchmarks/wavenet_firmware.py --costs"
    row: ClassVar[str] = "wavenet"
    label: ClassVar[str] = "a WaveNet"

    def counts(self) -> tuple[float, ...]:
        """What the coefficients multiply."""
        return 1.0, float(self.num_weights), float(self.activations), float(self.remembered)


NetworkSize = RecurrentSize | WaveNetSize


def size_of(network: NetworkSpec | WaveNetSpec) -> NetworkSize:
    """By what the costs of a network go."""
    if isinstance(network, WaveNetSpec):
        return WaveNetSize(network.num_parameters, sum(conv.sums * len(conv.dilations) for conv in network.arrays),
                           sum(conv.channels * sum(conv.all_spans) for conv in network.arrays))
    return RecurrentSize(network.num_layers, network.hidden_size, network.kind.cell)


@dataclass(frozen=True)
class CostModel:
    """Coefficients of a size's counts for each of a Cost's figures."""

    instructions_per_sample: tuple[float, ...]
    flash_bytes: tuple[float, ...]
    ram_bytes: tuple[float, ...]

    def cost(self, size: NetworkSize) -> Cost:
        """The cost of a network of such a size."""
        return Cost(*(sum(value * count for value, count in zip(coefficients, size.counts(), strict=True))
                      for coefficients in (self.instructions_per_sample, self.flash_bytes, self.ram_bytes)))


def arithmetic_of(scheme: str, kernels: str | None) -> str:
    """Under which name the costs of a scheme stand, when played as the interpreter ``kernels`` does."""
    if scheme == "w8":
        return "float32"
    return f"{scheme}/{kernels}" if scheme == "w8a8" and kernels == "tflm" else scheme


def cost_model(target: str, arithmetic: str, size: NetworkSize) -> CostModel:
    """The fitted costs of a target. Raises SpecError when there are none for such a network."""
    try:
        row = _costs(size.file)[target][arithmetic][size.row]
        return CostModel(*(tuple(float(value) for value in row[name]) for name in FIGURES))
    except (KeyError, TypeError) as error:
        raise SpecError(f"{size.file} has no costs of {arithmetic} with {size.label} on {target}; {size.command} fits "
                        "them") from error


@cache
def _costs(file: str) -> dict[str, Any]:
    content = yaml.safe_load(resources.files("neuralpedal.firmware_bridge").joinpath(file).read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content
