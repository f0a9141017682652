"""How a recurrent layer's weights and states lie in Keras, and how in the C code.

What differs between cells is what the spec's families already say: gates, rows of the bias, arrays of the state.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.spec import FAMILIES

Array = NDArray[np.float32]


@dataclass(frozen=True)
class LayerLayout:
    """One cell and layer size.

    Attributes:
        cell: lstm, gru or rnn. inputs: C. hidden_size: H.
        gates: G. bias_rows: rows of Keras's bias. state_arrays: arrays (B, H) that go on from step to step.
    """

    cell: str
    inputs: int
    hidden_size: int
    gates: int
    bias_rows: int
    state_arrays: int

    @property
    def sums(self) -> int:
        """Weighted sums per unit in the C code: the last gate has one for each row of the bias."""
        return self.gates + self.bias_rows - 1

    def shapes(self, has_head: bool, batch: int | None = None,
               steps: int | None = None) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Names and shapes of what the kernel is called with; None is any size."""
        h, columns = self.hidden_size, self.gates * self.hidden_size
        yield "x", (batch, steps, self.inputs)
        for index in range(self.state_arrays):
            yield f"state {index}", (batch, h)
        yield "kernel", (self.inputs, columns)
        yield "recurrent kernel", (h, columns)
        yield "bias", (columns,) if self.bias_rows == 1 else (self.bias_rows, columns)
        if has_head:
            yield "head", (h, 1)

    def check(self, arguments: Sequence[Any]) -> bool:
        """Whether ``arguments``, arrays or tensors, end with a head.

        Raises:
            ValueError: one is missing, is too much or has another shape; the C code would read beyond its end.
        """
        least = self.state_arrays + 4
        label = f"{self.cell} kernel of {self.inputs} inputs, {self.hidden_size} units"
        if len(arguments) - least not in (0, 1):
            names = ", ".join(name for name, _ in self.shapes(False))
            raise ValueError(f"{label}: {len(arguments)} arguments, wanted {least} ({names}) or one more, a head")
        has_head = len(arguments) > least
        shapes = self.shapes(has_head, *tuple(arguments[0].shape)[:2])
        for (name, wanted), argument in zip(shapes, arguments, strict=True):
            found = tuple(argument.shape)
            if len(found) != len(wanted) or any(
                None not in (have, want) and have != want for have, want in zip(found, wanted, strict=True)
            ):
                raise ValueError(f"{label}: {name} has shape {found}, wanted {wanted}")
        return has_head

    def interleaved(self, kernel: Array, recurrent: Array) -> Array:
        """(C, G·H) over (H, G·H), gates side by side, to (C + H, H, G), gates of one unit together."""
        matrix = np.concatenate([kernel, recurrent]).reshape(self.inputs + self.hidden_size, self.gates, -1)
        return np.ascontiguousarray(matrix.transpose(0, 2, 1), np.float32)

    def gradients_of_matrices(self, d_weights: Array) -> tuple[Array, Array]:
        """The reverse of :meth:`interleaved`."""
        matrix = d_weights.transpose(0, 2, 1).reshape(self.inputs + self.hidden_size, -1)
        return np.ascontiguousarray(matrix[: self.inputs]), np.ascontiguousarray(matrix[self.inputs :])

    def bias_of_sums(self, bias: Array) -> Array:
        """(G·H,) or (2, G·H) to (H, sums): rows are added where one sum serves both."""
        rows = bias.reshape(self.bias_rows, self.gates, -1)
        shared, own = rows[:, :-1].sum(axis=0), rows[:, -1]
        return np.ascontiguousarray(np.concatenate([shared, own]).T, np.float32)

    def gradient_of_bias(self, d_sums: Array) -> Array:
        """From (H, sums) to the shape of Keras's bias."""
        by_sum = d_sums.T
        rows = [np.concatenate([by_sum[: self.gates - 1].reshape(-1), own]) for own in by_sum[self.gates - 1 :]]
        return np.ascontiguousarray(rows[0] if self.bias_rows == 1 else np.stack(rows))


def layer_layout(cell: str, inputs: int, hidden_size: int) -> LayerLayout:
    """The layout of a cell that the spec knows. Raises KeyError for another."""
    family = next(family for family in FAMILIES.values() if family.cell == cell)
    return LayerLayout(cell, inputs, hidden_size, len(family.gates), family.bias_rows, len(family.state))
