"""What a network is, in as few words as every stage needs.

A stage asks the spec for sizes and shapes and never "is it an LSTM?": a new family is a row in ``FAMILIES`` here, a
builder in train/, an emitter in convert/, a reference in contract/ and a kernel in firmware_bridge/.
"""

import itertools
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from neuralpedal.contract.dense import MOST_LAYERS, DenseLayer
from neuralpedal.contract.errors import SpecError


@dataclass(frozen=True)
class Family:
    """What all networks of one family share.

    Attributes:
        cell: what a recurrent layer is made of.
        gates: names in column order of the matrices (Keras's).
        bias_rows: 2 where input and state have a bias each, 1 where they share one.
        state: names of the arrays (H,) that a layer remembers, the hidden state first.
        has_frame: every output sample is the answer to the last ``frame_samples`` inputs, from zero state; the others
            stream, their state carried on from sample to sample.
        graph: how a TFLite file plays a layer: ``fused``, by one operator for the whole sequence (contract/
            signal_chain.py), or, where there is none, in a ``loop`` of simple ones (contract/loop_plan.py). (WaveNets,
            which are no recurrent family, have ``convolutions``: contract/wavenet_plan.py.)
    """

    cell: str
    gates: tuple[str, ...]
    bias_rows: int = 1
    has_frame: bool = False
    graph: str = "loop"
    state: tuple[str, ...] = ("h",)

    def bias_shape(self, hidden_size: int) -> tuple[int, ...]:
        """Of a layer's bias in Keras's layout: (gates·H,), or so many rows of that."""
        width = len(self.gates) * hidden_size
        return (width,) if self.bias_rows == 1 else (self.bias_rows, width)


FAMILIES = {
    "lstm": Family("lstm", ("input", "forget", "cell", "output"), graph="fused", state=("h", "c")),
    # Keras's default, and PyTorch's: the reset gate acts after the matrix product (reset_after), so biases are two.
    "gru": Family("gru", ("update", "reset", "candidate"), bias_rows=2),
    "rnn": Family("rnn", ("candidate",)),
    "frame_lstm": Family("lstm", ("input", "forget", "cell", "output"), has_frame=True, graph="fused",
                         state=("h", "c")),
}
"""Families by name."""


class NetworkSpec(BaseModel):
    """One network: mono in, mono out, one output sample per input sample.

    Attributes:
        family: a name of ``FAMILIES``.
        hidden_size: units per recurrent layer, H.
        num_layers: recurrent layers, the second fed by the first.
        skip: the input is added to the output, so that the network learns only what the pedal changes.
        sample_rate_hz: the rate it was trained at; it is wrong at any other.
        frame_samples: samples that one output sample is made from, for families with a frame; None for all others.
        front: dense layers that bend, from the input to the first recurrent layer. head: from the last one to the
            output's sum. Both empty in networks of our own, and for families with a frame.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str = "lstm"
    hidden_size: int = Field(16, ge=1, le=1024)
    num_layers: int = Field(1, ge=1, le=2)
    skip: bool = True
    sample_rate_hz: int = Field(48000, ge=8000, le=384000)
    frame_samples: int | None = Field(None, ge=2, le=4096)
    front: tuple[DenseLayer, ...] = Field(default=(), max_length=MOST_LAYERS)
    head: tuple[DenseLayer, ...] = Field(default=(), max_length=MOST_LAYERS)

    @field_validator("family")
    @classmethod
    def _known_family(cls, family: str) -> str:
        if family not in FAMILIES:
            raise ValueError(f"{family!r} is not one of {', '.join(FAMILIES)}")
        return family

    @model_validator(mode="after")
    def _frame_fits_family(self) -> "NetworkSpec":
        if FAMILIES[self.family].has_frame and self.frame_samples is None:
            raise ValueError(f"{self.family} needs frame_samples, such as 32 or 64")
        if not FAMILIES[self.family].has_frame and self.frame_samples is not None:
            raise ValueError(f"{self.family} carries its state on and has no frame_samples "
                             f"(found {self.frame_samples})")
        if FAMILIES[self.family].has_frame and self.bends:
            raise ValueError(f"{self.family} has no dense layers that bend; only networks that stream have")
        return self

    @model_serializer(mode="wrap")
    def _said(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is empty: networks without these layers are written, and their digests are, as ever."""
        fields: dict[str, Any] = serialize(self)
        return {name: value for name, value in fields.items() if value or name not in DENSE_FIELDS}

    @property
    def kind(self) -> Family:
        """The family."""
        return FAMILIES[self.family]

    @property
    def graph(self) -> str:
        """Which graph of a TFLite file plays it, see :class:`Family`.

        ``fused_dense`` with dense layers around the fused operators, for which interpreters need other kernels.
        """
        return "fused_dense" if self.kind.graph == "fused" and self.bends else self.kind.graph

    @property
    def bends(self) -> bool:
        """Whether it has dense layers besides the output's sum."""
        return bool(self.front or self.head)

    @property
    def layer_input_sizes(self) -> tuple[int, ...]:
        """Width of what each recurrent layer reads: 1, or what the front gives, then H."""
        return (_widths(1, self.front)[-1], *[self.hidden_size] * (self.num_layers - 1))

    @property
    def dense_shapes(self) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """(inputs, units) of each dense layer in front, and of each behind but for the output's sum."""
        return _shapes(1, self.front), _shapes(self.hidden_size, self.head)

    @property
    def sum_inputs(self) -> int:
        """Width of what the output is the sum of: H, or what the head gives."""
        return _widths(self.hidden_size, self.head)[-1]

    @property
    def num_parameters(self) -> int:
        """Trainable weights, head included."""
        h, kind = self.hidden_size, self.kind
        dense = sum((inputs + 1) * units for shapes in self.dense_shapes for inputs, units in shapes)
        return (sum(len(kind.gates) * h * (size + h + kind.bias_rows) for size in self.layer_input_sizes) + dense
                + self.sum_inputs + 1)

    @property
    def label(self) -> str:
        """Short name for tables: ``lstm 1×16``, ``frame_lstm 1×16/64``, ``tanh 8 → gru 1×8 → sigmoid 8``."""
        frame = f"/{self.frame_samples}" if self.frame_samples else ""
        recurrent = f"{self.family} {self.num_layers}×{self.hidden_size}{frame}"
        return " → ".join([*(layer.label for layer in self.front), recurrent, *(layer.label for layer in self.head)])


DENSE_FIELDS = ("front", "head")
"""Fields that are left out where they are empty."""


def _widths(inputs: int, layers: tuple[DenseLayer, ...]) -> list[int]:
    return [inputs, *(layer.units for layer in layers)]


def _shapes(inputs: int, layers: tuple[DenseLayer, ...]) -> tuple[tuple[int, int], ...]:
    return tuple(itertools.pairwise(_widths(inputs, layers)))


def make_spec(**fields: Any) -> NetworkSpec:
    """A checked spec from plain values.

    Raises:
        SpecError: a field is unknown or out of range; the message names it.
    """
    return checked_network(NetworkSpec, fields)


Network = TypeVar("Network", bound=BaseModel)


def checked_network(kind: type[Network], fields: dict[str, Any]) -> Network:
    """A spec of some class from plain values. Raises SpecError as :func:`make_spec`."""
    try:
        return kind(**fields)
    except ValidationError as error:
        raise SpecError(explain_validation(error, "network")) from error


def explain_validation(error: ValidationError, what: str) -> str:
    """One line from the first complaint of a pydantic error: which field, what was found, what was wanted."""
    first = error.errors()[0]
    # Which kind of a union was tried is no field.
    field = ".".join(str(part) for part in first["loc"] if not str(part).startswith("#")) or "value"
    more = len(error.errors()) - 1
    found = "" if first["type"] in ("missing", "extra_forbidden") else f" (found {first['input']!r})"
    return f"{what}: {field}: {first['msg']}{found}" + (f"; and {more} more" if more else "")
