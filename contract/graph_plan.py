"""A graph of simple operators as data: what ``convert`` writes, and what a reader holds a file against.

For families that no fused operator plays: see :mod:`neuralpedal.contract.loop_plan` and
:mod:`neuralpedal.contract.wavenet_plan`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.dense import DenseLayer

FREE = -1
"""In a shape: the samples of a block."""

BEND_OPERATORS = {"tanh": "TANH", "sigmoid": "LOGISTIC", "relu": "RELU", "elu": "ELU"}
"""Of the activations of dense layers (contract/dense.py)."""


def dense_name(place: str, index: int, array: str) -> str:
    """Of the tensor that holds ``kernel`` or ``bias`` of a dense layer in ``front`` or ``head``."""
    return f"{place}{index}/{array}"


@dataclass(frozen=True)
class Step:
    """One operator; tensors by name; ``options`` are numbers, but for names of variables."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: dict[str, float | str]


@dataclass
class GraphPlan:
    """One graph.

    Attributes:
        signal: the type of every tensor of which nothing else is said.
        shapes: of every tensor that is neither constant nor weight; dtypes: where it is not ``signal``.
        longer: samples that an axis marked ``FREE`` has beyond those of a block.
        constants: small numbers that the graph needs, the same for all networks of a size.
        weights: names of the tensors that hold the network's own arrays, and their shapes.
        variables: names of those that keep their values from block to block.
        steps: in the order in which they run.
    """

    signal: Any = np.float32
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    longer: dict[str, int] = field(default_factory=dict)
    dtypes: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    weights: dict[str, tuple[int, ...]] = field(default_factory=dict)
    variables: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def tensor(self, name: str, shape: tuple[int, ...], dtype: Any = None) -> str:
        """Declare what an operator fills; returns its name, as all of these do."""
        self.shapes[name] = shape
        if dtype not in (None, self.signal):
            self.dtypes[name] = dtype
        return name

    def variable(self, name: str, shape: tuple[int, ...]) -> str:
        """Declare a state."""
        self.variables.append(name)
        return self.tensor(name, shape)

    def constant(self, name: str, values: Any, dtype: Any = np.int32) -> str:
        """Declare numbers that never change."""
        self.constants[name] = np.array(values, dtype)
        return name

    def weight(self, name: str, shape: tuple[int, ...]) -> str:
        """Declare an array of the network."""
        self.weights[name] = shape
        return name

    def dtype(self, name: str) -> Any:
        """The type of a tensor that an operator fills."""
        return self.dtypes.get(name, self.signal)

    def step(self, operator: str, inputs: tuple[str, ...], *outputs: str, **options: float | str) -> str:
        """Append an operator; returns its first output, where it has one."""
        self.steps.append(Step(operator, inputs, outputs, options))
        return outputs[0] if outputs else ""

    def dense(self, name: str, signal: str, kernel: str, bias: str, outputs: int) -> str:
        """FULLY_CONNECTED on the last axis."""
        shape = (*self.shapes[signal][:-1], outputs)
        return self.step("FULLY_CONNECTED", (signal, kernel, bias), self.tensor(name, shape),
                         fused_activation_function=0, weights_format=0, keep_num_dims=1, asymmetric_quantize_inputs=0)

    def bends(self, place: str, layers: Sequence[DenseLayer], signal: str) -> str:
        """The dense layers of a place, one after the other."""
        for index, layer in enumerate(layers):
            kernel = self.weight(dense_name(place, index, "kernel"), (layer.units, self.shapes[signal][-1]))
            bias = self.weight(dense_name(place, index, "bias"), (layer.units,))
            total = self.dense(dense_name(place, index, "sum"), signal, kernel, bias, layer.units)
            signal = self.elementwise(BEND_OPERATORS[layer.activation], dense_name(place, index, "bent"), total)
        return signal

    def elementwise(self, operator: str, name: str, *inputs: str) -> str:
        """ADD, SUB, MUL or a function of tensors as long as the first."""
        options: dict[str, float | str] = {"fused_activation_function": 0} if operator in ("ADD", "SUB", "MUL") else {}
        if operator == "ADD" and self.signal is not np.float32:
            options["pot_scale_int16"] = 0
        return self.step(operator, inputs, self.tensor(name, self.shapes[inputs[0]]), **options)

    def split(self, prefix: str, signal: str, names: tuple[str, ...], sizes: tuple[int, ...]) -> tuple[str, ...]:
        """SPLIT_V of [1, 1, ·]; the names of the parts."""
        parts = tuple(self.tensor(f"{prefix}/{name}", (1, 1, size)) for name, size in zip(names, sizes, strict=True))
        self.step("SPLIT_V", (signal, self.constant(f"{parts[0]}/sizes", sizes), self.constant(f"{parts[0]}/axis", 2)),
                  *parts, num_splits=len(parts))
        return parts
