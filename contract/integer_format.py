"""The number formats of a ``w8a16`` pedal: the few integers that its manifest adds to a ``w8`` graph.

A format with n fraction bits holds real · 2ⁿ. Everything else that integer players need (multipliers, shifts, biases)
follows from these and the graph's constants by exact rules, see :mod:`neuralpedal.contract.integer_network` and
docs/integer-lstm.md. Powers of two throughout: skip and hidden states then need shifts, no multipliers.
"""

from pydantic import BaseModel, ConfigDict, Field

HIDDEN_FRACTION_BITS = 15
"""Of every hidden state: int16, |h| < 1."""

CELL_BITS = 31
"""A cell state saturates at ±2³⁰: one bit below int32, so that an update cannot leave int32 before it saturates."""


class LayerFormat(BaseModel):
    """Formats of one LSTM layer.

    Attributes:
        gate_fraction_bits: of the gates' pre-activations (int32, never saturated: the weights prove that they fit).
        cell_fraction_bits: of the cell state, which saturates at ±2^(30 − bits).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate_fraction_bits: int = Field(ge=9, le=20, strict=True)
    cell_fraction_bits: int = Field(ge=9, le=27, strict=True)


class IntegerFormat(BaseModel):
    """Formats of one network.

    Attributes:
        input_fraction_bits: of the dry int16 signal, which saturates at ±2^(15 − bits) of full scale.
        output_fraction_bits: of the wet int16 signal, likewise.
        output_guard_bits: further fraction bits of the head's sum, rounded away after the skip was added.
        layers: first to last.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_fraction_bits: int = Field(ge=0, le=15, strict=True)
    output_fraction_bits: int = Field(ge=0, le=24, strict=True)
    output_guard_bits: int = Field(ge=0, le=8, strict=True)
    layers: tuple[LayerFormat, ...] = Field(min_length=1, max_length=2)
