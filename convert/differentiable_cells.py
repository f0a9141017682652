"""Recurrent layers over many lanes in float32, with their derivatives: what ``sensitivity.py`` is made of.

A layer is played over a stretch at once, (T, lanes, ·), and afterwards goes backward through it: from the slope by its
hidden states to the slopes by what its gates are made of, the input's share and the state's share.
Source of the equations: contract/reference_cells.py.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from neuralpedal.contract.weights import Array, RecurrentWeights

State = tuple[Array, ...]
"""Of a layer: arrays (lanes, H), the hidden state first."""


@dataclass(frozen=True)
class Tape:
    """What the backward pass needs of one layer, time first: (T, lanes, ·), and with the state before, (T + 1, ·).

    Attributes:
        signal: what it heard. hidden: (T + 1, lanes, H). gates: after sigmoid and tanh.
        kept: what the cell needs besides.
    """

    signal: Array
    hidden: Array
    gates: Array
    kept: tuple[Array, ...] = ()


class DifferentiableCell(ABC):
    """A kind of layer. Its methods hold no state."""

    @abstractmethod
    def play(self, layer: RecurrentWeights, signal: Array, state: State,
             taped: bool) -> tuple[Array, State, Tape | None]:
        """Hidden states (T, lanes, H) of a signal (T, lanes, inputs), the state afterwards, a tape if ``taped``."""

    @abstractmethod
    def pull(self, layer: RecurrentWeights, tape: Tape, toward: Array) -> tuple[Array, Array]:
        """From ∂/∂hidden (T, lanes, H) by what is above to ∂/∂(shares of the gates before sigmoid and tanh), (T, lanes,
        G·H) each: the input's share, the state's share. One array for both where they are the same."""


class _Lstm(DifferentiableCell):
    def play(self, layer: RecurrentWeights, signal: Array, state: State,
             taped: bool) -> tuple[Array, State, Tape | None]:
        h, steps, lanes = layer.hidden_size, signal.shape[0], signal.shape[1]
        hidden, cell = state
        scale = np.full(4 * h, 0.5, np.float32)
        scale[2 * h : 3 * h] = 1.0
        driven = (signal @ layer.kernel + layer.bias).astype(np.float32)
        hiddens = np.empty((steps + 1, lanes, h), np.float32)
        cells = np.empty((steps + 1 if taped else 1, lanes, h), np.float32)
        squashed = np.empty((steps if taped else 1, lanes, h), np.float32)
        hiddens[0], cells[0] = hidden, cell
        for t in range(steps):
            gates = np.tanh((driven[t] + hiddens[t] @ layer.recurrent_kernel) * scale) * scale + (1 - scale)
            driven[t] = gates  # in place: the input's part has been used
            cell = gates[:, h : 2 * h] * cell + gates[:, :h] * gates[:, 2 * h : 3 * h]
            bounded = np.tanh(cell)
            hiddens[t + 1] = gates[:, 3 * h :] * bounded
            if taped:
                cells[t + 1], squashed[t] = cell, bounded
        tape = Tape(signal, hiddens, driven, (cells, squashed)) if taped else None
        return hiddens[1:], (hiddens[-1], cell), tape

    def pull(self, layer: RecurrentWeights, tape: Tape, toward: Array) -> tuple[Array, Array]:
        h, back = layer.hidden_size, np.ascontiguousarray(layer.recurrent_kernel.T)
        cells, squashed = tape.kept
        slopes = np.empty_like(tape.gates)
        from_hidden, from_cell = np.zeros_like(toward[0]), np.zeros_like(toward[0])
        for t in range(len(toward) - 1, -1, -1):
            gates, bounded = tape.gates[t], squashed[t]
            i, f, g, o = (gates[:, k * h : (k + 1) * h] for k in range(4))
            hidden = toward[t] + from_hidden
            cell = hidden * o * (1 - bounded * bounded) + from_cell
            slopes[t, :, :h] = cell * g * i * (1 - i)
            slopes[t, :, h : 2 * h] = cell * cells[t] * f * (1 - f)
            slopes[t, :, 2 * h : 3 * h] = cell * i * (1 - g * g)
            slopes[t, :, 3 * h :] = hidden * bounded * o * (1 - o)
            from_hidden, from_cell = slopes[t] @ back, cell * f
        return slopes, slopes


class _Gru(DifferentiableCell):
    def play(self, layer: RecurrentWeights, signal: Array, state: State,
             taped: bool) -> tuple[Array, State, Tape | None]:
        h, steps, lanes = layer.hidden_size, signal.shape[0], signal.shape[1]
        input_bias, state_bias = layer.bias
        driven = (signal @ layer.kernel + input_bias).astype(np.float32)
        hiddens = np.empty((steps + 1, lanes, h), np.float32)
        recalled = np.empty((steps if taped else 1, lanes, h), np.float32)
        hiddens[0] = state[0]
        for t in range(steps):
            from_state = hiddens[t] @ layer.recurrent_kernel + state_bias
            gates = driven[t]  # in place: the input's part has been used
            gates[:, : 2 * h] = 0.5 * np.tanh(0.5 * (gates[:, : 2 * h] + from_state[:, : 2 * h])) + 0.5
            update, reset = gates[:, :h], gates[:, h : 2 * h]
            gates[:, 2 * h :] = np.tanh(gates[:, 2 * h :] + reset * from_state[:, 2 * h :])
            hiddens[t + 1] = gates[:, 2 * h :] + update * (hiddens[t] - gates[:, 2 * h :])
            if taped:
                recalled[t] = from_state[:, 2 * h :]
        return hiddens[1:], (hiddens[-1],), Tape(signal, hiddens, driven, (recalled,)) if taped else None

    def pull(self, layer: RecurrentWeights, tape: Tape, toward: Array) -> tuple[Array, Array]:
        h, back = layer.hidden_size, np.ascontiguousarray(layer.recurrent_kernel.T)
        (recalled,) = tape.kept
        slopes, state_slopes = np.empty_like(tape.gates), np.empty_like(tape.gates)
        from_hidden = np.zeros_like(toward[0])
        for t in range(len(toward) - 1, -1, -1):
            z, r, n = (tape.gates[t, :, k * h : (k + 1) * h] for k in range(3))
            hidden = toward[t] + from_hidden
            candidate = hidden * (1 - z) * (1 - n * n)
            slopes[t, :, :h] = hidden * (tape.hidden[t] - n) * z * (1 - z)
            slopes[t, :, h : 2 * h] = candidate * recalled[t] * r * (1 - r)
            slopes[t, :, 2 * h :] = candidate
            state_slopes[t] = slopes[t]
            state_slopes[t, :, 2 * h :] *= r
            from_hidden = state_slopes[t] @ back + hidden * z
        return slopes, state_slopes


class _Rnn(DifferentiableCell):
    def play(self, layer: RecurrentWeights, signal: Array, state: State,
             taped: bool) -> tuple[Array, State, Tape | None]:
        driven = (signal @ layer.kernel + layer.bias).astype(np.float32)
        hiddens = np.empty((len(signal) + 1, *state[0].shape), np.float32)
        hiddens[0] = state[0]
        for t in range(len(signal)):
            hiddens[t + 1] = np.tanh(driven[t] + hiddens[t] @ layer.recurrent_kernel)
        return hiddens[1:], (hiddens[-1],), Tape(signal, hiddens, hiddens[1:]) if taped else None

    def pull(self, layer: RecurrentWeights, tape: Tape, toward: Array) -> tuple[Array, Array]:
        back, slopes = np.ascontiguousarray(layer.recurrent_kernel.T), np.empty_like(tape.gates)
        from_hidden = np.zeros_like(toward[0])
        for t in range(len(toward) - 1, -1, -1):
            slopes[t] = (toward[t] + from_hidden) * (1 - tape.gates[t] * tape.gates[t])
            from_hidden = slopes[t] @ back
        return slopes, slopes


CELLS: dict[str, DifferentiableCell] = {"lstm": _Lstm(), "gru": _Gru(), "rnn": _Rnn()}
"""By cell."""
